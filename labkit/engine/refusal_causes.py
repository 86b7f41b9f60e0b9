"""Why a provider refuses: what part it refuses by chance, and the rate from which on it refuses the rest.

A refusal may mean "you are too fast", "somebody else is", or nothing about us; one alone does not tell. So
every pair of causes is weighed by all that was seen: a chance with which any request is refused, and a
limit, beyond which a request that is sent at the rate r is taken with the chance limit / r. What was refused
at a slower rate tells the two apart. Both may change at any time: with each request a part of what was learnt
is given up (the forward algorithm of a hidden Markov model; Rabiner, "A tutorial on hidden Markov models",
Proceedings of the IEEE 77, 1989).

It knows no clock and no queue. Rates are requests a second.
"""

from __future__ import annotations

from math import inf
from random import Random

_CHANCES = (0.0, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.27, 0.35, 0.45, 0.6, 0.8, 0.97)
_BEFOREHAND = (20.0, 8.0, 8.0, 7.0, 6.0, 5.0, 5.0, 4.0, 3.0, 1.5, 0.3, 0.1, 0.1)
"""How likely each chance is held before anything was seen, relative to the others."""
_LEAST_PER_S, _MOST_PER_S, _STEP = 0.01, 2000.0, 1.2
_UNLIMITED = 0.5
"""How likely it is held beforehand that there is no limit."""
_NEW_CHANCE, _NEW_LIMIT = 0.003, 0.003
"""How likely it is that with a request the chance becomes another, and that the limit does."""
_DRAWN = (0.1, 0.9)
"""Between these parts of what may be so a limit is drawn: what is hardly likely is not worth a trial."""


class RefusalCauses:
    """How likely each chance and each limit is, given what was seen.

    >>> causes = RefusalCauses()
    >>> for _ in range(20):
    ...     causes.count(True, 10.0)
    ...     causes.count(False, 0.5, times=20)
    >>> causes.by_chance < 0.02, causes.limit_below(10.0) > 0.95, causes.limit_below(0.4) < 0.05
    (True, True, True)
    """

    def __init__(self) -> None:
        import numpy as np

        limits = [_LEAST_PER_S]
        while limits[-1] < _MOST_PER_S:
            limits.append(limits[-1] * _STEP)
        self._limits = np.array([*limits, inf])
        self._let_pass = 1 - np.array(_CHANCES)[:, None]
        self._limit_before = np.full(len(self._limits), (1 - _UNLIMITED) / len(limits))
        self._limit_before[-1] = _UNLIMITED
        self._chance_before = np.array(_BEFOREHAND)[:, None] / sum(_BEFOREHAND)
        self._weights = self._chance_before * self._limit_before

    def count(self, refused: bool, per_s: float, *, times: int = 1) -> None:
        """A request sent at that rate was refused, or taken; or so many of them."""
        taken = self._let_pass * (self._limits / per_s).clip(max=1.0)
        weights = self._weights * ((1 - taken) if refused else taken) ** times
        weights /= weights.sum()
        # Limit and chance change apart from each other: of one that did the other is still known.
        new_chance = self._chance_before * weights.sum(axis=0)
        new_limit = weights.sum(axis=1)[:, None] * self._limit_before
        kept = 1 - _NEW_CHANCE - _NEW_LIMIT
        self._weights = kept * weights + _NEW_CHANCE * new_chance + _NEW_LIMIT * new_limit

    def believe(self, limit_per_s: float) -> None:
        """Somebody else ran into a limit of about that rate."""
        near = abs(self._limits / limit_per_s - 1) < _STEP - 1
        self._weights = self._weights * near + _NEW_LIMIT / 3 * self._chance_before * self._limit_before
        self._weights /= self._weights.sum()

    @property
    def by_chance(self) -> float:
        """What part is refused however slowly is asked: the mean of what is likely."""
        return float((self._weights * (1 - self._let_pass)).sum())

    def limit_below(self, per_s: float) -> float:
        """How likely it is that there is a limit below that rate."""
        return float(self._weights[:, self._limits < per_s].sum())

    def draw(self, random: Random) -> float:
        """A limit, drawn with the chance that it is the one; infinite: that there is none.

        To act by such a draw is Thompson sampling (Russo and others, "A tutorial on Thompson sampling",
        Foundations and Trends in Machine Learning 11, 2018): as long as a limit and no limit are both likely
        both are tried, and what is tried decides.
        """
        chances = self._weights.sum(axis=0).cumsum()
        place = int((chances < random.uniform(*_DRAWN) * chances[-1]).sum())
        return float(self._limits[min(place, len(self._limits) - 1)])
