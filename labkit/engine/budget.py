"""The budget of a run: the worst case is set aside before a request leaves, the true cost after it came.

Counted in whole millionths of a millionth of a dollar, each cost rounded up, so that no rounding ever lets
a budget be passed. It knows sums; who spends them for what it does not.
"""

from __future__ import annotations

from labkit.dollars import PUSD, at_least, at_most, pusd_down, pusd_up
from labkit.dollars import usd as written


class Budget:
    """What may be spent, what is spent, and what is set aside for requests in flight.

    What was set aside for an answer of unknown cost stays spent. `budget_usd` None: no limit, but
    everything is counted all the same.

    >>> budget = Budget(1.0)
    >>> budget.reserve(0.75), budget.reserve(0.5)
    (True, False)
    >>> budget.settle(0.75, 0.1)
    >>> budget.reserve(0.5), budget.spent_usd
    (True, 0.1)
    """

    def __init__(self, budget_usd: float | None = None, *, spent_usd: float = 0.0) -> None:
        self._budget = None if budget_usd is None else pusd_down(budget_usd)
        self._spent = pusd_up(spent_usd)
        self._reserved = 0
        self._kept = 0

    def __repr__(self) -> str:
        limit = "no limit" if self._budget is None else f"of USD {written(self._budget / PUSD)}"
        return f"Budget(USD {written(self.spent_usd)} spent, {written(self.reserved_usd)} set aside, {limit})"

    @property
    def budget_usd(self) -> float | None:
        """The limit, if there is one."""
        return None if self._budget is None else self._budget / PUSD

    @property
    def spent_usd(self) -> float:
        """What was spent, worst cases of unknown cost included."""
        return self._spent / PUSD

    @property
    def reserved_usd(self) -> float:
        """What is set aside for requests in flight."""
        return self._reserved / PUSD

    @property
    def left_usd(self) -> float | None:
        """What could be set aside now; None: no limit."""
        held = self._spent + self._reserved + self._kept
        return None if self._budget is None else max(0, self._budget - held) / PUSD

    @property
    def in_flight(self) -> bool:
        """Whether anything is set aside that may still be freed."""
        return self._reserved > 0

    def lacking(self, usd: float, *, follows: bool = False) -> str:
        """Why a request that may cost so much does not fit, in words; `follows`: with what follows it.

        >>> Budget(0.001, spent_usd=0.0006).lacking(0.0021)
        'The next request may cost up to USD 0.0021, and USD 0.0004 of the budget of USD 0.001 are left.'
        """
        assert self._budget is not None
        what = "The next request, with all that follows it," if follows else "The next request"
        return (
            f"{what} may cost up to USD {at_most(usd)}, and USD {at_least(self.left_usd or 0.0)}"
            f" of the budget of USD {written(self._budget / PUSD)} are left."
        )

    def reserve(self, *usd: float) -> bool:
        """Set all of this aside, if that much is left."""
        units = sum(map(pusd_up, usd))
        held = self._spent + self._reserved + self._kept
        if self._budget is not None and units and held + units > self._budget:
            return False
        self._reserved += units
        return True

    def replace(self, reserved_usd: float, usd: float) -> None:
        """Set `usd` aside instead, for what has left already, whether or not that much is left."""
        self._reserved += pusd_up(usd) - pusd_up(reserved_usd)

    def settle(self, reserved_usd: float, cost_usd: float | None) -> None:
        """End a reservation: `cost_usd` was spent (None: not known, so all that was set aside)."""
        units = pusd_up(reserved_usd)
        self._reserved -= units
        self._spent += units if cost_usd is None else pusd_up(cost_usd)

    def free(self, *usd: float) -> None:
        """Set this aside no longer: nothing of it was spent."""
        self._reserved -= sum(map(pusd_up, usd))

    def keep(self, usd: float) -> None:
        """Keep this to the end for what is asked then, whether or not that much is left.

        >>> budget = Budget(1.0)
        >>> budget.keep(0.75)
        >>> budget.reserve(0.5), budget.in_flight
        (False, False)
        """
        self._kept += pusd_up(usd)

    def raise_to(self, budget_usd: float | None) -> None:
        """Set another limit, while the run goes."""
        self._budget = None if budget_usd is None else pusd_down(budget_usd)


class Overrun:
    """By how much answers of one model cost more than the most that was computed for them.

    Bounds hold for a provider that keeps to what it was sent and to `max_tokens`. For one that does not, what
    was seen is assumed of the next request too: so many times its bound, or so much above it, whichever is
    more, since nobody knows whether it bills more of everything or adds the same to each.

    >>> overrun = Overrun()
    >>> overrun.saw(0.01, 0.05), overrun.saw(0.01, 0.02)
    (True, False)
    >>> overrun.bound_usd(0.02), round(overrun.bound_usd(0.001), 3)
    (0.1, 0.041)
    """

    def __init__(self) -> None:
        self.times = 1.0
        self.more_usd = 0.0

    def saw(self, bound_usd: float, cost_usd: float) -> bool:
        """An answer cost so much where at most `bound_usd` was expected. True: that is more than ever."""
        if cost_usd <= self.bound_usd(bound_usd):
            return False
        self.more_usd = max(self.more_usd, cost_usd - bound_usd)
        if bound_usd > 0:
            self.times = max(self.times, cost_usd / bound_usd)
        return True

    def bound_usd(self, bound_usd: float) -> float:
        """The most that a request may cost whose computed bound is this."""
        return max(bound_usd * self.times, bound_usd + self.more_usd)
