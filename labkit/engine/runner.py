"""One run on the loop: what happens after what, from its first request to its last stored row.

Each part decides its own: `scheduler` who is sent next, `attempt` sends, `after_attempt` says what follows,
`timers` looks after what cannot go yet, `delivery` brings rows to the sink. Everything here runs on one
loop; threads are the executor's matter. What follows what is one order, so it stands in one place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from random import Random
from time import perf_counter
from typing import Any

from labkit.engine import after_attempt, attempt, clients, gc_freeze
from labkit.engine.call import Attempted, Call, Stopped
from labkit.engine.delivery import Delivery
from labkit.engine.job import Job
from labkit.engine.limit_sharing import LimitSharing
from labkit.engine.queues import Endpoint, ModelQueue
from labkit.engine.retry import Policy
from labkit.engine.scheduler import Scheduler
from labkit.engine.timers import Timers
from labkit.engine.watchdog import Watchdog
from labkit.errors import LabkitError
from labkit.records import Generation, Sink, Watcher

Follow = Callable[[Generation], Sequence[Job]]
"""What is to be asked once this row is on disk."""
Keep = Callable[[Generation], float]
"""What is to stay set aside once this row is on disk, for what is asked of it when all else was: USD."""
_UNSTORED = 8192
"""So many rows not yet on disk, and asking waits for the disk."""
_ABORT_S = 1.5


class Runner:
    """The state of a run, and everything that moves it on. Made, used and ended on one loop."""

    def __init__(
        self,
        scheduler: Scheduler,
        keys: Mapping[str, Any],
        *,
        sink: Sink,
        watcher: Watcher | None,
        policy: Policy,
        random: Random,
        follow: Follow | None,
        keep: Keep | None = None,
    ) -> None:
        self.held = False
        """While True nothing is sent."""
        self._scheduler = scheduler
        self._keys = keys
        self._policy = policy
        self._random = random
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()
        self._what_follows = follow
        self._what_is_kept = keep
        self._followed: dict[str, Call] = {}
        """The calls whose answers others follow, by generation_id."""
        self._delivery = Delivery(
            sink, watcher, self._loop, self._on_stored, self._follow if follow or keep else None
        )
        self._timers = Timers(
            scheduler, self._delivery, policy, dispatch=self._dispatch, stop=self.stop_queue
        )
        self._open = 0
        self._pull_due = False
        self._fault: BaseException | None = None
        self._sharing = LimitSharing()

    @property
    def stopped(self) -> int:
        """Rows that say `stopped`."""
        return self._delivery.stopped

    async def run(self, jobs: Iterable[Job], stopped: Stopped | None) -> None:
        """Ask all `jobs`, or none of them if the run is `stopped` already; raises what ended it early."""
        scheduler = self._scheduler
        scheduler.begin(jobs, entered=self._entered, send=self._send, end=self._end)
        for endpoint in scheduler.endpoints:
            endpoint.grown = partial(self._loop.call_soon, self._dispatch, endpoint)
        if stopped is not None:
            self.stop(stopped)
        watchdog = Watchdog(self._policy, scheduler.asked, self._tick)
        tasks: list[asyncio.Task[None]] = []
        try:
            try:
                sharing = asyncio.to_thread(LimitSharing.join, scheduler.queues.values(), self._keys)
                self._sharing = await sharing
            except RuntimeError as error:  # no thread, or a process that ends
                raise LabkitError(f"Nothing can be asked: {error}.") from None
            self._sharing.begin(perf_counter())
            tasks += [self._loop.create_task(self._connect(queue)) for queue in scheduler.queues.values()]
            tasks.append(self._loop.create_task(watchdog.watch()))
            self.advance()
            await asyncio.shield(self._over)
        except asyncio.CancelledError:
            self.abort()
            await asyncio.wait([self._over], timeout=_ABORT_S)
            raise
        finally:
            for task in tasks:
                task.cancel()
            self._timers.forget()
            self._sharing.leave(perf_counter())
        fault = self._delivery.trouble or self._fault
        if fault is not None:
            raise fault

    def stop(self, stopped: Stopped) -> None:
        """Send nothing more to anybody."""
        for queue in self._scheduler.queues.values():
            self._scheduler.stop(queue, stopped)
        self.advance()

    def stop_queue(self, queue: ModelQueue, stopped: Stopped) -> None:
        """Send nothing more to one model."""
        self._scheduler.stop(queue, stopped)
        self.advance()

    def abort_queue(self, queue: ModelQueue, stopped: Stopped) -> None:
        """Send nothing more to one model, and cancel what is out."""
        self.stop_queue(queue, stopped)
        self._loop.call_soon(self._cancel, queue.asking, stopped)

    def abort(self) -> None:
        """Stop, and cancel what is out."""
        self.stop(Stopped("RunAborted", "The run was aborted."))
        # A task cancelled before its first step would vanish without its row; in the next round all have
        # begun.
        for queue in self._scheduler.queues.values():
            self._loop.call_soon(self._cancel, queue.asking, None)

    def _cancel(self, calls: Iterable[Call], why: Stopped | None) -> None:
        for call in calls:
            if call.task is not None:
                call.cut_off = why
                call.task.cancel()

    # -- getting on ------------------------------------------------------------------------------

    def advance(self) -> None:
        """Do everything that can be done now, and see whether all is done."""
        if self._over.done():
            return
        self._pull()
        self._scheduler.seek_money()
        for endpoint in self._scheduler.endpoints:
            self._dispatch(endpoint)
        if self._ended():
            self._over.set_result(None)

    def _advance_at(self, endpoint: Endpoint) -> None:
        """The same after one request ended, without a look at what cannot have changed."""
        self._pull()
        if self._scheduler.short or self._open == 0:
            self.advance()
        else:
            self._dispatch(endpoint)

    def _ended(self) -> bool:
        if self._delivery.trouble is not None:
            return self._scheduler.in_flight == 0
        if self._fault is not None:
            return self._scheduler.in_flight == 0 and self._delivery.unstored == 0
        return not self._scheduler.more and self._open == 0

    def _pull(self) -> None:
        if self._pull_due or self._delivery.unstored > _UNSTORED or self._fault is not None:
            return
        try:
            again = self._scheduler.pull()
        except Exception as error:  # noqa: BLE001 - raised from `execute` once all is stored
            self._break(error)
            return
        if again:
            self._pull_due = True
            self._loop.call_soon(self._pull_on)

    def _pull_on(self) -> None:
        self._pull_due = False
        self.advance()

    def _dispatch(self, endpoint: Endpoint) -> None:
        if self._delivery.unstored <= _UNSTORED and self._delivery.trouble is None and not self.held:
            self._scheduler.dispatch(endpoint)
            if endpoint.limiter.free:
                self._timers.see_to(endpoint)

    def _entered(self, job: Job) -> None:
        self._open += 1
        self._delivery.tell("queued", job.cell)

    def _follow(self, generation: Generation) -> None:
        """A row is on disk: ask what follows it."""
        jobs: Sequence[Job] = ()
        kept_usd = 0.0
        try:
            if self._fault is None:
                jobs = self._what_follows(generation) if self._what_follows is not None else ()
                kept_usd = self._what_is_kept(generation) if self._what_is_kept is not None else 0.0
        except Exception as error:  # noqa: BLE001 - raised from `execute` once all is stored
            self._break(error)
        except BaseException as error:  # noqa: BLE001 - as it is it would end the loop, which others share
            self._break(LabkitError(f"What follows an answer is not known: {type(error).__name__}."))
        self._scheduler.follow(self._followed.pop(generation.generation_id, None), jobs, kept_usd)
        if jobs or self._scheduler.short:
            self._loop.call_soon(self.advance)

    def _send(self, queue: ModelQueue, call: Call) -> None:
        call.attempts += 1
        call.last = None
        if call.job.later_usd:
            self._followed[call.job.cell.generation_id] = call
        number, in_flight = queue.sent(call, perf_counter())
        call.task = self._loop.create_task(self._ask(queue, call, number, in_flight))

    async def _ask(self, queue: ModelQueue, call: Call, number: int, in_flight: int) -> None:
        began = partial(_began, queue, call, number)
        try:
            attempted = await attempt.send(queue.provider, call, self._delivery, in_flight, number, began)
            self._conclude(queue, call, attempted)
        except Exception as error:  # noqa: BLE001 - a fault of the engine's own ends the run, it does not hang
            queue.asking.discard(call)
            self._break(error)
            if call.last is None:
                self._unsent(queue, call)
        self._advance_at(queue.endpoint)

    def _unsent(self, queue: ModelQueue, call: Call) -> None:
        """What could not be noted beforehand was not sent, and costs nothing."""
        call.attempts -= 1
        self._scheduler.settle(call, 0.0)
        assert queue.stopped is not None
        self._end(call, queue.stopped)

    def _conclude(self, queue: ModelQueue, call: Call, attempted: Attempted) -> None:
        queue.asking.discard(call)
        found = after_attempt.decide(
            queue, call, attempted, policy=self._policy, random=self._random, now=perf_counter()
        )
        if found.keeps_place_s:
            self._loop.call_later(found.keeps_place_s, self._release, queue.endpoint)
        else:
            queue.endpoint.limiter.release()
        if queue.news:
            queue.news = False
            self._sharing.beat(perf_counter(), news=True)
        self._scheduler.settle(call, found.cost_usd)
        if found.overran:
            self._scheduler.raise_bounds(queue)
        self._delivery.attempt(call.attempt_row(attempted, found.wait_s))
        if found.row is not None:
            self._delivery.generation(found.row)
        elif found.wait_s is not None:
            self._timers.again_in(found.wait_s, queue, call, found.why)
        if found.stops_model is not None:
            self._scheduler.stop(queue, found.stops_model)
        elif found.pause_s is not None:
            self._timers.paused(queue, found.pause_s)

    def _release(self, endpoint: Endpoint) -> None:
        endpoint.limiter.release()
        self._dispatch(endpoint)

    # -- rows ------------------------------------------------------------------------------------

    def _end(self, call: Call, stopped: Stopped) -> None:
        self._delivery.generation(call.unanswered_row(stopped))

    def _on_stored(self, count: int) -> None:
        self._open -= count
        held = self._delivery.unstored + count > _UNSTORED
        if held or self._open == 0 or self._fault is not None:
            self.advance()

    # -- the rest --------------------------------------------------------------------------------

    async def _connect(self, queue: ModelQueue) -> None:
        try:
            queue.provider = await clients.provider(queue.model, self._keys.get(queue.model.id))
        except Exception as error:  # noqa: BLE001 - becomes the rows of this model; the others go on
            why = f"{queue.model.id} cannot be asked: {error}"
            self.stop_queue(queue, Stopped(type(error).__name__, why))
        else:
            gc_freeze.freeze_more()
            self.advance()

    def _tick(self, overslept_s: float) -> None:
        """Now and then: pauses that have ended, limits that are used up for too long, a sink that failed."""
        now = perf_counter()
        self._sharing.beat(now)
        self._timers.look(now, overslept_s)
        if self._delivery.trouble is not None and self._fault is None:
            self._break(self._delivery.trouble)
        self.advance()

    def _break(self, error: BaseException) -> None:
        """End the run in order: ask nothing more, store what is there, raise `error` from `execute`."""
        self._fault = self._fault or error
        self._scheduler.more = False
        self.stop(Stopped(type(error).__name__, f"The run broke off: {error}"))


def _began(queue: ModelQueue, call: Call, number: int) -> None:
    attempted = call.last
    assert attempted is not None
    queue.began(call, number, attempted.listener.headers, attempted.listener.heard)
