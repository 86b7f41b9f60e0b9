"""Newton's method on a concave likelihood, with steps halved where they would lead downhill."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from labkit.stats.units import Floats

STEPS = 25
"""It takes at most so many steps, halvings not counted."""
_STILL = 1e-9
"""A step that moves nothing further is the last: the next would move about its square."""
_ROUNDING = 1e-10
"""Likelihoods nearer than this share of their size are the same."""

Slope = Callable[[Floats], tuple[float, Floats, Floats]]
"""Log-likelihood, its gradient and the information (minus its second derivative) at a place."""


def climb(slope: Slope, start: Floats) -> tuple[Floats, int, bool]:
    """Where the likelihood is greatest, in how many steps, and whether they came to rest.

    >>> place, steps, rested = climb(lambda x: (-float(x @ x), -2 * x, 2 * np.eye(1)), np.array([3.0]))
    >>> float(place[0]), steps, rested
    (0.0, 2, True)
    """
    place = start
    likelihood, gradient, information = slope(place)
    for step in range(1, STEPS + 1):
        move = np.linalg.solve(information, gradient)
        furthest = float(np.abs(move).max())
        while True:
            new, gradient, information = slope(place + move)
            if new >= likelihood - _ROUNDING * abs(likelihood) or np.abs(move).max() <= _STILL:
                break
            move = move / 2
        place, likelihood = place + move, new
        if furthest <= _STILL:
            return place, step, True
    return place, STEPS, False
