"""labkit.summary.clocks: when contenders were timed, and which of them together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labkit.summary.clocks import RESOLUTION_S, clocks, together
from labkit.summary.contender_table import contender_table
from labkit.summary.dominance import dominated
from labkit.summary.first_asking import first_askings
from labkit.summary.pairwise import compare_pairs

KEYS = [("x/A",), ("x/B",)]


def timed(first, second, *, latency_s=1.0):
    """The clocks of two that were asked at those times (minutes after noon; None: not known)."""
    noon = pd.Timestamp("2026-11-23T12:00", tz="UTC")
    at = [None if minute is None else noon + pd.Timedelta(minutes=minute) for minute in [*first, *second]]
    frame = pd.DataFrame({"status": "done", "started_at": at, "latency_s": latency_s})
    whose = np.repeat([0, 1], [len(first), len(second)])
    return clocks(frame, first_askings(frame), whose, KEYS)


def test_requests_in_mixed_order_are_together():
    """One run asks its contenders in turn, whatever the order of the first."""
    assert together(*timed([0, 2, 4, 6], [1, 3, 5, 7]))


def test_two_bursts_that_are_out_at_once_are_together():
    """All of one were sent before all of the other, and none had been answered."""
    assert together(*timed([0, 0.001], [0.002, 0.003], latency_s=5.0))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param([0, 1, 2, 3], [120, 121, 122, 123], id="two hours of one day"),
        pytest.param([0, 1, 2, 3], [4, 5, 6, 7], id="one after the other"),
        pytest.param([0, 1, 2, 3], [3, 9, 10, 11], id="three quarters one after the other"),
        pytest.param([0, 1, 2, 3, 120], [0, 120, 121, 122, 123], id="mostly before and mostly after a pause"),
        pytest.param([0, 1], [None, None], id="one not known"),
    ],
)
def test_other_times_are_not_together(first, second):
    """The same day is no reason to compare; nor is a common hour of which each has little."""
    there = timed(first, second)
    assert not together(*there)
    assert not together(*there[::-1])


def test_more_rows_on_another_day_keep_contenders_together():
    """A study that grows by the same samples for all was timed at the same times."""
    assert together(*timed([0, 2, 1440, 1442], [1, 3, 1441, 1443]))


def test_times_that_nobody_knows_part_nothing():
    """A frame without times is compared as before."""
    assert together(*timed([None], [None]))


def test_replays_are_counted_with_the_days_of_their_originals():
    """A replay has no clock; its row says when its original was asked."""
    frame = pd.DataFrame(
        {
            "status": ["done", "done", "failed"],
            "replayed_from": ["g1", None, None],
            "started_at": ["2026-11-20T10:00Z", "2026-11-23T10:00Z", "2026-11-23T10:00Z"],
            "latency_s": [None, 1.0, None],
        }
    )
    (found,) = clocks(frame, first_askings(frame), np.zeros(3, dtype=int), KEYS[:1])
    assert (found.done, found.replays, found.timed) == (2, 1, 1)
    assert (found.replay_days, found.days) == (("2026-11-20",), ("2026-11-23",))


def _frame(rows, *, apart_h=0.0, latency_s=1.0):
    """b is better, cheaper and three times as fast as a, and was asked so many hours later."""
    frame = rows(models=("x/a", "x/b"), samples=60, repeats=1)
    b = (frame["model"] == "x/b").to_numpy()
    rng = np.random.default_rng(1)
    frame["started_at"] = pd.Timestamp("2026-11-23T09:00", tz="UTC") + pd.to_timedelta(
        rng.permutation(len(frame)) + b * apart_h * 3600, unit="s"
    )
    frame["latency_s"] = np.where(b, 1.0, 3.0) * np.exp(rng.normal(0, 0.2, len(frame))) * latency_s
    frame["cost_usd"] = np.where(b, 0.001, 0.002) * np.exp(rng.normal(0, 0.1, len(frame)))
    frame["score.exact"] = np.where(b, rng.random(len(frame)) < 0.95, rng.random(len(frame)) < 0.3) * 1.0
    return frame


def test_what_was_timed_at_other_times_has_no_ratio(rows):
    """Both latencies are there, their ratio is not, and time is left out of what dominates."""
    near, far = (compare_pairs(contender_table(_frame(rows, apart_h=hours))).iloc[0] for hours in (0, 3))
    assert near["latency_high"] < 0.4
    assert np.isnan(far[["latency_ratio", "latency_low", "latency_high", "ttft_ratio"]].astype(float)).all()
    assert (far["latency_n"], far["first_latency_s"]) == (60, near["first_latency_s"])
    slower = _frame(rows, apart_h=3).assign(latency_s=lambda it: 1 / it["latency_s"])
    assert dominated(compare_pairs(contender_table(slower))) == {"x/a": "x/b"}
    assert dominated(compare_pairs(contender_table(slower.assign(started_at=None)))) == {}


def test_what_lies_within_labkits_own_time_is_never_told_apart(rows):
    """Three times as fast is decided at a second, and not at a millisecond, where labkit's loop decides."""
    slow, instant = (
        compare_pairs(contender_table(_frame(rows, latency_s=scale))).iloc[0] for scale in (1.0, 0.001)
    )
    assert slow["latency_ratio"] == pytest.approx(instant["latency_ratio"])
    assert slow["latency_high"] < 1 < instant["latency_high"]
    assert instant["latency_high"] > RESOLUTION_S / 0.003
