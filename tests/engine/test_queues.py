"""Queues of one endpoint take turns; one that may not send is passed over."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from labkit.engine.call import Call
from labkit.engine.concurrency import ConcurrencyLimiter
from labkit.engine.queues import Endpoint, ModelQueue
from labkit.engine.token_buckets import Tokens


def lane_of(kit: Any, name: str, count: int = 3, usd: float = 0.0) -> ModelQueue:
    """A connected queue with calls in it."""
    model = kit.Model(f"scripted/{name}")
    queue = ModelQueue(model, Random(1))
    queue.provider = object()  # type: ignore[assignment]
    queue.queued.extend(Call(job, model, 0) for job in kit.jobs_for([model], count, usd=usd))
    return queue


def endpoint_of(*queues: ModelQueue) -> Endpoint:
    """An endpoint of these queues."""
    endpoint = Endpoint("here", ConcurrencyLimiter(4))
    for queue in queues:
        endpoint.add(queue)
    return endpoint


def test_they_take_turns(kit: Any) -> None:
    """However many wait in each, the queues send one after the other."""
    one, two = lane_of(kit, "one", 5), lane_of(kit, "two", 2)
    endpoint = endpoint_of(one, two)
    order = []
    while queue := endpoint.next_queue(0, money=True):
        order.append(queue.model.name)
        queue.queued.popleft()
    assert order == ["one", "two", "one", "two", "one", "one", "one"]


def test_who_may_not_send_is_passed_over(kit: Any) -> None:
    """A queue that is empty, unconnected, paused, out of tokens or out of money costs the others no turn."""
    empty, unconnected, paused, dry, poor = (
        lane_of(kit, name, usd=0.1) for name in ("a", "b", "c", "d", "e")
    )
    ready = lane_of(kit, "f")
    empty.queued.clear()
    unconnected.provider = None
    for _ in range(20):
        paused.circuit.failed("X", 0)
    dry.buckets.heed({"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0"}, 0)
    endpoint = endpoint_of(empty, unconnected, paused, dry, poor, ready)
    assert endpoint.next_queue(0, money=False) is ready
    assert poor.opens_in_s(0) is None
    assert dry.opens_in_s(0) == 1.0
    assert paused.opens_in_s(0) == paused.circuit.reopens_at


def test_a_paid_request_needs_no_money(kit: Any) -> None:
    """What was set aside already can be sent while nothing else may be."""
    queue = lane_of(kit, "a", usd=0.1)
    assert not queue.ready(0, money=False)
    queue.queued[0].reserved_usd = 0.1
    assert queue.ready(0, money=False)


def test_its_state_is_told(kit: Any) -> None:
    """The state names what waits, what is out and what holds it back."""
    queue = lane_of(kit, "a")
    endpoint_of(queue)
    state = queue.state(0)
    assert (state["model"], state["endpoint"], state["queued"], state["ceiling"]) == (
        "scripted/a",
        "here",
        3,
        4,
    )
    assert (state["in_flight"], state["waiting"], state["opens_in_s"], state["stopped"]) == (0, 0, None, None)


def test_the_most_an_answer_may_count_is_set_aside(kit: Any) -> None:
    """Anthropic counts `max_tokens` against its output limit when a request is sent; so does the queue."""
    model = kit.Model("anthropic/m")
    queue = ModelQueue(model, Random(1))
    endpoint_of(queue)
    (job,) = kit.jobs_for([model], 1, params={"max_tokens": 700}, bound=40)
    call = Call(job, model, 0)
    told = {
        f"anthropic-ratelimit-{kind}-{part}": "1000"
        for kind in ("input-tokens", "output-tokens")
        for part in ("limit", "remaining")
    }
    queue.began(call, 0, told, 0)
    number, in_flight = queue.sent(call, 0)
    assert (number, in_flight) == (1, 1)
    left = {kind: bucket.level for kind, bucket in queue.buckets.state(0).items()}
    assert left == {"input": 960, "output": 300}
    queue.buckets.settle(call.tokens, Tokens(35, 20), 0)
    left = {kind: bucket.level for kind, bucket in queue.buckets.state(0).items()}
    assert left == {"input": 965, "output": 980}


def test_its_rate_is_the_least_of_all_that_is_known(kit: Any) -> None:
    """What headers tell, what refusals taught and the share of it give one number; at first there is none."""
    queue = lane_of(kit, "a")
    endpoint_of(queue)
    assert queue.requests_per_minute(0) is None
    queue.buckets.heed({"x-ratelimit-limit-requests": "600", "x-ratelimit-remaining-requests": "9"}, 0)
    assert queue.requests_per_minute(0) == 600
    queue.rate.adopt(0.0, 1.0, 0.0)
    queue.rate.share = 0.5
    assert queue.requests_per_minute(0) == pytest.approx(30)
    assert queue.state(0)["requests_per_minute"] == pytest.approx(30)
