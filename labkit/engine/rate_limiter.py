"""How many requests a second one model takes, learnt from its refusals where no header says it.

After a refusal (429) that says when to come back one request goes ahead, and one more at once for every
two that are taken. If one of these is refused too, it is not the number in flight that is too high but the
rate: nothing leaves before that time, and then no more a second than were taken of late. A refusal that
does not say when is first answered by fewer at once; only the fifth in a row tells of the rate. From there
the rate grows as CUBIC's window does (RFC 9438; the AWS SDKs' "adaptive" retry mode paces requests in the
same way): quickly back to where it was refused, slowly around there, then ever faster, so that a limit
that is gone is forgotten.

What was taken of late is what the last minute saw, since providers count by the minute, or one in the
longest time they ask to wait, whichever is more; where they ask for none, what was taken since the run
began. It knows nothing of tokens, nor of other models; what other runs learnt it is told (`limit_sharing`).
Times are given to it.
"""

from __future__ import annotations

from collections import deque
from math import cbrt, inf

WINDOW_S = 60.0
_BETA = 0.85
_FORGOTTEN = 10.0
_FIRST = 4
_FIRST_S = 1.0
_IN_A_ROW = 5
_LEAST_PER_S = 0.2
"""Where nothing was taken at all, the first guess."""
_CAREFUL_S = (0.5, 5.0)
"""How long only a few go ahead, at least and at most: who takes one may take long to say so."""
_BACK = cbrt(1 - _BETA)
_TRIED = 40


class RateLimiter:
    """The rate of one model's requests. Without a refusal it holds back nothing.

    `slow_start`: in the first second only a few leave at once, and one more for every two that are taken,
    so that what the first answers tell of limits is not too late.

    >>> limiter = RateLimiter()
    >>> limiter.wait_s(0.0)
    0.0
    """

    def __init__(self, *, slow_start: bool = False) -> None:
        self.share = 1.0
        """The part of the rate that is this run's."""
        self.refused_at = -inf
        """When the last refusal that said something new came, here or in another run."""
        self.top_per_s = 0.0
        """The rate, of all runs, at which it was refused; 0: none is known."""
        self.since = -inf
        """From when on the rate grows; before, nothing leaves."""
        self.taken_elsewhere = 0.0
        """Requests of other runs that were taken in the last minute."""
        self._calm = not slow_start
        self._untried = slow_start
        self._seen = -1
        self._in_a_row = 0
        self._careful_until = -inf
        self._ahead: set[int] = set()
        self._abreast = float(_FIRST)
        self._doubted = False
        self._longest_s = 0.0
        self._since_then = 0
        self._level = 0.0
        self._at = 0.0
        self._taken: deque[list[float]] = deque()

    def __repr__(self) -> str:
        return (
            "RateLimiter(free)"
            if self._calm
            else f"RateLimiter(refused at {self.top_per_s * 60:,.1f} a minute)"
        )

    def per_s(self, now: float) -> float:
        """How many may leave a second, of all runs; infinite where nothing holds them back."""
        if not self.top_per_s:
            return inf
        # A minute, or longer where that is too few requests to try the limit without many refusals.
        span_s = max(WINDOW_S, _TRIED / self.top_per_s)
        return self.top_per_s * (1 + (max(0.0, now - self.since) / span_s - _BACK) ** 3)

    def careful(self, now: float) -> bool:
        """Whether a few requests go ahead of the others now."""
        return now < self._careful_until

    def wait_s(self, now: float) -> float:
        """Seconds until the next request may leave."""
        if self._calm:
            return 0.0
        if now < self.since:
            return self.since - now + self.wait_s(self.since)
        careful_s = self._careful_until - now
        if careful_s > 0 and len(self._ahead) >= int(self._abreast):
            return careful_s
        if not self.top_per_s:
            return 0.0
        rate = self.per_s(now) * self.share
        missing = 1.0 - min(max(1.0, rate), self._level + (now - max(self._at, self.since)) * rate)
        return missing / rate if missing > 1e-9 else 0.0

    # -- what happens ----------------------------------------------------------------------------

    def sent(self, number: int, now: float) -> None:
        """A request left; numbers only grow."""
        if self._calm:
            return
        if self._untried:
            self._untried, self._careful_until = False, now + _FIRST_S
        if now < self._careful_until:
            self._ahead.add(number)
        if self.top_per_s:
            rate = self.per_s(now) * self.share
            flowed = (now - max(self._at, self.since)) * rate
            self._level = min(max(1.0, rate), self._level + flowed) - 1.0
            self._at = now
            if self.per_s(now) > _FORGOTTEN * self.top_per_s:
                self.top_per_s = 0.0
        self._calm = not self.top_per_s and now >= self._careful_until
        self._doubted = self._doubted and not self._calm

    def taken(self, number: int, now: float) -> None:
        """The provider began to answer that request."""
        second = now // 1
        if self._taken and self._taken[-1][0] == second:
            self._taken[-1][1] += 1
        else:
            self._taken.append([second, 1])
            self._prune(now)
        self._since_then += 1
        if self._in_a_row and number > self._seen:
            self._in_a_row = 0
            if now >= self._careful_until:
                self._longest_s = 0.0
        if number in self._ahead:
            self._ahead.discard(number)
            self._abreast += 0.5

    def ended(self, number: int) -> None:
        """That request is over, however it went."""
        self._ahead.discard(number)

    def refused(self, number: int, sent: int, retry_after_s: float | None, now: float) -> bool:
        """The provider refused that request; `sent` is the number of the last that has left.

        True: it says something new. Refusals of what left before the last one was heard do not.
        """
        self._longest_s = max(self._longest_s, retry_after_s or 0.0)
        if number <= self._seen:
            return False
        again = number in self._ahead and self._doubted
        self._seen, self._abreast = sent, 1.0
        self._ahead.clear()
        self.refused_at, self._untried = now, False
        self._in_a_row += 1
        if self.top_per_s or self._in_a_row >= _IN_A_ROW or (again and retry_after_s is not None):
            self._learn(retry_after_s, now)
        elif retry_after_s is not None:
            self._calm, self._doubted = False, True
            shortest_s, longest_s = _CAREFUL_S
            self._careful_until = now + min(max(retry_after_s, shortest_s), longest_s)
        return True

    def adopt(self, refused_at: float, top_per_s: float, since: float, sent: int) -> bool:
        """Another run was refused; `sent` have left here so far. True: that is news here."""
        if refused_at <= self.refused_at:
            return False
        self.refused_at = refused_at
        if top_per_s:
            self._seen, self._untried = sent, False
            self.top_per_s, self.since = top_per_s, since
            self._level, self._at, self._careful_until = 0.0, since, -inf
            self._calm, self._since_then = False, 0
        return True

    def taken_of_late(self, now: float) -> float:
        """How many of this run's requests were taken in the last minute."""
        self._prune(now)
        return sum(count for _, count in self._taken)

    def _learn(self, retry_after_s: float | None, now: float) -> None:
        if self.top_per_s:
            # One look back may mislead: what was learnt before is at most halved.
            was, paced_s = self.per_s(now), now - self.since
            seen = self._since_then / paced_s / self.share if paced_s > 1 else was
            self.top_per_s = max(min(was, seen), was / 2, 1 / WINDOW_S)
        else:
            self.top_per_s = max(self._first_guess(now), 1 / WINDOW_S)
        self.since = now + (retry_after_s or 1 / self.top_per_s)
        self._longest_s, self._since_then = 0.0, 0
        self._level, self._at, self._careful_until = 0.0, self.since, -inf
        self._calm = False

    def _first_guess(self, now: float) -> float:
        taken = self.taken_of_late(now) + self.taken_elsewhere
        if self._longest_s:
            # Of a bucket that refills all the time a part of the next request is there already.
            return max(taken / WINDOW_S, 1 / self._longest_s)
        if not self._taken:
            return _LEAST_PER_S
        return max(_LEAST_PER_S, taken / min(max(now - self._taken[0][0], 1.0), WINDOW_S))

    def _prune(self, now: float) -> None:
        while self._taken and self._taken[0][0] < now - WINDOW_S:
            self._taken.popleft()
