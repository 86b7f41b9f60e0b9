"""What stands and what is lifted, whatever nights come: properties of `labkit.sentinel.alarms` alone."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.sentinel.alarms import Alarm, Key, loss, of, raised, standing
from labkit.sentinel.finding import COST, LATENCY
from labkit.sentinel.measure import Measured

AT = datetime(2026, 11, 1, tzinfo=UTC)
BETTER = {"score.a": "higher", "score.b": "lower"}
METRICS = ("score.a", "score.b", COST, LATENCY)
metrics = st.sampled_from(METRICS)
drops = st.floats(0.01, 5.0)
"""How much worse: of a score the drop, else the logarithm of the ratio."""


def measured(metric: str, worse_by: float, **more: Any) -> Measured:
    """A metric that is worse by so much; below 0 it is better."""
    change = math.exp(worse_by) if metric in (COST, LATENCY) else worse_by
    return Measured(
        contender=("p", "m"), metric=metric, change=-change if metric == "score.a" else change, **more
    )


def alarm(metric: str, saw: float, **more: Any) -> Alarm:
    """One that such a night raised."""
    return Alarm(prompt="p", model="m", metric=metric, by=more.pop("by", "quick"), since="", saw=saw, **more)


def night(*found: Measured) -> dict[Key, Measured]:
    """What a night shows."""
    return {one.key: one for one in found}


def is_near(saw: float, worse_by: float) -> bool:
    """Whether it lies nearer to the baseline than to what the alarm saw."""
    return worse_by < saw / 2


@given(metrics, drops, st.lists(st.one_of(st.none(), st.floats(-5.0, 5.0)), max_size=12))
def test_an_alarm_is_lifted_by_the_first_two_nights_in_a_row_that_are_near(
    metric: str, saw: float, nights: list[float | None]
) -> None:
    """And by nothing else: nights of which nothing can be told (None) neither count nor break the row."""
    stands: list[Alarm] = [alarm(metric, saw)]
    row = 0
    for worse_by in nights:
        shown = measured(metric, 0.0, why_not="no rows") if worse_by is None else measured(metric, worse_by)
        if worse_by is not None and abs(worse_by - saw / 2) < 1e-9:
            continue  # on the border rounding decides
        stands = standing(stands, night(shown), None, BETTER)
        if worse_by is not None:
            row = row + 1 if is_near(saw, worse_by) else 0
        if row == 2:
            assert stands == []
            return
        (left,) = stands
        assert (left.nearer, left.saw, left.since) == (row, saw, "")


@given(metrics, drops, st.sampled_from([math.nan, math.inf, -math.inf]))
def test_a_change_that_is_no_number_changes_nothing(metric: str, saw: float, change: float) -> None:
    """Not a number, or an infinite one, is nothing that can be told."""
    stands = [alarm(metric, saw, nearer=1)]
    found = Measured(contender=("p", "m"), metric=metric, change=change)
    assert standing(stands, night(found), None, BETTER) == stands


@pytest.mark.parametrize("shown", ["why_not", "absent", "gone"])
@pytest.mark.parametrize("by", ["quick", "certain", "slow"])
def test_a_night_that_cannot_tell_changes_nothing(shown: str, by: str) -> None:
    """No rows, nothing to measure, or a metric that is watched no more."""
    stands = [alarm("score.a", 0.3, by=by, nearer=0)]
    more: dict[str, Any] = {"why_not": "none"} if shown == "why_not" else {"absent": True}
    found = {} if shown == "gone" else night(measured("score.a", -1.0, **more))
    assert standing(stands, found, found, BETTER) == stands
    assert standing([], found, found, BETTER) == []


@given(drops, st.lists(st.floats(-5.0, 5.0), max_size=5), st.floats(-5.0, 5.0))
def test_a_slow_alarm_is_lifted_by_a_week_alone(saw: float, nights: list[float], week: float) -> None:
    """By no number of nights, and by one week that is near."""
    stands: list[Alarm] = [alarm("score.a", saw, by="slow")]
    for worse_by in nights:
        stands = standing(stands, night(measured("score.a", worse_by)), None, BETTER)
        assert len(stands) == 1
    left = standing(stands, {}, night(measured("score.a", week)), BETTER)
    assert left == ([] if is_near(saw, week) else stands)


@given(st.permutations(METRICS), drops, st.lists(st.floats(-5.0, 5.0), min_size=4, max_size=4))
def test_the_order_of_metrics_does_not_matter(order: list[str], saw: float, shown: list[float]) -> None:
    """Each alarm is held against its own metric."""
    by_metric = dict(zip(METRICS, shown, strict=True))
    found = night(*(measured(metric, by_metric[metric]) for metric in METRICS))
    turned = night(*(measured(metric, by_metric[metric]) for metric in order))
    one = standing([alarm(metric, saw, nearer=1) for metric in METRICS], found, None, BETTER)
    other = standing([alarm(metric, saw, nearer=1) for metric in order], turned, None, BETTER)
    assert sorted(one, key=lambda kept: kept.metric) == sorted(other, key=lambda kept: kept.metric)


@given(metrics, drops)
def test_ratios_are_held_on_the_scale_of_logarithms(metric: str, saw: float) -> None:
    """Four times as dear is lifted by less than twice, not by less than 2.5 times; an alarm is as its night
    saw it, and its own night is never near it."""
    made = raised(measured(metric, saw), "quick", BETTER.get(metric, "higher"), AT)
    assert made.saw == pytest.approx(saw)
    assert made.since == AT.isoformat()
    assert of(made.plain()) == made
    (left,) = standing([made], night(measured(metric, saw)), None, BETTER)
    assert left.nearer == 0
    four = raised(measured(COST, math.log(4.0)), "quick", "lower", AT)
    for ratio, nearer in ((1.99, 1), (2.01, 0)):
        (left,) = standing([four], night(measured(COST, math.log(ratio))), None, BETTER)
        assert left.nearer == nearer


@given(drops, st.floats(0.1, 0.9), metrics)
def test_a_quick_alarm_is_held_against_the_least_that_its_range_holds(
    saw: float, share: float, metric: str
) -> None:
    """And where the range reaches to no drop at all, or ends nowhere, against what was seen."""
    better = BETTER.get(metric, "lower")
    ends = [measured(metric, saw * share).change, measured(metric, saw * 2).change]
    shown = measured(metric, saw, low=min(ends), high=max(ends))
    assert raised(shown, "quick", better, AT).saw == pytest.approx(saw * share)
    assert raised(shown, "slow", better, AT).saw == pytest.approx(saw)
    for low, high in ((-math.inf, math.inf), (math.nan, math.nan)):
        assert raised(measured(metric, saw, low=low, high=high), "quick", better, AT).saw == pytest.approx(
            saw
        )


def test_what_is_free_now_is_better_without_limit() -> None:
    """The logarithm of nothing is no error."""
    assert loss(Measured(contender=("p", "m"), metric=COST, change=0.0), "lower") == -math.inf
