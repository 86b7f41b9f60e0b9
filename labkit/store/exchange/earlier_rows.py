"""The rows that a lab had before it was shared, as the journal lines they once were.

Their journals are gone, so they are written anew from the tables: the same values, under the same process and
stamp. It does not know the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any

import msgspec

from labkit.json_bytes import json_bytes
from labkit.store import journal_line
from labkit.store.exchange.journal_lines import Piece
from labkit.store.exchange.share_database import OutLine
from labkit.store.exchange.statements import IN_ORDER
from labkit.store.line_kinds import Kind

if TYPE_CHECKING:
    import duckdb

ROWS = 2_000
_encoder = msgspec.json.Encoder()


def counted(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many rows each table has; those that have none are left out."""
    counts = {
        kind.table: (connection.execute(f"select count(*) from log.{kind.table}").fetchone() or (0,))[0]  # noqa: S608 - a table of ours
        for kind in IN_ORDER
    }
    return {table: count for table, count in counts.items() if count}


def left(earlier: Mapping[str, int], sent: Mapping[str, int]) -> int:
    """How many of them wait to be sent."""
    return sum(max(0, count - sent.get(called(table), 0)) for table, count in earlier.items())


def next_piece(
    connection: duckdb.DuckDBPyConnection, earlier: Mapping[str, int], sent: Mapping[str, int]
) -> Piece | None:
    """The next of the rows to be sent; None: all were."""
    for kind in IN_ORDER:
        first, count = sent.get(called(kind.table), 0), earlier.get(kind.table, 0)
        if first < count:
            upto = min(first + ROWS, count)
            return Piece(list(_lines(connection, kind, first, upto)), {called(kind.table): upto})
    return None


def called(table: str) -> str:
    """The name under which the server notes how much of a table was sent."""
    return f"table {table}"


def is_table(called: str) -> bool:
    """Whether the server notes a table under that name, not a journal."""
    return called.startswith("table ")


def _lines(connection: duckdb.DuckDBPyConnection, kind: Kind, first: int, upto: int) -> Iterator[OutLine]:
    wanted = f"select * replace (epoch_us(written_at) as written_at) from log.{kind.table}"  # noqa: S608 - ours
    rows = connection.execute(
        f"{wanted} where rowid >= ? and rowid < ? order by rowid", [first, upto]
    ).to_arrow_table()
    for row in rows.to_pylist():
        stamp, process = row.pop("written_at"), row.pop("written_by")
        values = {name: _value(kind.columns[name], value) for name, value in row.items()}
        line = journal_line.frame(kind.record, stamp, json_bytes(values, _encoder))
        yield OutLine(kind.tag, process, stamp, line[:-1])


def _value(shape: str, value: Any) -> Any:
    if value is not None and shape == "time":
        return value.replace(tzinfo=UTC)
    if value is not None and shape == "json":
        return msgspec.Raw(value.encode())
    return value
