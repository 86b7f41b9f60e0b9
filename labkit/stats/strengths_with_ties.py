"""Davidson's strengths from ratings of pairs, in which a tie is an outcome of its own.

The second opinion where ties are many: as half wins they draw the strengths of `strengths` together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from labkit.stats.newton import Slope, climb
from labkit.stats.ratings import Ratings
from labkit.stats.strengths import anchored, imagined, laplacian, reachable, variances
from labkit.stats.units import Floats


@dataclass(frozen=True)
class Davidson:
    """Log-strengths around a mean of 0, how readily raters find a tie, and how sure both are."""

    log_strength: Floats
    ties: float
    """Davidson's ν: how many times as likely a tie of equals is as a win of the one."""
    covariance: Floats
    """Of the log-strengths and log ν: Huber's and White's, clusters as wholes."""
    naive: Floats
    """The inverse of the information: the same, were all ratings independent."""
    imagined: bool
    """Whether ratings were imagined."""
    steps: int
    converged: bool

    @property
    def worth(self) -> Floats:
        """The strengths themselves, of which the sum is 1."""
        return np.asarray(special.softmax(self.log_strength))

    @property
    def chance(self) -> Floats:
        """`chance[i, j]`: with which chance i is preferred over j, ties half."""
        won, tied = _outcomes(self.log_strength, self.ties)
        return np.asarray(won + tied / 2)

    def errors(self, against: int | None = None, *, naive: bool = False) -> Floats:
        """The standard error of each log-strength, around the mean or as distance from one contender's."""
        of = (self.naive if naive else self.covariance)[:-1, :-1]
        return np.asarray(np.sqrt(np.diag(of) if against is None else variances(of)[against]))


def davidson(ratings: Ratings) -> Davidson:
    """Fit Davidson's model (1970): i wins, j wins, neither does as strength i : strength j : ν·√(i's · j's).

    Strengths and ν of greatest likelihood are finite where chains of wins or ties join all contenders both
    ways, a chain of wins leads from some contender back to itself, and there is a tie. Where one of these is
    missing, each contender has one imagined rating besides, shared among all others, that is won, lost and
    tied to a third each.

    >>> from labkit.stats.ratings import rated
    >>> found = davidson(rated(["a", "a", "b", "a"], ["b", "b", "a", "b"], [1, 1, 1, 0.5]))
    >>> found.worth.round(3).tolist(), round(found.ties, 3)
    ([0.667, 0.333], 0.707)
    """
    k, wins, ties = ratings.size, ratings.wins(), ratings.ties()
    won = wins - ties / 2
    ahead = reachable(won)
    needed = not (ties.any() and reachable(wins).all() and (ahead & ahead.T).sum() > k)
    if needed:
        won, ties = won + imagined(k) * 2 / 3, ties + imagined(k) * 2 / 3
    slope = _slope(won, ties)
    place, steps, converged = climb(slope, np.zeros(k + 1))
    strength, nu = place[:-1] - place[:-1].mean(), float(np.exp(place[-1]))
    inverse = np.asarray(np.linalg.inv(slope(place)[2]), dtype=np.float64)
    inverse[:-1, :-1] -= inverse[:-1, :-1].mean()
    middle = _scatter(ratings, strength, nu)
    if needed:
        middle = middle + _scatter(_thought(ratings), strength, nu)
    return Davidson(strength, nu, inverse @ middle @ inverse, inverse, needed, steps, converged)


def _thought(ratings: Ratings) -> Ratings:
    """The imagined ratings, each a cluster; its score counts by the root of how small a part of one it is."""
    first, second = (np.tile(of, 3) for of in np.triu_indices(ratings.size, 1))
    outcome = np.repeat([1.0, 0.0, 0.5], len(first) // 3)
    weight = np.full(len(first), (3 * (ratings.size - 1)) ** -0.5)
    return Ratings(ratings.names, first, second, outcome, np.arange(len(first)), len(first), weight)


def _scatter(ratings: Ratings, log_strength: Floats, nu: float) -> Floats:
    """The sum over clusters of their scores' squares."""
    won, tied = (of[ratings.first, ratings.second] for of in _outcomes(log_strength, nu))
    residual, even = ratings.outcome - won - tied / 2, (ratings.outcome == 0.5) - tied
    return ratings.summed(ratings.weight * residual, ratings.weight * even)


def _outcomes(log_strength: Floats, nu: float) -> tuple[Floats, Floats]:
    """The chances of a win of the row and of a tie."""
    half = np.subtract.outer(log_strength, log_strength) / 2
    level = np.full_like(half, np.log(nu))
    total = np.logaddexp(np.logaddexp(half, -half), level)
    return np.asarray(np.exp(half - total)), np.asarray(np.exp(level - total))


def _slope(won: Floats, ties: Floats) -> Slope:
    k, rated, tied = len(won), won + won.T + ties, ties.sum() / 2

    def slope(place: Floats) -> tuple[float, Floats, Floats]:
        strength, log_nu = place[:-1], place[-1]
        half = np.subtract.outer(strength, strength) / 2
        total = np.logaddexp(np.logaddexp(half, -half), log_nu)
        ahead, even = np.exp(half - total), np.exp(log_nu - total)
        likelihood = float((won * (half - total)).sum() + (ties * (log_nu - total)).sum() / 2)
        margin = ahead - ahead.T
        gradient = np.empty(k + 1)
        gradient[:-1] = ((won - won.T) / 2 - rated * margin / 2).sum(axis=1)
        gradient[-1] = tied - (rated * even).sum() / 2
        information = np.empty((k + 1, k + 1))
        information[:-1, :-1] = anchored(laplacian(rated * ((1 - even) / 4 - margin**2 / 4)))
        information[:-1, -1] = information[-1, :-1] = -(rated * even * margin).sum(axis=1) / 2
        information[-1, -1] = (rated * even * (1 - even)).sum() / 2
        return likelihood, gradient, information

    return slope
