"""What waits for its time: looked at when that comes, and given up when it has waited too long.

A timer per call that is to be asked again, an alarm per endpoint whose queues may not send yet, and a
look at all queues now and then. It sends nothing, and does not know why anything waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import perf_counter

from labkit.engine.call import Call, Stopped
from labkit.engine.delivery import Delivery
from labkit.engine.queues import Endpoint, ModelQueue
from labkit.engine.retry import Policy, lasting
from labkit.engine.scheduler import Scheduler

log = logging.getLogger("labkit.engine")

_EARLY_S = 0.001
"""uvloop's clock counts whole milliseconds, so that a timer may ring one too early."""
_SOON_S = 1.0


class Timers:
    """The waits of a run. `dispatch` is called when an endpoint may send, `stop` for a queue given up."""

    def __init__(
        self,
        scheduler: Scheduler,
        delivery: Delivery,
        policy: Policy,
        *,
        dispatch: Callable[[Endpoint], None],
        stop: Callable[[ModelQueue, Stopped], None],
    ) -> None:
        self._scheduler = scheduler
        self._delivery = delivery
        self._policy = policy
        self._dispatch = dispatch
        self._stop = stop
        self._loop = asyncio.get_running_loop()

    def see_to(self, endpoint: Endpoint) -> None:
        """What waits for the time ends with `fail_fast`, else it is looked at when that comes."""
        now = perf_counter()
        if self._policy.fail_fast:
            self._scheduler.end_waits(endpoint, now)
        opens_s = endpoint.opens_in_s(now)
        # For longer waits the next look is soon enough.
        if opens_s is None or opens_s >= _SOON_S:
            return
        if endpoint.alarm is not None:
            # What came meanwhile may let it send earlier than was thought.
            if endpoint.alarm.when() <= self._loop.time() + opens_s + _EARLY_S:
                return
            endpoint.alarm.cancel()
        endpoint.alarm = self._loop.call_later(opens_s + _EARLY_S, self._ring, endpoint)

    def again_in(self, wait_s: float, queue: ModelQueue, call: Call, why: str) -> None:
        """The call failed, and goes again after `wait_s`."""
        queue.waiting.add(call)
        call.timer = self._loop.call_later(wait_s + _EARLY_S, self._again, queue, call)
        self._delivery.tell("waiting", call.job.cell, wait_s, why)

    def paused(self, queue: ModelQueue, pause_s: float) -> None:
        """Say of everything in the queue that it waits for `pause_s`."""
        why = f"{queue.circuit.why} again and again at {queue.endpoint.name}"
        log.warning("%s: %s; paused for %.1f s", queue.model.id, why, pause_s)
        for call in (*queue.waiting, *queue.queued):
            self._delivery.tell("waiting", call.job.cell, pause_s, why)

    def look(self, now: float, overslept_s: float) -> None:
        """End what waits in vain: out of time, or for a limit that is used up for too long."""
        for queue in self._scheduler.queues.values():
            queue.circuit.overslept(overslept_s)
            for call in self._scheduler.overdue(queue, now, self._policy.deadline_s):
                # It waits in vain for its next attempt: the last one is how it ended.
                self._delivery.generation(call.unanswered_row(None))
            opens_s = queue.buckets.used_up_s(queue.queued[0].tokens, now) if queue.queued else 0.0
            # Neither what the user set nor what others use of a limit is a reason to give up.
            if opens_s > self._policy.retry_after_cap_s * queue.runs:
                why = f"its limit is used up for another {lasting(opens_s)}"
                self._stop(queue, Stopped("RateLimited", f"{queue.model.id} is asked no more, since {why}"))

    def forget(self) -> None:
        """Let no alarm ring any more."""
        for endpoint in self._scheduler.endpoints:
            if endpoint.alarm is not None:
                endpoint.alarm.cancel()

    def _ring(self, endpoint: Endpoint) -> None:
        endpoint.alarm = None
        self._dispatch(endpoint)

    def _again(self, queue: ModelQueue, call: Call) -> None:
        if queue.stopped is None:
            self._scheduler.again(queue, call)
            self._dispatch(queue.endpoint)
