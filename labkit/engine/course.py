"""One run on the loop: what happens after what, from its first request to its last stored row.

Each part decides its own: `traffic` who is sent next, `asking` sends, `verdict` says what follows,
`waits` looks after what cannot go yet, `landing` brings rows to the sink. Everything here runs on one
loop; threads are the executor's matter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from random import Random
from time import perf_counter
from typing import Any

from labkit.engine import asking, clients, verdict
from labkit.engine.errand import Attempted, Errand, Stopped
from labkit.engine.job import Job
from labkit.engine.landing import Landing
from labkit.engine.lane import Endpoint, Lane
from labkit.engine.retry import Policy
from labkit.engine.sharing import Sharing
from labkit.engine.traffic import Traffic
from labkit.engine.waits import Waits
from labkit.engine.watchdog import Watchdog
from labkit.records import Sink, Watcher

_UNSTORED = 8192
"""So many rows not yet on disk, and asking waits for the disk."""
_ABORT_S = 1.5


class Course:
    """The state of a run, and everything that moves it on. Made, used and ended on one loop."""

    def __init__(
        self,
        traffic: Traffic,
        keys: Mapping[str, Any],
        *,
        sink: Sink,
        watcher: Watcher | None,
        policy: Policy,
        random: Random,
    ) -> None:
        self.held = False
        """While True nothing is sent."""
        self._traffic = traffic
        self._keys = keys
        self._policy = policy
        self._random = random
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()
        self._landing = Landing(sink, watcher, self._loop, self._landed)
        self._waits = Waits(traffic, self._landing, policy, dispatch=self._dispatch, stop=self.stop_lane)
        self._open = 0
        self._pull_due = False
        self._fault: BaseException | None = None
        self._sharing = Sharing()

    async def run(self, jobs: Iterable[Job], stopped: Stopped | None) -> None:
        """Ask all `jobs`, or none of them if the run is `stopped` already; raises what ended it early."""
        traffic = self._traffic
        traffic.begin(jobs, entered=self._entered, send=self._send, end=self._end)
        for endpoint in traffic.endpoints:
            endpoint.grown = partial(self._loop.call_soon, self._dispatch, endpoint)
        if stopped is not None:
            self.stop(stopped)
        watchdog = Watchdog(self._policy, traffic.asked, self._tick)
        tasks: list[asyncio.Task[None]] = []
        try:
            self._sharing = await asyncio.to_thread(Sharing.join, traffic.lanes.values(), self._keys)
            self._sharing.begin(perf_counter())
            tasks += [self._loop.create_task(self._connect(lane)) for lane in traffic.lanes.values()]
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
            self._waits.forget()
            self._sharing.leave(perf_counter())
        fault = self._fault or self._landing.trouble
        if fault is not None:
            raise fault

    def stop(self, stopped: Stopped) -> None:
        """Send nothing more to anybody."""
        for lane in self._traffic.lanes.values():
            self._traffic.stop(lane, stopped)
        self.advance()

    def stop_lane(self, lane: Lane, stopped: Stopped) -> None:
        """Send nothing more to one model."""
        self._traffic.stop(lane, stopped)
        self.advance()

    def abort(self) -> None:
        """Stop, and cancel what is out."""
        self.stop(Stopped("RunAborted", "The run was aborted."))
        # A task cancelled before its first step would vanish without its row; in the next round all have
        # begun.
        self._loop.call_soon(self._cancel)

    def _cancel(self) -> None:
        for errand in self._traffic.asked():
            if errand.task is not None:
                errand.task.cancel()

    # -- getting on ------------------------------------------------------------------------------

    def advance(self) -> None:
        """Do everything that can be done now, and see whether all is done."""
        if self._over.done():
            return
        self._pull()
        self._traffic.seek_money()
        for endpoint in self._traffic.endpoints:
            self._dispatch(endpoint)
        if self._ended():
            self._over.set_result(None)

    def _advance_at(self, endpoint: Endpoint) -> None:
        """The same after one request ended, without a look at what cannot have changed."""
        self._pull()
        if self._traffic.short or self._open == 0:
            self.advance()
        else:
            self._dispatch(endpoint)

    def _ended(self) -> bool:
        if self._landing.trouble is not None:
            return self._traffic.in_flight == 0
        if self._fault is not None:
            return self._traffic.in_flight == 0 and self._landing.unstored == 0
        return not self._traffic.more and self._open == 0

    def _pull(self) -> None:
        if self._pull_due or self._landing.unstored > _UNSTORED or self._fault is not None:
            return
        try:
            again = self._traffic.pull()
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
        if self._landing.unstored <= _UNSTORED and self._landing.trouble is None and not self.held:
            self._traffic.dispatch(endpoint)
            if endpoint.limiter.free:
                self._waits.see_to(endpoint)

    def _entered(self, job: Job) -> None:
        self._open += 1
        self._landing.tell("queued", job.cell)

    def _send(self, lane: Lane, errand: Errand) -> None:
        errand.attempts += 1
        errand.last = None
        number, in_flight = lane.sent(errand, perf_counter())
        errand.task = self._loop.create_task(self._ask(lane, errand, number, in_flight))

    async def _ask(self, lane: Lane, errand: Errand, number: int, in_flight: int) -> None:
        began = partial(_began, lane, errand, number)
        try:
            attempted = await asking.ask(lane.provider, errand, self._landing, in_flight, number, began)
            self._conclude(lane, errand, attempted)
        except Exception as error:  # noqa: BLE001 - a fault of the engine's own ends the run, it does not hang
            lane.asking.discard(errand)
            self._break(error)
        self._advance_at(lane.endpoint)

    def _conclude(self, lane: Lane, errand: Errand, attempted: Attempted) -> None:
        lane.asking.discard(errand)
        lane.endpoint.limiter.release()
        found = verdict.judge(
            lane, errand, attempted, policy=self._policy, random=self._random, now=perf_counter()
        )
        if lane.news:
            lane.news = False
            self._sharing.beat(perf_counter(), news=True)
        self._traffic.settle(errand, found.cost_usd)
        self._landing.attempt(errand.attempt_row(attempted, found.wait_s))
        if found.row is not None:
            self._landing.generation(found.row)
        elif found.wait_s is not None:
            self._waits.again_in(found.wait_s, lane, errand, found.why)
        if found.stops_model is not None:
            self._traffic.stop(lane, found.stops_model)
        elif found.pause_s is not None:
            self._waits.paused(lane, found.pause_s)

    # -- rows ------------------------------------------------------------------------------------

    def _end(self, errand: Errand, stopped: Stopped) -> None:
        self._landing.generation(errand.unanswered_row(stopped))

    def _landed(self, count: int) -> None:
        self._open -= count
        held = self._landing.unstored + count > _UNSTORED
        if held or self._open == 0 or self._fault is not None:
            self.advance()

    # -- the rest --------------------------------------------------------------------------------

    async def _connect(self, lane: Lane) -> None:
        try:
            lane.provider = await clients.provider(lane.model, self._keys.get(lane.model.id))
        except Exception as error:  # noqa: BLE001 - becomes the rows of this model; the others go on
            why = f"{lane.model.id} could not be connected: {error}"
            self.stop_lane(lane, Stopped(type(error).__name__, why))
        else:
            self.advance()

    def _tick(self, overslept_s: float) -> None:
        """Now and then: pauses that have ended, limits that are used up for too long, a sink that failed."""
        now = perf_counter()
        self._sharing.beat(now)
        self._waits.look(now, overslept_s)
        if self._landing.trouble is not None and self._fault is None:
            self._break(self._landing.trouble)
        self.advance()

    def _break(self, error: BaseException) -> None:
        """End the run in order: ask nothing more, store what is there, raise `error` from `execute`."""
        self._fault = self._fault or error
        self._traffic.more = False
        self.stop(Stopped(type(error).__name__, f"The run broke off: {error}"))


def _began(lane: Lane, errand: Errand, number: int) -> None:
    attempted = errand.last
    assert attempted is not None
    lane.began(errand, number, attempted.ear.headers, attempted.ear.heard)
