"""What an answer says, piece by piece, and the reasoning that is kept apart from it.

Reasoning models answer `<think>…</think>` and then the answer; some have their chat template open the tag, so
that only its end is written. A tag that opens later in an answer is a part of the answer. It reads no clock
and knows no provider.
"""

from __future__ import annotations

_BEFORE, _INSIDE, _AFTER = range(3)


class AnswerText:
    """The text of one answer. `tag` is the word in the tag of its reasoning; None: there is no such tag.

    >>> told = AnswerText("think")
    >>> [told.take(piece) for piece in ("<thi", "nk>3 + 4?</th", "ink>\\n", "7")]
    ['', '', '', '7']
    >>> told.said(), told.reasoning()
    ('7', '3 + 4?')
    """

    __slots__ = ("_begins", "_ends", "_held", "_place", "_thoughts", "_unopened", "pieces")

    def __init__(self, tag: str | None) -> None:
        self.pieces: list[str] = []
        """Of the text so far. Taken back if they turn out to be reasoning, which a piece with `>` tells."""
        self._begins, self._ends = f"<{tag}>", f"</{tag}>"
        self._place = _AFTER if tag is None else _BEFORE
        self._unopened = tag is not None
        """Whether an end of the tag would be that of one nobody opened."""
        self._held = ""
        self._thoughts: list[str] = []

    def think(self, delta: str) -> None:
        """More reasoning, told apart from the text."""
        self._thoughts.append(delta)

    def take(self, delta: str) -> str:
        """More of what came; gives what of it is text."""
        if self._place == _AFTER:
            self.pieces.append(delta)
            return self._end_unopened(delta) if self._unopened and ">" in delta else delta
        self._held += delta
        return self._begin() if self._place == _BEFORE else self._go_on_thinking()

    def said(self) -> str:
        """All text so far."""
        held = self._held if self._unopened else self._held.lstrip()
        return "".join(self.pieces) + (held if self._place == _BEFORE else "")

    def reasoning(self) -> str:
        """All reasoning so far."""
        return "".join(self._thoughts) + (self._held if self._place == _INSIDE else "")

    def _begin(self) -> str:
        text = self._held.lstrip()
        if text.startswith(self._begins):
            self._place, self._unopened = _INSIDE, False
            self._held = text[len(self._begins) :]
            return self._go_on_thinking()
        if self._begins.startswith(text):
            return ""
        # Blanks between the reasoning and the answer belong to neither.
        text = self._held if self._unopened else text
        self._place, self._held = _AFTER, ""
        return self.take(text)

    def _go_on_thinking(self) -> str:
        thought, ended, rest = self._held.partition(self._ends)
        if ended:
            self._thoughts.append(thought)
            self._place, self._held = _BEFORE, rest
            return self._begin()
        keep = len(self._ends) - 1
        self._thoughts.append(self._held[:-keep])
        self._held = self._held[-keep:]
        return ""

    def _end_unopened(self, delta: str) -> str:
        if self._ends not in "".join(self.pieces[-len(self._ends) :]):
            return delta
        self._unopened = False
        thought, _, rest = "".join(self.pieces).partition(self._ends)
        if self._begins in thought:
            return delta
        self._thoughts.append(thought)
        self.pieces.clear()
        self._place, self._held = _BEFORE, rest
        return self._begin()
