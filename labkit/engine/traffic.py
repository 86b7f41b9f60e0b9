"""Who is sent next: jobs become errands, errands wait in their lanes, and leave when everything permits.

What permits it: a place at the endpoint, no pause, tokens in the buckets, money in the purse. It holds
what waits; sending, and what follows an answer, is the executor's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from random import Random
from time import perf_counter
from typing import Any

from labkit.catalog.model import Model
from labkit.engine.errand import Errand, Stopped
from labkit.engine.job import Job
from labkit.engine.lane import LOCAL, Endpoint, Lane
from labkit.engine.limits import REMOTE, Limiter
from labkit.engine.purse import Purse

_PULL = 256
_AHEAD = 2
_HELD = 4096
_NO_WAIT_S = 0.1
"""Requests kept so far apart are not said to wait."""


class Traffic:
    """The lanes of a run, and the money and places they share."""

    def __init__(
        self,
        models: Mapping[str, Model],
        keys: Mapping[str, Any],
        *,
        purse: Purse,
        allow_unpriced: bool,
        random: Random,
    ) -> None:
        self.lanes = {name: Lane(model, random) for name, model in models.items()}
        self.endpoints = _grouped(self.lanes, keys, random)
        self.more = True
        """Whether jobs may still come."""
        self._purse = purse
        self._allow_unpriced = allow_unpriced
        self._jobs: Iterator[Job] = iter(())
        self._entered: Callable[[Job], None]
        self._send: Callable[[Lane, Errand], None]
        self._end: Callable[[Errand, Stopped], None]
        self._short: Lane | None = None

    @property
    def in_flight(self) -> int:
        """Requests that are out now."""
        return sum(len(lane.asking) for lane in self.lanes.values())

    def asked(self) -> Iterator[Errand]:
        """The errands that are out now."""
        for lane in self.lanes.values():
            yield from lane.asking

    def begin(
        self,
        jobs: Iterable[Job],
        *,
        entered: Callable[[Job], None],
        send: Callable[[Lane, Errand], None],
        end: Callable[[Errand, Stopped], None],
    ) -> None:
        """Take `jobs`. `entered` is told of each, `send` of what may leave, `end` of what never will."""
        self._jobs = iter(jobs)
        self._entered, self._send, self._end = entered, send, end

    # -- in --------------------------------------------------------------------------------------

    def pull(self) -> bool:
        """Take some jobs if a lane is short of them. True: call again soon, there may be more to take.

        A few at a time, so that the loop stays quick. Raises what the jobs' iterator raises.
        """
        if not self.more or not self._hungry():
            return False
        now = perf_counter()
        count = 0
        self.more = False
        for job in islice(self._jobs, _PULL):
            count += 1
            self._enter(job, now)
        self.more = count == _PULL
        return self.more

    def _hungry(self) -> bool:
        lanes = self.lanes.values()
        if any(
            not lane.stopped and len(lane.queue) < _AHEAD * lane.endpoint.limiter.ceiling for lane in lanes
        ):
            return True
        # The cells of a stopped model are ended as they come, but not at the price of holding all others.
        stopped = any(lane.stopped for lane in lanes) or not lanes
        return stopped and sum(len(lane.queue) for lane in lanes) < _HELD

    def _enter(self, job: Job, now: float) -> None:
        lane = self.lanes.get(job.cell.model)
        if lane is None:
            raise ValueError(f"a job for {job.cell.model}, which is none of this run's models")
        errand = Errand(job, lane.model, now)
        self._entered(job)
        lane.costs = lane.costs or errand.worst_usd != 0
        refused = lane.stopped or self._unpriced(errand)
        if refused is not None:
            self._end(errand, refused)
        else:
            lane.queue.append(errand)

    def _unpriced(self, errand: Errand) -> Stopped | None:
        if errand.worst_usd is not None or self._allow_unpriced or self._purse.budget_usd is None:
            return None
        return Stopped(
            "CostUnknown",
            f"Under a budget {errand.job.cell.model} is not asked: the most that an answer can cost is not"
            " known. Give its prices and max_tokens, or run with allow_unpriced=True.",
        )

    # -- out -------------------------------------------------------------------------------------

    def dispatch(self, endpoint: Endpoint) -> None:
        """Send whatever may leave for `endpoint` now."""
        while endpoint.limiter.free:
            lane = endpoint.next_lane(perf_counter(), money=self._short is None)
            if lane is None:
                return
            errand = lane.queue[0]
            if not errand.reserved_usd and not self._reserve(errand):
                # Nobody overtakes while it waits: what is in flight may turn out cheaper than feared.
                self._short = lane
                continue
            lane.queue.popleft()
            lane.asking.add(errand)
            self._send(lane, errand)

    def end_waits(self, endpoint: Endpoint, now: float) -> None:
        """End what could only be sent later, since the time has to come first."""
        for lane in endpoint.lanes:
            # While one goes ahead, what it will say is waited for, not the time.
            while (
                not lane.pace.careful(now)
                and (wait_s := lane.opens_in_s(now)) is not None
                and wait_s > _NO_WAIT_S
            ):
                errand = lane.queue.popleft()
                if errand.reserved_usd:
                    self.settle(errand, 0.0)
                why = lane.circuit.why if lane.circuit.reopens_at is not None else "RateLimited"
                message = f"{lane.model.id} may be asked again in {wait_s:,.1f} s only, and fail_fast is set."
                self._end(errand, Stopped(why, message))

    def again(self, lane: Lane, errand: Errand) -> None:
        """An errand that waited for its time: it goes first."""
        lane.waiting.discard(errand)
        errand.timer = None
        lane.queue.appendleft(errand)

    def overdue(self, lane: Lane, now: float, deadline_s: float) -> list[Errand]:
        """Take out of the queue what was asked before and is out of time."""
        late = [one for one in lane.queue if one.attempts and one.elapsed_s(now) > deadline_s]
        for errand in late:
            lane.queue.remove(errand)
            if errand.reserved_usd:
                self.settle(errand, 0.0)
        return late

    def _reserve(self, errand: Errand) -> bool:
        worst_usd = errand.worst_usd or 0.0
        if not self._purse.reserve(worst_usd):
            return False
        errand.reserved_usd = worst_usd
        return True

    # -- money -----------------------------------------------------------------------------------

    @property
    def short(self) -> bool:
        """Whether a request waits for money."""
        return self._short is not None

    def settle(self, errand: Errand, cost_usd: float | None) -> None:
        """The errand's request ended and cost so much (None: not known)."""
        self._purse.settle(errand.reserved_usd, cost_usd)
        errand.reserved_usd = 0.0

    def seek_money(self) -> None:
        """Let the one that waits for money have what came free; stop what costs money if none ever will."""
        lane = self._short
        if lane is None:
            return
        if not lane.queue or lane.queue[0].reserved_usd or self._reserve(lane.queue[0]):
            self._short = None
        elif not self._purse.in_flight:
            stopped = Stopped(
                "BudgetExhausted",
                f"The budget of USD {self._purse.budget_usd:.4f} is used up: {self._purse.spent_usd:.4f} is"
                f" spent, and the next request may cost USD {lane.queue[0].worst_usd:.4f}.",
            )
            self._short = None
            for costly in [lane for lane in self.lanes.values() if lane.costs]:
                self.stop(costly, stopped)

    # -- stopping --------------------------------------------------------------------------------

    def stop(self, lane: Lane, stopped: Stopped) -> None:
        """End everything that waits in `lane`, now and later."""
        if lane.stopped is not None:
            return
        lane.stopped = stopped
        idle = [*lane.waiting, *lane.queue]
        lane.waiting.clear()
        lane.queue.clear()
        for errand in idle:
            if errand.timer is not None:
                errand.timer.cancel()
                errand.timer = None
            if errand.reserved_usd:
                self.settle(errand, 0.0)
            self._end(errand, stopped)


def _grouped(lanes: Mapping[str, Lane], keys: Mapping[str, Any], random: Random) -> list[Endpoint]:
    """Lanes of one endpoint and key share its limiter; a model with a concurrency of its own has its own."""
    endpoints: dict[Any, Endpoint] = {}
    for name, lane in lanes.items():
        model, key = lane.model, keys.get(name)
        apart = model.concurrency is not None or model.dialect in LOCAL
        # By the key itself, which neither prints nor pickles, not by its text: a traceback shows variables.
        where = (model.dialect, model.provider, model.base_url, key, id(model.client))
        place = name if apart else where
        if place not in endpoints:
            ceiling = model.concurrency or (model.weights.slots if model.weights else REMOTE)
            adaptive = model.dialect not in LOCAL
            limiter = Limiter(ceiling, adaptive=adaptive, random=random)
            endpoints[place] = Endpoint(model.base_url or model.provider, limiter)
        endpoints[place].add(lane)
    return list(endpoints.values())
