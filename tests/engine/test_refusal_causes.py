"""Why a provider refuses: chance and limit are told apart by what slower asking changes."""

from __future__ import annotations

from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.engine.refusal_causes import RefusalCauses


def seen(chance: float, limit_per_s: float, rates: list[float], count: int, seed: int = 1) -> RefusalCauses:
    """What is known after so many requests at each of the rates, again and again."""
    causes, random = RefusalCauses(), Random(seed)
    for _ in range(count):
        for rate in rates:
            taken = (1 - chance) * min(1.0, limit_per_s / rate)
            causes.count(random.random() >= taken, rate)
    return causes


@pytest.mark.parametrize("chance", [0.05, 0.2, 0.4])
def test_what_is_refused_at_every_rate_is_chance(chance: float) -> None:
    """As much refused at a tenth of the rate: there is hardly a limit, and the chance is known."""
    causes = seen(chance, inf, [100.0, 10.0], 150)
    assert causes.limit_below(100.0) < 0.1
    assert causes.by_chance == pytest.approx(chance, abs=0.1)


@pytest.mark.parametrize("chance", [0.0, 0.2])
def test_what_is_refused_beyond_a_rate_is_a_limit(chance: float) -> None:
    """More is refused at 20 a second than at 8, where the limit is 10."""
    causes = seen(chance, 10.0, [20.0, 8.0], 150)
    assert causes.limit_below(20.0) > 0.9
    assert causes.limit_below(5.0) < 0.1
    assert causes.by_chance == pytest.approx(chance, abs=0.1)


def test_at_one_rate_alone_it_does_not_know() -> None:
    """Two in five refused at the only rate that was tried may be either, and both are drawn."""
    causes = RefusalCauses()
    for number in range(60):
        causes.count(number % 5 < 2, 12.0)
    assert 0.05 < causes.limit_below(12.1) < 0.95
    random = Random(1)
    drawn = {causes.draw(random) for _ in range(60)}
    assert min(drawn) < 12.1 < max(drawn)


def test_what_changed_is_unlearnt() -> None:
    """A limit that is gone is forgotten after some hundred requests that are taken."""
    causes = seen(0.0, 1.0, [4.0, 0.9], 100)
    assert causes.limit_below(4.0) > 0.9
    for _ in range(300):
        causes.count(False, 5.0)
    assert causes.limit_below(5.0) < 0.1


def test_what_others_ran_into_is_believed() -> None:
    """It is held for likely at once, and given up where it is not found."""
    causes = RefusalCauses()
    causes.believe(3.0)
    assert causes.limit_below(3.7) - causes.limit_below(2.4) > 0.9
    for _ in range(100):
        causes.count(False, 30.0)
    assert causes.limit_below(30.0) < 0.1


@given(st.lists(st.tuples(st.booleans(), st.floats(0.01, 5000)), max_size=80))
def test_whatever_is_seen_likelihoods_stay_such(sights: list[tuple[bool, float]]) -> None:
    """They are parts of one, a limit below a greater rate is no less likely, and a draw is a rate."""
    causes = RefusalCauses()
    for refused, rate in sights:
        causes.count(refused, rate)
    below = [causes.limit_below(rate) for rate in (0.1, 1, 10, 100, inf)]
    assert below == sorted(below)
    assert below[0] >= 0
    assert below[-1] <= 1 + 1e-9
    assert 0 <= causes.by_chance <= 1
    assert causes.draw(Random(1)) > 0
