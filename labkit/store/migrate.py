"""The schema's steps: numbered SQL files, each applied once, in one transaction with its own record.

A lab that a newer labkit wrote, or whose steps are not those of this labkit, can be read but is not
written. It does not know what the tables mean, and takes no lock: the caller holds the gate.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import StoreDamaged, StoreError, StoreTooNew

if TYPE_CHECKING:
    import duckdb

_VERSIONS = """
create schema if not exists log;
create table if not exists log.schema_version (
    version integer, name varchar, sha256 varchar, applied_at timestamp, by_labkit varchar, by_duckdb varchar
)
"""


@dataclass(frozen=True)
class Step:
    """One numbered SQL file."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@cache
def steps() -> tuple[Step, ...]:
    """The steps of this labkit, in order."""
    found = []
    for file in files("labkit.store").joinpath("schema").iterdir():
        match = re.fullmatch(r"(\d{3})_(\w+)\.sql", file.name)
        if match:
            found.append(Step(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda step: step.version))


def apply(connection: duckdb.DuckDBPyConnection, wanted: Sequence[Step]) -> None:
    """Apply steps that are not applied yet, each in one transaction."""
    import duckdb

    connection.execute(_VERSIONS)
    have = _applied(connection)
    for step in wanted:
        if step.version in have:
            continue
        connection.execute("begin")
        try:
            connection.execute(step.sql)
            connection.execute(
                "insert into log.schema_version values "
                "(?, ?, ?, now()::timestamptz at time zone 'UTC', ?, ?)",
                [step.version, step.name, step.sha256, _labkit_version(), duckdb.__version__],
            )
            connection.execute("commit")
        except duckdb.Error as error:
            connection.execute("rollback")
            raise StoreError(f"Schema step {step.version:03d}_{step.name} failed: {error}") from error


def check(connection: duckdb.DuckDBPyConnection, wanted: Sequence[Step], *, lab: Path) -> list[Step]:
    """The steps this lab still needs.

    Raises `StoreTooNew` for a newer schema, `StoreDamaged` for steps that were applied in another form,
    and `StoreError` for a DuckDB file that is no lab.
    """
    have = _applied(connection)
    if not have:
        tables = connection.execute(
            "select string_agg(table_name, ', ') from (from information_schema.tables "
            "where table_catalog = current_database() and table_schema <> 'log' limit 5)"
        ).fetchone()
        if tables and tables[0]:
            raise StoreError(
                f"{lab.name} is a DuckDB file with tables of its own ({tables[0]}), not a lab. "
                "labkit adds nothing to it: choose another path."
            )
        return list(wanted)
    newest = max(have)
    if newest > wanted[-1].version:
        raise StoreTooNew(
            f"{lab.name} has schema {newest}, this labkit knows {wanted[-1].version}: it can be read, not "
            "written. Install a newer labkit."
        )
    changed = [step for step in wanted if have.get(step.version, step.sha256) != step.sha256]
    if changed:
        raise StoreDamaged(
            f"{lab.name}: schema step {changed[0].version:03d}_{changed[0].name} was applied in another form "
            "than this labkit has it, so the tables may differ. It can be read, not written. "
            "Install the labkit that wrote it, or export it and start a new lab."
        )
    return [step for step in wanted if step.version not in have]


def _applied(connection: duckdb.DuckDBPyConnection) -> dict[int, str]:
    import duckdb

    try:
        rows = connection.execute("select version, sha256 from log.schema_version").fetchall()
    except duckdb.CatalogException:
        return {}
    return dict(rows)


def _labkit_version() -> str:
    try:
        return version("labkit")
    except PackageNotFoundError:
        return "unknown"
