"""Lanes of one endpoint take turns; one that may not send is passed over."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from labkit.engine.buckets import Tokens
from labkit.engine.errand import Errand
from labkit.engine.lane import Endpoint, Lane
from labkit.engine.limits import Limiter


def lane_of(kit: Any, name: str, count: int = 3, usd: float = 0.0) -> Lane:
    """A connected lane with errands in it."""
    model = kit.Model(f"scripted/{name}")
    lane = Lane(model, Random(1))
    lane.provider = object()  # type: ignore[assignment]
    lane.queue.extend(Errand(job, model, 0) for job in kit.jobs_for([model], count, usd=usd))
    return lane


def endpoint_of(*lanes: Lane) -> Endpoint:
    """An endpoint of these lanes."""
    endpoint = Endpoint("here", Limiter(4))
    for lane in lanes:
        endpoint.add(lane)
    return endpoint


def test_they_take_turns(kit: Any) -> None:
    """However many wait in each, the lanes send one after the other."""
    one, two = lane_of(kit, "one", 5), lane_of(kit, "two", 2)
    endpoint = endpoint_of(one, two)
    order = []
    while lane := endpoint.next_lane(0, money=True):
        order.append(lane.model.name)
        lane.queue.popleft()
    assert order == ["one", "two", "one", "two", "one", "one", "one"]


def test_who_may_not_send_is_passed_over(kit: Any) -> None:
    """A lane that is empty, unconnected, paused, out of tokens or out of money costs the others no turn."""
    empty, unconnected, paused, dry, poor = (
        lane_of(kit, name, usd=0.1) for name in ("a", "b", "c", "d", "e")
    )
    ready = lane_of(kit, "f")
    empty.queue.clear()
    unconnected.provider = None
    for _ in range(20):
        paused.circuit.failed("X", 0)
    dry.buckets.heed({"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0"}, 0)
    endpoint = endpoint_of(empty, unconnected, paused, dry, poor, ready)
    assert endpoint.next_lane(0, money=False) is ready
    assert poor.opens_in_s(0) is None
    assert dry.opens_in_s(0) == 1.0
    assert paused.opens_in_s(0) == paused.circuit.reopens_at


def test_a_paid_request_needs_no_money(kit: Any) -> None:
    """What was set aside already can be sent while nothing else may be."""
    lane = lane_of(kit, "a", usd=0.1)
    assert not lane.ready(0, money=False)
    lane.queue[0].reserved_usd = 0.1
    assert lane.ready(0, money=False)


def test_its_state_is_told(kit: Any) -> None:
    """The state names what waits, what is out and what holds it back."""
    lane = lane_of(kit, "a")
    endpoint_of(lane)
    state = lane.state(0)
    assert (state["model"], state["endpoint"], state["queued"], state["ceiling"]) == (
        "scripted/a",
        "here",
        3,
        4,
    )
    assert (state["in_flight"], state["waiting"], state["opens_in_s"], state["stopped"]) == (0, 0, None, None)


def test_the_most_an_answer_may_count_is_set_aside(kit: Any) -> None:
    """Anthropic counts `max_tokens` against its output limit when a request is sent; so does the lane."""
    model = kit.Model("anthropic/m")
    lane = Lane(model, Random(1))
    endpoint_of(lane)
    (job,) = kit.jobs_for([model], 1, params={"max_tokens": 700}, bound=40)
    errand = Errand(job, model, 0)
    told = {
        f"anthropic-ratelimit-{kind}-{part}": "1000"
        for kind in ("input-tokens", "output-tokens")
        for part in ("limit", "remaining")
    }
    lane.began(errand, 0, told, 0)
    number, in_flight = lane.sent(errand, 0)
    assert (number, in_flight) == (1, 1)
    left = {kind: bucket.level for kind, bucket in lane.buckets.state(0).items()}
    assert left == {"input": 960, "output": 300}
    lane.buckets.settle(errand.tokens, Tokens(35, 20), 0)
    left = {kind: bucket.level for kind, bucket in lane.buckets.state(0).items()}
    assert left == {"input": 965, "output": 980}


def test_its_rate_is_the_least_of_all_that_is_known(kit: Any) -> None:
    """What headers tell, what refusals taught and the share of it give one number; at first there is none."""
    lane = lane_of(kit, "a")
    endpoint_of(lane)
    assert lane.requests_per_minute(0) is None
    lane.buckets.heed({"x-ratelimit-limit-requests": "600", "x-ratelimit-remaining-requests": "9"}, 0)
    assert lane.requests_per_minute(0) == 600
    lane.pace.adopt(0.0, 1.0, 0.0, 0)
    lane.pace.share = 0.5
    assert lane.requests_per_minute(0) == pytest.approx(0.85 * 30)
    assert lane.state(0)["requests_per_minute"] == pytest.approx(0.85 * 30)
