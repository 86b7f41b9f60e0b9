"""Values of filters that no row of the lab has, each with the nearest that one has.

Finding nothing may be right, since what is asked for may not have been asked yet. So it is told and never
refused. It does not know how it is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

from labkit.nearest import listed
from labkit.records import Status
from labkit.store import filters

if TYPE_CHECKING:
    import duckdb

RUN_STATUS = ("finished", "stopped", "failed", "running", "unfinished")
GRAINS: Mapping[str, tuple[str, str, Sequence[str]]] = {
    "generations": ("generation", "log.generations", get_args(Status)),
    "runs": ("run", "log.runs", RUN_STATUS),
}
"""How a row is called, where it stands, and the states it can have."""
NEAREST = 3


def unknown(connection: duckdb.DuckDBPyConnection, grain: str, named: Mapping[str, Any]) -> list[str]:
    """A sentence for each value of `named` (column → a text or several) that no row of the `grain` has; none
    where there is no row at all."""
    noun, table, states = GRAINS[grain]
    if connection.execute(f"select 1 from {table} limit 1").fetchone() is None:  # noqa: S608 - our own name
        return []
    found = []
    for column, values in filters.texts(named).items():
        for value in dict.fromkeys(values):
            if column == "status":
                near = [] if value in states else list(states)
            else:
                near = _nearest(connection, table, column, value)
            if near:
                has_not = (
                    "This lab has no run" if column == "run_id" else f"No {noun} in this lab has {column}"
                )
                told = listed(value, near, most=len(near))
                found.append(f"{has_not} {value!r:.80}; the nearest: {told}.")
    return found


def _nearest(connection: duckdb.DuckDBPyConnection, table: str, column: str, value: str) -> list[str]:
    """The values that are likest to `value`; none where a row has it."""
    # DuckDB compares them, since there may be as many as there are rows.
    likest = (
        f'select distinct "{column}" as there from {table} where there is not null '  # noqa: S608 - bound
        "order by there = $1 desc, jaro_winkler_similarity(lower(there), lower($1)) desc, there limit $2"
    )
    near = [row[0] for row in connection.execute(likest, [value, NEAREST]).fetchall()]
    return [] if value in near else near
