"""labkit.dollars: a sum in words, whatever the sum."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from labkit.dollars import at_least, at_most, usd

WRITERS = [usd, at_most, at_least]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("amount", [1e27, 1e30, 1e300, 10**40])
def test_a_huge_sum_is_written(write: Callable[[float], str], amount: float) -> None:
    """In full: nobody has it, but somebody may give it for a budget that is no limit."""
    assert float(write(amount).replace(",", "")) == float(amount)


@pytest.mark.parametrize("write", WRITERS)
def test_what_is_no_finite_sum_is_written_as_python_does(write: Callable[[float], str]) -> None:
    """Infinity and not a number have no cents."""
    assert [write(math.inf), write(-math.inf), write(math.nan)] == ["inf", "-inf", "nan"]


@pytest.mark.parametrize("write", WRITERS)
def test_nothing_has_no_sign(write: Callable[[float], str]) -> None:
    """Nor has what is less than a budget counts."""
    assert [write(-0.0), write(-1e-13)] == ["0.00", "0.00"]
