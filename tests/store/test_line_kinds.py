"""Each kind of record has a table with its columns."""

from __future__ import annotations

import duckdb
import pytest

from labkit.records import Generation
from labkit.store.database import in_memory
from labkit.store.line_kinds import BY_RECORD, KINDS, Kind

SQL = {
    "text": "VARCHAR",
    "whole": "BIGINT",
    "number": "DOUBLE",
    "flag": "BOOLEAN",
    "time": "TIMESTAMP",
    "json": "JSON",
}


@pytest.fixture(scope="module")
def lab() -> duckdb.DuckDBPyConnection:
    return in_memory()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.tag)
def test_table_has_the_columns_of_the_record(kind: Kind, lab: duckdb.DuckDBPyConnection) -> None:
    """A record's fields are its table's columns, in order and type; also who wrote the row, and when."""
    have = dict(row[:2] for row in lab.execute(f"describe log.{kind.table}").fetchall())
    assert (have.pop("written_at"), have.pop("written_by")) == ("TIMESTAMP", "VARCHAR")
    assert list(have.items()) == [(name, SQL[shape]) for name, shape in kind.columns.items()]


def test_generations_has_exactly_the_fields_of_a_generation(lab: duckdb.DuckDBPyConnection) -> None:
    """The view `generations` has the fields of `Generation`, in their order, and nothing else."""
    columns = [row[0] for row in lab.execute("describe generations").fetchall()]
    assert columns == list(Generation.__struct_fields__)


@pytest.mark.parametrize(
    "view",
    [
        "runs",
        "generations",
        "attempts",
        "requests",
        "prompts",
        "blocks",
        "samples",
        "scores",
        "ratings",
        "models",
        "unsettled",
    ],
)
def test_every_view_can_be_read_by_its_name(view: str, lab: duckdb.DuckDBPyConnection) -> None:
    """A person reads each kind of row by `from <name>`, in an empty lab too."""
    assert lab.execute(f"from {view}").fetchall() == []


def test_tags_are_distinct() -> None:
    """No two kinds share a tag, a table or a record type."""
    assert len({kind.tag for kind in KINDS}) == len(KINDS)
    assert len({kind.table for kind in KINDS}) == len(KINDS)
    assert len(BY_RECORD) == len(KINDS)


def test_lines_of_an_older_labkit_are_read() -> None:
    """A line that lacks columns, or has null in them, comes in with NULL there."""
    row = BY_RECORD[Generation].decoder.decode(b'{"generation_id":"g","latency_s":null,"from_the_future":1}')
    assert row.generation_id == "g"
    assert row.latency_s is None
    assert row.text is None
