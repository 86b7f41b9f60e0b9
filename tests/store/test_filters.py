# ruff: noqa: DTZ001, DTZ901
"""Filters are checked, times understood, and nothing a caller gives becomes SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from labkit.errors import DefinitionError
from labkit.store import filters

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("2026-11-01", datetime(2026, 11, 1)),
        (" 2026-11-01T10:30 ", datetime(2026, 11, 1, 10, 30)),
        ("2026-11-01 10:30:00.5", datetime(2026, 11, 1, 10, 30, 0, 500_000)),
        ("2026-11-01T10:30Z", datetime(2026, 11, 1, 10, 30)),
        ("2026-11-01T10:30+02:00", datetime(2026, 11, 1, 8, 30)),
        (date(2026, 11, 1), datetime(2026, 11, 1)),
        (datetime(2026, 11, 1, 12), datetime(2026, 11, 1, 12)),
        (datetime(2026, 7, 1, 12, tzinfo=BERLIN), datetime(2026, 7, 1, 10)),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN), datetime(2026, 10, 25, 0, 30)),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1), datetime(2026, 10, 25, 1, 30)),
        (pd.Timestamp("2026-11-01 12:00", tz="Europe/Berlin"), datetime(2026, 11, 1, 11)),
        (pd.Timestamp("2026-11-01 12:00"), datetime(2026, 11, 1, 12)),
        ("0001-01-01T00:00+14:00", datetime.min),
        ("9999-12-31T23:00-12:00", datetime.max),
        (datetime(1, 1, 1, tzinfo=UTC), datetime.min),
    ],
)
def test_a_time_is_understood(given: Any, want: datetime) -> None:
    """Texts, dates and times with and without a zone are one moment in UTC, at the ends of time too."""
    assert filters.times("t", since=given, until=None) == (["t >= ?"], [want])


def test_a_plain_date_as_the_end_means_the_whole_day() -> None:
    """`until` a date takes in that day, the last day there is too; a time ends just before itself."""
    assert filters.times("t", since=None, until="2026-11-30")[1] == [datetime(2026, 12, 1)]
    assert filters.times("t", since=None, until=date(9999, 12, 31))[1] == [datetime.max]
    assert filters.times("t", since=None, until="2026-11-30T00:00")[1] == [datetime(2026, 11, 30)]


@pytest.mark.parametrize(
    "wrong",
    [
        "yesterday",
        "2026-13-01",
        "",
        20261101,
        1.5,
        pd.NaT,
        object(),
        [],
        True,
        timedelta(1),
        "2026-11-01T25:00",
    ],
)
def test_what_is_no_time_is_refused(wrong: Any) -> None:
    """A filter that is no time is named with what it could be, both faults at once."""
    with pytest.raises(DefinitionError, match=r"is no time.*2026-11-01") as told:
        filters.times("t", since=wrong, until=wrong)
    assert len(told.value.faults) == 2


def test_names_are_bound() -> None:
    """One name or several become a parameter, never text of the query."""
    conditions, params = filters.names({"model": "a' or 1=1 --", "run_id": ("x", "y"), "prompt": None})
    assert conditions == [
        '"model" = ?::varchar',
        '"run_id" in (select unnest(?::varchar[]))',
    ]
    assert params == ["a' or 1=1 --", ["x", "y"]]
    assert filters.names({"model": pd.Series(["a", "b"])})[1] == [["a", "b"]]
    assert filters.names({"model": []})[1] == [[]]


@pytest.mark.parametrize("wrong", [1, 1.5, b"x", {"a": 1}, [1], ["a", None], object(), np.arange(2)])
def test_what_is_no_name_is_refused(wrong: Any) -> None:
    """A filter of another type is a mistake, named with its column."""
    with pytest.raises(DefinitionError, match="model"):
        filters.names({"model": wrong})


@pytest.mark.parametrize("wrong", [-1, 1.0, "5", True, None.__class__])
def test_a_limit_is_a_number_of_rows(wrong: Any) -> None:
    """Anything but a whole number from 0 is refused; a huge one is all rows."""
    with pytest.raises(DefinitionError, match="limit"):
        filters.limit(wrong)
    assert filters.limit(0) == 0
    assert filters.limit(10**30) == 2**62
    assert filters.limit(None) is None


def test_columns_must_exist() -> None:
    """Unknown columns are named, all at once, with those there are; prefixes stand for what is joined."""
    known = ["a", "b"]
    assert filters.columns(["b", "a", "b"], known=known) == ["b", "a"]
    assert filters.columns("a", known=known) == ["a"]
    assert filters.columns(None, known=known) is None
    assert filters.columns(["score.x"], known=known, prefixes=["score."]) == ["score.x"]
    with pytest.raises(DefinitionError, match="2 things to mend"):
        filters.columns(["a", "x", 'y"; drop'], known=known)
    with pytest.raises(DefinitionError, match="columns is empty"):
        filters.columns([], known=known)
    with pytest.raises(DefinitionError, match=r"score\.x"):
        filters.columns(["score.x"], known=known)


def test_a_star_stands_for_all_that_are_there() -> None:
    """`score.*` is every score there is, in order and once; what is named is kept though it is not there."""
    there = ["model", "score.a", "score.b", "sample.x"]
    assert filters.matching(["score.b", "score.*", "sample.y"], there) == ["score.b", "score.a", "sample.y"]
