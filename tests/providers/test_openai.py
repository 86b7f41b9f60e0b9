"""The chat completions dialect, through the SDK's own HTTP client argument."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest

from labkit import served
from labkit.catalog.model import Model
from labkit.errors import InvalidRequest, MalformedAnswer, RateLimited
from labkit.keys import Key
from labkit.providers import openai as dialect
from labkit.records import Usage

END: dict[str, Any] = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def said(*pieces: str) -> list[dict[str, Any]]:
    """Chunks of text."""
    return [{"id": "c1", "model": "m-1", "choices": [{"index": 0, "delta": {"content": p}}]} for p in pieces]


def test_the_body(mock: Any, stream: Any) -> None:
    """A request becomes a streamed one that asks for usage; its params go through as they are."""
    asked = mock("openai", stream(*said("a"), END), params={"max_tokens": 5, "seed": 7, "odd": {"a": [1]}})
    assert asked.body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi?"}],
        "max_tokens": 5,
        "seed": 7,
        "odd": {"a": [1]},
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    (sent,) = asked.sent
    assert str(sent.url) == "https://example.com/v1/chat/completions"
    assert sent.headers["authorization"] == "Bearer sk-test-0123456789"
    assert sent.headers["content-type"] == "application/json"


def test_openai_itself_is_told_the_new_name(mock: Any, stream: Any) -> None:
    """OpenAI's own endpoint gets `max_completion_tokens`; others know only the old name."""
    asked = mock("openai", stream(*said("a"), END), base_url="https://api.openai.com/v1")
    assert asked.body["max_completion_tokens"] == 5
    assert "max_tokens" not in asked.body


@pytest.mark.parametrize("where", [0, 1, 2])
def test_the_tier_that_served_is_kept(mock: Any, stream: Any, where: int) -> None:
    """Whichever chunk tells the tier, and however often others tell `auto` or null, it is in the payload that
    is kept; so are citations, which a search has left."""
    cited = {"choices": [{"index": 0, "delta": {"content": "a", "annotations": [{"type": "url_citation"}]}}]}
    chunks: list[dict[str, Any]] = [cited, END, {"choices": [], "usage": {"prompt_tokens": 1}}]
    told = [{**chunk, "service_tier": "flex" if n == where else None} for n, chunk in enumerate(chunks)]
    told[(where + 1) % 3]["service_tier"] = "auto"
    asked = mock("openai", stream(*told, "[DONE]"))
    assert served.of(asked.answer.raw) == served.Served(service_tier="flex", unpriced="a web search")


def test_a_streamed_answer(mock: Any, stream: Any) -> None:
    """Text is told as it comes; counts, ids and the payload that ended it are in the answer."""
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    role = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
    asked = mock("openai", stream(role, *said("Hel", "lo"), END, {"choices": [], "usage": usage}, "[DONE]"))
    assert asked.listener.heard == [None, "Hel", "lo", None, None]
    answer = asked.answer
    assert answer.stop_reason == "stop"
    assert answer.usage == Usage(input_tokens=10, cache_read_tokens=4, output_tokens=7, reasoning_tokens=3)
    raw = json.loads(answer.raw)
    assert raw["usage"] == usage
    assert raw["choices"] == END["choices"]


COUNTS = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}


@pytest.mark.parametrize(
    "told",
    [
        [{**END, "x_groq": {"id": "r", "usage": COUNTS}}],
        [END, COUNTS],
        [END, {"choices": [], "usage": {"promptTokens": 10, "completionTokens": 2}}],
        [END, {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 10, "outputTokenCount": 2}}],
        [{"choices": [{**END["choices"][0], "usage": COUNTS}]}],
    ],
)
def test_usage_told_elsewhere(told: list[Any], mock: Any, stream: Any) -> None:
    """In a field of the endpoint's own, in an event of its own, or under other names."""
    answer = mock("openai", stream(*said("a"), *told, "[DONE]")).answer
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (10, 2)


def test_ids_are_kept(mock: Any, stream: Any) -> None:
    """The model that answered and the answer's id are the provider's own."""
    answer = mock("openai", stream(*said("x"), END)).answer
    assert (answer.response_id, answer.response_model) == ("c1", "m-1")


def test_a_plain_answer(mock: Any) -> None:
    """With `stream` off the answer comes in one piece and is told in one."""
    message = {"role": "assistant", "content": "Hello"}
    body = {"id": "c2", "model": "m-2", "choices": [{"message": message, "finish_reason": "length"}]}
    asked = mock("openai", {"json": body}, params={"stream": False})
    assert asked.listener.said == "Hello"
    assert asked.answer.stop_reason == "max_tokens"
    assert asked.answer.usage == Usage()
    assert json.loads(asked.answer.raw) == body
    assert asked.body["stream"] is False
    assert "stream_options" not in asked.body


def test_a_refusal_is_text_and_a_stop_reason(mock: Any, stream: Any) -> None:
    """A refusal is shown as what was said, and is told from an answer by its stop reason."""
    refusal = {"choices": [{"index": 0, "delta": {"refusal": "I cannot."}}]}
    asked = mock("openai", stream(refusal, END))
    assert (asked.listener.said, asked.answer.stop_reason) == ("I cannot.", "refusal")


def test_tool_calls_are_kept_raw(mock: Any, stream: Any) -> None:
    """A call of a tool is no text; its pieces are in the raw payload."""
    call = {"index": 0, "function": {"name": "f", "arguments": "{"}}
    rest = {"index": 0, "function": {"arguments": "}"}}
    chunks = [{"choices": [{"index": 0, "delta": {"tool_calls": [one]}}]} for one in (call, rest)]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    asked = mock("openai", stream(*chunks, end))
    assert asked.answer.stop_reason == "tool_calls"
    assert json.loads(asked.answer.raw)["tool_calls"] == [call, rest]


CALL = {"index": 0, "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize("usage", [{}, {"usage": {"prompt_tokens": 3, "completion_tokens": 0}}])
@pytest.mark.parametrize(
    ("part", "finish", "stop"),
    [
        ({"tool_calls": [CALL]}, "stop", "tool_calls"),
        ({"content": "", "tool_calls": [CALL]}, "tool_calls", "tool_calls"),
        ({"content": None, "reasoning_content": "hm"}, "stop", "stop"),
        ({"reasoning": "hm"}, "length", "max_tokens"),
        ({"content": "a", "tool_calls": [CALL]}, "stop", "stop"),
    ],
)
def test_calls_or_reasoning_alone_are_an_answer(
    part: dict[str, Any], finish: str, stop: str, usage: Any, mock: Any, stream: Any
) -> None:
    """Also where no tokens are told for them, in a stream and in one piece: it is asked for once."""
    end = {"index": 0, "finish_reason": finish}
    streamed = mock("openai", stream({"choices": [{**end, "delta": part}], **usage}))
    for asked in (streamed, mock("openai", {"json": {"choices": [{**end, "message": part}], **usage}})):
        assert (asked.listener.said, asked.answer.stop_reason) == (part.get("content") or "", stop)
        assert asked.answer.usage.output_tokens is None


def test_only_the_first_choice_counts(mock: Any, stream: Any) -> None:
    """Text of a second choice never gets between the words of the first."""
    other = {"choices": [{"index": 1, "delta": {"content": "NO"}}]}
    assert mock("openai", stream(*said("a"), other, *said("b"), END)).listener.said == "ab"


def piece(index: int, text: str | None = None, finish: str | None = None) -> dict[str, Any]:
    """An event of one choice of that number."""
    return {
        "choices": [{"index": index, "delta": {"content": text} if text else {}, "finish_reason": finish}]
    }


def both(*choices: dict[str, Any]) -> dict[str, Any]:
    """One event of several choices."""
    return {"choices": [choice for event in choices for choice in event["choices"]]}


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([piece(0, "Wh"), piece(1, "isper"), piece(2, "ing"), piece(3, None, "stop")], "Whispering"),
        ([piece(0, "Wh"), piece(1, "isper"), piece(2, "ing"), piece(0, None, "stop")], "Whispering"),
        ([piece(0), piece(1, "Wh"), piece(2, "ispering"), piece(3, None, "stop")], "Whispering"),
        ([piece(1, "Whis"), piece(1, "pering"), piece(1, None, "stop")], "Whispering"),
        ([piece(1, "NO"), piece(0, "yes"), piece(1, None, "stop"), piece(0, None, "stop")], "yes"),
        ([piece(0, "yes"), piece(1, "NO"), piece(1, None, "length"), piece(0, None, "stop")], "yes"),
        ([piece(0, "yes"), piece(0, None, "stop"), piece(1, "NO"), piece(1, None, "length")], "yes"),
        ([piece(0, "yes"), piece(1, "NO"), piece(0, None, "stop"), piece(1, None, "length")], "yes"),
        ([both(piece(1, "NO"), piece(0, "y")), both(piece(1, "!"), piece(0, "es", "stop"))], "yes"),
        ([both(piece(1, "NO", "length"), piece(0, "yes", "stop"))], "yes"),
    ],
)
def test_one_answer_however_its_choices_are_counted(
    events: list[Any], text: str, mock: Any, stream: Any
) -> None:
    """One answer was asked for: a number that grows, or is another from the start, is that of the answer; of
    several answers the first is it, in whatever order they come. It never ends in the middle as done."""
    asked = mock("openai", stream(*events, {"choices": [], "usage": {}}, "[DONE]"))
    assert (asked.listener.said, asked.answer.stop_reason) == (text, "stop")


def test_of_several_whole_answers_the_first_is_it(mock: Any) -> None:
    """By its number, not its place."""
    choices = [
        {"index": number, "message": {"content": text}, "finish_reason": "stop"}
        for number, text in ((1, "NO"), (0, "yes"))
    ]
    assert mock("openai", {"json": {"choices": choices}}).listener.said == "yes"


def told(text: str, finish: str | None = None) -> dict[str, Any]:
    """An event with a message, as an answer in one piece has it."""
    message = {"role": "assistant", "content": text, "reasoning": "hm"}
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}


@pytest.mark.parametrize(
    "events",
    [
        [*said("Pa", "ris"), told("Paris", "stop")],
        [*said("Pa"), told("Paris", "stop")],
        [*said("Paris"), told("Lyon", "stop")],
        [told("Paris", "stop")],
        [told("Pa"), told("ris"), END],
        [told("Pa"), told("Paris"), told("Paris", "stop")],
        [{"choices": [{"index": 0, "text": "Pa"}]}, {"choices": [{"index": 0, "text": "ris"}]}, END],
        ['{"choices":[{"index":0,"delta":{"content":"Paris\\ud83d"}}]}', told("Paris\ud83d\ude00", "stop")],
    ],
)
def test_the_whole_text_after_its_pieces(events: list[Any], mock: Any, stream: Any) -> None:
    """A text that is told again at its end is told once, and what its pieces lacked is told then."""
    asked = mock("openai", stream(*events))
    assert asked.listener.said.removesuffix("\U0001f600") == "Paris"
    assert asked.answer.stop_reason == "stop"


@pytest.mark.parametrize(
    ("content", "text", "thought"),
    [
        ([{"type": "text", "text": "Par"}, {"type": "text", "text": "is"}], "Paris", ""),
        (
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                {"type": "text", "text": "a"},
            ],
            "a",
            "hm",
        ),
        ([{"type": "reasoning", "text": "hm"}, "a"], "a", "hm"),
        ([{"text": "a"}], "a", ""),
        ({"type": "output_text", "text": {"value": "a", "annotations": []}}, "a", ""),
        ([{"type": "image_url", "image_url": {}}, {"type": "text", "text": "a"}], "a", ""),
        ({"answer": 42}, '{"answer":42}', ""),
        (42, "42", ""),
    ],
)
def test_content_in_parts(content: Any, text: str, thought: str, mock: Any, stream: Any) -> None:
    """Parts of text are the text and parts of reasoning are not, in a stream and in one piece."""
    end = {"index": 0, "finish_reason": "stop"}
    streamed = mock("openai", stream({"choices": [{"index": 0, "delta": {"content": content}}]}, END))
    plain = mock("openai", {"json": {"choices": [{**end, "message": {"content": content}}]}})
    for asked in (streamed, plain):
        assert (asked.listener.said, "".join(asked.listener.thoughts)) == (text, thought)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_told_apart(name: str, mock: Any, stream: Any) -> None:
    """Under either name, also in an event that holds text too; under both it is told once."""
    thought = {"choices": [{"index": 0, "delta": {name: "hm", "content": "a"}}]}
    twice = {
        "choices": [{"index": 0, "delta": {"reasoning_content": "hm", "reasoning": "hm", "content": None}}]
    }
    for events in ([thought], [twice, *said("a")]):
        asked = mock("openai", stream(*events, END))
        assert (asked.listener.said, asked.listener.thoughts) == ("a", ["hm"])


@pytest.mark.parametrize(
    ("halves", "text"),
    [
        (("a\\ud83d", "\\ude00b"), "a😀b"),
        (("\\ud83d", "x"), "�x"),
        (("a\\ud83d",), "a�"),
        (("\\ude00",), "�"),
        (("\\ud83d", "\\ud83d\\ude00"), "�😀"),
    ],
)
def test_half_characters(halves: tuple[str, ...], text: str, mock: Any, stream: Any) -> None:
    """A character that is split over two events is whole again; half a one alone is shown as such."""
    events = [f'{{"choices":[{{"index":0,"delta":{{"content":"{half}"}}}}]}}' for half in halves]
    asked = mock("openai", stream(*events, END))
    assert asked.listener.said == text
    asked.listener.said.encode()


def test_an_empty_id_is_none(mock: Any, stream: Any) -> None:
    """Azure's first event has neither id nor model: those that follow have."""
    first = {"id": "", "model": "", "choices": [], "prompt_filter_results": []}
    answer = mock("openai", stream(first, *said("x"), END)).answer
    assert (answer.response_id, answer.response_model) == ("c1", "m-1")


@pytest.mark.parametrize(
    ("events", "stop"),
    [
        ([piece(0, "a", ""), piece(0, None, ""), "[DONE]"], "unknown"),
        ([piece(0, "a", ""), piece(0, None, "stop"), "[DONE]"], "stop"),
        (
            [piece(0, "a"), {"choices": [{"index": 0, "message": {"content": ""}, "finish_reason": "stop"}]}],
            "stop",
        ),
        ([piece(0, "a", "null"), piece(0, "b", "null"), piece(0, None, "stop"), "[DONE]"], "stop"),
        ([*said("a"), "[DONE]"], "unknown"),
        ([*said("a"), {"choices": [], "usage": {"prompt_tokens": 3}}, "[DONE]"], "unknown"),
        ([piece(0, "a", "SAFETY")], "content_filter"),
        ([piece(0, None, "content_filter: SAFETY")], "content_filter"),
        ([piece(0, "a", "model_length")], "max_tokens"),
    ],
)
def test_how_servers_spell_the_end(events: list[Any], stop: str, mock: Any, stream: Any) -> None:
    """An empty reason is none; where the stream says that it ended, none at all is one that is not known."""
    assert mock("openai", stream(*events)).answer.stop_reason == stop


@pytest.mark.parametrize("reason", ["abort", "error", "ABORTED", "cancelled", "userStopped", "in_progress"])
def test_what_was_broken_off_is_no_answer(reason: str, mock: Any, stream: Any) -> None:
    """A server that gave up in the middle says so: it is asked again, as after a broken connection."""
    asked = mock("openai", stream(piece(0, "a"), piece(0, None, reason)))
    assert isinstance(asked.error, MalformedAnswer)
    assert f"broken off: {reason}" in str(asked.error)


@pytest.mark.parametrize("events", [[piece(0, "a", "")], [piece(0, "a", "null")], ["[DONE]"]])
def test_an_empty_reason_alone_is_no_end(events: list[Any], mock: Any, stream: Any) -> None:
    """Neither an empty reason without the end of the stream, nor that end alone, finishes an answer."""
    assert isinstance(mock("openai", stream(*events)).error, MalformedAnswer)


@pytest.mark.parametrize("finish", [{}, {"finish_reason": None}, {"finish_reason": "null"}])
def test_one_piece_without_a_reason_is_whole(finish: dict[str, Any], mock: Any) -> None:
    """JSON that is complete is an answer that is: why it ended is not known."""
    asked = mock("openai", {"json": {"choices": [{"message": {"content": "a"}, **finish}]}})
    assert (asked.listener.said, asked.answer.stop_reason) == ("a", "unknown")


def test_asked_without_a_stream(request_to: Callable[..., Any]) -> None:
    """A model that does not stream is asked for one piece; one whose endpoint refuses `stream_options`, for a
    stream without them."""
    key = Key("sk-test-0123456789", source="the test")
    for more, body in (
        ({"stream": False}, {"stream": False}),
        ({"lacks": {"streaming"}}, {"stream": False}),
        ({"stream_options": False}, {"stream": True}),
    ):
        model = Model("a/m", base_url="https://example.com/v1", **more)
        found = dialect.connect(model, key)._body(request_to("openai"))
        assert {name: found[name] for name in found if name.startswith("stream")} == body


def test_several_answers_are_refused(mock: Any) -> None:
    """A request for several answers at once is refused before it is sent: repeats are for that."""
    asked = mock("openai", {}, params={"n": 3})
    assert isinstance(asked.error, InvalidRequest)
    assert asked.sent == []


def test_reasoning_is_an_event_and_no_text(mock: Any, stream: Any) -> None:
    """What a model thinks aloud moves the first event, not the first text."""
    thought = {"choices": [{"index": 0, "delta": {"reasoning_content": "hmm"}}]}
    assert mock("openai", stream(thought, *said("a"), END)).listener.heard == [None, "a", None]


@pytest.mark.parametrize("after", [[], said("Hel"), [*said("Hel"), {"choices": [], "usage": {}}]])
def test_without_a_finish_reason_it_is_no_answer(after: list[Any], mock: Any, stream: Any) -> None:
    """A stream that ends well but says nothing of why is malformed: the SDK itself says nothing."""
    assert isinstance(mock("openai", stream(*after)).error, MalformedAnswer)


def test_the_error_has_no_past(mock: Any) -> None:
    """What is raised is not chained to the SDK's own error, which holds the key."""
    asked = mock("openai", httpx2.Response(429, json={"error": {"message": "slow"}}))
    assert isinstance(asked.error, RateLimited)
    assert asked.error.__cause__ is None
    assert asked.error.__context__ is None


@pytest.mark.parametrize(
    ("base_url", "known"),
    [
        (None, "https://api.openai.com/v1"),
        ("HTTPS://API.OpenAI.com:443/v1/", "https://api.openai.com/v1"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
    ],
)
def test_one_identity_for_every_spelling(base_url: str | None, known: str) -> None:
    """However a base URL is written, the endpoint is the same one."""
    assert dialect.identity(Model("openai/m", base_url=base_url)) == known


def test_the_environment_reaches_no_foreign_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Organisation, project, headers and base URL that the environment holds for OpenAI stay with OpenAI."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Secret: abc\nX-Other: def")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.example")
    key = Key("sk-test-0123456789", source="the test")

    def headers(model: Model) -> tuple[str, dict[str, str]]:
        client = dialect.connect(model, key)._wire._client
        request = client._build_request(
            openai._models.FinalRequestOptions.construct(method="post", url="/chat/completions", json_data={})
        )
        return str(request.url), dict(request.headers)

    url, foreign = headers(Model("acme/m", base_url="https://example.com/v1"))
    assert url == "https://example.com/v1/chat/completions"
    assert not {"x-secret", "x-other", "openai-organization", "openai-project"} & set(foreign)
    url, own = headers(Model("openai/m"))
    assert url == "https://api.openai.com/v1/chat/completions"
    assert own["openai-organization"] == "org-1"
    assert own["x-secret"] == "abc"


def test_a_client_of_the_users_own_is_used_and_left_open(
    stream: Callable[..., Any], request_to: Callable[..., Any], listener: Any
) -> None:
    """An SDK client such as Azure's is used as it is, asked once without retries, and not closed."""
    import asyncio

    seen = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(str(request.url))
        if len(seen) == 1:
            return httpx2.Response(200, **stream(*said("x"), END))
        return httpx2.Response(500, text="oops")

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(handle))
    client = openai.AsyncAzureOpenAI(
        api_key="k" * 20,
        azure_endpoint="https://acme.openai.azure.com",
        api_version="2026-01-01",
        http_client=http,
    )
    model = Model("azure/m", client=client)
    assert dialect.identity(model) == "https://acme.openai.azure.com/openai"
    provider = dialect.connect(model, None)

    async def twice() -> None:
        await provider.ask(request_to("openai"), listener)
        with pytest.raises(Exception, match="answered 500"):
            await provider.ask(request_to("openai"), listener)
        await provider.close()

    asyncio.run(twice())
    assert len(seen) == 2
    assert seen[0].startswith("https://acme.openai.azure.com/openai/deployments/m/chat/completions")
    assert not http.is_closed


def test_no_key_is_shown() -> None:
    """Neither the provider nor anything it holds prints the key."""
    provider = dialect.connect(Model("openai/m"), Key("sk-test-0123456789", source="the test"))
    assert "0123" not in repr([provider, provider._wire, vars(provider)])
