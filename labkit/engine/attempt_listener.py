"""Listens to one answer while it comes: keeps its text and reads the clock at each arrival.

The only place where an answer meets the clock. It does not know what the text means or who sent it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter

from labkit.engine.answer_text import AnswerText
from labkit.records import Cell


class AttemptListener:
    """The `Listener` of one attempt. Times are seconds since `sent`, which is when it was made.

    `accepted` is called when the provider begins to answer, `show` with each piece of text; `think_tag` is
    the word in the tag that parts reasoning from the text.
    """

    __slots__ = (
        "_accepted",
        "_cell",
        "_show",
        "_told",
        "first_event_s",
        "headers",
        "heard",
        "sent",
        "ttft_s",
    )

    def __init__(
        self,
        cell: Cell,
        show: Callable[[Cell, str], None] | None,
        accepted: Callable[[], None],
        *,
        think_tag: str | None = None,
    ) -> None:
        self._cell = cell
        self._accepted = accepted
        self._show = show
        self._told = AnswerText(think_tag)
        self.headers: Mapping[str, str] = {}
        self.first_event_s: float | None = None
        self.ttft_s: float | None = None
        self.sent = self.heard = perf_counter()

    def opened(self, headers: Mapping[str, str]) -> None:
        """The response's head arrived."""
        self.headers = headers
        self.heard = perf_counter()
        self._accepted()

    def event(self) -> None:
        """Something arrived that is no visible text."""
        self.heard = perf_counter()
        if self.first_event_s is None:
            self.first_event_s = self.heard - self.sent

    def thought(self, delta: str) -> None:
        """More reasoning arrived."""
        self.event()
        self._told.think(delta)

    def text(self, delta: str) -> None:
        """More visible text arrived, or reasoning in a tag."""
        self.heard = perf_counter()
        pieces = self._told.pieces
        if pieces and ">" not in delta:
            pieces.append(delta)
        else:
            delta = self._told.take(delta)
            if len(pieces) < 2:
                # The first text, or none yet: what had come before it was reasoning.
                self.ttft_s = self.heard - self.sent if delta else None
                if self.first_event_s is None:
                    self.first_event_s = self.heard - self.sent
        if delta and self._show is not None:
            self._show(self._cell, delta)

    def said(self) -> str:
        """All text so far."""
        return self._told.said()

    def reasoning(self) -> str:
        """All reasoning so far."""
        return self._told.reasoning()
