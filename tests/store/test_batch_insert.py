"""Rows become Arrow columns of the tables' types, and one bad row is found among many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from labkit.errors import StoreError
from labkit.records import Generation, Score
from labkit.store import Store, batch_insert, journal_line
from labkit.store.batch_insert import Found
from labkit.store.database import in_memory
from labkit.store.line_kinds import BY_RECORD, KINDS


def found(record: Any, stamp: int = 1) -> Found:
    raw = journal_line.frame(type(record), stamp, journal_line.body(record))
    return Found("j", 0, raw, journal_line.parse(raw[:-1]), "7-00000000")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.tag)
def test_an_empty_line_of_each_kind_fits_its_table(kind: Any) -> None:
    """A row with nothing in it goes into its table as NULLs, under its stamp and process."""
    empty = Found("j", 0, b"", journal_line.Line(kind, 1_000_000, kind.decoder.decode(b"{}")), "7-00000000")
    with in_memory() as connection:
        batch_insert.insert(connection, [empty])
        (row,) = connection.execute(f"from log.{kind.table}").to_arrow_table().to_pylist()
    assert row.pop("written_by") == "7-00000000"
    assert row.pop("written_at") == datetime(1970, 1, 1, 0, 0, 1)  # noqa: DTZ001 - as in the tables
    assert set(row.values()) == {None}


def test_times_are_stored_in_utc(make: Any) -> None:
    """A time with any zone, or with none, is its moment in UTC."""
    east = timezone(timedelta(hours=9))
    rows = [
        found(make.generation("a", started_at=datetime(2026, 1, 1, 9, tzinfo=east))),
        found(make.generation("b", started_at=datetime(2026, 1, 1, 0))),  # noqa: DTZ001 - the point of the test
        found(make.generation("c", started_at=datetime(2026, 1, 1, tzinfo=UTC))),
    ]
    column = batch_insert.to_arrow(BY_RECORD[Generation], rows)["started_at"]
    assert len(set(column.to_pylist())) == 1
    assert column.type == pa.timestamp("us")


def test_numbers_beyond_64_bits_are_unknown(make: Any) -> None:
    """An absurd count is NULL, and its neighbours keep theirs."""
    rows = [found(make.generation(str(n), output_tokens=n)) for n in (5, 2**63, -(2**63), 10**40)]
    column = batch_insert.to_arrow(BY_RECORD[Generation], rows)["output_tokens"]
    assert column.to_pylist() == [5, None, -(2**63), None]


def test_the_refused_rows_are_found(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among many rows exactly those that DuckDB refuses are named, with its words."""
    rows = [found(make.score(f"g{number}")) for number in range(20)]
    real = batch_insert.to_arrow

    def picky(kind: Any, some: list[Found]) -> Any:
        if any(one.line.row.generation_id in ("g3", "g17") for one in some):
            raise duckdb.ConversionException("Conversion Error: no such thing\nmore")
        return real(kind, some)

    monkeypatch.setattr(batch_insert, "to_arrow", picky)
    assert batch_insert.refused(rows) == {
        3: "Conversion Error: no such thing",
        17: "Conversion Error: no such thing",
    }
    monkeypatch.undo()
    assert batch_insert.refused(rows) == {}
    assert rows[0].line.kind.record is Score


@pytest.mark.parametrize(
    "lack", [duckdb.OutOfMemoryException("no"), pa.ArrowMemoryError("no"), MemoryError()]
)
def test_a_lack_of_memory_puts_no_row_aside(
    lack: Exception, store: Store, put: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nothing of the rows: the fold fails in words, a reading shows what there is, and afterwards
    all that was journalled is in the tables."""
    put(make.run(), make.generation("a"))

    def exhausted(*_: Any) -> Any:
        raise lack

    monkeypatch.setattr(batch_insert, "to_arrow", exhausted)
    with pytest.raises(StoreError, match="could not be folded into lab"):
        store.fold()
    assert len(store.generations()) == 0
    monkeypatch.undo()
    assert store.generations()["text"].notna().tolist() == [True]
    assert store.sql("from log.damage").empty
