"""labkit.stats.planning: how many more samples it would take, and what a number of them can show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.stats.adjusted_t import adjusted_t
from labkit.stats.intervals import Interval, rate_interval, wilson
from labkit.stats.paired import paired_difference
from labkit.stats.planning import (
    Disagreement,
    Normal,
    Seen,
    detectable_difference,
    power,
    samples_for_width,
    samples_to_decide,
)
from labkit.stats.scale import Scale


def _study(rng, n, gain):
    """Two models, the first better by `gain`, on n samples."""
    luck = rng.random(n)
    two = (luck < 0.5) * 1.0
    one = np.where(rng.random(n) < 2 * gain, 1.0, two)
    return one, two


def test_so_many_samples_do_decide():
    """Studies of the planned size find the difference in about 80 % of cases."""
    rng = np.random.default_rng(0)
    pilot = paired_difference(*_study(rng, 4000, 0.06))
    planned = samples_to_decide(pilot, 0)
    found = [paired_difference(*_study(rng, planned, 0.06)).p_value[0] < 0.05 for _ in range(400)]
    assert 0.70 <= np.mean(found) <= 0.88


def test_a_smaller_difference_takes_more_samples():
    """Halving the difference about quadruples the samples."""
    rng = np.random.default_rng(1)
    small = samples_to_decide(paired_difference(*_study(rng, 20_000, 0.03)), 0)
    large = samples_to_decide(paired_difference(*_study(rng, 20_000, 0.06)), 0)
    assert 1.7 < small / large < 6


def test_what_no_number_would_decide_is_none():
    """No difference, a difference beyond the margin, or nothing to go by."""
    same = paired_difference([1.0, 0.0] * 10, [1.0, 0.0] * 10, scale=Scale(0, 1, 1))
    apart = paired_difference([1.0] * 20, [0.0] * 10 + [1.0] * 10)
    unknown = paired_difference([1.0, 0.0] * 10, [1.0, 0.0] * 10)
    assert samples_to_decide(unknown, 0, margin=0.1) is None
    assert samples_to_decide(same, 0) is None
    assert samples_to_decide(apart, 0, margin=0.1) is None
    assert samples_to_decide(paired_difference([1.0], [0.0]), 0) is None
    assert samples_to_decide(same, 0, margin=0.1) > 20


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_width_comes_out_as_planned(rate):
    """An interval of the planned number of samples is about as wide as wanted."""
    planned = samples_for_width(wilson(100 * rate, 100), 0.1)
    found = rate_interval([1] * round(planned * rate) + [0] * (planned - round(planned * rate)))
    assert found.width == pytest.approx(0.1, rel=0.1)


def test_a_width_that_cannot_be_planned():
    """Without an interval there is no plan; a width of 0 is refused."""
    assert samples_for_width(Interval(0.5, float("-inf"), float("inf"), 1, "t"), 0.1) is None
    with pytest.raises(ValueError, match="above 0"):
        samples_for_width(wilson(1, 2), 0)


# -- before asking ---------------------------------------------------------------------------------


def _apart(rng, n, studies, *, kind, gain, repeats):
    """Differences of two models on samples, one column a study; of 0/1 answers their mean is `gain`."""
    shape = (n, repeats, studies)
    if kind == "0/1":
        alike, luck = rng.random((n, 1, studies)) < 0.6, rng.random((n, 1, studies))
        one, two = (
            np.where(alike, luck < rate, rng.random(shape) < rate) * 1.0
            for rate in (0.6 + gain / 2, 0.6 - gain / 2)
        )
    else:
        sample = rng.normal(3.3, 0.8, (n, 1, studies))
        step = 1.0 if kind == "ratings" else 0.001
        one, two = (
            np.clip(np.round((sample + shift + rng.normal(0, 0.7, shape)) / step) * step, 1, 5)
            for shift in (gain / 2, -gain / 2)
        )
    found = one.mean(axis=1) - two.mean(axis=1)
    return np.where(np.abs(found) < 1e-12, 0.0, found)


@pytest.mark.parametrize("repeats", [1, 5])
@pytest.mark.parametrize(("kind", "span"), [("0/1", 1), ("ratings", 4), ("graded", 4)])
@pytest.mark.parametrize(("n", "pairs"), [(10, 1), (20, 3), (50, 6), (200, 45)])
def test_as_many_studies_are_decided_as_was_told(kind, span, n, pairs, repeats):
    """The chance told from a large history is the share of studies that are decided, within 3 points."""
    rng = np.random.default_rng([n, repeats, span])
    scale = Scale(0, span, 1 if kind != "graded" else None)
    gain = 3 / np.sqrt(n) * (0.6 if kind == "0/1" else 0.9)
    history = _apart(rng, 20_000, 1, kind=kind, gain=gain, repeats=repeats).ravel()
    effect = gain if kind == "0/1" else _apart(rng, 400_000, 1, kind=kind, gain=gain, repeats=1).mean()
    told = power(Seen(tuple(np.sort(history)[::10].tolist())), effect, n=n, pairs=pairs, scale=scale)
    studies = _apart(rng, n, 4000, kind=kind, gain=gain, repeats=repeats)
    found = adjusted_t(studies, scale=scale).p_value()
    assert told == pytest.approx((found < 0.05 / pairs).mean(), abs=0.03)


SCATTERS = st.one_of(
    st.builds(Disagreement, st.floats(0.01, 0.9)),
    st.builds(Normal, st.floats(0.05, 0.5)),
    st.builds(Normal, st.floats(0.05, 2), step=st.sampled_from([0.1, 0.2, 1.0])),
    st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.2, 1.0]), min_size=5, max_size=30).map(
        lambda seen: Seen((*seen, 1.0, -1.0))
    ),
)


@given(SCATTERS, st.floats(0, 1))
def test_a_scatter_has_the_effect_as_its_mean(scatter, effect):
    """Whatever was seen or guessed: chances are chances, and the mean is the effect."""
    values, chances = scatter.at(effect)
    assert float(values @ chances) == pytest.approx(effect, abs=1e-6)
    assert chances.sum() == pytest.approx(1)
    assert (chances >= 0).all()
    assert (np.diff(values) > 0).all()


def test_what_is_normal_is_moved_and_odds_are_multiplied():
    """Tilting moves a normal sample as it is, and multiplies the odds of 0/1 answers; ties stay ties."""
    rng = np.random.default_rng(3)
    seen = Seen(tuple(rng.normal(0, 1, 2000).tolist()))
    values, chances = seen.at(0.3)
    assert np.sqrt(chances @ (values - 0.3) ** 2) == pytest.approx(1, abs=0.05)
    values, (behind, level, ahead) = Seen((-1, 0, 0, 0, 1)).at(0.2)
    assert values.tolist() == [-1, 0, 1]
    assert 3 * ahead / level == pytest.approx(level / behind / 3, rel=1e-6)


@settings(max_examples=15)
@given(SCATTERS, st.integers(4, 60), st.sampled_from([1, 3, 45]))
def test_power_grows_with_the_effect_and_falls_with_the_pairs(scatter, n, pairs):
    """A larger difference is decided more often, and one of more pairs less often."""
    small, large = (power(scatter, effect, n=n, pairs=pairs, scale=Scale(0, 1)) for effect in (0.2, 0.5))
    assert small <= large + 0.02
    assert power(scatter, 0.5, n=n, pairs=2 * pairs, scale=Scale(0, 1)) <= large


@pytest.mark.parametrize("n", [20, 60, 200, 2000])
@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.95])
@pytest.mark.parametrize(
    "scatter", [Disagreement(0.3), Normal(0.5), Seen((0, 0, 0, 0, 1, 1, 0.5, -1, -0.5, 0))]
)
def test_the_detectable_difference_is_decided_so_often(scatter, n, wanted):
    """Its power is the one wanted, a point more at most but for a step of discrete scores."""
    found = detectable_difference(scatter, n=n, power=wanted, scale=Scale(0, 1))
    told = power(scatter, found, n=n, scale=Scale(0, 1))
    assert wanted <= told
    assert power(scatter, 0.98 * found, n=n, scale=Scale(0, 1)) < wanted + 0.01


def test_drawn_and_counted_from_moments_agree(monkeypatch):
    """Where drawing ends and moments begin the chance hardly jumps."""
    for scatter in (Normal(1.0), Disagreement(0.1), Seen((0,) * 9 + (1,) + (0.2, -0.2) * 3)):
        effect = detectable_difference(scatter, n=400, pairs=6, scale=Scale(0, 1))
        drawn = power(scatter, effect, n=400, pairs=6, scale=Scale(0, 1))
        monkeypatch.setattr("labkit.stats.planning.LARGE", 399)
        assert power(scatter, effect, n=400, pairs=6, scale=Scale(0, 1)) == pytest.approx(drawn, abs=0.03)
        monkeypatch.undo()


def test_too_few_samples_decide_nothing():
    """One sample decides nothing; a few do not decide 45 pairs of 0/1 scores, whatever the difference."""
    assert power(Disagreement(0.3), 0.9, n=1) == 0
    assert detectable_difference(Normal(1.0), n=1) is None
    assert detectable_difference(Disagreement(0.3), n=3, pairs=45, scale=Scale(0, 1, 1)) is None
