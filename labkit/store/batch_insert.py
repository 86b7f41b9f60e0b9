"""Lines on their way into the tables: parsed rows, turned into Arrow and inserted in one transaction.

One bad row does not stop the others: it is found by halving and handed back. It does not know files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from labkit.store.journal_line import Line
from labkit.store.line_kinds import KINDS, Kind, Shape

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


class Found(NamedTuple):
    """A line as it was found: where, and what it says."""

    journal: str
    at_byte: int
    raw: bytes
    line: Line
    process: str


def insert(connection: duckdb.DuckDBPyConnection, found: list[Found]) -> None:
    """Insert the rows of all lines, inside the caller's transaction."""
    by_kind: dict[str, list[Found]] = {}
    for one in found:
        by_kind.setdefault(one.line.kind.tag, []).append(one)
    for kind in KINDS:
        if kind.tag in by_kind:
            # In two thirds of the time that a registered view takes.
            labkit_batch = to_arrow(kind, by_kind[kind.tag])  # noqa: F841 - DuckDB finds it by its name
            connection.execute(f"insert into log.{kind.table} by name from labkit_batch")


def new(connection: duckdb.DuckDBPyConnection, found: list[Found], processes: set[str]) -> list[Found]:
    """The lines whose rows are not in the tables, each once: what the named `processes` wrote may be there,
    by process and stamp; what others wrote is new."""
    for process in processes:
        stamps = [one.line.stamp for one in found if one.process == process]
        if not stamps:
            continue
        known: set[int] = set()
        for table in {one.line.kind.table for one in found if one.process == process}:
            known.update(
                stamp
                for (stamp,) in connection.execute(
                    f"select epoch_us(written_at) from log.{table}"  # noqa: S608 - a table of ours
                    " where written_by = ? and epoch_us(written_at) between ? and ?",
                    [process, min(stamps), max(stamps)],
                ).fetchall()
            )
        kept = []
        for one in found:
            if one.process != process:
                kept.append(one)
            elif one.line.stamp not in known:
                known.add(one.line.stamp)
                kept.append(one)
        found = kept
    return found


def refused(found: list[Found]) -> dict[int, str]:
    """Which of the lines DuckDB or Arrow will not take, by their place in the list, and why.

    Tried in a database in memory, so the lab is not touched. Raises what has nothing to do with the lines.
    """
    import duckdb

    from labkit.store.migrate import apply, steps

    with duckdb.connect() as connection:
        apply(connection, steps())
        return _refused(connection, found, 0)


def _refused(connection: duckdb.DuckDBPyConnection, found: list[Found], first: int) -> dict[int, str]:
    import duckdb
    import pyarrow as pa

    try:
        insert(connection, found)
    except (duckdb.OperationalError, MemoryError):
        # A lack of memory or disk says nothing of a row.
        raise
    except (duckdb.Error, pa.ArrowException, ValueError, OverflowError) as error:
        if len(found) == 1:
            return {first: str(error).splitlines()[0]}
        middle = len(found) // 2
        left = _refused(connection, found[:middle], first)
        return left | _refused(connection, found[middle:], first + middle)
    return {}


def to_arrow(kind: Kind, found: list[Found]) -> pa.Table:
    """The rows as an Arrow table: the kind's columns, then `written_at` and `written_by`."""
    import pyarrow as pa

    values = zip(*(msgspec.structs.astuple(one.line.row) for one in found), strict=True)
    columns = {
        name: _array(shape, list(column))
        for (name, shape), column in zip(kind.columns.items(), values, strict=True)
    }
    columns["written_at"] = pa.array([one.line.stamp for one in found], pa.int64()).view(pa.timestamp("us"))
    columns["written_by"] = pa.array([one.process for one in found], pa.string())
    return pa.table(columns)


def _array(shape: Shape, values: list[Any]) -> pa.Array:
    import pyarrow as pa

    if shape == "time":
        # A time without a zone is UTC.
        return pa.array(values, pa.timestamp("us", tz="UTC")).view(pa.timestamp("us"))
    if shape == "json":
        texts = [bytes(value) for value in values]
        return pa.array([None if text == b"null" else text for text in texts], pa.string())
    if shape == "whole":
        try:
            return pa.array(values, pa.int64())
        except (OverflowError, pa.ArrowInvalid):
            # A count of 10^30, which a server may claim, is none.
            return pa.array(
                [v if v is None or _SMALLEST <= v <= _LARGEST else None for v in values], pa.int64()
            )
    types = {"text": pa.string(), "number": pa.float64(), "flag": pa.bool_()}
    return pa.array(values, types[shape])
