"""How many requests a second one model takes, learnt from its refusals where no header says it.

A refusal alone slows nobody. Once there are some, the next requests leave at the rate of a limit that is
likely, or freely where none is (`refusal_causes`); what becomes of them makes one of the two likelier. So
refusals that come whatever is asked soon hold back nothing, and a limit is kept, tried again, and forgotten
when it is gone. Down it goes at once, by no more than the half unless it is sure; up a step with each request
that is taken. Where request after request is refused nothing leaves before the time they tell.

Requests are counted in the order in which they left: a refusal comes sooner than an answer, and counted as
they come the first of those that left together would all be refused.

It knows nothing of tokens, nor of other models; what other runs learnt it is told (`limit_sharing`). Times
are given to it. When a request leaves, what it teaches and how fast the next may go share one state, and
stand together.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import ceil, inf, log
from random import Random

from labkit.engine.refusal_causes import RefusalCauses

WINDOW_S = 60.0
_SAME_S = 0.1
"""Moments told by another process are no finer: its loop and this one read their clocks by turns."""
_FIRST = 4
_FIRST_S = 1.0
_APART_S = 0.001
"""In the first second requests leave no closer: a refusal on this machine takes a few of these."""
_GAIN = 2.0
"""In the first second requests leave so many times as close as it takes to have as many out as may be."""
_DOUBT_S = 0.05
"""After a refusal in the first second so long is waited for the fate of the others at most."""
_FEW = 8
"""Of fewer requests nothing is concluded."""
_BELOW = 0.96
_DOWN, _FAR_DOWN = 1 / 2, 1 / 8
_UP = 1.3
_FAR_UP = 2.0
"""Another rate is drawn once a limit is unlikely even at so many times the one that is aimed at."""
_TRIED = 12
"""So many requests leave at a rate before another is drawn, unless they are enough to know better."""
_SURE = 0.8
_NO_ACCIDENT = 0.003
_UNKNOWN_PER_S, _MOST_PER_S = 1.0, 2000.0
_BURST_S = 0.05
_SOME = 0.03
_QUIET = 200
"""After so many requests without a refusal there is no reason to count any longer."""


@dataclass(slots=True)
class _Left:
    """A request that left: when, at which rate of all runs, and whether it was taken, if that is known."""

    at: float
    per_s: float
    taken: bool | None = None


class RateLimiter:
    """The rate of one model's requests. Without refusals it holds back nothing.

    `slow_start`: in the first second only a few are out at once, one more for every two that are taken, one
    less for every two that are refused. They leave spread over the time an answer takes (as TCP paces its
    slow start: Aggarwal, Savage and Anderson, "Understanding the performance of TCP pacing", INFOCOM 2000),
    and after a refusal what becomes of those that are out is waited for, so that it is not too late.

    >>> limiter = RateLimiter()
    >>> limiter.wait_s(0.0)
    0.0
    """

    def __init__(self, *, slow_start: bool = False, random: Random | None = None) -> None:
        self.share = 1.0
        """The part of the rate that is this run's."""
        self.taken_elsewhere = 0.0
        """Requests of other runs that were taken in the last minute."""
        self.elsewhere_per_s: float | None = None
        """How fast the other runs ask; None: not known, taken to be as fast as this one."""
        self.limited_at = -inf
        """When the pace was last set, here or in another run: who learnt last knows best."""
        self.found_here = False
        """Whether that was here. What was adopted is not told on: two runs would tell each other for ever."""
        self.pace_per_s = inf
        """How many may leave a second, of all runs; infinite where nothing holds them back."""
        self.since = -inf
        """Before this nothing leaves."""
        self._causes: RefusalCauses | None = None
        self._random = random or Random()  # noqa: S311 - spreads trials, protects nothing
        self._goal_per_s = inf
        self._untried = slow_start
        self._careful_until = -inf
        self._ahead: dict[int, float] = {}
        """When those left that went ahead and are out."""
        self._abreast = float(_FIRST)
        self._answered_s = 0.0
        self._next_at = -inf
        self._uncounted: dict[int, _Left] = {}
        self._counted: dict[int, _Left] = {}
        """Out for longer than refusals take, and counted as taken."""
        self._count = 0
        self._newest = self._slowed_after = -1
        self._tried = self._in_a_row = self._quiet = 0
        self._refusing_s = self._longest_s = 0.0
        self._level = self._at = 0.0
        self._lately: deque[float] = deque(maxlen=6)
        self._taken: deque[list[float]] = deque()

    def __repr__(self) -> str:
        if self.pace_per_s == inf:
            return "RateLimiter(free)"
        return f"RateLimiter({self.pace_per_s * 60:,.1f} a minute)"

    @property
    def by_chance(self) -> bool:
        """Whether some are refused however slowly is asked: to wait ever longer is of no use then."""
        return self._causes is not None and self._causes.by_chance > _SOME

    @property
    def in_doubt(self) -> bool:
        """Whether nothing holds back, and it is not known either that slower would not help."""
        return self.pace_per_s == inf and not self.by_chance

    def careful(self, now: float) -> bool:
        """Whether a few requests go ahead of the others now."""
        return now < self._careful_until

    def wait_s(self, now: float) -> float:
        """Seconds until the next request may leave."""
        if now < self.since:
            return self.since - now + self.wait_s(self.since)
        careful_s = self._careful_until - now
        if careful_s > 0:
            if len(self._ahead) >= int(self._abreast):
                return careful_s
            if self._next_at - now > 1e-9:
                return min(careful_s, self._next_at - now)
        if self.pace_per_s == inf:
            return 0.0
        missing = 1.0 - self._level_at(now)
        return missing / (self.pace_per_s * self.share) if missing > 1e-9 else 0.0

    def _level_at(self, now: float) -> float:
        rate = self.pace_per_s * self.share
        return min(max(1.0, rate * _BURST_S), self._level + (now - max(self._at, self.since)) * rate)

    def taken_of_late(self, now: float) -> float:
        """How many of this run's requests were taken in the last minute."""
        self._prune(now)
        return sum(count for second, count in self._taken if second >= now - WINDOW_S)

    # -- what happens ----------------------------------------------------------------------------

    def sent(self, number: int, now: float) -> None:
        """A request left; numbers only grow."""
        if self._untried:
            self._untried, self._careful_until = False, now + _FIRST_S
        if now < self._careful_until:
            self._ahead[number] = now
            self._next_at = now + max(_APART_S, self._answered_s / (_GAIN * self._abreast))
        lately = self._lately
        lately.append(now)
        per_s = max(self.share, min((len(lately) - 1) / max(now - lately[0], 1e-3), _MOST_PER_S))
        if self.pace_per_s < inf:
            self._level, self._at = self._level_at(now) - 1.0, now
            most_per_s = self.pace_per_s * self.share
            per_s = min(per_s, most_per_s) if self.pace_per_s > 1 else most_per_s
        elsewhere_per_s = self.elsewhere_per_s
        of_all_per_s = per_s / self.share if elsewhere_per_s is None else per_s + elsewhere_per_s
        self._uncounted[number] = _Left(now, of_all_per_s)
        self._newest = number

    def taken(self, number: int, now: float) -> None:
        """The provider began to answer that request."""
        second = now // 1
        if self._taken and self._taken[-1][0] == second:
            self._taken[-1][1] += 1
        else:
            self._taken.append([second, 1])
            self._prune(now)
        left_at = self._ahead.pop(number, None)
        if left_at is not None:
            self._abreast += 0.5
            self._answered_s = now - left_at
        self._end(number, True, now)

    def ended(self, number: int, now: float) -> None:
        """That request is over, however it went."""
        self._ahead.pop(number, None)
        self._end(number, None, now)

    def refused(self, number: int, retry_after_s: float | None, now: float) -> bool:
        """The provider refused that request. True: that taught something that other runs should know."""
        known = self.limited_at
        self._longest_s = max(self._longest_s, retry_after_s or 0.0)
        if number in self._ahead:
            self._abreast = max(1.0, self._abreast - 0.5)
        left = self._uncounted.get(number) or self._counted.get(number)
        if left is not None:
            self._refusing_s = max(now - left.at, 0.95 * self._refusing_s)
            self._next_at = max(self._next_at, now + min(self._refusing_s, _DOUBT_S))
        self._end(number, False, now)
        return self.limited_at > known

    def adopt(self, limited_at: float, per_s: float, since: float) -> bool:
        """Another run knows of a limit, and asks at `per_s` for all runs. True: that is news here."""
        if limited_at <= self.limited_at + _SAME_S:
            return False
        self.limited_at, self.found_here = limited_at, False
        self._untried, self._careful_until = False, -inf
        if self._causes is None:
            self._know().believe(per_s)
        self.since = max(self.since, since)
        self._slow_to(per_s, self.since)
        return True

    # -- what follows ----------------------------------------------------------------------------

    def _end(self, number: int, taken: bool | None, now: float) -> None:
        left = self._uncounted.get(number)
        late = self._counted.pop(number, None)
        if left is not None and left.taken is None:
            if taken is None:
                del self._uncounted[number]
            left.taken = taken
        elif late is not None and taken is False:
            self._learn(number, late, now)
        while self._uncounted:
            number, left = next(iter(self._uncounted.items()))
            # Until the first refusal it is not known how long one takes: any that is out may become one.
            if left.taken is None and (not self._refusing_s or now - left.at < 2 * self._refusing_s):
                return
            del self._uncounted[number]
            if left.taken is None:
                left.taken = True
                self._counted[number] = _Left(left.at, left.per_s, False)
            self._learn(number, left, now)

    def _know(self) -> RefusalCauses:
        self._causes = self._causes or RefusalCauses()
        return self._causes

    def _learn(self, number: int, left: _Left, now: float) -> None:
        self._count += 1
        if self._causes is None:
            if left.taken:
                return
            self._know().count(False, left.per_s, times=min(self._count - 1, 30))
        causes = self._know()
        causes.count(not left.taken, left.per_s)
        self._quiet = self._quiet + 1 if left.taken else 0
        if self._quiet >= _QUIET and self.pace_per_s > 2 * left.per_s:
            self._causes, self.pace_per_s, self._count = None, inf, 0
        elif number > self._slowed_after and self._count > _FEW:
            self._tried += 1
            self._in_a_row = 0 if left.taken else self._in_a_row + 1
            too_fast = not left.taken and causes.limit_below(left.per_s) > _SURE
            too_slow = self._goal_per_s < inf and causes.limit_below(_FAR_UP * self._goal_per_s) < 1 - _SURE
            if aims := too_fast or too_slow or self._tried >= _TRIED:
                self._aim(causes, left.per_s, now)
            if rises := left.taken and self.pace_per_s < self._goal_per_s:
                self._quicken()
            if (aims or rises) and self.pace_per_s < inf:
                self.limited_at, self.found_here = now, True

    def _aim(self, causes: RefusalCauses, per_s: float, now: float) -> None:
        """Draw the rate of the next requests."""
        down = _FAR_DOWN if causes.limit_below(per_s * _FAR_DOWN) > _SURE else _DOWN
        least_per_s = max(self._lasting_per_s(now), per_s * down)
        self._goal_per_s, self._tried = max(causes.draw(self._random) * _BELOW, least_per_s), 0
        if self.pace_per_s < self._goal_per_s and self._random.random() > self.share:
            # Of several runs that ask one tries to be faster at a time.
            self._goal_per_s = self.pace_per_s
        if self._goal_per_s < min(self.pace_per_s, per_s):
            self._slow_to(self._goal_per_s, now)
        usual = min(max(causes.by_chance, 0.1), 0.5)
        if self._in_a_row >= ceil(log(_NO_ACCIDENT) / log(usual)) and causes.limit_below(per_s) > _SURE:
            self.since, self._in_a_row = now + self._longest_s, 0
            self._longest_s = 0.0

    def _lasting_per_s(self, now: float) -> float:
        """What is taken in the long run at least: limits are a minute's, and may have been used up twice.

        Of two minutes that with more: what a minute allows may be taken in its first second, and until the
        next minute nothing. Where nothing was taken it is not for a rate to find out when something is again,
        but for the circuit.
        """
        late = self.taken_of_late(now)
        before = sum(count for _, count in self._taken) - late
        return (max(late, before) + self.taken_elsewhere) / WINDOW_S / 2 or _UNKNOWN_PER_S

    def _slow_to(self, per_s: float, at: float) -> None:
        self.pace_per_s = self._goal_per_s = per_s
        self._slowed_after, self._tried = self._newest, 0
        self._level, self._at = 0.0, at

    def _quicken(self) -> None:
        self.pace_per_s = min(self._goal_per_s, self.pace_per_s * _UP)
        if self.pace_per_s > _MOST_PER_S:
            self.pace_per_s = inf

    def _prune(self, now: float) -> None:
        while self._taken and self._taken[0][0] < now - 2 * WINDOW_S:
            self._taken.popleft()
