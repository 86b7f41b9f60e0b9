"""Answers in the `openai` dialect, put together from their events or read in one piece.

Bytes of JSON in, an `Answer` out; the listener is told the text on the way. It knows no socket and no
clock. Endpoints that report no usage are taken as they are (counts None); answers that end without a
finish reason are not. One answer is asked for: of several choices the first by number is it, and one whose
number grows with every event is one all the same.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec

from labkit.providers import lenient, refusals, stops
from labkit.providers.counts import named
from labkit.providers.reading import STRICT_FAULTS, Reading, text_of
from labkit.records import Answer, Listener


class _Part(msgspec.Struct, gc=False):
    content: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: Any = None
    annotations: Any = None


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: _Part | None = None
    message: _Part | None = None
    text: Any = None
    finish_reason: str | None = None
    usage: Any = None
    error: Any = None


class _Chunk(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: Any = None
    x_groq: Any = None
    service_tier: Any = None
    error: Any = None


_chunk = msgspec.json.Decoder(_Chunk)
_decode = _chunk.decode
_DONE = b"[DONE]"


class OpenAIReading(Reading):
    """Puts one answer together from its events, telling the listener the text as it comes."""

    __slots__ = (
        "_beside", "_calls", "_closed", "_ended", "_finish", "_id", "_last", "_model", "_piecewise",
        "_refusal", "_strays",
    )  # fmt: skip

    def __init__(self, listener: Listener, who: str) -> None:
        super().__init__(listener, who)
        self._id: str | None = None
        self._model: str | None = None
        self._finish: str | None = None
        self._closed = False
        """Whether the end was told: where its reason was not, that is all there is to know of it."""
        self._refusal = False
        self._piecewise = False
        self._ended: bytes | None = None
        self._last: bytes | None = None
        self._calls: list[Any] = []
        self._strays: list[tuple[_Choice, bytes]] | None = []
        """Of other numbers than 0; None once it is clear that they are other answers."""
        self._beside: dict[str, Any] = {}

    def take(self, data: bytes) -> bool:
        """Read one event of a stream; True: it was the last."""
        if data == _DONE:
            self._closed = True
            return True
        chunk = self._head(data)
        if chunk is None:
            self._closed = data.strip().upper() == _DONE
            return self._closed
        choices = chunk.choices
        if not choices:
            if choices is not None or chunk.usage is not None:
                self._listener.event()
            elif refusals.is_one(data):
                raise self._refused(data)
            else:
                self._counts.add(named(lenient.object_in(data)))
                self._passed(data)
            return False
        for choice in choices:
            if choice.index == 0:
                self._choice(choice, data)
            else:
                self._stray(choice, data)
        return False

    def whole(self, payload: bytes) -> None:
        """Read an answer that came in one piece."""
        chunk = self._head(payload)
        choices = None if chunk is None else chunk.choices
        if not choices:
            if refusals.is_one(payload):
                raise self._refused(payload)
            self._odd = payload
            raise self._malformed("it has no choices", payload)
        choice = min(choices, key=lambda choice: choice.index)
        self._choice(choice, payload)
        self._closed = True
        self._ended = payload
        self._beside.clear()

    def answer(self) -> Answer:
        """How it ended. Raises `MalformedAnswer` for what is no finished answer."""
        self._settle_strays()
        self._rest()
        finish = "" if self._finish is None and self._closed else self._finish
        stop = self._stop(finish, self._ended or self._last)
        if stop == "stop" and self._calls and not self._said:
            stop = "tool_calls"
        counts = self._usage()
        return Answer(
            stop_reason=self._full("refusal" if self._refusal else stop, counts.output_tokens, self._ended),
            usage=counts,
            response_model=self._model,
            response_id=self._id,
            raw=self._raw(),
        )

    def _head(self, data: bytes) -> _Chunk | None:
        try:
            chunk: _Chunk | None = _decode(data)
        except STRICT_FAULTS as error:
            chunk = self._lenient(_chunk, data, error)
        if chunk is None:
            self._listener.event()
            return None
        if chunk.error and refusals.is_one(data):
            raise self._refused(data)
        if not self._id:
            self._id = chunk.id
        if not self._model:
            self._model = chunk.model
        if chunk.service_tier not in (None, "auto"):
            self._beside["service_tier"] = chunk.service_tier
        if chunk.usage is not None:
            self._count(chunk.usage, data)
        elif isinstance(chunk.x_groq, dict):
            if chunk.x_groq.get("error"):
                raise self._refused(data)
            self._counts.add(named(chunk.x_groq.get("usage")))
        return chunk

    def _choice(self, choice: _Choice, data: bytes) -> None:
        part = choice.delta if choice.delta is not None else choice.message
        if part is None:
            self._text(text_of(choice.text)[0])
        elif (
            choice.delta is not None
            and type(part.content) is str
            and part.content
            and not (self._mending or self._strays)
        ):
            self._said.append(part.content)
            self._listener.text(part.content)
            if part.tool_calls or part.reasoning_content or part.reasoning or part.annotations:
                self._aside(part)
        else:
            self._part(part, whole=choice.delta is None)
        if choice.usage is not None:
            self._count(choice.usage, data)
        if choice.finish_reason:
            if choice.error:
                raise self._refused(lenient.written({"error": choice.error}).encode())
            if stops.told(choice.finish_reason):
                self._finish, self._ended = choice.finish_reason, data

    def _part(self, part: _Part, *, whole: bool) -> None:
        """A part of the answer that is more than a piece of text, or none; or, told at its end, all of it."""
        text, thought = text_of(part.content)
        if whole and self._said and (not self._piecewise or text.startswith("".join(self._said))):
            if not self._beyond:
                self._aside(part, thought)
            self._final(text)
            return
        # Some write the pieces where others write the whole.
        self._piecewise |= whole
        if text and self._strays:
            # It goes on after another began: that one is another answer.
            self._strays = None
        if part.refusal and not text:
            self._refusal, text = True, part.refusal
        heard = self._aside(part, thought)
        if text or not heard:
            self._text(text)

    def _aside(self, part: _Part, thought: str = "") -> bool:
        """What a part holds beside text; whether the listener was told of it."""
        calls = part.tool_calls or []
        self._beyond |= bool(calls)
        self._calls += calls if isinstance(calls, list) else [calls]
        if part.annotations and isinstance(part.annotations, list):
            self._beside.setdefault("annotations", []).extend(part.annotations)
        thought += "".join(text_of(part.reasoning_content or part.reasoning))
        if thought:
            self._thought(thought)
        return bool(thought)

    def _stray(self, choice: _Choice, data: bytes) -> None:
        """One of another number: of another answer, or of this one by an endpoint that counts on."""
        self._listener.event()
        if self._finish is not None:
            # It speaks on after this answer's end.
            self._strays = None
        elif self._strays is not None:
            self._strays.append((choice, data))

    def _settle_strays(self) -> None:
        strays, self._strays = self._strays, None
        if not strays:
            return
        numbers = [choice.index for choice, _ in strays]
        finish, ended = self._finish, self._ended
        grows = all(one < after for one, after in pairwise(numbers))
        if not grows and (self._said or finish is not None):
            return
        for choice, data in strays:
            if grows or choice.index == min(numbers):
                self._choice(choice, data)
        if finish is not None:
            self._finish, self._ended = finish, ended

    def _count(self, usage: Any, data: bytes) -> None:
        self._last = data
        self._counts.add(named(usage))

    def _raw(self) -> str:
        """The chunk that ended the answer, with the usage that came after it, and what came before it."""
        ended = self._ended or b"{}"
        if (self._last is None or self._last is ended) and not self._calls and not self._beside:
            return ended.decode("utf-8", "replace")
        payload = {**lenient.object_in(self._last), **lenient.object_in(ended), **self._beside}
        if self._last is not None:
            payload["usage"] = lenient.object_in(self._last).get("usage")
        if self._calls and self._last is not ended:
            payload["tool_calls"] = self._calls
        return lenient.written(payload)
