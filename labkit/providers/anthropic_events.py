"""Answers in the `anthropic` dialect, put together from their events or read in one piece.

Bytes of JSON in, an `Answer` out; the listener is told the text on the way. It knows no socket and no
clock. Anthropic counts what it read from and wrote to its cache beside the input; labkit's
`input_tokens` is the sum of the three.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from labkit.errors import MalformedAnswer
from labkit.providers import refusals
from labkit.records import Answer, Listener, StopReason, Usage

_STOPS: dict[str, StopReason] = {
    "end_turn": "stop",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "refusal": "refusal",
    "model_context_window_exceeded": "max_tokens",
}


_COUNTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")


class _Details(msgspec.Struct, gc=False):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct, omit_defaults=True, gc=False):
    input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: _Details | None = None


class _Block(msgspec.Struct, gc=False):
    """A content block, or a delta to one, or to the message."""

    type: str | None = None
    text: str | None = None
    stop_reason: str | None = None


class _Head(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    usage: _Usage | None = None


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    message: _Head | None = None
    delta: _Block | None = None
    content_block: _Block | None = None
    usage: _Usage | None = None
    error: Any = None


class _Whole(msgspec.Struct, gc=False):
    type: str = ""
    id: str | None = None
    model: str | None = None
    content: list[_Block] | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_whole = msgspec.json.Decoder(_Whole).decode


class Reading:
    """Puts one answer together from its events, telling the listener the text as it comes."""

    __slots__ = ("_closed", "_counts", "_ended", "_head", "_listener", "_said", "_stop", "_who")

    def __init__(self, listener: Listener, who: str) -> None:
        self._listener = listener
        self._who = who
        self._head: _Head | None = None
        self._counts: dict[str, int] = {}
        self._stop: str | None = None
        self._said = False
        self._ended: bytes | None = None
        self._closed = False

    def take(self, data: bytes) -> bool:
        """Read one event of a stream; True: it was the last."""
        event = self._decoded(_decode_event, data)
        delta = event.delta
        if event.type == "content_block_delta" and delta is not None and delta.text is not None:
            self._text(delta.text)
            return False
        if event.type == "error" or event.error is not None:
            raise refusals.from_payload(data, {}, who=self._who)
        if event.type == "message_stop":
            self._closed = True
            return True
        if event.type == "message_start" and event.message is not None:
            self._head = event.message
            self._count(event.message.usage)
        elif event.type == "message_delta":
            self._count(event.usage)
            if delta is not None and delta.stop_reason:
                self._stop = delta.stop_reason
                self._ended = data
        elif event.type == "content_block_start" and event.content_block and event.content_block.text:
            self._text(event.content_block.text)
            return False
        self._listener.event()
        return False

    def whole(self, payload: bytes) -> None:
        """Read an answer that came in one piece."""
        found = self._decoded(_decode_whole, payload)
        if found.type == "error":
            raise refusals.from_payload(payload, {}, who=self._who)
        if found.content is None:
            raise self._malformed("it has no content")
        self._head = _Head(id=found.id, model=found.model)
        self._count(found.usage)
        text = "".join(block.text for block in found.content if block.type == "text" and block.text)
        if text:
            self._text(text)
        self._stop, self._ended, self._closed = found.stop_reason, payload, True

    def answer(self) -> Answer:
        """How it ended. Raises `MalformedAnswer` for what is no finished answer."""
        if self._stop is None or not self._closed:
            raise self._malformed("it ended without a stop reason")
        stop = _STOPS.get(self._stop, "unknown")
        if not self._said and not self._counts.get("output_tokens") and stop not in ("tool_calls", "refusal"):
            raise self._malformed("it is empty")
        head = self._head or _Head()
        return Answer(
            stop_reason=stop,
            usage=self._usage(),
            response_model=head.model,
            response_id=head.id,
            raw=self._raw(head),
        )

    def _text(self, text: str) -> None:
        if text:
            self._said = True
            self._listener.text(text)
        else:
            self._listener.event()

    def _count(self, counts: _Usage | None) -> None:
        # The last event repeats the input counts of the first in some versions of the dialect.
        if counts is not None:
            self._counts |= {name: value for name in _COUNTS if (value := getattr(counts, name)) is not None}
            details = counts.output_tokens_details
            if details is not None and details.thinking_tokens is not None:
                self._counts["thinking_tokens"] = details.thinking_tokens

    def _usage(self) -> Usage:
        try:
            return usage(self._counts)
        except ValueError:
            # Counts that cannot be are as good as none; the answer itself stands, `raw` shows them.
            return Usage()

    def _raw(self, head: _Head) -> str:
        ended: dict[str, Any] = msgspec.json.decode(self._ended or b"{}")
        return msgspec.json.encode(
            {
                **ended,
                "id": head.id,
                "model": head.model,
                "usage": {**(ended.get("usage") or {}), **self._told()},
            }
        ).decode()

    def _told(self) -> dict[str, int]:
        return {name: count for name, count in self._counts.items() if name in _COUNTS}

    def _decoded(self, decode: Any, data: bytes) -> Any:
        try:
            return decode(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            fault = str(error)
        raise self._malformed(fault, data)

    def _malformed(self, fault: str, data: bytes | None = None) -> MalformedAnswer:
        seen = data or self._ended
        raw = None if seen is None else seen[:4000].decode("utf-8", "replace")
        return MalformedAnswer(f"{self._who} sent an answer that is none: {fault}", status=200, raw=raw)


def usage(counts: Mapping[str, int]) -> Usage:
    """The dialect's counts as labkit's: the input total is input, cache reads and cache writes together."""
    plain = counts.get("input_tokens")
    read = counts.get("cache_read_input_tokens")
    written = counts.get("cache_creation_input_tokens")
    if any(count < 0 for count in counts.values()):
        raise ValueError("a count cannot be negative")
    return Usage(
        input_tokens=None if plain is None else plain + (read or 0) + (written or 0),
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=counts.get("output_tokens"),
        reasoning_tokens=counts.get("thinking_tokens"),
    )
