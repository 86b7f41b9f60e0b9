"""Studies as arrays: answers that are right or wrong, and latencies, with samples whose repeats agree."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from labkit.stats.intervals import Interval

AT_ONCE = 500
"""Studies that are drawn at once where a method takes them as columns."""


def answers(
    rng: Generator, n: int, repeats: int, rates: tuple[float, ...], likeness: float, *studies: int
) -> list[np.ndarray]:
    """0/1 answers of models with these rates to the same samples; shape (n, repeats, *studies) each."""
    alike, luck = rng.random((n, 1, *studies)) < likeness, rng.random((n, 1, *studies))
    own = (n, repeats, *studies)
    return [np.where(alike, luck < rate, rng.random(own) < rate).astype(float) for rate in rates]


def waits(rng: Generator, n: int, repeats: int, likeness: float, shift: float = 0.0) -> np.ndarray:
    """Lognormal latencies (median e^shift, sigma 1) with that correlation of logarithms within samples."""
    shared, own = rng.normal(size=(n, 1)), rng.normal(size=(n, repeats))
    return np.exp(shift + np.sqrt(likeness) * shared + np.sqrt(1 - likeness) * own)


def which(n: int, repeats: int) -> np.ndarray:
    """The sample of each row."""
    return np.repeat(np.arange(n), repeats)


def covers(found: Interval, truth: float) -> bool:
    """Whether the interval holds the truth (rounding aside)."""
    return bool(found.low - 1e-12 <= truth <= found.high + 1e-12)


def inside(limits: tuple[np.ndarray, np.ndarray], truth: float) -> np.ndarray:
    """Which intervals hold the truth, known to a millionth of its size."""
    rest = 1e-6 * max(1.0, abs(truth))
    return np.asarray((limits[0] - rest <= truth) & (truth <= limits[1] + rest))
