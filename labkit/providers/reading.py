"""What putting an answer together has in common in every dialect.

Events are read strictly first, which is fast, and leniently where that fails. An event that says nothing is
passed over; text that was torn inside a character is mended; what the endpoint says instead of an answer is
raised as the refusal it is. It knows no dialect, no socket and no clock.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from labkit.errors import MalformedAnswer, ProviderError
from labkit.providers import lenient, refusals, stops
from labkit.providers.counts import Counts
from labkit.records import Answer, Listener, StopReason, Usage

T = TypeVar("T")
STRICT_FAULTS = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What strict reading raises; see `Reading._decoded`, which the events of a stream do without."""
_RAW_CHARS = 4000
_SHOWN_BYTES = 300
_THOUGHTS = ("thinking", "reasoning", "summary", "text")
_SAYING = ("stop", "max_tokens", "stop_sequence", "unknown")


class Reading(ABC):
    """Puts one answer together, telling the listener the text as it comes."""

    __slots__ = ("_beyond", "_counts", "_half", "_listener", "_mending", "_odd", "_said", "_who", "headers")

    def __init__(self, listener: Listener, who: str) -> None:
        self.headers: Mapping[str, str] = {}
        """Those of the response."""
        self._listener = listener
        self._who = who
        self._counts = Counts()
        self._said: list[str] = []
        """The text that was told, piece by piece."""
        self._beyond = False
        """Whether more came than text: reasoning, or calls of tools."""
        self._mending = False
        self._half = ""
        self._odd = b""
        """The last event that is no part of an answer, and may be all that the endpoint said."""

    @abstractmethod
    def take(self, data: bytes) -> bool:
        """Read one event of a stream; True: it was the last."""

    @abstractmethod
    def whole(self, payload: bytes) -> None:
        """Read an answer that came in one piece."""

    @abstractmethod
    def answer(self) -> Answer:
        """How it ended. Raises `MalformedAnswer` for what is no finished answer."""

    def _text(self, delta: Any) -> None:
        """Tell more of the text; what is no text, or empty, is a sign of life."""
        if self._mending and type(delta) is str:
            delta = self._mended(delta)
        if delta and type(delta) is str:
            self._said.append(delta)
            self._listener.text(delta)
        else:
            self._listener.event()

    def _thought(self, delta: str) -> None:
        """Tell more of the reasoning."""
        self._beyond = True
        self._listener.thought(delta)

    def _final(self, whole: str) -> None:
        """Tell what of the whole text was not told while it came; where that was another text, it stands."""
        said = "".join(self._said)
        if self._mending:
            whole = whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if len(whole) > len(said) and whole.startswith(said):
            self._half = ""
            self._text(whole[len(said) :])
        else:
            self._listener.event()

    def _rest(self) -> None:
        """Tell half a character that nothing followed."""
        if self._half:
            self._half = ""
            self._text("\ufffd")

    def _mended(self, delta: str) -> str:
        """`delta` with the half character before it; half a character at its end waits for the other half."""
        text, self._half = self._half + delta, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _decoded(self, decoder: msgspec.json.Decoder[T], data: bytes) -> T | None:
        """`data` as the decoder's struct, as far as it can be read; None for what says nothing."""
        try:
            return decoder.decode(data)
        except STRICT_FAULTS as error:
            return self._lenient(decoder, data, error)

    def _lenient(self, decoder: msgspec.json.Decoder[T], data: bytes, fault: Exception) -> T | None:
        self._mending = True
        try:
            return lenient.read(data, decoder.type)
        except (ValueError, RecursionError):
            if data.lstrip()[:1] == b"{":
                raise self._malformed(str(fault), data) from None
            if data.lstrip()[:1] != b"[":
                self._odd = data.strip() or self._odd
            return None

    def _passed(self, data: bytes) -> None:
        """An event that is no part of an answer: a sign of life, and shown where no answer comes."""
        if not self._said:
            self._odd = data
        self._listener.event()

    def _stop(self, said: str | None, ended: bytes | None) -> StopReason:
        """What the endpoint's word for the end means. Raises `MalformedAnswer` where it is no end."""
        found = None if said is None else stops.meaning(said)
        if found is None:
            why = "it ended without a stop reason" if said is None else f"it was broken off: {said:.60}"
            raise self._malformed(why, ended)
        return found

    def _full(self, stop: StopReason, output_tokens: int | None, ended: bytes | None) -> StopReason:
        """`stop`, where there is an answer. Raises `MalformedAnswer` where there is none at all."""
        if not (self._said or self._beyond or output_tokens) and stop in _SAYING:
            raise self._malformed("it is empty", ended)
        return stop

    def _usage(self, *, beside: bool = False) -> Usage:
        """What was used, by all that was told of it."""
        return self._counts.usage(said=bool(self._said) or self._beyond, beside=beside)

    def _refused(self, data: bytes) -> ProviderError:
        """What the endpoint said instead of an answer, or of its rest."""
        return refusals.from_payload(data, self.headers, who=self._who, begun=bool(self._said))

    def _malformed(self, fault: str, data: bytes | None) -> MalformedAnswer:
        data = data or self._odd or None
        raw = None if data is None else data[:_RAW_CHARS].decode("utf-8", "replace")
        if self._odd:
            fault += f"; it sent {self._odd[:_SHOWN_BYTES].decode('utf-8', 'replace')!r}"
        return MalformedAnswer(f"{self._who} sent what is no whole answer: {fault}", status=200, raw=raw)


def text_of(content: Any) -> tuple[str, str]:
    """The text and the reasoning of a `content`: text, a part, or a list of parts.

    >>> text_of([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"text": "a"}, "b"])
    ('ab', 'hm')
    """
    if isinstance(content, str):
        return content, ""
    if isinstance(content, list):
        both = [text_of(part) for part in content]
        return "".join(text for text, _ in both), "".join(thought for _, thought in both)
    if isinstance(content, dict) and content and not {"type", "text"} & content.keys():
        # JSON was asked for, and is not written but put in place.
        return lenient.written(content), ""
    if isinstance(content, (int, float)):
        return lenient.written(content), ""
    if not isinstance(content, dict):
        return "", ""
    kind = str(content.get("type") or "text")
    if "think" in kind or "reason" in kind:
        return "", "".join("".join(text_of(content.get(name))) for name in _THOUGHTS)
    said = content.get("refusal" if kind == "refusal" else "text")
    # Some endpoints put what was written, and what it refers to, into an object of its own.
    said = said.get("value") if isinstance(said, dict) else said
    spoken = kind == "refusal" or "text" in kind
    return (said if spoken and isinstance(said, str) else ""), ""
