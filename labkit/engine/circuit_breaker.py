"""Pauses a model whose calls all fail alike, tries it with one request, and goes on when that is answered.

It counts failures and times that it is given; it reads no clock and sends nothing.
"""

from __future__ import annotations

from random import Random

TRIPS_AT = 20
_PAUSE_S = 1.0
_PAUSE_CAP_S = 15.0


class CircuitBreaker:
    """Open (paused) after the same error so many times in a row; half open while one request probes it."""

    def __init__(self, random: Random, *, trips_at: int = TRIPS_AT) -> None:
        self.why = ""
        self.failing_since: float | None = None
        self.failures = 0
        """How many failed since then."""
        self.reopens_at: float | None = None
        """While paused: when the next probe may leave. None: not paused."""
        self._random = random
        self._trips_at = trips_at
        self._in_a_row = 0
        self._pauses = 0
        self._probing = False

    def permits(self, now: float) -> bool:
        """Whether a request may leave."""
        return self.reopens_at is None or (not self._probing and now >= self.reopens_at)

    def sent(self) -> None:
        """A request left: while paused, it is the probe."""
        self._probing = self.reopens_at is not None

    def answered(self) -> None:
        """Any answer, also a refusal of one request, shows that the endpoint works."""
        self.why = ""
        self.failing_since = self.reopens_at = None
        self._in_a_row = self._pauses = self.failures = 0
        self._probing = False

    def failed(self, error_type: str, now: float) -> float | None:
        """A call failed; gives the seconds of a pause that begins now, else None."""
        self.failing_since = now if self.failing_since is None else self.failing_since
        self._in_a_row = self._in_a_row + 1 if error_type == self.why else 1
        self.why = error_type
        self.failures += 1
        if self.reopens_at is not None and not self._probing:
            return None
        if not self._probing and self._in_a_row < self._trips_at:
            return None
        self._probing = False
        pause_s: float = min(_PAUSE_CAP_S, _PAUSE_S * 2**self._pauses) * self._random.uniform(0.75, 1.25)
        self._pauses = min(self._pauses + 1, 16)
        self.reopens_at = now + pause_s
        return pause_s

    def overslept(self, seconds: float) -> None:
        """The clock went on while nothing could be sent: that time does not count as failing."""
        if self.failing_since is not None:
            self.failing_since += seconds

    def withdrawn(self) -> None:
        """A request that had left ended without telling anything of the endpoint."""
        self._probing = False
