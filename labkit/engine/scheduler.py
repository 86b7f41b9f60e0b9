"""Who is sent next: jobs become calls, calls wait in their queues, and leave when everything permits.

What permits it: a place at the endpoint, no pause, tokens in the buckets, money in the budget. It holds
what waits; sending, and what follows an answer, is the runner's. Queues and money are taken from at once, or
a request would be sent that the budget does not hold: so both stand together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from random import Random
from time import perf_counter
from typing import Any

from labkit.catalog.model import Model
from labkit.engine.budget import Budget
from labkit.engine.call import Call, Stopped
from labkit.engine.job import Job
from labkit.engine.queues import Endpoint, ModelQueue, grouped

log = logging.getLogger("labkit.engine")

_PULL, _PULL_S = 256, 0.01
"""So many jobs are taken at a time, and for no longer."""
_AHEAD = 2
_HELD = 4096
_NO_WAIT_S = 0.1
"""Requests kept so far apart are not said to wait."""


class Scheduler:
    """The queues of a run, and the money and places they share."""

    def __init__(
        self,
        models: Mapping[str, Model],
        keys: Mapping[str, Any],
        *,
        budget: Budget,
        allow_unpriced: bool,
        random: Random,
    ) -> None:
        self.queues = {name: ModelQueue(model, random) for name, model in models.items()}
        self.endpoints = grouped(self.queues, keys, random)
        self.more = True
        """Whether jobs may still come."""
        self._budget = budget
        self._allow_unpriced = allow_unpriced
        self._jobs: Iterator[Job] = iter(())
        self._entered: Callable[[Job], None]
        self._send: Callable[[ModelQueue, Call], None]
        self._end: Callable[[Call, Stopped], None]
        self._short: ModelQueue | None = None
        self._spent_up: Stopped | None = None
        """Why nothing is sent any more that costs money, or whose followers do."""

    @property
    def in_flight(self) -> int:
        """Requests that are out now."""
        return sum(len(queue.asking) for queue in self.queues.values())

    def asked(self) -> Iterator[Call]:
        """The calls that are out now."""
        for queue in self.queues.values():
            yield from queue.asking

    def begin(
        self,
        jobs: Iterable[Job],
        *,
        entered: Callable[[Job], None],
        send: Callable[[ModelQueue, Call], None],
        end: Callable[[Call, Stopped], None],
    ) -> None:
        """Take `jobs`. `entered` is told of each, `send` of what may leave, `end` of what never will."""
        self._jobs = iter(jobs)
        self._entered, self._send, self._end = entered, send, end

    # -- in --------------------------------------------------------------------------------------

    def pull(self) -> bool:
        """Take some jobs if a queue is short of them. True: call again soon, there may be more to take.

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
            if perf_counter() > now + _PULL_S:
                self.more = True
                return True
        self.more = count == _PULL
        return self.more

    def _hungry(self) -> bool:
        queues = self.queues.values()
        if any(
            not queue.stopped and len(queue.queued) < _AHEAD * queue.endpoint.limiter.ceiling
            for queue in queues
        ):
            return True
        # The cells of a stopped model are ended as they come, but not at the price of holding all others.
        stopped = any(queue.stopped for queue in queues) or not queues
        return stopped and sum(len(queue.queued) for queue in queues) < _HELD

    def follow(self, call: Call | None, jobs: Iterable[Job], kept_usd: float = 0.0) -> None:
        """Take the jobs that follow the answer of `call`, ahead of others: what was set aside for them is
        theirs before anybody else can have it, and `kept_usd` stays set aside to the end."""
        if call is not None and call.holds_usd is not None:
            self._budget.free(*call.holds_usd)
            call.holds_usd = ()
        self._budget.keep(kept_usd)
        for job in jobs:
            self._enter(job, perf_counter(), first=True)

    def _enter(self, job: Job, now: float, *, first: bool = False) -> None:
        queue = self.queues.get(job.cell.model)
        if queue is None:
            raise ValueError(f"a job for {job.cell.model}, which is none of this run's models")
        call = Call(job, queue.model, now)
        self._entered(job)
        queue.costs = queue.costs or call.worst_usd != 0
        refused = queue.stopped or self._unpriced(call) or (None if call.is_free else self._spent_up)
        if refused is not None:
            self._end(call, refused)
        elif first:
            self._put_first(queue, call)
        else:
            queue.queued.append(call)

    def _unpriced(self, call: Call) -> Stopped | None:
        if call.worst_usd is not None or self._allow_unpriced or self._budget.budget_usd is None:
            return None
        return Stopped(
            "CostUnknown",
            f"Under a budget {call.job.cell.model} is not asked: the most that an answer can cost is not"
            " known. Give its prices and max_tokens, or run with allow_unpriced=True.",
        )

    # -- out -------------------------------------------------------------------------------------

    def dispatch(self, endpoint: Endpoint) -> None:
        """Send whatever may leave for `endpoint` now."""
        while endpoint.limiter.free:
            queue = endpoint.next_queue(perf_counter(), money=self._short is None)
            if queue is None:
                return
            call = queue.queued[0]
            if not call.reserved_usd and not self._reserve(queue, call):
                # Nobody overtakes while it waits: what is in flight may turn out cheaper than feared.
                self._short = queue
                continue
            queue.queued.popleft()
            queue.asking.add(call)
            self._send(queue, call)

    def end_waits(self, endpoint: Endpoint, now: float) -> None:
        """End what could only be sent later, since the time has to come first."""
        for queue in endpoint.queues:
            # While one goes ahead, what it will say is waited for, not the time.
            while (
                not queue.rate.careful(now)
                and (wait_s := queue.opens_in_s(now)) is not None
                and wait_s > _NO_WAIT_S
            ):
                call = queue.queued.popleft()
                self._free(call)
                why = queue.circuit.why if queue.circuit.reopens_at is not None else "RateLimited"
                message = f"{queue.model.id} may be asked again in {wait_s:,.1f} s; fail_fast does not wait."
                self._end(call, Stopped(why, message))

    def again(self, queue: ModelQueue, call: Call) -> None:
        """A call that waited for its time: it goes first."""
        queue.waiting.discard(call)
        call.timer = None
        self._put_first(queue, call)

    def _put_first(self, queue: ModelQueue, call: Call) -> None:
        """Let it go ahead of others; where there is no money for it, not of those that have theirs: they
        would wait for money, and that for them."""
        if self._reserve(queue, call):
            queue.queued.appendleft(call)
        else:
            with_money = takewhile(lambda one: one.has_money, queue.queued)
            queue.queued.insert(sum(1 for _ in with_money), call)

    def overdue(self, queue: ModelQueue, now: float, deadline_s: float) -> list[Call]:
        """Take out of the queue what was asked before and is out of time."""
        late = [one for one in queue.queued if one.attempts and one.elapsed_s(now) > deadline_s]
        for call in late:
            queue.queued.remove(call)
            if call.reserved_usd:
                self.settle(call, 0.0)
        return late

    def _reserve(self, queue: ModelQueue, call: Call) -> bool:
        worst_usd = queue.bound_usd(call)
        later_usd = call.job.later_usd if call.holds_usd is None else ()
        if not self._budget.reserve(worst_usd, *later_usd):
            return False
        call.reserved_usd = worst_usd
        if call.holds_usd is None:
            call.holds_usd = call.job.later_usd
        return True

    def _free(self, call: Call) -> None:
        """It is not sent any more: nothing is set aside for it and for what would follow."""
        if call.reserved_usd:
            self.settle(call, 0.0)
        if call.holds_usd is not None:
            self._budget.free(*call.holds_usd)
            call.holds_usd = ()

    # -- money -----------------------------------------------------------------------------------

    @property
    def short(self) -> bool:
        """Whether a request waits for money."""
        return self._short is not None

    def settle(self, call: Call, cost_usd: float | None) -> None:
        """The call's request ended and cost so much (None: not known)."""
        self._budget.settle(call.reserved_usd, cost_usd)
        call.reserved_usd = 0.0

    def raise_bounds(self, queue: ModelQueue) -> None:
        """An answer cost more than it could: expect as much of what is out and of what waits."""
        log.warning("%s", queue.overrun_in_words.strip())
        for call in queue.asking:
            bound_usd = queue.bound_usd(call)
            self._budget.replace(call.reserved_usd, bound_usd)
            call.reserved_usd = bound_usd
        for call in queue.queued:
            if call.reserved_usd:
                self.settle(call, 0.0)

    def seek_money(self) -> None:
        """Let the one that waits for money have what came free; stop what costs money if none ever will."""
        queue = self._short
        if queue is None:
            return
        if not queue.queued or queue.queued[0].reserved_usd or self._finds_money(queue, queue.queued[0]):
            self._short = None
        elif not self._budget.in_flight:
            call = queue.queued[0]
            needs_usd = _needs_usd(queue, call)
            lacking = self._budget.lacking(needs_usd, follows=needs_usd > queue.bound_usd(call))
            stopped = Stopped("BudgetExhausted", f"{lacking}{queue.overrun_in_words}")
            self._short, self._spent_up = None, stopped
            for one in self.queues.values():
                if one.costs:
                    self.stop(one, stopped)
                else:
                    self._end_idle(one, stopped, [call for call in one.idle if not call.is_free])

    def _finds_money(self, queue: ModelQueue, call: Call) -> bool:
        return self._reserve(queue, call) or (self._idle_gives_back() and self._reserve(queue, call))

    def _idle_gives_back(self) -> bool:
        """Where nothing is out that money is set aside for, take back what calls that wait hold for what
        follows them: nobody else will free any. They set it aside anew before they are sent. Whether there
        was some."""
        if any(call.reserved_usd or call.holds_usd for call in self.asked()):
            return False
        waiting = (call for queue in self.queues.values() for call in queue.idle)
        idle = [call for call in waiting if call.holds_usd and not call.has_money]
        for call in idle:
            self._budget.free(*call.holds_usd or ())
            call.holds_usd = None
        return bool(idle)

    # -- stopping --------------------------------------------------------------------------------

    def stop(self, queue: ModelQueue, stopped: Stopped) -> None:
        """End everything that waits in `queue`, now and later."""
        if queue.stopped is not None:
            return
        queue.stopped = stopped
        self._end_idle(queue, stopped, queue.idle)

    def _end_idle(self, queue: ModelQueue, stopped: Stopped, calls: Sequence[Call]) -> None:
        queue.drop(calls)
        for call in calls:
            if call.timer is not None:
                call.timer.cancel()
                call.timer = None
            self._free(call)
            self._end(call, stopped)


def _needs_usd(queue: ModelQueue, call: Call) -> float:
    """What has to be set aside before it can be sent."""
    return queue.bound_usd(call) + (sum(call.job.later_usd) if call.holds_usd is None else 0.0)
