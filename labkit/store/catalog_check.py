"""Is what a lab's file defines labkit's own? A view or macro by other hands would run as its maker likes.

A view can read any file of this machine, and a macro can take the place of a function that labkit's own
queries call. So the file's catalog is read before anything else, by a query that calls no function of it,
and held against what the schema's steps make. It does not judge rows, and takes no lock.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import StoreError
from labkit.store import migrate

if TYPE_CHECKING:
    import duckdb

Catalog = dict[tuple[str, str], str]
"""What defines a table or view, by its schema and name."""

_RELATIONS = (
    "select database_name, schema_name, table_name, sql from system.main.duckdb_tables()",
    "select database_name, schema_name, view_name, sql from system.main.duckdb_views()",
)
_NAMED = {
    "macro": "select database_name, function_name, internal from system.main.duckdb_functions()",
    "type": "select database_name, type_name, internal from system.main.duckdb_types()",
}
_INDEXES = "select database_name, schema_name, index_name from system.main.duckdb_indexes()"
_VERSIONS = ("log", "schema_version")


class CatalogCheck:
    """The check of one lab. A file that this process closed and nobody changed since is not read again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._checked: object = None
        self._known = True

    def check(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Whether the lab's schema is one that this labkit makes; where not, its views may say anything.

        Raises `StoreError` naming all that stands in the place of what is labkit's or DuckDB's own. Views
        that another DuckDB wrote in other words are made again.
        """
        if self._checked is not None and self._checked == self._state():
            return self._known
        self._checked = None
        self._known = _check(connection, self._path)
        return self._known

    def is_ours(self) -> None:
        """The file, as it is now, is as this process made it or leaves it."""
        self._checked, self._known = self._state(), True

    def _state(self) -> object:
        states: list[tuple[int, ...] | None] = []
        for file in (self._path, self._path.with_name(self._path.name + ".wal")):
            try:
                status = os.stat(file)
            except OSError:
                states.append(None)
            else:
                # The time of a change cannot be set back, as that of a writing can.
                states.append((status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        return states


def _check(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    # Named in full, since the file may have a macro of any name.
    (database,) = connection.execute("select system.main.current_database()").fetchone() or ("",)
    there = _relations(connection, database)
    faults = [*_in_places(connection, database)]
    if (versions := there.get(_VERSIONS)) is not None and _form(versions) != _form(
        _made(migrate.steps())[_VERSIONS]
    ):
        faults.append(_named(_VERSIONS, versions))
    _refuse(faults, path)
    if versions is None:
        return True
    have = dict(connection.execute("select version, sha256 from log.schema_version").fetchall())
    steps = migrate.steps()[: len(have)]
    if have != {step.version: step.sha256 for step in steps}:
        return False
    made = _made(steps)
    strange = {place: sql for place, sql in made.items() if _form(there.get(place, "")) != _form(sql)}
    only_views = all(sql.startswith("CREATE VIEW") for sql in strange.values())
    if strange and only_views and _of_another_duckdb(connection):
        for sql in strange.values():
            connection.execute(sql.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))
        strange = {}
    _refuse((_named(place, there.get(place, "create nothing as")) for place in strange), path)
    return True


def _named(place: tuple[str, str], sql: str) -> str:
    return f"its {sql.split()[1].lower()} {'.'.join(place).removeprefix('main.')}"


def _refuse(faults: Iterable[str], path: Path) -> None:
    found = list(faults)
    if found:
        raise StoreError(
            f"{path.name} was made or changed by other hands: {', '.join(found)} "
            f"{'is' if len(found) == 1 else 'are'} not as labkit makes it. Nothing of it was run. "
            "Choose a lab that you know; what is in its tables can be read with DuckDB."
        )


def _in_places(connection: duckdb.DuckDBPyConnection, database: str) -> Iterable[str]:
    """Macros and types that are found before DuckDB's own of that name, and indexes: labkit has none."""
    for kind, query in _NAMED.items():
        rows = connection.execute(query).fetchall()
        own = {name.lower() for _, name, internal in rows if internal}
        theirs = sorted(name for of, name, internal in rows if of == database and not internal)
        yield from (f"its {kind} {name}" for name in dict.fromkeys(theirs) if name.lower() in own)
    for of, schema, name in connection.execute(_INDEXES).fetchall():
        if of == database and schema == "log":
            yield f"its index {name}"


def _relations(connection: duckdb.DuckDBPyConnection, database: str) -> Catalog:
    rows = [row for query in _RELATIONS for row in connection.execute(query).fetchall()]
    return {(schema, name): sql for of, schema, name, sql in rows if of == database and sql}


@cache
def _made(steps: tuple[migrate.Step, ...]) -> Catalog:
    """What these steps of the schema make."""
    import duckdb

    with duckdb.connect() as connection:
        migrate.apply(connection, steps)
        made = _relations(connection, "memory")
        internal = connection.execute("select schema_name, view_name from duckdb_views() where internal")
        for place in internal.fetchall():
            made.pop(place, None)
    return made


def _form(sql: str) -> str:
    """A definition without what DuckDB may write in one way or another."""
    return "".join(sql.split()).replace('"', "").lower()


def _of_another_duckdb(connection: duckdb.DuckDBPyConnection) -> bool:
    import duckdb

    rows = connection.execute("select by_duckdb from log.schema_version").fetchall()
    return (duckdb.__version__,) not in rows
