"""labkit.stats.prediction: the total of values to come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from labkit.stats import total_interval

VALUES = st.lists(st.integers(1, 100), min_size=1, max_size=40)


@given(VALUES, st.integers(1, 500))
def test_ends_are_ordered_and_possible(seen: list[int], more: int) -> None:
    """Low ≤ estimate ≤ high, and both ends are totals that the bounds allow."""
    found = total_interval(seen, more, lowest=1, highest=100)
    assert more - 1e-9 <= found.low <= found.estimate <= found.high <= 100 * more + 1e-9
    assert found.estimate == pytest.approx(np.mean(seen) * more)


@given(VALUES, st.integers(1, 500), st.integers(100, 5000))
def test_a_wider_bound_never_narrows(seen: list[int], more: int, highest: int) -> None:
    """A higher highest value gives no lower high end, and leaves the low end alone."""
    near, far = (total_interval(seen, more, lowest=1, highest=end) for end in (100, highest))
    assert near.high <= far.high
    assert near.low == far.low


@given(VALUES, st.integers(1, 500))
def test_it_turns_with_its_values(seen: list[int], more: int) -> None:
    """Values mirrored within the bounds give a mirrored interval, but for the draws' own error: eight of its
    standard deviations in the share of totals beyond an end."""
    bounds: dict[str, Any] = {"lowest": 0, "highest": 100, "draws": 4000}
    narrow, wide = (total_interval(seen, more, level=level, **bounds) for level in (0.822, 0.978))
    turned = total_interval([100 - value for value in seen], more, **bounds)
    assert 100 * more - wide.high - 1e-6 <= turned.low <= 100 * more - narrow.high + 1e-6


def test_equal_values_leave_the_rule_of_three() -> None:
    """After n equal values a share of 1 − 0.05^(1/n) may still be at the highest."""
    for n in (5, 20, 100):
        found = total_interval([0] * n, 100_000, lowest=0, highest=1, draws=20_000)
        assert found.high / 100_000 == pytest.approx(1 - 0.05 ** (1 / n), rel=0.05)
        assert found.low == 0


@pytest.mark.parametrize(("n", "more"), [(1, 20), (5, 200), (10, 20), (20, 2000), (50, 20), (50, 2000)])
def test_totals_of_two_lengths_hold_by_enumeration(n: int, more: int) -> None:
    """Where a share of the values is at the highest, as answers that run to their limit, and the rest at the
    lowest, the total lies in the interval with the level's chance, whatever the share: added up exactly."""
    found = [total_interval([1] * (n - k) + [4096] * k, more, lowest=1, highest=4096) for k in range(n + 1)]
    totals = more + 4095 * np.arange(more + 1)
    low, high = (np.array([[getattr(one, end)] for one in found]) for end in ("low", "high"))
    held = (low * (1 - 1e-9) <= totals) & (totals <= high * (1 + 1e-9))
    for share in (0.001, 0.01, 0.03, 0.06, *np.arange(0.1, 1, 0.1)):
        chance = binom.pmf(range(n + 1), n, share) @ held @ binom.pmf(range(more + 1), more, share)
        assert chance >= 0.9, share


def test_the_same_seed_gives_the_same() -> None:
    """It is drawn, and the same for the same seed."""
    first, second, other = (
        total_interval([1, 2, 9], 50, lowest=0, highest=20, seed=seed) for seed in (1, 1, 2)
    )
    assert first == second != other


def test_nothing_to_come_is_nothing() -> None:
    """The total of no values is 0, without doubt."""
    found = total_interval([3, 4], 0, lowest=0, highest=9)
    assert (found.low, found.estimate, found.high) == (0, 0, 0)


@pytest.mark.parametrize(
    ("seen", "more", "lowest", "highest"),
    [([], 5, 0, 1), ([2], 5, 0, 1), ([-1], 5, 0, 1), ([float("nan")], 5, 0, 1), ([1], -1, 0, 1)],
)
def test_what_cannot_be_is_refused(seen: list[float], more: int, lowest: float, highest: float) -> None:
    """No values, values beyond the bounds, and less than nothing to come are errors."""
    with pytest.raises(ValueError):
        total_interval(seen, more, lowest=lowest, highest=highest)
    with pytest.raises(ValueError):
        total_interval([1], 1, lowest=0, highest=2, level=95)
