"""One dtype for each kind of value, missing values or not."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pyarrow as pa

from labkit.store.arrow_to_pandas import to_frame, utc


def test_types_do_not_depend_on_what_is_missing() -> None:
    """Whole numbers, flags, texts and times have the same dtype with and without gaps."""
    full = pa.table({"n": [1, 2], "f": [True, False], "t": ["a", "b"], "x": [0.5, 1.5]})
    gaps = pa.table(
        {
            "n": pa.array([1, None], pa.int64()),
            "f": pa.array([None, False], pa.bool_()),
            "t": pa.array([None, "b"], pa.string()),
            "x": pa.array([None, 1.5], pa.float64()),
        }
    )
    empty = gaps.slice(0, 0)
    for table in (full, gaps, empty):
        kinds = [str(kind) for kind in to_frame(table).dtypes]
        assert kinds == ["Int64", "boolean", "str", "float64"]
    assert str(to_frame(full, never_missing=["n", "f", "nosuch"])["n"].dtype) == "int64"


def test_times_get_their_zone() -> None:
    """A time without a zone is UTC; one with a zone keeps its moment; the ends of time hold."""
    moments = [pd.Timestamp("2026-01-01").to_pydatetime(), None]
    table = pa.table(
        {
            "plain": pa.array(moments, pa.timestamp("us")),
            "coarse": pa.array(moments, pa.timestamp("s")),
            "zoned": pa.array(moments, pa.timestamp("us", tz="Europe/Berlin")),
        }
    )
    assert [str(column.type) for column in utc(table).schema] == [
        "timestamp[us, tz=UTC]",
        "timestamp[us, tz=UTC]",
        "timestamp[us, tz=Europe/Berlin]",
    ]
    assert to_frame(table)["plain"].iloc[0] == pd.Timestamp("2026-01-01", tz="UTC")


def test_decimals_are_plain_numbers() -> None:
    """DuckDB's sums, decimals in Arrow, become whole numbers; what a float would round stays a decimal."""
    small = pa.table({"n": pa.array([Decimal(5), None], pa.decimal128(38, 0))})
    large = pa.table({"n": pa.array([Decimal(10) ** 30], pa.decimal128(38, 0))})
    parts = pa.table({"n": pa.array([Decimal("1.25")], pa.decimal128(10, 2))})
    long = pa.table({"n": pa.array([Decimal("12345678901234567.89"), None], pa.decimal128(30, 2))})
    assert [str(to_frame(table)["n"].dtype) for table in (small, parts, large, long)] == [
        "Int64",
        "float64",
        "object",
        "object",
    ]
    assert to_frame(large)["n"].iloc[0] == 10**30
    assert str(to_frame(long)["n"].iloc[0]) == "12345678901234567.89"


def test_whole_numbers_of_any_width_stay_whole() -> None:
    """A column of small integers is `Int64` too, so that a missing one makes no float of the others."""
    for kind in (pa.int8(), pa.int32(), pa.uint16()):
        frame = to_frame(pa.table({"n": pa.array([7, None], kind)}))
        assert str(frame["n"].dtype) == "Int64"
    assert to_frame(pa.table({"n": pa.array([2**64 - 1, None], pa.uint64())}))["n"].iloc[0] == 2**64 - 1
