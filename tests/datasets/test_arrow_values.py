"""labkit.datasets.arrow_values: what Python has no value for, as DuckDB writes it."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.datasets.arrow_values import interval, shortest, values


@settings(deadline=None, max_examples=60)
@given(st.integers(-2000, 2000), st.integers(-2000, 2000), st.integers(-(10**13), 10**13))
def test_an_interval_is_written_as_duckdb_writes_it(months, days, microseconds):
    """Every interval has the text that DuckDB gives it."""
    query = "select (to_months($1) + to_days($2::int) + to_microseconds($3))::varchar"
    (wanted,) = duckdb.execute(query, [months, days, microseconds]).fetchone()
    assert interval(months, days, microseconds * 1000) == wanted


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("'infinity'::date", "infinity"),
        ("'-infinity'::date", "-infinity"),
        ("'infinity'::timestamp", "infinity"),
        ("'-infinity'::timestamptz", "-infinity"),
        ("'20000-01-01'::date", "20000-01-01"),
        ("'20000-01-01 10:00'::timestamp", "20000-01-01T10:00:00.000000"),
        ("'0044-03-15 (BC)'::date", "-0043-03-15"),
        ("interval '90 minutes'", "01:30:00"),
        ("[interval '3 days', null]", ["3 days", None]),
        ("{'d': 'infinity'::date, 'n': 7}", {"d": "infinity", "n": 7}),
    ],
)
def test_dates_that_python_has_not_are_text(sql, wanted):
    """Infinite and far dates are named, and leave the others in their column what they are."""
    table = duckdb.sql(f"select {sql} as x union all select null order by 1 nulls last").to_arrow_table()
    assert values(table.column(0)) == [wanted, None]
    alone = duckdb.sql("select date '2026-11-01' as d").to_arrow_table().column(0).to_pylist()
    both = duckdb.sql(
        "select date '2026-11-01' as d union all select 'infinity'::date order by 1"
    ).to_arrow_table()
    assert values(both.column(0)) == [*alone, "infinity"]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_small_float_is_the_shortest_decimal_that_means_it(value):
    """A float of 32 bits is written with the digits it has, and is the same float again."""
    short = shortest(value, 32)
    assert np.float32(short) == np.float32(value)
    assert len(repr(short)) <= len(repr(value))
