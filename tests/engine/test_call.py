"""A call's rows say what happened, in the fields of the cell it was for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from labkit.catalog.model import Model
from labkit.catalog.prices import pricer
from labkit.engine.attempt_listener import AttemptListener
from labkit.engine.call import Attempted, Call, Stopped
from labkit.errors import Overloaded, TimedOut
from labkit.records import Answer, Cell, Usage

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def call(kit: Any) -> Call:
    """A call that entered at 0 and was first sent at 2."""
    model = kit.Model("scripted/a")
    made = Call(kit.jobs_for([model], 1, usd=0.5)[0], model, entered=0.0)
    made.first_sent = 2.0
    made.attempts = 1
    return made


def attempted(call: Call, *said: str, sent: float = 5.0, **how: Any) -> Attempted:
    """An attempt that was sent at 5 and said so much."""
    listener = AttemptListener(call.job.cell, None, lambda: None)
    for piece in said:
        listener.text(piece)
    listener.sent = sent
    return Attempted(listener=listener, sent_at=NOW, sent_number=1, in_flight=3, latency_s=0.5, **how)


def test_an_answered_row(call: Call) -> None:
    """It has the cell's place, the answer's counts and price, and the clocks of the last attempt."""
    usage = Usage(input_tokens=3, cache_read_tokens=1, output_tokens=4, reasoning_tokens=2)
    answer = Answer(stop_reason="stop", usage=usage, response_id="id", response_model="m", raw="{}")
    row = call.answered_row(attempted(call, "Hel", "lo", answer=answer))
    assert all(getattr(row, name) == getattr(call.job.cell, name) for name in Cell.__struct_fields__)
    assert (row.status, row.text, row.stop_reason) == ("done", "Hello", "stop")
    assert (row.queue_s, row.retry_s, row.latency_s, row.in_flight) == (2.0, 3.0, 0.5, 3)
    assert (row.input_tokens, row.cache_read_tokens, row.output_tokens, row.reasoning_tokens) == (3, 1, 4, 2)
    assert (row.cost_usd, row.price_id) == (3.5, "test")
    assert (row.response_id, row.response_model, row.raw) == ("id", "m", "{}")
    assert (row.error_type, row.error_message, row.started_at) == (None, None, NOW)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [('{"id":"x"}', {"id": "x"}), (None, {}), ("{no", {"payload": "{no"}), ("[1]", {"payload": "[1]"})],
)
def test_reasoning_is_kept_beside_the_payload(call: Call, raw: str | None, kept: dict[str, Any]) -> None:
    """What was thought is no part of the text, and stands in `raw`; without it `raw` is the payload."""
    answer = Answer(stop_reason="stop", usage=Usage(), raw=raw)
    one = attempted(call, "yes", answer=answer)
    assert call.answered_row(one).raw == raw
    one.listener.thought("hm")
    row = call.answered_row(one)
    assert (row.text, json.loads(row.raw or "")) == ("yes", {**kept, "reasoning": "hm"})


def test_a_row_costs_what_was_served(call: Call) -> None:
    """Its payload says how the answer was served, and its price is that."""
    call.job = replace(
        call.job, pricer=pricer(Model("openai/gpt-5", params={"service_tier": "priority"}), NOW)
    )
    usage = Usage(input_tokens=1000, output_tokens=1000)
    for tier, usd in (("default", 0.01125), ("flex", 0.005625), ("priority", 0.0225), (None, 0.0225)):
        answer = Answer(stop_reason="stop", usage=usage, raw=json.dumps({"service_tier": tier}))
        row = call.answered_row(attempted(call, answer=answer))
        assert row.cost_usd == pytest.approx(usd)
    odd = Answer(stop_reason="stop", usage=usage, raw='{"service_tier": "scale"}')
    row = call.answered_row(attempted(call, answer=odd))
    assert row.cost_usd is None
    assert row.price_id == "unknown: genai-prices has no service_tier=scale price for gpt-5 at openai"


def test_an_empty_answer_has_text(call: Call) -> None:
    """A finished answer without text, such as a call of a tool, has the empty text, not none."""
    answer = Answer(stop_reason="tool_calls", usage=Usage())
    assert call.answered_row(attempted(call, answer=answer)).text == ""


def test_a_failed_row(call: Call) -> None:
    """It names the error, keeps what came with it, and claims neither text nor cost."""
    error = Overloaded("busy", status=529, raw="{}", retry_after_s=3)
    call.last = attempted(call, error=error)
    row = call.unanswered_row(None)
    assert (row.status, row.error_type, row.error_message, row.raw) == ("failed", "Overloaded", "busy", "{}")
    assert (row.text, row.cost_usd, row.price_id, row.stop_reason) == (None, None, None, None)


def test_a_partial_row(call: Call) -> None:
    """Text that was heard before the end is kept, whether it failed or was stopped."""
    call.last = attempted(call, "Hel", error=TimedOut("late"))
    assert (call.unanswered_row(None).status, call.unanswered_row(None).text) == ("partial", "Hel")
    stopped = call.unanswered_row(Stopped("RunAborted", "Aborted."))
    assert (stopped.status, stopped.error_type) == ("partial", "RunAborted")


def test_a_cell_never_asked(call: Call) -> None:
    """Its row has a reason and nothing else: no clocks, no attempts, no time."""
    call.attempts, call.first_sent = 0, None
    row = call.unanswered_row(Stopped("BudgetExhausted", "Empty."))
    assert (row.status, row.error_type, row.error_message) == ("stopped", "BudgetExhausted", "Empty.")
    assert {row.started_at, row.queue_s, row.latency_s, row.retry_s, row.text, row.in_flight} == {None}
    assert (row.attempts, row.maybe_paid) == (0, 0)


@pytest.mark.parametrize(
    ("how", "paid"),
    [
        ({"answer": Answer(stop_reason="stop", usage=Usage())}, False),
        ({"error": Overloaded("x")}, False),
        ({"error": TimedOut("x")}, True),
        ({"stopped": Stopped("RunAborted", "x")}, True),
    ],
)
def test_what_may_have_been_paid(call: Call, how: dict[str, Any], paid: bool) -> None:
    """An answer is paid for and received; a refusal is not paid for; silence and stopping may be."""
    assert attempted(call, **how).maybe_paid == paid


def test_text_before_a_refusal_may_have_been_paid(call: Call) -> None:
    """Whatever the error says, text that was heard was made by somebody."""
    assert attempted(call, "x", error=Overloaded("busy")).maybe_paid


def test_an_attempt_row(call: Call) -> None:
    """It has the status, the wait asked for and taken, and the provider's own id of the request."""
    error = Overloaded("busy", status=529, retry_after_s=3, headers={"request-id": "req-9"})
    row = call.attempt_row(attempted(call, error=error), 3.2)
    assert (row.attempt, row.status_code, row.retry_after_s, row.wait_s) == (1, 529, 3, 3.2)
    assert (row.provider_request_id, row.error_type, row.sent_at) == ("req-9", "Overloaded", NOW)
    answer = Answer(stop_reason="stop", usage=Usage())
    done = attempted(call, answer=answer)
    done.listener.headers = {"x-request-id": "req-1"}
    row = call.attempt_row(done, None)
    assert (row.status_code, row.error_type, row.provider_request_id, row.wait_s) == (
        200,
        None,
        "req-1",
        None,
    )
    stopped = call.attempt_row(attempted(call, stopped=Stopped("RunAborted", "x")), None)
    assert (stopped.status_code, stopped.error_type, stopped.maybe_paid) == (None, "RunAborted", True)


def test_sleep_is_taken_off(call: Call) -> None:
    """The time the machine slept does not count towards the deadline."""
    call.slept_s = 60.0
    assert call.elapsed_s(65.0) == 3.0
    call.first_sent = None
    assert call.elapsed_s(65.0) == 0.0
