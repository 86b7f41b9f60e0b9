"""A person's own SQL over the lab: it reads, and reaches nothing else.

On a connection that is read-only, sees no file, no network and no Python variable, loads no extension,
and whose settings cannot be changed. It does not know how the lab is folded: the caller has done that,
and holds the gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.errors import DefinitionError
from labkit.store import database
from labkit.store.arrow_to_pandas import utc

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SEALED = {
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "lock_configuration": "true",
}


def empty() -> duckdb.DuckDBPyConnection:
    """An empty lab in memory, sealed: what is read where there is no lab yet."""
    connection = database.in_memory()
    for setting, value in SEALED.items():
        connection.execute(f"set {setting} = {value}")
    return connection


def query(
    connection: duckdb.DuckDBPyConnection, sql: str, params: Sequence[Any] | Mapping[str, Any] | None
) -> pa.Table:
    """The result of one query, its columns `n`, `n_1` … where several have one name, times marked as UTC.

    Raises `DefinitionError` with DuckDB's words if it is no query, or fails.
    """
    import duckdb

    if not isinstance(sql, str) or not sql.strip():
        raise DefinitionError("The query is empty. Write one, such as: from generations limit 10")
    try:
        statements = connection.extract_statements(sql)
        kinds = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
        if len(statements) != 1 or statements[0].type not in kinds:
            raise DefinitionError(
                "lab.sql takes one query that reads (select, from, with, describe, explain). "
                "The lab's tables are written by runs and scorers only."
            )
        bound = dict(params) if isinstance(params, Mapping) else list(params or ())
        result = connection.execute(statements[0], bound)
        table = result.to_arrow_table()
        return utc(table.rename_columns(_told_apart(table.column_names)))
    except (duckdb.Error, UnicodeEncodeError, TypeError, RuntimeError) as error:
        raise DefinitionError(f"The query failed: {error}") from None


def _told_apart(names: Sequence[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        several = (f"{name}_{number}" for number in range(1, 2 * len(names)))
        free = (one for one in several if one not in names and one not in found)
        found[next(free) if name in found else name] = None
    return list(found)
