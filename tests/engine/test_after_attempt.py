"""What follows an attempt, and what the queue learns from it."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest

from labkit.engine.after_attempt import AfterAttempt, decide
from labkit.engine.attempt_listener import AttemptListener
from labkit.engine.call import Attempted, Call, Stopped
from labkit.engine.concurrency import ConcurrencyLimiter
from labkit.engine.queues import Endpoint, ModelQueue
from labkit.engine.retry import Policy
from labkit.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionLost,
    InvalidRequest,
    Overloaded,
    ProviderError,
    RateLimited,
)
from labkit.records import Answer, Usage


@pytest.fixture
def queue(kit: Any) -> ModelQueue:
    """A queue with a limit of 16."""
    made = ModelQueue(kit.Model("scripted/a"), Random(1))
    Endpoint("here", ConcurrencyLimiter(64)).add(made)
    return made


@pytest.fixture
def after(kit: Any, queue: ModelQueue) -> Any:
    """The verdict after an attempt that ended so."""
    call = Call(kit.jobs_for([queue.model], 1, usd=0.01)[0], queue.model, 0.0)

    def run(*, now: float = 1.0, headers: Any = None, said: str = "", **how: Any) -> AfterAttempt:
        listener = AttemptListener(call.job.cell, None, lambda: None)
        if said:
            listener.text(said)
        listener.headers = headers or {}
        call.first_sent = call.first_sent or 0.0
        call.attempts += 1
        queue.endpoint.limiter.acquire()
        attempted = Attempted(
            listener=listener,
            sent_at=None,
            sent_number=queue.endpoint.limiter.sent,
            in_flight=1,
            **how,  # type: ignore[arg-type]
        )
        policy = Policy(unreachable_s=100)
        return decide(queue, call, attempted, policy=policy, random=Random(1), now=now)

    run.call = call  # type: ignore[attr-defined]
    return run


def test_an_answer_is_the_end(after: Any) -> None:
    """An answer gives its row and its cost."""
    answer = Answer(stop_reason="stop", usage=Usage(input_tokens=2, output_tokens=3))
    found = after(answer=answer, said="x")
    assert found.row.status == "done"
    assert found.cost_usd == pytest.approx(0.05)
    assert found.wait_s is None


@pytest.mark.parametrize(
    ("error", "cost_usd", "again"),
    [
        (Overloaded("busy"), 0.0, True),
        (ConnectionFailed("down"), 0.0, True),
        (ConnectionLost("cut"), None, True),
        (InvalidRequest("no"), 0.0, False),
    ],
)
def test_a_failure_costs_what_it_may(after: Any, error: ProviderError, cost_usd: Any, again: bool) -> None:
    """What reached nobody costs nothing; what may have been answered keeps all that was set aside."""
    found = after(error=error)
    assert found.cost_usd == cost_usd
    assert (found.wait_s is not None) == again
    assert (found.row is None) == again
    assert found.why == str(error)


def test_text_before_a_refusal_keeps_its_cost(after: Any) -> None:
    """A refusal after text may have been paid for, whatever its class."""
    assert after(error=Overloaded("busy"), said="Hel").cost_usd is None


@pytest.mark.parametrize("refusal", [RateLimited("slow"), Overloaded("busy")])
def test_what_is_refused_keeps_its_place_while_it_is_not_known_why(
    after: Any, refusal: ProviderError
) -> None:
    """Else each would send the next request into the same refusal; other failures free it at once."""
    assert after(error=ConnectionLost("cut")).keeps_place_s == 0
    found = after(error=refusal)
    assert 0 < found.keeps_place_s <= min(found.wait_s, 0.5)


def test_refusals_teach_the_rate(after: Any, queue: ModelQueue) -> None:
    """429 and overload alike: where nothing but refusals came, the next leaves at a lower rate."""
    for number in range(40):
        queue.rate.sent(queue.endpoint.limiter.sent + 1, number / 100)
        after(error=(Overloaded if number % 2 else RateLimited)("no"), now=number / 100)
    assert queue.rate.pace_per_s < 100
    for wrong in (InvalidRequest("no"), ConnectionLost("cut")):
        before = queue.rate.pace_per_s
        after(error=wrong, now=1.0)
        assert queue.rate.pace_per_s == before


def test_a_stopped_lane_asks_nothing_again(after: Any, queue: ModelQueue) -> None:
    """After a stop a failure is final, and the row says what went wrong, not that it was stopped."""
    queue.stopped = Stopped("RunStopped", "stop")
    found = after(error=Overloaded("busy"))
    assert found.wait_s is None
    assert (found.row.status, found.row.error_type) == ("failed", "Overloaded")


def test_a_dead_key_stops_the_model(after: Any) -> None:
    """The verdict names the model and why it is put aside."""
    found = after(error=AuthenticationFailed("bad key"))
    assert found.row.status == "failed"
    assert found.stops_model.error_type == "AuthenticationFailed"
    assert "scripted/a is asked no more, since its key was refused" in found.stops_model.message


def test_nothing_but_failures_puts_the_model_aside(after: Any, queue: ModelQueue) -> None:
    """An endpoint that fails every call for longer than the policy allows is given up."""
    for number in range(20):
        assert after(error=ConnectionFailed("down"), now=float(number)).stops_model is None
    found = after(error=ConnectionFailed("down"), now=101.0)
    assert "nothing but ConnectionFailed came for 101 s" in found.stops_model.message
    queue.circuit.answered()
    assert after(error=ConnectionFailed("down"), now=500.0).stops_model is None


def test_headers_are_heeded_of_answers_and_refusals(after: Any, queue: ModelQueue) -> None:
    """What a provider says of its limits counts when it begins to answer, and when it refuses."""
    told = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "7"}
    queue.endpoint.limiter.acquire()
    queue.began(after.call, 1, {**told, "x-ratelimit-remaining-requests": "8"}, 1.0)
    assert queue.news
    assert queue.buckets.state(1.0)["requests"].level == 8
    after(error=Overloaded("busy", headers={**told, "x-ratelimit-remaining-requests": "3"}))
    assert queue.buckets.state(1.0)["requests"].level == 3
    old = {**told, "x-ratelimit-remaining-requests": "1"}
    after(answer=Answer(stop_reason="stop", usage=Usage()), headers=old)
    assert queue.buckets.state(1.0)["requests"].level == 3


def test_what_was_aborted_is_a_row(after: Any) -> None:
    """An attempt that was cancelled ends its cell, at the cost of all that was set aside."""
    found = after(stopped=Stopped("RunAborted", "Aborted."), said="Hel")
    assert (found.row.status, found.row.text, found.row.maybe_paid) == ("partial", "Hel", 1)
    assert found.cost_usd is None


@pytest.mark.parametrize("asked_s", [7200.0, 110.0])
def test_a_row_says_until_when(after: Any, asked_s: float) -> None:
    """What asked to wait for too long ends with how long and until when, also where all were in flight."""
    found = after(error=RateLimited("no", retry_after_s=asked_s), now=1750.0)
    assert re.search(
        rf"no \(it asked to wait {asked_s:,.0f} s, until [-\d]+ [:\d]+ UTC\)", found.row.error_message
    )
    assert (found.stops_model is not None) == (asked_s > 120)


def invalid(alike: str, *names: str) -> InvalidRequest:
    """A refusal of one kind."""
    error = InvalidRequest(f"no {alike}")
    error.alike, error.names = alike, frozenset(names)
    return error


def test_a_refusal_that_names_what_all_requests_have_stops_the_model(after: Any) -> None:
    """A parameter or the model itself: the next request would be refused as well."""
    stopped = after(error=invalid("a", "model")).stops_model
    assert stopped.error_type == "InvalidRequest"
    assert "scripted/a is asked no more, since it takes none of these requests: no a" in stopped.message


def test_a_word_that_was_not_sent_is_no_name(after: Any) -> None:
    """Only a parameter that was sent with the request can be what all requests are refused for."""
    assert after(error=invalid("a", "ValueError", "url")).stops_model is None
    after.call.job.request.params["extra_body"] = {"top_k": 4}
    assert after(error=invalid("b", "url", "top_k")).stops_model is not None


def test_where_one_was_answered_a_name_is_no_reason_to_stop(after: Any) -> None:
    """Another prompt may have other parameters: its requests go on."""
    after(answer=Answer(stop_reason="stop", usage=Usage()), said="x")
    assert after(error=invalid("a", "model")).stops_model is None


def test_twenty_refusals_alike_stop_the_model(after: Any) -> None:
    """Nineteen do not, nor do those that an answer or a refusal of another kind parts."""
    found = [after(error=invalid("a")).stops_model for _ in range(19)]
    after(error=invalid("b"))
    found += [after(error=invalid("a")).stops_model for _ in range(19)]
    after(answer=Answer(stop_reason="stop", usage=Usage()), said="x")
    found += [after(error=invalid("a")).stops_model for _ in range(19)]
    assert found == [None] * 57
    assert after(error=invalid("a")).stops_model is not None


def test_an_endpoint_that_only_refuses_is_given_up(after: Any, queue: ModelQueue) -> None:
    """Refused and nothing else for `unreachable_s`, however rarely it is asked: the model ends, with why."""
    found = [after(error=RateLimited("no"), now=now).stops_model for now in (1.0, 40.0, 80.0, 99.0, 102.0)]
    assert found[:4] == [None] * 4
    assert "nothing but RateLimited came for 101 s" in found[4].message


def _closed(words: str = "nothing listens at 127.0.0.1:9") -> ConnectionFailed:
    error = ConnectionFailed(words)
    error.nobody_here = True
    return error


def test_a_closed_port_of_this_machine_ends_its_model_in_seconds(after: Any) -> None:
    """Nothing listens and nothing ever answered: it is tried each second for five, then the model ends, with
    the address; elsewhere, and after an answer, it is waited for as long as the policy says."""
    for number in range(5):
        found = after(error=_closed(), now=float(number))
        assert found.stops_model is None
        assert found.wait_s <= 1.0
    found = after(error=_closed(), now=5.0)
    assert found.row.status == "failed"
    assert found.stops_model.message.startswith(
        "scripted/a is asked no more, since nobody answered for 5 s: nothing listens at"
    )
    assert after(error=ConnectionFailed("nothing listens at far.example:9"), now=50.0).stops_model is None


def test_a_server_that_answered_once_may_start_anew(after: Any, queue: ModelQueue) -> None:
    """A closed port that was open in this run is waited for like any network that is gone."""
    after(answer=Answer(stop_reason="stop", usage=Usage(input_tokens=2, output_tokens=3)), said="x")
    for now in (1.0, 7.0, 60.0):
        assert after(error=_closed(), now=now).stops_model is None
