"""labkit.summary.set_answers: over many studies intervals of effects cover and claims err as they say.

All studies of a cell are drawn and reckoned at once, by the same contrasts and the same interval as
`SetAnswers` takes (`test_block_effects` holds the two against each other).
"""

from __future__ import annotations

import numpy as np
import pytest

from labkit.stats.adjusted_t import adjusted_t
from labkit.stats.factorial import Factorial, design
from labkit.stats.scale import Scale
from labkit.summary.set_answers import _scale

RIGHT, GRADED = Scale(0, 1, 1), Scale(0, 1)
LONG = pytest.param(8000, marks=pytest.mark.soak)
IN_CLUSTER = 5


def answers(rng, cells, samples, studies, effects, *, scale=RIGHT, clustered=False):
    """Scores by study, sample and set: samples have chances of their own, or clusters of them have."""
    inside = (Factorial(cells).signs > 0) * 1.0
    groups = samples // IN_CLUSTER if clustered else samples
    own = np.repeat(rng.uniform(0.2, 0.6, size=(studies, groups)), samples // groups, axis=1)
    chance = own[..., None] + inside @ np.asarray(effects)
    if scale.binary:
        return (rng.random(chance.shape) < chance) * 1.0
    return chance + rng.uniform(-0.2, 0.2, size=chance.shape)


def effect(scores, weights, *, scale=RIGHT, clustered=False):
    """The mean contrast of each study, as `compare_pairs` has it."""
    clusters = np.repeat(np.arange(scores.shape[1] // IN_CLUSTER), IN_CLUSTER) if clustered else None
    contrasts = np.einsum("snc,c->ns", scores, weights)
    return adjusted_t(contrasts, clusters, scale=_scale(scale, weights))


@pytest.mark.parametrize("studies", [800, LONG])
@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("samples", [20, 50, 200])
@pytest.mark.parametrize("scale", [RIGHT, GRADED])
def test_effects_are_covered_within_two_points(studies, k, samples, scale):
    """Of 0 and of 10 points, also in clusters; with four clusters the interval is wider than it need be."""
    rng = np.random.default_rng(11)
    found = Factorial(design(k))
    slack = 2.6 * (0.05 * 0.95 / studies) ** 0.5
    for true in (0.0, 0.1):
        for clustered in (False, True):
            scores = answers(
                rng, found.cells, samples, studies, [true] + [0.0] * (k - 1), scale=scale, clustered=clustered
            )
            low, high = effect(scores, found.main(0), scale=scale, clustered=clustered).limits(0.95)
            held = ((low <= true) & (true <= high)).mean()
            few = clustered and samples // IN_CLUSTER <= 10
            assert 0.93 - slack <= held <= (1.0 if few else 0.975 + slack)


@pytest.mark.parametrize("studies", [800, LONG])
@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("samples", [20, 50, 200])
def test_false_claims_over_all_blocks_stay_at_the_level(studies, k, samples):
    """With no effect at all, or one block that adds 10 points, any claim of another is in 5 % of studies."""
    rng = np.random.default_rng(12)
    found = Factorial(design(k))
    for effects in ([0.0] * k, [0.1] + [0.0] * (k - 1)):
        scores = answers(rng, found.cells, samples, studies, effects)
        null = [factor for factor in range(k) if not effects[factor]]
        p = np.array([effect(scores, found.main(factor)).p_value() for factor in range(k)])
        # Holm's: the least of the true nulls is claimed only below level ÷ how many are left.
        order = np.sort(p, axis=0) * np.arange(k, 0, -1)[:, None]
        adjusted = np.maximum.accumulate(order, axis=0)
        claimed = np.take_along_axis(adjusted, np.argsort(np.argsort(p, axis=0), axis=0), axis=0) < 0.05
        wrong = claimed[null].any(axis=0).mean()
        assert wrong <= 0.05 + 2.6 * (0.05 * 0.95 / studies) ** 0.5


@pytest.mark.parametrize("studies", [800, LONG])
@pytest.mark.parametrize("k", [3, 5])
def test_pair_effects_are_covered_and_found(studies, k):
    """A pair that adds 20 points only together: its effect of 10 is covered, and what each adds beside the
    other."""
    rng = np.random.default_rng(13)
    found = Factorial(design(k))
    both = (found.cells_of(0) & found.cells_of(1)) * 0.2
    scores = answers(rng, found.cells, 100, studies, [0.0] * k)
    scores = np.where(rng.random(scores.shape) < both, 1.0, scores)
    # Who is right already gains nothing: of 60 % wrong answers a fifth become right.
    gain = 0.2 * (1 - 0.4)
    slack = 2.6 * (0.05 * 0.95 / studies) ** 0.5
    for weights, true in (
        (found.strings[((0, 1),)], gain / 2),
        (found.given(0, 1, inside=True), gain),
        (found.given(0, 1, inside=False), 0.0),
        (found.together(0, 1, alike=True), gain),
    ):
        low, high = effect(scores, weights).limits(0.95)
        assert 0.93 - slack <= ((low <= true) & (true <= high)).mean() <= 0.975 + slack


@pytest.mark.parametrize("studies", [2000, LONG])
def test_a_factorial_is_as_efficient_as_it_says(studies):
    """At five blocks and equal requests, leaving one out has (k + 1) ÷ 2 = 3 times the variance, and the
    power that follows from that; within 10 %."""
    rng = np.random.default_rng(14)
    half, each = Factorial(design(5)), Factorial(design(5, "each"))
    effects = [0.1, 0.0, 0.0, 0.0, 0.0]
    samples = 60
    more = samples * len(half.cells) // len(each.cells)
    one = effect(answers(rng, half.cells, samples, studies, effects), half.main(0))
    other = effect(answers(rng, each.cells, more, studies, effects), each.main(0))
    assert other.mean.var() / one.mean.var() == pytest.approx(3, rel=0.1 if studies > 5000 else 0.15)

    def power(found):
        return (found.p_value() < 0.05 / 5).mean()

    from scipy.stats import norm

    critical = norm.ppf(1 - 0.05 / 5 / 2)
    beyond = norm.ppf(power(one)) + critical  # the effect ÷ its error
    assert power(other) == pytest.approx(norm.sf(critical - beyond / 3**0.5), abs=0.1)
    assert power(one) > 2 * power(other)
