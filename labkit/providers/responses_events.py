"""Answers in the `openai-responses` dialect, put together from their events or read in one piece.

Bytes of JSON in, an `Answer` out; the listener is told the text on the way. It knows no socket and no
clock. The last event holds the whole answer, which is what `raw` keeps. Of several messages those that are
marked as comments on the way (`phase`) are no part of the text.
"""

from __future__ import annotations

from typing import Any

import msgspec

from labkit.providers import lenient, refusals, stops
from labkit.providers.counts import named
from labkit.providers.reading import STRICT_FAULTS, Reading, text_of
from labkit.records import Answer, Listener, StopReason

_ENDS = ("response.completed", "response.incomplete", "response.done")
_THOUGHTS = ("response.reasoning_text.delta", "response.reasoning_summary_text.delta")
_ASIDE = "commentary"


class _Item(msgspec.Struct, gc=False):
    type: str = "message"
    phase: str | None = None
    content: Any = None
    summary: Any = None


class _Why(msgspec.Struct, gc=False):
    reason: str | None = None


class _Response(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[_Item] | None = None
    usage: Any = None
    incomplete_details: _Why | None = None
    error: Any = None


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    delta: Any = None
    text: Any = None
    output_index: int | None = None
    item: _Item | None = None
    response: msgspec.Raw = msgspec.Raw(b"")
    error: Any = None


_event = msgspec.json.Decoder(_Event)
_decode = _event.decode
_response = msgspec.json.Decoder(_Response)


class ResponsesReading(Reading):
    """Puts one answer together from its events, telling the listener the text as it comes."""

    __slots__ = ("_asides", "_ended", "_found", "_items", "_refusal", "_texts")

    def __init__(self, listener: Listener, who: str) -> None:
        super().__init__(listener, who)
        self._found: _Response | None = None
        self._refusal = False
        self._ended: bytes | None = None
        self._asides: set[int | None] = set()
        """Places in the output of messages that are comments on the way."""
        self._texts: list[str] = []
        self._items: list[_Item] = []
        """What came in one piece once it was whole: texts, and what they are a part of."""

    def take(self, data: bytes) -> bool:
        """Read one event of a stream; True: it was the last."""
        try:
            event: _Event | None = _decode(data)
        except STRICT_FAULTS as error:
            event = self._lenient(_event, data, error)
        if event is None:
            self._listener.event()
            return data.strip().upper() == b"[DONE]"
        if event.type == "response.output_text.delta":
            if self._asides and event.output_index in self._asides:
                self._thought(text_of(event.delta)[0])
            elif type(event.delta) is str and event.delta and not self._mending:
                self._said.append(event.delta)
                self._listener.text(event.delta)
            else:
                self._text(text_of(event.delta)[0])
            return False
        response = bytes(event.response)
        if event.type in _ENDS and response:
            self._end(response, event.type.removeprefix("response."))
            return True
        if event.type == "response.failed" and response:
            failed = self._decoded(_response, response)
            raise self._failed(failed.error if failed is not None else None)
        if event.type == "error" or (event.error and refusals.is_one(data)):
            raise self._refused(data)
        return self._learn(event) if event.type.startswith("response.") else self._unnamed(data)

    def whole(self, payload: bytes) -> None:
        """Read an answer that came in one piece."""
        self._end(payload, None)

    def answer(self) -> Answer:
        """How it ended. Raises `MalformedAnswer` for what is no finished answer."""
        self._rest()
        found = self._found
        status = "" if found is None else (found.status or "completed").casefold()
        if found is None or (status != "incomplete" and stops.meaning(status) != "stop"):
            raise self._malformed("it ended without being completed", self._ended)
        counts = self._usage()
        return Answer(
            stop_reason=self._full(self._why(found, status), counts.output_tokens, self._ended),
            usage=counts,
            response_model=found.model,
            response_id=found.id,
            raw=(self._ended or b"").decode("utf-8", "replace"),
        )

    def _end(self, payload: bytes, status: str | None) -> None:
        """The answer as it is at its end; `status` is what the event said of it that it came with."""
        found = self._decoded(_response, payload)
        if found is None:
            raise self._malformed("it is none", payload)
        if found.error and refusals.is_one(payload):
            raise self._failed(found.error)
        if found.output is None and not self._said:
            if status is None and refusals.is_one(payload):
                raise self._refused(payload)
            raise self._malformed("it has no output", payload)
        found.status = found.status or status
        self._found, self._ended = found, payload
        self._counts.add(named(found.usage))
        self._tell(found.output or self._items)

    def _tell(self, output: list[_Item]) -> None:
        """What of an answer was not told while it came."""
        messages = [item for item in output if item.type == "message"]
        answers = [item for item in messages if item.phase != _ASIDE]
        if not answers and not _calls(output):
            answers = messages
        thought = "".join(text_of(item.summary)[0] for item in output if item.type == "reasoning")
        if thought and not self._beyond:
            self._thought(thought)
        self._beyond |= _calls(output)
        for item in answers:
            pieces = item.content if isinstance(item.content, list) else [item.content]
            self._refusal |= any(isinstance(one, dict) and one.get("refusal") for one in pieces)
        self._final("".join(text_of(item.content)[0] for item in answers))

    def _why(self, found: _Response, status: str) -> StopReason:
        if self._refusal:
            return "refusal"
        if status == "incomplete":
            why = found.incomplete_details
            return self._stop((why.reason if why is not None else None) or "", self._ended)
        return "tool_calls" if _calls(found.output or []) and not self._said else "stop"

    def _learn(self, event: _Event) -> bool:
        if event.type == "response.refusal.delta":
            self._refusal = True
            self._text(event.delta)
        elif event.type in _THOUGHTS and event.delta:
            self._thought("".join(text_of(event.delta)))
        elif event.type == "response.output_text.done" and event.output_index not in self._asides:
            self._texts.append(text_of(event.text)[0])
            self._final("".join(self._texts))
        elif event.type == "response.output_item.done" and event.item is not None:
            self._items.append(event.item)
            if event.item.type == "message" and event.item.phase != _ASIDE:
                self._tell(self._items)
            else:
                self._listener.event()
        else:
            if event.item is not None and event.item.phase == _ASIDE:
                self._asides.add(event.output_index)
            self._listener.event()
        return False

    def _unnamed(self, data: bytes) -> bool:
        """An event of no kind of this dialect: a whole answer, a refusal, or nothing."""
        if refusals.is_one(data):
            raise self._refused(data)
        found = self._decoded(_response, data)
        if found is not None and found.output is not None:
            self.whole(data)
            return True
        self._passed(data)
        return False

    def _failed(self, error: Any) -> Exception:
        return self._refused(lenient.written({"error": error}).encode())


def _calls(output: list[_Item]) -> bool:
    return any(item.type.endswith("_call") for item in output)
