"""Sees that no attempt waits for ever: ends those that have been silent, or under way, for too long.

One look at all of them now and then instead of a timer for each. When the look itself comes late — the
machine slept, the process was stopped — the time it overslept is given to everybody, so that nobody is
called late for what the clock did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from time import perf_counter

from labkit.engine.errand import Errand
from labkit.engine.retry import Policy

_LOOK_S = 0.5
_OVERSLEPT_S = 2.0


class Watchdog:
    """Looks at `asked()`, the errands in flight, until it is cancelled; calls `tick` at each look."""

    def __init__(
        self, policy: Policy, asked: Callable[[], Iterable[Errand]], tick: Callable[[float], None]
    ) -> None:
        self._policy = policy
        self._asked = asked
        self._tick = tick
        self._every_s = min(_LOOK_S, max(0.02, min(policy.timeout_s, policy.deadline_s) / 10))

    async def watch(self) -> None:
        """Look, sleep, look again."""
        seen = perf_counter()
        while True:
            await asyncio.sleep(self._every_s)
            now = perf_counter()
            overslept_s = now - seen - self._every_s
            seen = now
            overslept_s = overslept_s if overslept_s > _OVERSLEPT_S else 0.0
            self._look(now, overslept_s)
            self._tick(overslept_s)

    def _look(self, now: float, overslept_s: float) -> None:
        for errand in self._asked():
            if errand.task is None or errand.last is None or errand.timed_out is not None:
                continue
            ear = errand.last.ear
            ear.heard += overslept_s
            errand.slept_s += overslept_s
            silent_s, whole_s = now - ear.heard, errand.elapsed_s(now)
            if silent_s > self._policy.timeout_s:
                errand.timed_out = (
                    f"nothing came for {silent_s:,.1f} s (timeout_s={self._policy.timeout_s:g})"
                )
            elif whole_s > self._policy.deadline_s:
                errand.timed_out = f"not done after {whole_s:,.1f} s (deadline_s={self._policy.deadline_s:g})"
            if errand.timed_out is not None:
                errand.task.cancel()
