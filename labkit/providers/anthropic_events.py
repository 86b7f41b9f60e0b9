"""Answers in the `anthropic` dialect, put together from their events or read in one piece.

Bytes of JSON in, an `Answer` out; the listener is told the text on the way. It knows no socket and no
clock. Anthropic counts what it read from and wrote to its cache beside the input; labkit's
`input_tokens` is the sum of the three.
"""

from __future__ import annotations

from typing import Any

import msgspec

from labkit.providers import lenient, refusals, stops
from labkit.providers.counts import named
from labkit.providers.reading import STRICT_FAULTS, Reading, text_of
from labkit.records import Answer, Listener

_OWN = ("message_", "content_block_")
"""How the kinds of its events begin that say something."""
_NAMES = {
    "input_tokens": "input",
    "cache_read_input_tokens": "cache_read",
    "cache_creation_input_tokens": "cache_write",
    "output_tokens": "output",
}


class _Block(msgspec.Struct, gc=False):
    """A content block, or a delta to one, or to the message."""

    type: str | None = None
    text: Any = None
    thinking: Any = None
    stop_reason: str | None = None


class _Message(msgspec.Struct, gc=False):
    """A message, whole or at its beginning."""

    type: str | None = None
    id: str | None = None
    model: str | None = None
    content: Any = None
    stop_reason: str | None = None
    usage: Any = None
    error: Any = None


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    message: _Message | None = None
    delta: _Block | None = None
    content_block: _Block | None = None
    usage: Any = None
    error: Any = None


_event = msgspec.json.Decoder(_Event)
_decode = _event.decode
_message = msgspec.json.Decoder(_Message)


class AnthropicReading(Reading):
    """Puts one answer together from its events, telling the listener the text as it comes."""

    __slots__ = ("_began", "_closed", "_ended", "_head", "_reason")

    def __init__(self, listener: Listener, who: str) -> None:
        super().__init__(listener, who)
        self._head = _Message()
        self._began: bytes | None = None
        self._reason: str | None = None
        self._ended: bytes | None = None
        self._closed = False

    def take(self, data: bytes) -> bool:
        """Read one event of a stream; True: it was the last."""
        try:
            event = _decode(data)
        except STRICT_FAULTS as error:
            event = self._lenient(_event, data, error) or _Event()
        delta = event.delta
        if event.type == "content_block_delta" and delta is not None:
            if type(delta.text) is str and delta.text and not self._mending:
                self._said.append(delta.text)
                self._listener.text(delta.text)
            else:
                self._block(delta)
            return False
        if event.type == "error" or (event.error and refusals.is_one(data)):
            raise self._refused(data)
        if event.type == "message":
            self.whole(data)
            return True
        if event.type == "message_stop":
            self._counts.add(named(event.usage))
            # Bedrock repeats the counts here in words of its own, where others may have told none.
            late = list(named(lenient.object_in(data)))
            self._counts.add(one for one in late if self._counts.get(one[0]) is None)
            self._closed = True
            return True
        return self._learn(event, data) if event.type.startswith(_OWN) else self._unnamed(data)

    def whole(self, payload: bytes) -> None:
        """Read an answer that came in one piece."""
        found = self._decoded(_message, payload) or _Message()
        if found.type == "error" or ((found.error or found.content is None) and refusals.is_one(payload)):
            raise self._refused(payload)
        if found.content is None:
            raise self._malformed("it has no content", payload)
        self._head = found
        self._counts.add(named(found.usage))
        text, thought = text_of(found.content)
        blocks = found.content if isinstance(found.content, list) else []
        self._beyond |= any(isinstance(one, dict) and one.get("type") == "tool_use" for one in blocks)
        if thought:
            self._thought(thought)
        self._final(text)
        self._reason = found.stop_reason or ("" if found.type == "message" else None)
        self._ended, self._closed = payload, True

    def answer(self) -> Answer:
        """How it ended. Raises `MalformedAnswer` for what is no finished answer."""
        if not self._said:
            self._final(text_of(self._head.content)[0])
        self._rest()
        stop = self._stop(self._reason if self._closed else None, self._ended)
        counts = self._usage(beside=True)
        return Answer(
            stop_reason=self._full(stop, counts.output_tokens, self._ended),
            usage=counts,
            response_model=self._head.model,
            response_id=self._head.id,
            raw=self._raw(),
        )

    def _learn(self, event: _Event, data: bytes) -> bool:
        if event.content_block is not None:
            self._block(event.content_block)
            return False
        if event.type == "message_start" and event.message is not None:
            self._head, self._began = event.message, data
            # What it tells of the output is an early count.
            self._counts.add(one for one in named(event.message.usage) if one[0] != "output")
        elif event.type == "message_delta":
            self._counts.add(named(event.usage))
            if event.delta is not None and stops.told(event.delta.stop_reason):
                self._reason, self._ended = event.delta.stop_reason, data
        self._listener.event()
        return False

    def _block(self, block: _Block) -> None:
        self._beyond |= block.type == "tool_use"
        if block.thinking and block.text is None:
            self._thought("".join(text_of(block.thinking)))
        else:
            self._text(text_of(block.text)[0])

    def _unnamed(self, data: bytes) -> bool:
        """An event of no kind of this dialect: the end as another dialect tells it, a refusal, or nothing."""
        if data.strip().upper() == b"[DONE]":
            self._reason, self._closed = self._reason or "", True
            return True
        if refusals.is_one(data):
            raise self._refused(data)
        self._passed(data)
        return False

    def _raw(self) -> str:
        """What ended the answer, with what was told of it before."""
        began, ended = lenient.object_in(self._began), lenient.object_in(self._ended)
        told = {theirs: self._counts.get(name) for theirs, name in _NAMES.items()}
        # Only the first event tells how long a cache is kept, and by which tier an answer is served.
        usage = _larger(_told(began.get("message")), _told(ended))
        usage |= {theirs: tokens for theirs, tokens in told.items() if tokens is not None}
        return lenient.written({**ended, "id": self._head.id, "model": self._head.model, "usage": usage})


def _told(payload: Any) -> dict[str, Any]:
    """What the usage of a payload tells."""
    found = payload.get("usage") if isinstance(payload, dict) else None
    told = found if isinstance(found, dict) else {}
    return {name: value for name, value in told.items() if value is not None}


def _larger(one: Any, other: Any) -> Any:
    """Of two reports what the later tells, but of two counts the larger."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{name: _larger(one.get(name), value) for name, value in other.items()}}
    a, b = lenient.count(one), lenient.count(other)
    return max(a, b) if a is not None and b is not None else one if other is None else other
