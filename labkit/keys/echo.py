"""Takes a key out of an answer in which a server sends it back, while the answer comes in.

In whole or in large part, plain, encoded or escaped, also split over events. An answer may well hold what
looks like a key, so only the endpoint's own keys are taken out, and only long ones: a short word such as
`ollama` is in many answers by right. It does not know what an event is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from labkit.keys.key import Key
from labkit.keys.scrub import PIECE, forms, letters, may_be_escaped, unescaped, without_pieces
from labkit.records import Answer, Listener

_SHORTEST = 12
_HEAD = 4
_SHOWN = _HEAD - 1
_WIDEST = 8
"""So many characters may spell one of a key: `\\\\u0073`."""


class Echo:
    """What is looked for of some keys: so little that it costs an answer nothing."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = tuple(key for key in keys if len(key.reveal()) >= _SHORTEST)
        spelled = [form for key in self.keys for form in forms(key)]
        self.heads = tuple(dict.fromkeys(form[:_HEAD] for form in spelled))
        self.longest = max(map(len, spelled), default=0)
        self._spelled = tuple(spelled)
        # The first piece is what many keys have in common (`sk-proj-`).
        starts = [(form, start) for form in spelled for start in range(PIECE, len(form) - PIECE + 1, PIECE)]
        whole = [form for form in spelled if len(form) < 2 * PIECE]
        self._blocks = tuple(dict.fromkeys([*(form[at : at + PIECE] for form, at in starts), *whole]))

    def cleaned(self, text: str | None) -> str | None:
        """`text`, without a key if there is one in it."""
        if not text or not self.keys:
            return text
        plain = unescaped(text)
        if any(block in plain for block in self._blocks):
            return without_pieces(plain, self.keys)
        return text

    def begun(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of a key, also an escaped one."""
        cut = max(0, len(text) - self.longest * _WIDEST)
        spelled = letters(text[cut:])
        plain = "".join(letter for letter, _ in spelled)
        for start in range(max(0, len(plain) - self.longest), len(plain) - _HEAD + 1):
            if any(form.startswith(plain[start:]) for form in self._spelled):
                return len(text) - cut - spelled[start][1]
        # Of an escape nobody can say yet which letter it is.
        return len(text) - cut - spelled[-1][1] if spelled and not spelled[-1][0] else 0


class _Flow:
    """Text that comes piece by piece; what may be the beginning of a key waits for the next."""

    __slots__ = ("_echo", "_held", "_shown")

    def __init__(self, echo: Echo) -> None:
        self._echo = echo
        self._shown = ""
        self._held = ""

    def take(self, delta: str) -> str:
        """More of it came; gives what of it may be passed on."""
        text = self._held + delta
        seen = self._shown + text
        if (
            not self._held
            and not may_be_escaped(delta)
            and not any(head in seen for head in self._echo.heads)
        ):
            return self._clean(delta)
        waiting = min(self._echo.begun(seen), len(text))
        self._held = text[len(text) - waiting :]
        return self._clean(text[: len(text) - waiting])

    def rest(self) -> str:
        """Nothing more comes: what waited is no beginning."""
        text, self._held = self._held, ""
        return self._clean(text)

    def _clean(self, text: str) -> str:
        # A model's event is short; what could be found in it alone is not.
        clean = (self._echo.cleaned(text) or "") if len(text) >= PIECE else text
        self._shown = unescaped((self._shown + clean)[-_SHOWN * _WIDEST :])[-_SHOWN:]
        return clean


class Unechoed:
    """A listener that passes on what it hears, but no key."""

    def __init__(self, listener: Listener, echo: Echo) -> None:
        self._listener = listener
        self._text, self._thoughts = _Flow(echo), _Flow(echo)

    def opened(self, headers: Mapping[str, str]) -> None:
        self._listener.opened(headers)

    def event(self) -> None:
        self._listener.event()

    def text(self, delta: str) -> None:
        if text := self._text.take(delta):
            self._listener.text(text)
        else:
            self._listener.event()

    def thought(self, delta: str) -> None:
        if thought := self._thoughts.take(delta):
            self._listener.thought(thought)
        else:
            self._listener.event()

    def rest(self) -> None:
        """Nothing more comes."""
        if text := self._text.rest():
            self._listener.text(text)
        if thought := self._thoughts.rest():
            self._listener.thought(thought)


def cleaned(answer: Answer, echo: Echo) -> Answer:
    """The answer without a key in what the server said of it."""
    from msgspec.structs import replace

    names = ("raw", "response_id", "response_model")
    kept = {name: getattr(answer, name) for name in names}
    clean = {name: echo.cleaned(value) for name, value in kept.items()}
    return answer if clean == kept else replace(answer, **clean)


def echo_of(keys: Sequence[Key]) -> Echo | None:
    """What to look for, if there is anything."""
    echo = Echo(keys)
    return echo if echo.keys else None
