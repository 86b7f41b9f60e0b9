"""What waits for its time: looked at when that comes, and given up when it has waited too long.

A timer per errand that is to be asked again, an alarm per endpoint whose lanes may not send yet, and a
look at all lanes now and then. It sends nothing, and does not know why anything waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import perf_counter

from labkit.engine.errand import Errand, Stopped
from labkit.engine.landing import Landing
from labkit.engine.lane import Endpoint, Lane
from labkit.engine.retry import Policy
from labkit.engine.traffic import Traffic

log = logging.getLogger("labkit.engine")

_EARLY_S = 0.001
"""uvloop's clock counts whole milliseconds, so that a timer may ring one too early."""
_SOON_S = 1.0


class Waits:
    """The waits of a run. `dispatch` is called when an endpoint may send, `stop` for a lane given up."""

    def __init__(
        self,
        traffic: Traffic,
        landing: Landing,
        policy: Policy,
        *,
        dispatch: Callable[[Endpoint], None],
        stop: Callable[[Lane, Stopped], None],
    ) -> None:
        self._traffic = traffic
        self._landing = landing
        self._policy = policy
        self._dispatch = dispatch
        self._stop = stop
        self._loop = asyncio.get_running_loop()

    def see_to(self, endpoint: Endpoint) -> None:
        """What waits for the time ends with `fail_fast`, else it is looked at when that comes."""
        now = perf_counter()
        if self._policy.fail_fast:
            self._traffic.end_waits(endpoint, now)
        if endpoint.alarm is not None:
            return
        opens_s = endpoint.opens_in_s(now)
        # For longer waits the next look is soon enough.
        if opens_s is not None and opens_s < _SOON_S:
            endpoint.alarm = self._loop.call_later(opens_s + _EARLY_S, self._ring, endpoint)

    def again_in(self, wait_s: float, lane: Lane, errand: Errand, why: str) -> None:
        """The errand failed, and goes again after `wait_s`."""
        lane.waiting.add(errand)
        errand.timer = self._loop.call_later(wait_s + _EARLY_S, self._again, lane, errand)
        self._landing.tell("waiting", errand.job.cell, wait_s, why)

    def paused(self, lane: Lane, pause_s: float) -> None:
        """Say of everything in the lane that it waits for `pause_s`."""
        log.warning("%s: %s again and again; paused for %.1f s", lane.model.id, lane.circuit.why, pause_s)
        for errand in (*lane.waiting, *lane.queue):
            self._landing.tell("waiting", errand.job.cell, pause_s, f"{lane.circuit.why} again and again")

    def look(self, now: float, overslept_s: float) -> None:
        """End what waits in vain: out of time, or for a limit that is used up for too long."""
        for lane in self._traffic.lanes.values():
            lane.circuit.overslept(overslept_s)
            for errand in self._traffic.overdue(lane, now, self._policy.deadline_s):
                # It waits in vain for its next attempt: the last one is how it ended.
                self._landing.generation(errand.unanswered_row(None))
            opens_s = lane.buckets.used_up_s(lane.queue[0].tokens, now) if lane.queue else 0.0
            # Neither what the user set nor what others use of a limit is a reason to give up.
            if opens_s > self._policy.retry_after_cap_s * lane.runs:
                why = f"{lane.model.id} was put aside: its limit is used up for another {opens_s:,.0f} s"
                self._stop(lane, Stopped("RateLimited", why))

    def forget(self) -> None:
        """Let no alarm ring any more."""
        for endpoint in self._traffic.endpoints:
            if endpoint.alarm is not None:
                endpoint.alarm.cancel()

    def _ring(self, endpoint: Endpoint) -> None:
        endpoint.alarm = None
        self._dispatch(endpoint)

    def _again(self, lane: Lane, errand: Errand) -> None:
        if lane.stopped is None:
            self._traffic.again(lane, errand)
            self._dispatch(lane.endpoint)
