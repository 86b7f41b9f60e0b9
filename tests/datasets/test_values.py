"""labkit.datasets.values: what a cell may hold (groups B4, B5)."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.datasets.values import Unkeepable, digits, numbers, plain, whole

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(json_values)
def test_plain_values_stay_as_they_are(value):
    """What JSON can hold is kept, type and all."""
    assert plain(value) == value
    assert type(plain(value)) is type(value)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (float("nan"), None),
        (np.nan, None),
        (np.float32("nan"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (np.datetime64("NaT"), None),
        (Decimal("NaN"), None),
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (np.float64(1.5), 1.5),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array([1, 2]), [1, 2]),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        (np.array(5), 5),
        (Decimal("1.5"), 1.5),
        (Decimal("1.50"), "1.50"),
        (Decimal("7"), 7),
        (Decimal("1E+2"), 100),
        (Decimal("0E-8"), "0.00000000"),
        (Decimal(2) ** 70, "1180591620717411303424"),
        ([Decimal("12345678901234567.89")], ["12345678901234567.89"]),
        (dt.date(1, 1, 1), "0001-01-01"),
        (dt.datetime(9999, 12, 31, 23, 59, tzinfo=dt.UTC), "9999-12-31T23:59:00+00:00"),
        (dt.time(1, 2), "01:02:00"),
        (pd.Timestamp("2026-11-01 12:00", tz="UTC"), "2026-11-01T12:00:00+00:00"),
        (np.datetime64("2026-11-01"), "2026-11-01"),
        ((1, (2, 3)), [1, [2, 3]]),
        (np.timedelta64("NaT"), None),
        (np.float32(0.1), 0.1),
        (np.array([[0.1]], dtype="float16"), [[0.1]]),
        (np.array([0.1, np.nan], dtype=">f4"), [0.1, None]),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (dt.timedelta(hours=36), "1 day 12:00:00"),
        (dt.timedelta(minutes=-90), "-01:30:00"),
        (pd.Timedelta("1 day 1ns"), "1 day 00:00:00.000000001"),
        (pd.Period("2026-01", freq="M"), "2026-01"),
        ({"a": {"b": np.int8(1)}}, {"a": {"b": 1}}),
        (enum.IntEnum("Level", "LOW").LOW, 1),
    ],
)
def test_scalars_of_other_libraries_become_pythons_own(value, kept):
    """B4, B5: numpy, pandas, Decimal and date values become plain ones; NaN, NaT and NA become None."""
    assert plain(value) == kept
    assert type(plain(value)) is type(kept)


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_keeps_every_digit(value):
    """What becomes of a decimal means the same number, with the same digits after the point."""
    kept = plain(value)
    assert Decimal(str(kept)) == value
    if abs(value.adjusted()) < 300:
        assert str(kept) == digits(value)


@settings(deadline=None)
@given(st.lists(st.none() | st.text(min_size=1) | st.integers().map(str) | st.floats().map(str), min_size=1))
def test_no_other_cell_changes_the_characters_of_one(cells):
    """Whatever else stands in its column, a cell is shown as it is written."""
    assert [None if cell is None else str(cell) for cell in numbers(cells)] == cells


@given(st.floats(allow_nan=False))
def test_a_whole_number_in_a_float_is_that_number(value):
    """A float is an int only where that is the same number; beyond 2**53 it is left as it is."""
    assert whole(value) == value
    assert (type(whole(value)) is int) == (value.is_integer() and abs(value) < 2**53)


def test_an_hour_that_comes_twice_keeps_its_offset():
    """B14: the two readings of one wall time, when clocks go back, stay two texts."""
    zone = ZoneInfo("Europe/Berlin")
    first, second = (dt.datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=fold) for fold in (0, 1))
    assert plain(first) != plain(second)


class BytesPath:
    """A path as bytes."""

    def __fspath__(self):
        return b"x"


class Odd:
    """A class labkit knows nothing of."""


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("inf"), "infinite"),
        (-np.inf, "infinite"),
        (Decimal("Infinity"), "infinite"),
        (b"x", "bytes"),
        (bytearray(b"x"), "bytearray"),
        ({1, 2}, "set"),
        (frozenset(), "frozenset"),
        (BytesPath(), "bytes"),
        (object(), "object"),
        (Odd(), "Odd"),
        (1j, "complex"),
        (np.complex64(1), "complex"),
        (np.void(b"x"), "bytes|void"),
        (np.array([object()]), "object"),
        (pd.Interval(0, 1), "Interval"),
        (lambda: 1, "function"),
        ({1: "x"}, "keys are not all text"),
        (2**64, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        ([1, {"a": {2}}], "set"),
    ],
)
def test_what_cannot_be_kept_is_refused(value, why):
    """B4, B5: what has no plain form is refused by its type, also deep inside."""
    with pytest.raises(Unkeepable, match=why):
        plain(value)


def test_what_holds_itself_is_refused():
    """B12: a list or mapping that holds itself ends in a fault."""
    endless: list = []
    endless.append(endless)
    mapping: dict = {}
    mapping["a"] = mapping
    for value in (endless, mapping):
        with pytest.raises(Unkeepable, match="deep"):
            plain(value)
