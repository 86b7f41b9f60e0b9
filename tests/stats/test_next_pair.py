"""labkit.stats.next_pair: mostly the leader and its nearest, no pair left out, and true chances."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from labkit.stats import draw_pair, rated
from labkit.stats.strengths import bradley_terry

FIVE = np.array([0.0, 0.25, 0.5, 0.8, 1.1])


def fit(first, second, outcome, contenders):
    """The fit that the next pair is drawn from."""
    return bradley_terry(rated(first, second, outcome, contenders=contenders), imagine=True)


def test_the_leader_meets_whom_it_is_least_separated_from():
    """Without any other draws it is the one whose lead is smallest in standard errors, not in strength."""
    # b is nearer to a by strength; c, rated twice, may be anywhere.
    first, second = ["a"] * 60 + ["a"] * 2, ["b"] * 60 + ["c"] * 2
    found = fit(first, second, [1] * 42 + [0] * 18 + [1, 1], "abc")
    assert found.log_strength.argmax() == 0
    drawn = draw_pair(found, np.random.default_rng(1), any_pair=0)
    assert (drawn.first, drawn.second, drawn.chance) == (0, 2, 1.0)


@given(st.integers(2, 6), st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_every_pair_may_come_and_chances_are_shares(k, n, seed):
    """Whatever was rated, the chance of a pair is its part of the 20 % at least, and at most all the rest."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, k, n)
    second = (first + rng.integers(1, k, n)) % k
    drawn = draw_pair(fit(first, second, rng.choice([0, 0.5, 1], n), range(k)), rng)
    pairs = k * (k - 1) / 2
    assert 0 <= drawn.first < drawn.second < k
    assert 0.2 / pairs - 1e-12 <= drawn.chance <= 0.8 + 0.2 / pairs + 1e-12


def test_the_chance_told_is_how_often_the_pair_is_drawn():
    """Over 20,000 draws from one fit each pair comes as often as it says."""
    found = fit(list("aabbc"), list("bccdd"), [1, 1, 0.5, 1, 1], "abcd")
    rng = np.random.default_rng(2)
    draws = [draw_pair(found, rng) for _ in range(20_000)]
    told = {(one.first, one.second): one.chance for one in draws}
    counted = Counter((one.first, one.second) for one in draws)
    assert sum(told.values()) == pytest.approx(1)
    for pair, chance in told.items():
        assert abs(counted[pair] / 20_000 - chance) < 4 * (chance * (1 - chance) / 20_000) ** 0.5


def test_without_ratings_all_pairs_are_alike():
    """Nobody leads yet, so that no name comes first."""
    drawn = draw_pair(fit([], [], [], "abc"), np.random.default_rng(0))
    assert drawn.chance == pytest.approx(1 / 3)


def test_a_share_outside_its_bounds_is_refused():
    """More than all draws cannot be of any pair."""
    with pytest.raises(ValueError, match="from 0 to 1"):
        draw_pair(fit([], [], [], "abc"), np.random.default_rng(0), any_pair=1.5)


def found_best(rng, *, rule):
    """Whether after 100 ratings the best of five leads, and how often each pair was rated."""
    first, second, outcome = [], [], []
    pairs = np.transpose(np.triu_indices(5, 1))
    for _ in range(100):
        if rule:
            drawn = draw_pair(fit(first, second, outcome, range(5)), rng)
            one, two = drawn.first, drawn.second
        else:
            one, two = pairs[rng.integers(10)]
        first.append(one)
        second.append(two)
        outcome.append(float(rng.random() < special.expit(FIVE[one] - FIVE[two])))
    counts = rated(first, second, outcome, contenders=range(5)).counts()
    return fit(first, second, outcome, range(5)).log_strength.argmax() == 4, counts[np.triu_indices(5, 1)]


def test_the_rule_finds_the_best_sooner_than_chance_and_starves_nobody():
    """In 60 studies of 100 ratings it is right well above random drawing; each pair has its 2 of 100."""
    rng = np.random.default_rng(11)
    by_rule = [found_best(rng, rule=True) for _ in range(60)]
    at_random = [found_best(rng, rule=False)[0] for _ in range(60)]
    assert np.mean([right for right, _ in by_rule]) > 0.75
    assert np.mean([right for right, _ in by_rule]) > np.mean(at_random)
    assert np.mean([counts for _, counts in by_rule], axis=0).min() > 1.7
