"""Bradley and Terry's strengths from ratings of pairs, with errors that know which ratings belong together.

A tie counts as half a win for each. The strengths are those of greatest likelihood (Newton's method), the
errors Huber's and White's over clusters: ratings of one sample resemble each other. This module knows codes
only, and no share, no interval and no word: those are in `preference`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from labkit.stats.newton import Slope, climb
from labkit.stats.ratings import Codes, Ratings
from labkit.stats.units import Floats


@dataclass(frozen=True)
class Strengths:
    """Log-strengths around a mean of 0, and how sure they are."""

    log_strength: Floats
    covariance: Floats
    """Of the log-strengths: Huber's and White's, clusters as wholes."""
    naive: Floats
    """The inverse of the information: the same, were all ratings independent and none a tie."""
    wins: Floats
    """`wins[i, j]`: how often (by weight) i was preferred over j, ties half; imagined ones not counted."""
    imagined: bool
    """Whether ties were imagined."""
    steps: int
    converged: bool
    """Whether Newton's method came to rest in the steps it may take."""

    @property
    def worth(self) -> Floats:
        """The strengths themselves, of which the sum is 1."""
        return np.asarray(special.softmax(self.log_strength))

    @property
    def chance(self) -> Floats:
        """`chance[i, j]`: with which chance i is preferred over j, ties half."""
        return chances(self.log_strength)

    @property
    def never_lost(self) -> NDArray[np.bool_]:
        """Who was rated and always preferred."""
        return np.asarray((self.wins.sum(axis=0) == 0) & (self.wins.sum(axis=1) > 0))

    @property
    def never_won(self) -> NDArray[np.bool_]:
        """Who was rated and never even tied."""
        return np.asarray((self.wins.sum(axis=1) == 0) & (self.wins.sum(axis=0) > 0))

    @property
    def parts(self) -> Codes:
        """The connected part that each contender belongs to, from 0; ratings tell nothing across parts."""
        together = reachable(self.wins + self.wins.T)
        return np.unique(together.argmax(axis=1), return_inverse=True)[1].astype(np.intp)

    def errors(self, against: int | None = None, *, naive: bool = False) -> Floats:
        """The standard error of each log-strength, around the mean or as distance from one contender's."""
        of = self.naive if naive else self.covariance
        return np.asarray(np.sqrt(np.diag(of) if against is None else variances(of)[against]))


def bradley_terry(ratings: Ratings, *, imagine: bool = False) -> Strengths:
    """Fit Bradley and Terry's model (1952): i is preferred over j with chance expit(strength i − strength j).

    The strengths of greatest likelihood are finite exactly where a chain of wins, ties being half ones,
    leads from each contender to each other (Ford 1957). Where one is missing, and always with `imagine`, each
    contender has one imagined tie besides, shared among all others; for two it is Jeffreys' prior.

    >>> from labkit.stats.ratings import rated
    >>> bradley_terry(rated(["a", "a", "b"], ["b", "b", "a"], [1, 1, 1])).worth.round(3).tolist()
    [0.667, 0.333]
    """
    wins = ratings.wins()
    imagine = imagine or not reachable(wins).all()
    thought = imagined(ratings.size) if imagine else np.zeros_like(wins)
    strength, steps, converged = climb(_slope(wins + thought), np.zeros(ratings.size))
    strength = strength - strength.mean()
    chance = chances(strength)
    inverse = pseudo_inverse(laplacian((wins + wins.T + 2 * thought) * chance * (1 - chance)))
    residual = ratings.outcome - chance[ratings.first, ratings.second]
    middle = ratings.summed(ratings.weight * residual) + scatter(thought, chance)
    return Strengths(strength, inverse @ middle @ inverse, inverse, wins, imagine, steps, converged)


def chances(log_strength: Floats) -> Floats:
    """With which chance each is preferred over each other."""
    return np.asarray(special.expit(np.subtract.outer(log_strength, log_strength)))


def imagined(size: int) -> Floats:
    """Imagined wins: one tie for each contender, shared among all others.

    >>> imagined(2).tolist()
    [[0.0, 0.5], [0.5, 0.0]]
    """
    return np.asarray((1 - np.eye(size)) / (2 * max(1, size - 1)))


def scatter(thought: Floats, chance: Floats) -> Floats:
    """What imagined wins add to the sum of squared scores, each counted as so small a part of a rating."""
    return laplacian(thought * (1 - chance) ** 2 + thought.T * chance**2)


def laplacian(weights: Floats) -> Floats:
    """The sum over pairs of weight·x·xᵀ, where x is 1 for one of the two and −1 for the other.

    >>> laplacian(np.array([[0.0, 2.0], [2.0, 0.0]])).tolist()
    [[2.0, -2.0], [-2.0, 2.0]]
    """
    return np.asarray(np.diag(weights.sum(axis=1)) - weights)


def reachable(wins: Floats) -> NDArray[np.bool_]:
    """Which contenders (columns) a chain of entries above 0 leads to from each (row).

    >>> reachable(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])).sum(axis=1).tolist()
    [3, 2, 1]
    """
    reach = ((wins > 0) | np.eye(len(wins), dtype=bool)).astype(np.float64)
    for _ in range(len(wins).bit_length()):
        reach = (reach @ reach > 0).astype(np.float64)
    return np.asarray(reach > 0)


def pseudo_inverse(information: Floats) -> Floats:
    """The inverse of a matrix whose rows sum to 0, among the vectors whose sum is 0."""
    return np.asarray(np.linalg.inv(anchored(information)) - 1 / information.trace())


def anchored(information: Floats) -> Floats:
    """The same matrix with a curve along (1, 1, …) as well, along which likelihood is level."""
    return np.asarray(information + information.trace() / len(information) ** 2)


def variances(covariance: Floats) -> Floats:
    """The variance of the difference of every two.

    >>> variances(np.array([[1.0, -1.0], [-1.0, 1.0]])).tolist()
    [[0.0, 4.0], [4.0, 0.0]]
    """
    own = np.diag(covariance)
    # A rest of rounding is no variance.
    return np.asarray(np.maximum(own[:, None] + own - 2 * covariance, 0.0))


def _slope(wins: Floats) -> Slope:
    both = wins + wins.T

    def slope(strength: Floats) -> tuple[float, Floats, Floats]:
        apart = np.subtract.outer(strength, strength)
        chance = special.expit(apart)
        likelihood = float((wins * special.log_expit(apart)).sum())
        gradient = np.asarray((wins - both * chance).sum(axis=1))
        return likelihood, gradient, anchored(laplacian(both * chance * (1 - chance)))

    return slope
