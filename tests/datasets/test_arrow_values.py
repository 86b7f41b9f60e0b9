"""labkit.datasets.arrow_values: what Python has no value for, as DuckDB writes it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labkit.datasets.arrow_values import shortest, values
from labkit.datasets.values import interval


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
        ("'5000000-01-01'::date", "5000000-01-01"),
        ("'290000-01-01 10:00'::timestamp", "290000-01-01T10:00:00.000000"),
        ("'290000-01-01 10:00'::timestamp_s", "290000-01-01T10:00:00"),
        ("'0044-03-15 (BC)'::date", "-0043-03-15"),
        ("'20000-03-15 (BC)'::date", "-19999-03-15"),
        ("interval '90 minutes'", "01:30:00"),
        ("[interval '3 days', null]", ["3 days", None]),
        ("'290000-01-01'::timestamp", "290000-01-01T00:00:00.000000"),
        ("'24:00'::time", "24:00:00"),
        ("time_ns '01:02:03.123456789'", "01:02:03.123456789"),
        ("[time '01:02']", [dt.time(1, 2)]),
        ("0.1::float", 0.1),
        ("[0.1::float, null, 7]", [0.1, None, 7.0]),
        ("{'x': [{'y': 0.1::float}]}", {"x": [{"y": 0.1}]}),
        ("map{'k': 1}", {"k": 1}),
        ("map{'k': interval 1 day}", {"k": "1 day"}),
        ("map{7: 1}", [[7, 1]]),
        ("{'d': 'infinity'::date, 'n': 7}", {"d": "infinity", "n": 7}),
    ],
)
def test_what_python_has_not_is_text(sql, wanted):
    """Each kind of DuckDB's cells says what it says there, also deep inside, beside nothing."""
    table = duckdb.sql(f"select {sql} as x union all select null").to_arrow_table()
    assert values(table.column(0)) == [wanted, None]


def test_an_infinite_date_changes_no_other():
    """Infinite dates are named, and leave the others in their column what they are."""
    alone = duckdb.sql("select date '2026-11-01' as d").to_arrow_table().column(0).to_pylist()
    both = duckdb.sql(
        "select date '2026-11-01' as d union all select 'infinity'::date order by 1"
    ).to_arrow_table()
    assert values(both.column(0)) == [*alone, "infinity"]


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (pa.array([0.1], pa.float16()), 0.1),
        (pa.array([0.1], pa.float32()).dictionary_encode(), 0.1),
        (pa.array([[0.1]], pa.large_list(pa.float32())), [0.1]),
        (pa.array([[0.1]], pa.list_(pa.float32(), 1)), [0.1]),
        (pa.array([129_600], pa.duration("s")), "1 day 12:00:00"),
        (pa.array([9089348860800000000], pa.timestamp("us", "UTC")), "290000-01-01T00:00:00.000000Z"),
        (pa.array([-1], pa.duration("ns")), "-00:00:00.000000001"),
        (pa.array([3_600], pa.time32("s")), dt.time(1)),
        (pa.array([[("k", 1), ("k", 2)]], pa.map_(pa.string(), pa.int8())), [["k", 1], ["k", 2]]),
    ],
)
def test_arrows_own_kinds_say_what_they_mean(cells, wanted):
    """Small floats under any type have their own digits, durations are written as intervals are."""
    assert values(pa.chunked_array([cells])) == [wanted]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@example(999_999_995_904.0)
def test_a_small_float_is_the_shortest_decimal_that_means_it(value):
    """A float of 32 bits is written with the digits it has, and is the same float again."""
    short = shortest(value, 32)
    assert np.float32(short) == np.float32(value)
    digits, long = (Decimal(repr(one)).normalize().as_tuple().digits for one in (short, value))
    assert len(digits) <= len(long)
