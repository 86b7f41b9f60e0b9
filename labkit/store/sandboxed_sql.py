"""A person's own SQL over the lab: it reads, and reaches nothing else.

On a connection that is read-only, sees no file, no network and no Python variable, loads no extension,
and whose settings cannot be changed. It does not know how the lab is folded: the caller has done that,
and holds the gate.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.arguments import check, number
from labkit.errors import DefinitionError
from labkit.store import database
from labkit.store.arrow_to_pandas import utc
from labkit.visible import quoted

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from duckdb.sqltypes import DuckDBPyType

    _Result = duckdb.DuckDBPyConnection | duckdb.DuckDBPyRelation

MOST_S = 60.0
MOST_BYTES = 4 * 2**30
"""What a query may take while it is worked out, and what it may give; less where a machine has little."""
_BATCH_ROWS = 2048
"""One vector of DuckDB's: the size and the time are looked at after each."""
_CARRIED = {
    *("boolean", "tinyint", "smallint", "integer", "bigint", "hugeint"),
    *("utinyint", "usmallint", "uinteger", "ubigint", "float", "double", "decimal"),
    *("varchar", "enum", "uuid", "blob", "date", "timestamp", "timestamp with time zone"),
}
"""DuckDB's types of which Arrow and Python have every value, or `arrow_values` its text."""

SEALED = {
    # Only while files can be reached can it be said that none is to be written.
    "temp_directory": "",
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
}


def seal(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Seal a lab in memory."""
    for setting, value in SEALED.items():
        connection.execute(f"set {setting} = '{value}'")
    lock(connection)
    return connection


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Seal a lab that was opened with `SEALED`: no file, its share of the memory, and no change of this."""
    connection.execute("set enable_external_access = false")
    # DuckDB knows of its container, and would take most of what that has.
    most = min(MOST_BYTES, _memory_limit_bytes(connection) // 2)
    in_use = connection.execute("select memory_usage_bytes from system.main.duckdb_memory()").fetchall()
    connection.execute(f"set memory_limit = '{most + sum(count for (count,) in in_use)}B'")
    connection.execute("set enable_progress_bar = false; set lock_configuration = true")


def _memory_limit_bytes(connection: duckdb.DuckDBPyConnection) -> int:
    # By its whole name: the lab may have a macro of somebody else's under the short one.
    row = connection.execute("select system.main.current_setting('memory_limit')").fetchone()
    assert row is not None
    count, unit = row[0].split()
    return int(float(count) * 1024 ** ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB").index(unit))


def query(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    params: Sequence[Any] | Mapping[str, Any] | None,
    *,
    timeout_s: float = MOST_S,
) -> pa.Table:
    """The result of one query, its columns `n`, `n_1` … where several have one name, times marked as UTC.

    Raises `DefinitionError` with DuckDB's words if it is no query or fails, and if it takes longer than
    `timeout_s` or more memory than it may: others wait for the lab meanwhile. A single value, or a list in
    it, is made by DuckDB without looking at either.
    """
    import duckdb

    if not isinstance(sql, str) or not sql.strip():
        raise DefinitionError("The query is empty. Write one, such as: from generations limit 10")
    if params is not None and (isinstance(params, str | bytes) or not isinstance(params, Iterable)):
        raise DefinitionError(f"params is {quoted(params)}; give a list, or a mapping for named ones.")
    check(number("timeout_s", timeout_s, above=0, below=None))
    most_bytes = min(MOST_BYTES, _memory_limit_bytes(connection))
    with _ended_after(connection, float(timeout_s)) as ended:
        try:
            statements = connection.extract_statements(sql)
            reading = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
            if len(statements) != 1 or statements[0].type not in reading:
                raise DefinitionError(
                    "lab.sql takes one query that reads (select, from, with, describe, explain). "
                    "The lab's tables are written by runs and scorers only."
                )
            bound = dict(params) if isinstance(params, Mapping) else list(params or ())
            result: _Result = connection.execute(statements[0], bound)
            names = [str(name) for name, *_ in result.description]
            kinds = [kind for _, kind, *_ in result.description]
            faithful = [_faithful(kind) for kind in kinds]
            if [connection.type(text) for text in faithful] != kinds:
                casts = (f"#{place}::{text}" for place, text in enumerate(faithful, 1))
                result = connection.sql(statements[0], params=bound or None).project(", ".join(casts))
            return _table(result, names, most_bytes)
        except (
            duckdb.Error,
            ArithmeticError,
            MemoryError,
            OSError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            if ended.is_set():
                raise DefinitionError(
                    f"The query was ended after {timeout_s:g} s. Ask for less of the lab, or give it longer "
                    "by timeout_s=…"
                ) from None
            if isinstance(error, MemoryError) or "Out of Memory" in str(error):
                raise DefinitionError(
                    f"The query needs more memory than the {most_bytes / 2**30:.2g} GB that it may take. Ask "
                    "for less of the lab, or sum up in smaller steps."
                ) from None
            raise DefinitionError(f"The query failed: {error}") from None


def _faithful(kind: DuckDBPyType) -> str:
    """The type under which values of this one come through Arrow and Python as they are: text, in place of
    what these have not or would change. Lists, arrays, structs and maps stay such."""
    parts: list[tuple[str, Any]] = kind.children if kind.id in ("list", "array", "map", "struct") else []
    match kind.id:
        case "timestamp_s" | "timestamp_ms":
            return "TIMESTAMP"  # else an infinite one would not fit into the unit of the others
        case "list":
            return f"{_faithful(parts[0][1])}[]"
        case "array":
            return f"{_faithful(parts[0][1])}[{parts[1][1]}]"
        case "map":
            return f"MAP({_faithful(parts[0][1])}, {_faithful(parts[1][1])})"
        case "struct" if all(name for name, _ in parts):
            fields = (f"{database.name(name)} {_faithful(part)}" for name, part in parts)
            return f"STRUCT({', '.join(fields)})"
    return str(kind) if kind.id in _CARRIED else "VARCHAR"


def _table(result: _Result, names: Sequence[str], most_bytes: int) -> pa.Table:
    """All rows, batch by batch: what DuckDB hands out is not under its own memory limit."""
    import pyarrow as pa

    reader = result.to_arrow_reader(_BATCH_ROWS)
    batches, size = [], 0
    for batch in reader:
        batches.append(batch)
        size += batch.nbytes
        if size > most_bytes:
            raise DefinitionError(
                f"The query gives more than {most_bytes / 2**30:.2g} GB. Add a limit, or sum up in the query."
            )
    table = pa.Table.from_batches(batches, schema=reader.schema)
    return utc(table.rename_columns(_told_apart(names)))


def _told_apart(names: Sequence[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        several = (f"{name}_{number}" for number in range(1, 2 * len(names)))
        free = (one for one in several if one not in names and one not in found)
        found[next(free) if name in found else name] = None
    return list(found)


@contextlib.contextmanager
def _ended_after(connection: duckdb.DuckDBPyConnection, timeout_s: float) -> Iterator[threading.Event]:
    """Interrupts what the connection does after so long; the event says that it has come to that."""
    ended, done = threading.Event(), threading.Event()

    def end() -> None:
        if not done.wait(min(timeout_s, threading.TIMEOUT_MAX)):
            ended.set()
            # One that comes between two batches is not heard.
            while not done.wait(0.1):
                connection.interrupt()

    watch = threading.Thread(target=end, name="labkit-sql-timeout", daemon=True)
    watch.start()
    try:
        yield ended
    finally:
        done.set()
        watch.join()
