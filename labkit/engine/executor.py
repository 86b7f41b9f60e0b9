"""Asks: jobs in, one stored row for each out, however it ended.

The engine's face: it carries what any thread says to the loop where the `runner` is. It does
not know plans, prompts, frames or files.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from random import Random
from time import perf_counter
from typing import Any

from labkit.catalog.model import Model
from labkit.engine import gc_freeze
from labkit.engine.budget import Budget
from labkit.engine.call import Stopped
from labkit.engine.job import Job
from labkit.engine.retry import Policy
from labkit.engine.runner import Follow, Keep, Runner
from labkit.engine.scheduler import Scheduler
from labkit.records import Sink, Watcher

__all__ = ["Executor", "Job"]


class Executor:
    """Asks the jobs of one run. Used once; what stops it may be called from any thread.

    `models` and `keys` are by model id. `sink` gets an `Intent` before each request, an `Attempt` after
    it, and exactly one `Generation` for every job. Under a `budget_usd` the worst case of every request
    is set aside before it is sent; `spent_usd` is what earlier launches of the run have spent.

    Failures of calls become rows. `execute` raises only what the sink, or the jobs' iterator, raised.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        keys: Mapping[str, Any],
        *,
        sink: Sink,
        watcher: Watcher | None = None,
        policy: Policy | None = None,
        budget_usd: float | None = None,
        spent_usd: float = 0.0,
        allow_unpriced: bool = False,
        seed: int | None = None,
    ) -> None:
        self.policy = policy or Policy()
        self.budget = Budget(budget_usd, spent_usd=spent_usd)
        self._random = Random(seed)  # noqa: S311 - spreads waits, protects nothing
        self._keys = dict(keys)
        self._sink = sink
        self._watcher = watcher
        self._scheduler = Scheduler(
            models, self._keys, budget=self.budget, allow_unpriced=allow_unpriced, random=self._random
        )
        self._runner: Runner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: Stopped | None = None
        self._held = False

    def __repr__(self) -> str:
        return f"Executor({len(self._scheduler.queues)} models, {self.in_flight} in flight, {self.budget!r})"

    @property
    def in_flight(self) -> int:
        """Requests that are out now."""
        return self._scheduler.in_flight

    @property
    def stopped(self) -> int:
        """Rows that say `stopped`: their cells are not asked, or not to their end."""
        return 0 if self._runner is None else self._runner.stopped

    async def execute(
        self, jobs: Iterable[Job], *, follow: Follow | None = None, keep: Keep | None = None
    ) -> None:
        """Ask all `jobs`; returns when each has its row on disk. `follow` is called on the loop with each row
        that is, and gives what is then to be asked too, `keep` what of the budget is to be kept for it to the
        end; what they raise ends the run."""
        self._runner = Runner(
            self._scheduler,
            self._keys,
            sink=self._sink,
            watcher=self._watcher,
            policy=self.policy,
            random=self._random,
            follow=follow,
            keep=keep,
        )
        self._runner.held = self._held
        self._loop = asyncio.get_running_loop()
        with gc_freeze.frozen():
            await self._runner.run(jobs, self._stopped)

    def stop(self, reason: str) -> None:
        """Send nothing more; what is in flight is finished and kept. Other cells get rows that say why."""
        stopped = Stopped("RunStopped", f"The run was stopped: {reason}")
        self._stopped = self._stopped or stopped
        self._on_the_loop(lambda runner: runner.stop(stopped))

    def stop_model(self, model_id: str, reason: str, *, abort: bool = False) -> None:
        """Send nothing more to one model; the others go on. `abort` cancels what it answers now, too."""
        queue = self._scheduler.queues[model_id]
        stopped = Stopped("ModelStopped", f"{model_id} was stopped: {reason}")
        if abort:
            self._on_the_loop(lambda runner: runner.abort_queue(queue, stopped))
        else:
            self._on_the_loop(lambda runner: runner.stop_queue(queue, stopped))

    def abort(self) -> None:
        """Stop, and cancel what is in flight. Its text so far is kept; it may be charged all the same."""
        self._stopped = self._stopped or Stopped("RunAborted", "The run was aborted before it began.")
        self._on_the_loop(Runner.abort)

    def pause(self) -> None:
        """Send nothing for now; what is in flight goes on. The time is part of `queue_s` or `retry_s`."""
        self._hold(True)

    def go_on(self) -> None:
        """Send again after `pause`."""
        self._hold(False)

    def limit(
        self, model_id: str, *, concurrency: int | None = None, per_minute: Mapping[str, float] | None = None
    ) -> None:
        """Change a model's limits, also while the run goes. None leaves a limit as it is.

        `concurrency` is the most in flight at once at its endpoint; `per_minute` what may be sent in a
        minute by kind (`requests`, `tokens`, `input`, `output`), infinite to lift a limit that was set.
        """
        if concurrency is not None and concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}; at least one request must be allowed")
        queue = self._scheduler.queues[model_id]

        def change() -> None:
            if concurrency is not None:
                queue.endpoint.limiter.set_ceiling(concurrency)
            for kind, count in (per_minute or {}).items():
                queue.buckets.limit(kind, count, perf_counter())

        if self._loop is None:
            change()
        else:
            self._loop.call_soon_threadsafe(change)
            self._on_the_loop(Runner.advance)

    def limits(self) -> list[dict[str, Any]]:
        """The state of the limits, a dict per model: what waits, is out, may be out, and for what."""
        now = perf_counter()
        return [queue.state(now) for queue in self._scheduler.queues.values()]

    def _hold(self, held: bool) -> None:
        self._held = held
        if self._runner is not None:
            self._runner.held = held
        self._on_the_loop(Runner.advance)

    def _on_the_loop(self, act: Callable[[Runner], None]) -> None:
        if self._loop is not None and self._runner is not None:
            self._loop.call_soon_threadsafe(act, self._runner)
