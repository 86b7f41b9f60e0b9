"""Answers that are none: cut, stalled, garbled, empty, mistyped. None of them is ever stored as finished."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

WORDS = "the quick brown fox jumps over the lazy dog again and again"
PLAIN = {"stream": False, "max_tokens": 10}
BAD_PLAIN = [
    {"raw": "<html>welcome</html>", "content_type": "text/html"},
    {"raw": ""},
    {"raw": '{"id": "x", "cho'},
    {"raw": "{}"},
    {"raw": "[]"},
    {"raw": "null"},
    {"raw": '"an answer"'},
    {"raw": '{"choices": []}'},
    {"raw": '{"choices": [{"message": {"content": ""}, "finish_reason": null}]}'},
    {"raw": '{"choices": [{"message": {"content": {}}, "finish_reason": "stop"}]}'},
    {"raw": '{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}'},
    {"raw": '{"choices": "no", "content": "no"}'},
    {"raw": '{"content": [], "stop_reason": "end_turn"}'},
    {"raw": '{"content": [{"type": "text", "text": "hi"}], "stop_reason": null}'},
    {"raw": '{"content": [{"type": "text", "text": ["hi"]}], "stop_reason": "end_turn"}'},
    {"raw": '{"error": {"message": "no", "type": "server_error"}}'},
    {
        "text": "",
        "usage": {"prompt_tokens": 3, "completion_tokens": 0, "input_tokens": 3, "output_tokens": 0},
    },
]
NOT_STREAMS = [
    {"raw": "<html>", "content_type": "text/html"},
    {"raw": "", "content_type": "text/event-stream"},
    {"raw": "", "content_type": "application/json"},
    {"raw": "data: [DONE]\n\n", "content_type": "text/event-stream"},
    {"raw": "data: <html>\n\n", "content_type": "text/event-stream"},
    {"raw": "\x00\x01\x02" * 50, "content_type": "text/event-stream"},
]


def only(ran: Any) -> Any:
    """The one row, which is not finished and holds no answer."""
    (row,) = ran.sink.generations
    assert row.status in ("failed", "partial"), row
    assert row.stop_reason is None
    assert row.cost_usd is None
    assert row.error_message
    return row


@pytest.mark.parametrize("how", BAD_PLAIN, ids=range(len(BAD_PLAIN)))
def test_a_plain_answer_that_is_none(how: dict[str, Any], channel: Any, put: Callable[..., Any]) -> None:
    """A 200 with anything but a whole answer in it is an error row, asked for once more."""
    channel.script(then=how)
    row = only(put(channel.model(), params=PLAIN))
    assert row.error_type in ("MalformedAnswer", "Overloaded")
    assert len(channel.seen()) == (2 if row.error_type == "MalformedAnswer" else 16)
    assert row.maybe_paid == row.attempts


@pytest.mark.parametrize("how", NOT_STREAMS, ids=range(len(NOT_STREAMS)))
def test_a_stream_that_is_none(how: dict[str, Any], channel: Any, put: Callable[..., Any]) -> None:
    """A stream that was asked for and answered by something else is an error row, not an empty answer."""
    channel.script(then=how)
    row = only(put(channel.model()))
    assert (row.status, row.error_type, row.attempts) == ("failed", "MalformedAnswer", 2)


@pytest.mark.parametrize("fault", ["cut_after", "truncate_after", "garble_after"])
@pytest.mark.parametrize("after", [0, 1, 3, 5])
def test_a_stream_that_breaks(fault: str, after: int, channel: Any, put: Callable[..., Any]) -> None:
    """A stream that breaks anywhere before its end is asked for once more; its text is kept as partial."""
    channel.script(then={fault: after, "events": 6})
    row = only(put(channel.model()))
    assert row.attempts == len(channel.seen()) == 2
    assert row.maybe_paid == 2
    assert row.error_type in ("MalformedAnswer", "ConnectionLost")
    heard = after > (1 if channel.dialect == "openai" else 3)
    assert row.status == ("partial" if heard else "failed")
    assert bool(row.text) == heard
    if heard:
        assert WORDS.startswith(row.text)
        assert row.ttft_s is not None


@pytest.mark.alone
@pytest.mark.parametrize("after", [0, 1, 3, 5, "last"])
def test_a_stream_that_falls_silent(after: Any, channel: Any, put: Callable[..., Any]) -> None:
    """A stream that stalls anywhere before its end is asked for once more, and never finished, even where
    all of its text came."""
    last = {"openai": 6, "anthropic": 8}[channel.dialect]
    place = last if after == "last" else after
    channel.script(then={"stall_after": place, "events": 4})
    row = only(put(channel.model(), policy={"timeout_s": 0.25}))
    assert row.error_type == "TimedOut"
    assert (row.attempts, row.maybe_paid, len(channel.seen())) == (2, 2, 2)
    assert not any(seen["whole"] for seen in channel.seen())
    heard = place > (1 if channel.dialect == "openai" else 3)
    assert row.status == ("partial" if heard else "failed")


@pytest.mark.parametrize("fault", ["cut_after", "garble_after"])
def test_a_stream_that_breaks_at_its_very_end(fault: str, channel: Any, put: Callable[..., Any]) -> None:
    """A stream that breaks after all its text, before its last event, is not finished either."""
    last = {"openai": 6, "anthropic": 8}[channel.dialect]
    channel.script(then={fault: last, "events": 4})
    row = only(put(channel.model()))
    assert row.status == "partial"
    assert row.text == WORDS


@pytest.mark.parametrize(("dialect", "events"), [("openai", 8), ("anthropic", 10), ("openai-responses", 7)])
def test_a_stream_left_open_after_its_end_is_an_answer(
    dialect: str, events: int, channel_for: Callable[[str], Any], put: Callable[..., Any]
) -> None:
    """After a dialect's last event the answer is there, however long the server holds the connection."""
    channel = channel_for(dialect)
    channel.script(then={"stall_after": events, "events": 4})
    ran = put(channel.model(), count=3, policy={"timeout_s": 0.25})
    assert ran.sink.statuses() == {"done": 3}
    assert {row.text for row in ran.sink.generations} == {WORDS}
    assert len(channel.seen()) == 3


def test_a_broken_stream_is_mended_by_asking_again(channel: Any, put: Callable[..., Any]) -> None:
    """When the second asking is answered, the row is done, and tells of the one that may have been paid."""
    channel.script({"cut_after": 5, "hard": True})
    ran = put(channel.model())
    (row,) = ran.sink.generations
    assert (row.status, row.attempts, row.maybe_paid) == ("done", 2, 1)
    assert row.text == WORDS
    assert [attempt.maybe_paid for attempt in ran.sink.attempts] == [True, False]


@pytest.mark.parametrize(
    ("error", "kind", "requests"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, "Overloaded", 3),
        ({"error": {"code": "rate_limit_exceeded", "message": "slow"}}, "RateLimited", 3),
        ({"error": {"type": "invalid_request_error", "message": "no"}}, "InvalidRequest", 1),
        ({"error": {"type": "something_new", "message": "?"}}, "MalformedAnswer", 2),
        ({"type": "error", "error": {"code": 502, "message": "bad gateway"}}, "Overloaded", 3),
    ],
)
def test_an_error_in_the_middle_of_a_stream(
    error: dict[str, Any], kind: str, requests: int, channel: Any, put: Callable[..., Any]
) -> None:
    """An error event is the error it names, and what it interrupted may have been paid for."""
    channel.script(then={"error_after": 5, "error": error})
    policy = {"attempts": {"Overloaded": 3, "RateLimited": 3}}
    row = only(put(channel.model(), policy=policy))
    assert (row.error_type, len(channel.seen())) == (kind, requests)
    assert row.maybe_paid == requests
    assert row.status == "partial"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"openai": "length", "anthropic": "max_tokens"}, "max_tokens"),
        (
            {"openai": "content_filter", "anthropic": "refusal"},
            {"openai": "content_filter", "anthropic": "refusal"},
        ),
        ({"openai": "tool_calls", "anthropic": "tool_use"}, "tool_calls"),
        ({"openai": "something", "anthropic": "pause_turn"}, "unknown"),
        ({"openai": "stop", "anthropic": "stop_sequence"}, {"openai": "stop", "anthropic": "stop_sequence"}),
    ],
)
@pytest.mark.parametrize("params", [None, PLAIN])
def test_how_an_answer_ended_is_kept(
    said: dict[str, str], kept: Any, params: Any, channel: Any, put: Callable[..., Any]
) -> None:
    """An answer that was cut, filtered, refused or wants a tool is finished, and says how it ended."""
    channel.script(then={"finish": said[channel.dialect]})
    (row,) = put(channel.model(), params=params).sink.generations
    assert row.status == "done"
    assert row.stop_reason == (kept if isinstance(kept, str) else kept[channel.dialect])


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {"prompt_tokens": -3, "completion_tokens": 2, "input_tokens": -3, "output_tokens": 2},
        {
            "prompt_tokens": 3,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 9},
            "total_tokens": 5,
            "input_tokens": 3,
            "cache_read_input_tokens": -9,
            "output_tokens": 2,
        },
    ],
)
def test_a_count_that_cannot_be_is_none(usage: Any, channel: Any, put: Callable[..., Any]) -> None:
    """An answer whose usage is missing or impossible is kept; its cost is not known, which is not 0."""
    channel.script(then={"usage": usage})
    (row,) = put(channel.model(), usd=0.001).sink.generations
    assert row.status == "done"
    assert row.text
    assert row.cost_usd is None
    assert row.price_id.startswith("unknown")
    assert row.input_tokens is None


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "openai-responses"])
def test_why_a_count_is_unknown_stands_in_the_row(
    dialect: str, channel_for: Callable[[str], Any], lab: Any
) -> None:
    """A zero beside an answer is not a usage: what it cost is not known, and `price_id` says why."""
    channel = channel_for(dialect)
    told = {"prompt_tokens": 7, "completion_tokens": 0, "input_tokens": 7, "output_tokens": 0}
    channel.script(then={"usage": told})
    model = channel.model(prices={"input": 1, "output": 2}, key_env="")
    row = lab.plan(prompts=["Say hi."], models=[model]).run().generations().iloc[0]
    assert (row["status"], row["input_tokens"], len(channel.seen())) == ("done", 7, 1)
    assert row["price_id"] == "unknown: the endpoint counts 0 output tokens beside an answer"


def test_a_last_event_without_its_blank_line_counts(
    channel_for: Callable[[str], Any], put: Callable[..., Any]
) -> None:
    """A server that ends its stream without [DONE], or without the last blank line, has answered."""
    channel = channel_for("openai")
    chunk = {"choices": [{"index": 0, "delta": {"content": "yes"}, "finish_reason": "stop"}]}
    channel.script(
        then={"raw": f"data: {json.dumps(chunk)}", "content_type": "text/event-stream; charset=utf-8"}
    )
    (row,) = put(channel.model()).sink.generations
    assert (row.status, row.text, row.output_tokens) == ("done", "yes", None)
