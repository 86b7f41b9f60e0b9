"""How many requests may be in flight at one endpoint with one key.

The limit grows by up to one with every answer that begins, with jitter, so that runs which began together do
not go on in step. What an endpoint refuses does not lower it: how fast is asked follows from that (see
`rate_limiter`), and with it how many are out. It knows neither clock nor queue.
"""

from __future__ import annotations

from random import Random

REMOTE = 32
_BEGIN = 16


class ConcurrencyLimiter:
    """Counts what is in flight, and adapts how much may be.

    >>> limiter = ConcurrencyLimiter(2)
    >>> limiter.acquire(), limiter.acquire(), limiter.free
    (1, 2, False)
    """

    def __init__(self, ceiling: int = REMOTE, *, adaptive: bool = True, random: Random | None = None) -> None:
        if ceiling < 1:
            raise ValueError(f"concurrency is {ceiling}; at least one request must be allowed")
        self.ceiling = ceiling
        self.in_flight = 0
        self.share = 1.0
        """The part of the limit that is this run's, where others use the same endpoint with the same key."""
        self._adaptive = adaptive
        self._random = random or Random()  # noqa: S311 - spreads load, protects nothing
        self._level = float(min(ceiling, _BEGIN) if adaptive else ceiling)
        self._sent = 0

    def __repr__(self) -> str:
        return f"ConcurrencyLimiter({self.in_flight} in flight of {self.limit}, at most {self.ceiling})"

    @property
    def limit(self) -> int:
        """How many may be in flight now."""
        return max(1, int(self._level * self.share))

    @property
    def free(self) -> bool:
        """Whether one more may be sent."""
        return self.in_flight < self.limit

    def acquire(self) -> int:
        """Take a place; gives the number in flight, this one included."""
        self.in_flight += 1
        self._sent += 1
        return self.in_flight

    def release(self) -> None:
        """Give a place back."""
        self.in_flight -= 1

    def accepted(self) -> bool:
        """The endpoint began to answer: grow. True: there is room for more now than before."""
        if self._level >= self.ceiling:
            return False
        before = self.limit
        self._level = min(float(self.ceiling), self._level + self._random.uniform(0.5, 1.0))
        return self.limit > before

    @property
    def sent(self) -> int:
        """How many were sent so far: the number of the last one."""
        return self._sent

    def set_ceiling(self, ceiling: int) -> None:
        """Allow more or fewer at most, while the run goes."""
        if ceiling < 1:
            raise ValueError(f"concurrency is {ceiling}; at least one request must be allowed")
        self.ceiling = ceiling
        self._level = float(ceiling) if not self._adaptive else min(self._level, float(ceiling))
