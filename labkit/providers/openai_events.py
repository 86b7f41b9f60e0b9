"""Answers in the `openai` dialect, put together from their events or read in one piece.

Bytes of JSON in, an `Answer` out; the listener is told the text on the way. It knows no socket and no
clock. Endpoints that report no usage are taken as they are (counts None); answers that end without a
finish reason are not.
"""

from __future__ import annotations

from typing import Any

import msgspec

from labkit.errors import MalformedAnswer, ProviderError
from labkit.providers import refusals
from labkit.records import Answer, Listener, StopReason, Usage

_STOPS: dict[str, StopReason] = {
    "stop": "stop",
    "length": "max_tokens",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class _InputDetails(msgspec.Struct, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


class _Part(msgspec.Struct, gc=False):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: _Part | None = None
    message: _Part | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


_decode_chunk = msgspec.json.Decoder(_Chunk).decode


class Reading:
    """Puts one answer together from its events, telling the listener the text as it comes."""

    __slots__ = (
        "_calls", "_ended", "_finish", "_id", "_last", "_listener", "_model", "_refused", "_said", "_usage",
        "_who",
    )  # fmt: skip

    def __init__(self, listener: Listener, who: str) -> None:
        self._listener = listener
        self._who = who
        self._id: str | None = None
        self._model: str | None = None
        self._usage: _Usage | None = None
        self._finish: str | None = None
        self._refused = False
        self._said = False
        self._ended: bytes | None = None
        self._last: bytes | None = None
        self._calls: list[dict[str, Any]] = []

    def take(self, data: bytes) -> bool:
        """Read one event of a stream; True: it was the last."""
        if data == b"[DONE]":
            return True
        chunk = self._head(data)
        choices = chunk.choices
        if not choices:
            self._listener.event()
            return False
        choice = choices[0]
        if choice.index == 0:
            self._part(choice.delta)
            if choice.finish_reason:
                self._finish = choice.finish_reason
                self._ended = data
        return False

    def whole(self, payload: bytes) -> None:
        """Read an answer that came in one piece."""
        choices = self._head(payload).choices
        if not choices:
            raise self._malformed("it has no choices")
        self._part(choices[0].message)
        self._finish = choices[0].finish_reason
        self._ended = payload

    def answer(self) -> Answer:
        """How it ended. Raises `MalformedAnswer` for what is no finished answer."""
        if self._finish is None or self._finish == "error":
            raise self._malformed("it ended without a finish reason")
        stop: StopReason = "refusal" if self._refused else _STOPS.get(self._finish, "unknown")
        counts = self._counts()
        if not self._said and not counts.output_tokens and stop in ("stop", "max_tokens", "unknown"):
            raise self._malformed("it is empty")
        return Answer(
            stop_reason=stop,
            usage=counts,
            response_model=self._model,
            response_id=self._id,
            raw=self._raw(),
        )

    def _head(self, data: bytes) -> _Chunk:
        try:
            chunk = _decode_chunk(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            fault = str(error)
        else:
            if chunk.error is not None:
                raise self._broken_off(data)
            if self._id is None:
                self._id, self._model = chunk.id, chunk.model
            if chunk.usage is not None:
                self._usage = chunk.usage
                self._last = data
            return chunk
        raise self._malformed(fault, data)

    def _part(self, part: _Part | None) -> None:
        if part is None:
            self._listener.event()
            return
        if part.content:
            self._said = True
            self._listener.text(part.content)
        elif part.refusal:
            self._said = self._refused = True
            self._listener.text(part.refusal)
        else:
            self._listener.event()
        if part.tool_calls:
            self._calls.extend(part.tool_calls)

    def _counts(self) -> Usage:
        try:
            return usage(self._usage)
        except ValueError:
            # Counts that cannot be are as good as none; the answer itself stands, `raw` shows them.
            return Usage()

    def _raw(self) -> str:
        """The chunk that ended the answer, with the usage that came after it."""
        ended = self._ended or b"{}"
        if (self._last is None or self._last is ended) and not self._calls:
            return ended.decode("utf-8", "replace")
        payload = {**_object(self._last), **_object(ended)}
        if self._last is not None:
            payload["usage"] = _object(self._last).get("usage")
        if self._calls and self._last is not ended:
            payload["tool_calls"] = self._calls
        return msgspec.json.encode(payload).decode()

    def _malformed(self, fault: str, data: bytes | None = None) -> MalformedAnswer:
        seen = data or self._ended or self._last
        raw = None if seen is None else seen[:4000].decode("utf-8", "replace")
        return MalformedAnswer(f"{self._who} sent an answer that is none: {fault}", status=200, raw=raw)

    def _broken_off(self, data: bytes) -> ProviderError:
        return refusals.from_payload(data, {}, who=self._who)


def usage(counts: _Usage | None) -> Usage:
    """The dialect's counts as labkit's: cached and reasoning tokens lie inside their totals already."""
    if counts is None:
        return Usage()
    read = counts.prompt_tokens_details
    written = counts.completion_tokens_details
    return Usage(
        input_tokens=counts.prompt_tokens,
        cache_read_tokens=read.cached_tokens if read else None,
        cache_write_tokens=read.cache_write_tokens if read else None,
        output_tokens=counts.completion_tokens,
        reasoning_tokens=written.reasoning_tokens if written else None,
    )


def _object(data: bytes | None) -> dict[str, Any]:
    found = msgspec.json.decode(data) if data else {}
    return found if isinstance(found, dict) else {}
