"""How long a run asked, in seconds: from its first request on, without the time in which it was paused.

It knows no run: whoever does says when asking begins and when it rests.
"""

from __future__ import annotations

import threading
from time import monotonic


class AskingClock:
    """A stopwatch that several threads may start and stop; it begins stopped.

    >>> clock = AskingClock()
    >>> clock.go(True)
    >>> clock.go(False)
    >>> clock.seconds >= 0
    True
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted_s = 0.0
        self._since: float | None = None

    def go(self, on: bool) -> None:
        """Count from now on, or rest; what it does already changes nothing."""
        if on == (self._since is not None):
            return
        with self._lock:
            now = monotonic()
            if self._since is not None:
                self._counted_s += now - self._since
            self._since = now if on else None

    @property
    def seconds(self) -> float:
        """What it has counted."""
        with self._lock:
            return self._counted_s + (0.0 if self._since is None else monotonic() - self._since)
