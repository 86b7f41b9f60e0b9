"""Images, cache marks, schemas and effort in every dialect's own words, through the SDKs' HTTP client."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from labkit import images
from labkit.errors import InvalidRequest
from labkit.messages import unmarked
from labkit.records import Usage

GIF = b"GIF89a\x02\x00\x03\x00;"
DATA = base64.b64encode(GIF).decode()
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
ANSWERS = {
    "openai": [{"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]}],
    "openai-responses": [
        {"type": "response.output_text.delta", "delta": "a"},
        {"type": "response.completed", "response": {"status": "completed", "output": []}},
    ],
    "anthropic": [
        {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}},
        },
        {"type": "message_stop"},
    ],
}


def content(parts: list[dict[str, Any]], dialect: str, mock: Any, stream: Any) -> Any:
    """What becomes of a user's parts in a body of that dialect."""
    asked = mock(dialect, stream(*ANSWERS[dialect]), messages=({"role": "user", "content": parts},))
    assert asked.error is None
    return asked.body["input" if dialect == "openai-responses" else "messages"][0]["content"]


def test_an_image_at_hand(tmp_path: Path, mock: Any, stream: Any) -> None:
    """A file's image goes out in base64, with its type, where it stands in the text."""
    (tmp_path / "a.gif").write_bytes(GIF)
    image = images.part(tmp_path / "a.gif")
    parts = [{"type": "text", "text": "See "}, image, {"type": "text", "text": "?"}]
    url = f"data:image/gif;base64,{DATA}"
    assert content(parts, "openai", mock, stream) == [
        {"type": "text", "text": "See "},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": "?"},
    ]
    assert content(parts, "openai-responses", mock, stream) == [
        {"type": "input_text", "text": "See "},
        {"type": "input_image", "detail": "auto", "image_url": url},
        {"type": "input_text", "text": "?"},
    ]
    assert content(parts, "anthropic", mock, stream) == [
        {"type": "text", "text": "See "},
        {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": DATA}},
        {"type": "text", "text": "?"},
    ]


def test_an_image_by_its_address(mock: Any, stream: Any) -> None:
    """An address is handed on to the provider, which fetches it; labkit does not."""
    url = "https://example.com/a.png?size=2"
    image = [images.part(url)]
    assert content(image, "openai", mock, stream) == [{"type": "image_url", "image_url": {"url": url}}]
    assert content(image, "openai-responses", mock, stream)[0]["image_url"] == url
    assert content(image, "anthropic", mock, stream)[0]["source"] == {"type": "url", "url": url}


def test_a_file_that_changed_is_not_sent(tmp_path: Path, mock: Any) -> None:
    """An image that is another one by the time it is sent, or gone, is a refused request, and not sent."""
    path = tmp_path / "a.gif"
    path.write_bytes(GIF)
    image = images.part(str(path))
    for change in (lambda: path.write_bytes(GIF + b"other"), path.unlink):
        change()
        asked = mock("openai", {}, messages=({"role": "user", "content": [image]},))
        assert isinstance(asked.error, InvalidRequest)
        assert asked.sent == []


def test_marks_of_what_is_to_be_cached(mock: Any, stream: Any) -> None:
    """Anthropic is told where a beginning ends that it is to keep; OpenAI, which keeps by itself, is not."""
    parts = [{"type": "text", "text": "Long.", "cache": True}, {"type": "text", "text": " Short?"}]
    assert content(parts, "anthropic", mock, stream) == [
        {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": " Short?"},
    ]
    for dialect in ("openai", "openai-responses"):
        assert content(parts, dialect, mock, stream) == "Long. Short?"


def test_a_mark_changes_no_identity() -> None:
    """With marks or without, the messages that decide the answer are the same."""
    parts = [
        {"type": "text", "text": "a", "cache": True},
        {"type": "text", "text": "b"},
        {"type": "image", "url": "https://example.com/a.png"},
        {"type": "text", "text": "c", "cache": True},
    ]
    plain = [{"type": "text", "text": "ab"}, parts[2], {"type": "text", "text": "c"}]
    assert unmarked([{"role": "user", "content": parts}]) == [{"role": "user", "content": plain}]
    assert unmarked([{"role": "user", "content": parts[:2]}]) == [{"role": "user", "content": "ab"}]


def test_schema_and_effort(mock: Any, stream: Any) -> None:
    """A schema and an effort are written one way, and sent in each dialect's."""
    params = {"max_tokens": 5, "response_format": FORMAT, "reasoning_effort": "low"}
    chat = mock("openai", stream(*ANSWERS["openai"]), params=params).body
    assert (chat["response_format"], chat["reasoning_effort"]) == (FORMAT, "low")
    body = mock("anthropic", stream(*ANSWERS["anthropic"]), params=params).body
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"}
    assert not {"response_format", "reasoning_effort"} & set(body)
    own = {**params, "output_config": {"effort": "max"}}
    body = mock("anthropic", stream(*ANSWERS["anthropic"]), params=own).body
    assert body["output_config"]["effort"] == "max"


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "openai-responses"])
def test_all_else_goes_through(dialect: str, mock: Any, stream: Any) -> None:
    """Temperature, seed and whatever labkit does not know reach the provider as they are."""
    params = {"max_tokens": 5, "temperature": 0.25, "seed": 3, "brand_new": {"x": [1, None]}}
    body = mock(dialect, stream(*ANSWERS[dialect]), params=params).body
    assert {name: body[name] for name in ("temperature", "seed", "brand_new")} == {
        name: params[name] for name in ("temperature", "seed", "brand_new")
    }


def test_thinking_is_counted(mock: Any, stream: Any) -> None:
    """Anthropic's thinking tokens are labkit's reasoning tokens: a part of the output."""
    answer = mock("anthropic", stream(*ANSWERS["anthropic"])).answer
    assert answer.usage == Usage(input_tokens=5, output_tokens=9, reasoning_tokens=4)
