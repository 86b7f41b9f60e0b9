"""Answers in the `openai-responses` dialect, put together from their events or read in one piece.

Bytes of JSON in, an `Answer` out; the listener is told the text on the way. It knows no socket and no
clock. The last event holds the whole answer, which is what `raw` keeps.
"""

from __future__ import annotations

from typing import Any

import msgspec

from labkit.errors import MalformedAnswer, ProviderError
from labkit.providers import refusals
from labkit.records import Answer, Listener, StopReason, Usage

_CUT: dict[str | None, StopReason] = {"max_output_tokens": "max_tokens", "content_filter": "content_filter"}
_ENDS = ("response.completed", "response.incomplete")


class _InputDetails(msgspec.Struct, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Piece(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct, gc=False):
    type: str = ""
    content: list[_Piece] | None = None


class _Why(msgspec.Struct, gc=False):
    reason: str | None = None


class _Response(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[_Item] | None = None
    usage: _Usage | None = None
    incomplete_details: _Why | None = None
    error: Any = None


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    delta: Any = None
    response: msgspec.Raw = msgspec.Raw(b"")


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_response = msgspec.json.Decoder(_Response).decode


class Reading:
    """Puts one answer together from its events, telling the listener the text as it comes."""

    __slots__ = ("_ended", "_found", "_listener", "_refused", "_said", "_who")

    def __init__(self, listener: Listener, who: str) -> None:
        self._listener = listener
        self._who = who
        self._found: _Response | None = None
        self._refused = False
        self._said = False
        self._ended: bytes | None = None

    def take(self, data: bytes) -> bool:
        """Read one event of a stream; True: it was the last."""
        if data == b"[DONE]":
            return True
        event = self._decoded(_decode_event, data)
        if event.type == "response.output_text.delta" and type(event.delta) is str:
            self._text(event.delta)
            return False
        if event.type == "response.refusal.delta" and type(event.delta) is str:
            self._refused = True
            self._text(event.delta)
            return False
        if event.type in _ENDS and bytes(event.response):
            self.whole(bytes(event.response))
            return True
        if event.type == "response.failed" and bytes(event.response):
            raise self._failed(self._decoded(_decode_response, bytes(event.response)).error)
        if event.type == "error":
            raise refusals.from_payload(data, {}, who=self._who)
        self._listener.event()
        return False

    def whole(self, payload: bytes) -> None:
        """Read an answer that came in one piece, or the last event of one that did not."""
        found = self._decoded(_decode_response, payload)
        if found.error is not None:
            raise self._failed(found.error)
        if found.output is None:
            raise self._malformed("it has no output", payload)
        self._found, self._ended = found, payload
        if self._said:
            self._listener.event()
            return
        for item in found.output:
            for piece in item.content or ():
                self._refused = self._refused or bool(piece.refusal)
                self._text(piece.text or piece.refusal or "")

    def answer(self) -> Answer:
        """How it ended. Raises `MalformedAnswer` for what is no finished answer."""
        found = self._found
        if found is None or found.status not in ("completed", "incomplete"):
            raise self._malformed("it ended without being completed")
        counts = self._counts(found.usage)
        stop = self._stop(found)
        if not self._said and not counts.output_tokens and stop in ("stop", "max_tokens", "unknown"):
            raise self._malformed("it is empty")
        return Answer(
            stop_reason=stop,
            usage=counts,
            response_model=found.model,
            response_id=found.id,
            raw=(self._ended or b"").decode("utf-8", "replace"),
        )

    def _stop(self, found: _Response) -> StopReason:
        if self._refused:
            return "refusal"
        if found.status == "incomplete":
            why = found.incomplete_details
            return _CUT.get(why.reason if why else None, "unknown")
        called = any(item.type.endswith("_call") for item in found.output or ())
        return "tool_calls" if called and not self._said else "stop"

    def _text(self, text: str) -> None:
        if text:
            self._said = True
            self._listener.text(text)
        else:
            self._listener.event()

    def _counts(self, counts: _Usage | None) -> Usage:
        try:
            return usage(counts)
        except ValueError:
            # Counts that cannot be are as good as none; the answer itself stands, `raw` shows them.
            return Usage()

    def _failed(self, error: Any) -> ProviderError:
        return refusals.from_payload(msgspec.json.encode({"error": error}), {}, who=self._who)

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


def usage(counts: _Usage | None) -> Usage:
    """The dialect's counts as labkit's: cached and reasoning tokens lie inside their totals already."""
    if counts is None:
        return Usage()
    read, written = counts.input_tokens_details, counts.output_tokens_details
    return Usage(
        input_tokens=counts.input_tokens,
        cache_read_tokens=read.cached_tokens if read else None,
        cache_write_tokens=read.cache_write_tokens if read else None,
        output_tokens=counts.output_tokens,
        reasoning_tokens=written.reasoning_tokens if written else None,
    )
