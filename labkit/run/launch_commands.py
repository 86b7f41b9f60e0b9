"""What a launch is told while it goes: stop, pause, limits; by any thread, at any moment.

It is passed on to the executor, and kept for it where there is none yet. It does not know what is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from labkit.engine.executor import Executor


class LaunchCommands:
    """The part of a launch that others control. `Launch` is the one."""

    def __init__(self) -> None:
        self.stopped: str | None = None
        self.aborted = False
        """Whether it ends without waiting for anything."""
        self._executor: Executor | None = None
        self._halted: list[tuple[str, str, bool]] = []
        self._paused = False
        self._limited: list[tuple[str, int | None, Mapping[str, float]]] = []
        self._other: LaunchCommands | None = None
        self._followed: LaunchCommands | None = None
        """The last that was handed over to and asked something."""
        self._lock = threading.Lock()

    def stop(self, reason: str) -> None:
        """Ask nothing more; answers in flight are kept."""
        self._end(reason, lambda executor: executor.stop(reason))

    def stop_model(self, model: str, reason: str, *, abort: bool = False) -> None:
        """Ask nothing more of one model, and with `abort` do not wait for its answers in flight; a resume of
        the run asks it again."""
        with self._lock:
            self._halted.append((model, reason, abort))
            if self._executor is not None:
                self._executor.stop_model(model, reason, abort=abort)

    def pause(self, paused: bool) -> None:
        """Send nothing for now, or go on."""
        with self._lock:
            self._paused = paused
            if self._other is not None:
                self._other.pause(paused)
            elif self._executor is not None:
                self._executor.pause() if paused else self._executor.go_on()

    def limit(self, model: str, concurrency: int | None, per_minute: Mapping[str, float]) -> None:
        """Change a model's limits for this launch."""
        with self._lock:
            self._limited.append((model, concurrency, per_minute))
            if self._executor is not None:
                self._executor.limit(model, concurrency=concurrency, per_minute=per_minute)

    @property
    def has_asked(self) -> bool:
        """Whether there was an executor."""
        return self._executor is not None

    @property
    def spent_usd(self) -> float:
        """What it and what was handed over spent, with the worst case of what may have been paid for at a
        cost that is not known."""
        executor = self._executor if self._followed is None else self._followed._executor
        return 0.0 if executor is None else executor.budget.spent_usd

    def limits(self) -> list[dict[str, Any]]:
        """The state of the limits, a dict per model; none before anything is asked."""
        executor = self._executor
        return [] if executor is None else executor.limits()

    def abort(self, reason: str) -> None:
        """Stop, and do not wait for answers in flight."""
        self.aborted = True
        if (other := self._other) is not None:
            other.abort(reason)
        self._end(reason, lambda executor: executor.abort())

    def control(self, executor: Executor) -> None:
        """From now on `executor` is controlled; it is told what was said so far."""
        with self._lock:
            self._executor = executor
            for model, concurrency, per_minute in self._limited:
                executor.limit(model, concurrency=concurrency, per_minute=per_minute)
            for model, reason, abort in self._halted:
                executor.stop_model(model, reason, abort=abort)
            if self._paused:
                executor.pause()
            if self.stopped:
                executor.stop(self.stopped)

    @contextmanager
    def handed_over(self, other: LaunchCommands) -> Iterator[None]:
        """While this lasts, whoever stops or pauses this launch stops or pauses `other`."""
        with self._lock:
            self._other = other
            other.pause(self._paused)
            if self.stopped:
                other.stop(self.stopped)
        try:
            yield
        finally:
            with self._lock:
                self._other = None
                if other.has_asked:  # which began with what had been spent before
                    self._followed = other

    def _end(self, reason: str, tell: Callable[[Executor], None]) -> None:
        with self._lock:
            self.stopped = self.stopped or reason
            if self._other is not None:
                self._other.stop(reason)
            elif self._executor is not None:
                tell(self._executor)
