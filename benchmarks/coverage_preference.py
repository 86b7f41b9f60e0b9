"""Cells of preference: ratings of pairs, with ties, by several raters, drawn at random or by the arena's rule.

Contenders lie at equal steps of log-strength. Two answers to a sample have a luck of their own (a normal with
the pair effect as its standard deviation) that all who rate them share. Outcomes are Davidson's, so that ties
are the rarer the further apart two are; the true share is over all samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from coverage_cell import Cell
from numpy.random import Generator
from scipy import special

from labkit.stats.bradley_terry import bradley_terry
from labkit.stats.next_pair import next_pair
from labkit.stats.preference import one_fit
from labkit.stats.ratings import Ratings, rated

REACH = 1.1
"""How far the best lies ahead of the worst, in log-strength."""
OFTEN = 10
"""Where pairs are drawn by the rule, the fit is made anew after so many ratings."""
FOUR = (0.0, 0.25, 0.5, 0.8, 1.1)
"""The strengths among which the best is to be found."""


@dataclass(frozen=True)
class Study:
    """How the ratings of a study come about."""

    strengths: tuple[float, ...]
    ratings: int
    ties: float = 0.0
    """The share of ties between equals without luck."""
    raters: int = 1
    luck: float = 0.0
    adaptive: bool = False

    @property
    def nu(self) -> float:
        """Davidson's ν of that share."""
        return 2 * self.ties / (1 - self.ties)

    def chances(self, apart: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of a win of the first and of a tie."""
        total = np.exp(apart / 2) + np.exp(-apart / 2) + self.nu
        return np.exp(apart / 2) / total, self.nu / total


@cache
def truth(study: Study) -> np.ndarray:
    """`truth(study)[i, j]`: the share of i over j over all samples."""
    places, weights = np.polynomial.hermite_e.hermegauss(61)
    apart = np.subtract.outer(study.strengths, study.strengths)[..., None] + study.luck * places
    won, tied = study.chances(apart)
    return np.asarray(((won + tied / 2) * weights).sum(axis=-1) / weights.sum())
