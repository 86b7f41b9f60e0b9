"""labkit.stats.false_alarms: levels that solve their equation, and that hold in simulated nights."""

from __future__ import annotations

import importlib.util
import math
import sys
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from labkit.stats import alarm_levels
from labkit.stats.false_alarms import LOOSEST, QUICK, WEEK

FILE = Path(__file__).parents[2] / "benchmarks" / "sentinel_nights.py"
_spec = importlib.util.spec_from_file_location("labkit_benchmarks_sentinel_nights", FILE)
simulated = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = simulated
_spec.loader.exec_module(simulated)

NIGHT = QUICK / 365
"""Quick alarms a night, at one false alarm a year."""


@pytest.mark.parametrize("tests", [1, 6, 40])
@pytest.mark.parametrize(("baseline", "repeats"), [(1, 1), (3, 1), (5, 1), (5, 3), (2.5, 10)])
def test_levels_solve_their_equation(tests, baseline, repeats):
    """By scipy's bivariate normal, a metric passes both tests at these levels as often as budgeted."""
    found = alarm_levels(1, tests=tests, baseline_repeats=baseline, repeats=repeats)
    shared = (1 / baseline) / (1 / baseline + 1 / repeats)
    at = special.ndtri([found.night / tests, found.again])
    both = stats.multivariate_normal(cov=[[1, shared], [shared, 1]]).cdf(at)
    assert tests * both == pytest.approx(NIGHT, rel=1e-4)
    assert found.night == found.again


@pytest.mark.parametrize(("tests", "baseline"), [(1, 1), (1, 5), (6, 3)])
def test_normal_noise_raises_as_many_alarms_as_were_asked_for(tests, baseline):
    """With a baseline, a night and a re-ask of normal noise drawn one by one, the rates are those told."""
    rng = np.random.default_rng(0)
    found = alarm_levels(1, tests=tests, baseline_repeats=baseline)
    draws = 4_000_000
    base = rng.normal(0, math.sqrt(1 / baseline), draws)
    of_one, of_seven = math.sqrt(1 + 1 / baseline), math.sqrt(1 / WEEK + 1 / baseline)
    tonight, again = ((rng.normal(size=draws) - base) / of_one for _ in range(2))
    week = (rng.normal(0, math.sqrt(1 / WEEK), draws) - base) / of_seven
    quick = (tonight < special.ndtri(found.night / tests)) & (again < special.ndtri(found.again))
    slow = week < special.ndtri(found.week / tests)
    # So many are counted that chance is 3 % of them or less, in the slow ones of six tests 6 %.
    a_year = 365 * tests * (quick.mean() + slow.mean() / WEEK)
    assert a_year == pytest.approx(1, rel=0.06)
    unlucky = base > np.quantile(base, 0.9)
    told = 365 * tests * (quick[unlucky].mean() + slow[unlucky].mean() / WEEK)
    assert told == pytest.approx(found.unlucky_per_year, rel=0.06)


def test_a_single_look_has_the_budget_of_one_night():
    """Without a re-ask tonight's level is the budget per night, and what is not asked again always agrees."""
    found = alarm_levels(2, tests=6, baseline_repeats=5, confirmed=False)
    assert (found.night, found.again) == (2 * NIGHT, 1)
    assert found.week == alarm_levels(2, tests=6, baseline_repeats=5).week


def test_a_re_ask_lets_tonight_be_tested_far_less_strictly():
    """The reason for it: at the same false alarms tonight's level is ten times as high."""
    once, twice = (alarm_levels(1, tests=1, baseline_repeats=5, confirmed=one) for one in (False, True))
    assert twice.night > 10 * once.night


@given(
    st.floats(0.01, 50),
    st.integers(1, 50),
    st.floats(1, 20),
    st.floats(1, 20),
    st.floats(1.05, 4),
    st.booleans(),
)
def test_more_budget_and_more_repeats_never_make_it_stricter(
    budget, tests, baseline, repeats, more, confirmed
):
    """Levels rise with the budget and with the baseline's repeats, and no level is beyond the loosest."""

    def levels(budget=budget, baseline=baseline, repeats=repeats, tests=tests):
        return alarm_levels(
            budget, tests=tests, baseline_repeats=baseline, repeats=repeats, confirmed=confirmed
        )

    found = levels()
    assert 0 < found.night <= LOOSEST
    assert 0 < found.week <= LOOSEST
    richer = levels(budget=budget * more)
    assert richer.night >= found.night
    assert richer.week >= found.week
    # What tonight and the re-ask share is less where the baseline is larger and tonight smaller.
    assert levels(baseline=baseline * more).night >= found.night * (1 - 1e-6)
    assert levels(repeats=repeats * more).night <= found.night * (1 + 1e-6)
    one_more = levels(tests=tests + 1)
    assert one_more.night / (tests + 1) < found.night / tests
    assert one_more.week / (tests + 1) < found.week / tests


@pytest.mark.parametrize("tests", [1, 6])
@pytest.mark.parametrize("confirmed", [True, False])
def test_a_baseline_of_one_repeat_can_be_unluckier(tests, confirmed):
    """The fewer repeats baselines have, the more of all false alarms fall to the unluckiest tenth of them."""
    unlucky = [
        alarm_levels(1, tests=tests, baseline_repeats=repeats, confirmed=confirmed).unlucky_per_year
        for repeats in (1, 2, 3, 5, 10, 100)
    ]
    assert unlucky == sorted(unlucky, reverse=True)
    # Ten times the average would be all of them.
    assert 9 < unlucky[0] < 10
    assert unlucky[-1] < 3.5


def test_a_budget_without_measure_stops_at_the_loosest_level():
    """A thousand false alarms a year are not made up by tests that say nothing."""
    found = alarm_levels(1000, tests=1, baseline_repeats=5)
    assert astuple(found)[:3] == (LOOSEST, LOOSEST, LOOSEST)
    assert alarm_levels(1e-9, tests=1, baseline_repeats=5).night < 1e-4


def test_nights_may_be_fewer_than_in_a_year():
    """A watch that runs on weekdays has the budget of a year for these."""
    weekdays = alarm_levels(1, tests=1, baseline_repeats=5, nights_per_year=260)
    assert weekdays.night > alarm_levels(1, tests=1, baseline_repeats=5).night
    assert weekdays.week == pytest.approx((1 - QUICK) * WEEK / 260)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("per_year", 0),
        ("per_year", -1),
        ("per_year", math.nan),
        ("per_year", math.inf),
        ("nights_per_year", 0),
        ("tests", 0),
        ("tests", 1.5),
        ("baseline_repeats", 0),
        ("baseline_repeats", 0.5),
        ("baseline_repeats", math.inf),
        ("repeats", 0),
        ("repeats", math.nan),
    ],
)
def test_numbers_that_cannot_be_are_refused_by_name(name, value):
    """A rate that is none, less than one test or answer: a ValueError that names it."""
    given = {"per_year": 1, "tests": 1, "baseline_repeats": 5} | {name: value}
    with pytest.raises(ValueError, match=rf"^{name} "):
        alarm_levels(given.pop("per_year"), **given)


def test_false_alarms_of_labkits_own_test_stay_within_the_budget():
    """In 150 simulated years of 100 rows, answers drawn one by one, alarms are at most half as many again."""
    setting = simulated.Setting(100, 5)
    quick, slow = simulated.false_alarms(
        np.random.default_rng(15), setting, alarm_levels(1, tests=1, baseline_repeats=5), 150
    )
    assert 0 < (quick + slow).mean() <= 1.5


def test_alarms_of_six_metrics_stay_within_the_same_budget():
    """Holm within the night: with six tests a watch raises no more false alarms than with one."""
    setting = simulated.Setting(50, 3, tests=6)
    quick, slow = simulated.false_alarms(
        np.random.default_rng(16), setting, alarm_levels(1, tests=6, baseline_repeats=3), 100
    )
    assert (quick + slow).mean() <= 1.5


def test_nothing_is_raised_where_a_model_always_says_the_same():
    """At temperature 0 every night is the baseline again, whatever the budget."""
    setting = simulated.Setting(100, 5, temperature=0)
    quick, slow = simulated.false_alarms(
        np.random.default_rng(17), setting, alarm_levels(100, tests=1, baseline_repeats=5), 3
    )
    assert quick.sum() == slow.sum() == 0


def test_a_drop_of_ten_points_is_found_within_three_nights():
    """One test, 100 rows, a baseline of 5: in 85 of 100 watches and more."""
    levels = alarm_levels(1, tests=1, baseline_repeats=5)
    _, three = simulated.found(np.random.default_rng(18), simulated.Setting(100, 5), levels, 4000, drop=0.1)
    assert three >= 0.85
