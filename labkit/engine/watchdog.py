"""Sees that no attempt waits for ever: ends those that have been silent, or under way, for too long.

One look at all of them now and then instead of a timer for each. When the look itself comes late — the
machine slept, the process was stopped — the time it overslept is given to everybody, so that nobody is
called late for what the clock did. An answer that does not stream is silent until it is whole: it has its
deadline alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from time import perf_counter

from labkit.engine.call import Call
from labkit.engine.retry import Policy

_LOOK_S = 0.5
_OVERSLEPT_S = 2.0


class Watchdog:
    """Looks at `asked()`, the calls in flight, until it is cancelled; calls `tick` at each look."""

    def __init__(
        self, policy: Policy, asked: Callable[[], Iterable[Call]], tick: Callable[[float], None]
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
        for call in self._asked():
            if call.task is None or call.last is None or call.timed_out is not None:
                continue
            listener = call.last.listener
            listener.heard += overslept_s
            call.slept_s += overslept_s
            silent_s, whole_s = now - listener.heard, call.elapsed_s(now)
            if silent_s > self._policy.timeout_s and call.streams:
                call.timed_out = f"nothing came for {silent_s:,.1f} s (timeout_s={self._policy.timeout_s:g})"
            elif whole_s > self._policy.deadline_s:
                call.timed_out = f"not done after {whole_s:,.1f} s (deadline_s={self._policy.deadline_s:g})"
            if call.timed_out is not None:
                call.task.cancel()
