"""What a scripted model answers, by a function, a list, a mapping or recorded generations; and its faults.

For users' own tests, and for trying a plan without a key. How an answer is told, piece by piece, it does
not know: see `scripted`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from labkit.arguments import check, number, text, whole
from labkit.errors import DefinitionError, InvalidRequest, ProviderError
from labkit.records import Request, StopReason, Usage
from labkit.visible import quoted


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A fault: the answer breaks off after so many pieces, with `error` (by default `ConnectionLost`)."""

    after: int = 1
    error: ProviderError | None = None


@dataclass(frozen=True, kw_only=True)
class Stall:
    """A fault: after so many pieces nothing more comes, for ever."""

    after: int = 0


@dataclass(frozen=True)
class Reply:
    """One scripted answer. What is None is taken from the `Script`."""

    text: str
    stop_reason: StopReason = "stop"
    usage: Usage | None = None
    first_token_s: float | None = None
    delay_s: float | None = None
    response_model: str | None = None
    """What the provider calls the model that answered; None: as it was asked."""
    raw: str | None = None
    """The provider's last payload, as JSON text."""


Fault = ProviderError | Cut | Stall
Said = str | Reply | ProviderError
Answers = Callable[[Request], Said] | Mapping[str, Said] | Iterable[Said]
Faults = Iterable[Fault | None] | Callable[[Request], Fault | None]


class Script:
    """What a scripted model answers.

    `answers` is a function of the `Request`; or a list, handed out in the order of asking and begun
    again at its end; or a mapping from the last user message to its answer. An answer is a string, a
    `Reply`, or a `ProviderError` to be raised. `faults` happen to the first requests, one each (None:
    to this one nothing), or are a function of the request.

    `first_token_s` passes before the first piece, `delay_s` between the first and the last, both in
    seconds. `chunk` is the length of a piece in characters; None: a word. Tokens are counted as words
    unless a reply brings its own `usage`.

    >>> from labkit.catalog.model import Model
    >>> echo = Script(lambda request: request.messages[-1]["content"], version="1")
    >>> Model("scripted/echo", client=echo).dialect
    'scripted'
    """

    def __init__(
        self,
        answers: Answers,
        *,
        version: str | None = None,
        first_token_s: float = 0.0,
        delay_s: float = 0.0,
        chunk: int | None = None,
        faults: Faults = (),
    ) -> None:
        check(
            text("version", version, or_none=True),
            number("first_token_s", first_token_s, least=0),
            number("delay_s", delay_s, least=0),
            whole("chunk", chunk) if chunk is not None else [],
            _several("answers", answers),
            _several("faults", faults),
        )
        self.version = version
        self.first_token_s = first_token_s
        self.delay_s = delay_s
        self.chunk = chunk
        self.asked: list[Request] = []
        """Every request in the order of asking, so that a test can see what was asked."""
        self._answer = _answering(answers)
        self._fault = _failing(faults)

    def __repr__(self) -> str:
        return f"Script(version={self.version!r})"

    @classmethod
    def recorded(cls, generations: Any, *, version: str | None = None, speed: float | None = None) -> Script:
        """Answers that were given before: a frame or a list of dicts with at least `text`.

        Rows that are not `done` are left out. They are handed out in their order, unless there is a
        column `messages`: then each answers the request with equal messages. `stop_reason` and the
        token counts are taken where they are; with `speed` so are the clocks (`ttft_s`, `latency_s`),
        so many times faster.
        """
        check(number("speed", speed, above=0, or_none=True))
        several = generations.to_dict("records") if hasattr(generations, "to_dict") else generations
        if isinstance(several, str | bytes) or not isinstance(several, Iterable):
            raise DefinitionError(f"generations is {quoted(several)}; give a frame, or a list of dicts.")
        rows = list(several)
        if strange := [row for row in rows if not isinstance(row, Mapping)]:
            raise DefinitionError(f"generations has {quoted(strange[0])} in it; give a list of dicts.")
        done = [row for row in rows if row.get("status", "done") == "done"]
        if not done:
            raise DefinitionError("there is no finished generation among these records")
        replies = [_reply(row, speed) for row in done]
        if all("messages" in row for row in done):
            known = {_spelled(row["messages"]): reply for row, reply in zip(done, replies, strict=True)}
            return cls(lambda request: _found(known, _spelled(request.messages)), version=version)
        return cls(replies, version=version)

    def next(self, request: Request) -> tuple[Said, Fault | None]:
        """What is answered to `request`, and the fault that happens to it."""
        self.asked.append(request)
        fault = self._fault(request)
        return ("" if isinstance(fault, ProviderError) else self._answer(request)), fault


def plain(content: Any) -> str:
    """A message's content as plain text: its texts, a line each."""
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))


def _several(name: str, given: object) -> list[str]:
    if callable(given) or isinstance(given, Iterable):
        return []
    return [f"{name} is {quoted(given)}; a script takes a list, or a function of the request."]


def _answering(answers: Answers) -> Callable[[Request], Said]:
    if callable(answers):
        return answers
    if isinstance(answers, Mapping):
        known = dict(answers)
        return lambda request: _found(known, _asked(request))
    said = [answers] if isinstance(answers, str) else list(answers)
    if not said:
        raise DefinitionError("a script needs at least one answer")
    turns: Iterator[Said] = cycle(said)
    return lambda request: next(turns)


def _failing(faults: Faults) -> Callable[[Request], Fault | None]:
    if callable(faults):
        return faults
    turns = iter(list(faults))
    return lambda request: next(turns, None)


def _found(known: Mapping[str, Said], asked: str) -> Said:
    if asked not in known:
        raise InvalidRequest(f"the script has no answer to {asked[:200]!r}")
    return known[asked]


def _asked(request: Request) -> str:
    turns = [message for message in request.messages if message["role"] == "user"]
    return plain(turns[-1]["content"]) if turns else ""


def _spelled(messages: Any) -> str:
    from labkit.identity import canonical_json

    return messages if isinstance(messages, str) else canonical_json(messages).decode()


def _reply(row: Mapping[str, Any], speed: float | None) -> Reply:
    counts: dict[str, Any] = {
        name: _count(row.get(name)) for name in Usage.__struct_fields__ if name.endswith("_tokens")
    }
    clocks: dict[str, Any] = {}
    if speed is not None:
        first_s, whole_s = row.get("ttft_s") or 0.0, row.get("latency_s") or 0.0
        clocks = {"first_token_s": first_s / speed, "delay_s": max(0.0, whole_s - first_s) / speed}
    return Reply(
        row.get("text") or "",
        stop_reason=row.get("stop_reason") or "stop",
        usage=Usage(**counts) if any(count is not None for count in counts.values()) else None,
        response_model=row.get("response_model") or None,
        **clocks,
    )


def _count(value: Any) -> int | None:
    return None if value is None or value != value else int(value)
