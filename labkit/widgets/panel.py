"""One request of a run while it goes: its state in a word, its text so far, its clocks.

A panel is written by one thread (the one that tells what happens to its cell) and read by any number of
views without a lock: text is only ever appended, and a new `take` says that it began anew. It does not
know how it is drawn.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from time import monotonic

from labkit.records import Generation, Score

SHOWN_CHARS = 20_000
"""How much of one answer is kept for showing; the lab has it whole."""
KEPT_CHARS = 8_000_000
"""Text of finished answers kept for paging through them; of older ones the beginning stays."""
ENDED = frozenset({"done", "known", "failed", "partial", "stopped"})


@dataclass(slots=True, eq=False)
class Panel:
    """One cell. `state`: queued, waiting, asking, streaming, done, known, failed, partial or stopped."""

    number: int
    model: str
    state: str = "queued"
    note: str = ""
    """Why it waits, failed or was stopped."""
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    """Characters so far, those not kept included."""
    take: int = 0
    """Counts how often the text began anew."""
    version: int = 0
    """Counts every change."""
    sent_at: float = 0.0
    first_at: float = 0.0
    ttft_s: float | None = None
    latency_s: float | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    stop_reason: str = ""
    attempt: int = 0
    scores: dict[str, Score] = field(default_factory=dict)
    """By scorer, the latest of each."""

    @property
    def over(self) -> bool:
        return self.state in ENDED

    @property
    def going(self) -> bool:
        """It was asked and is not over."""
        return self.state in ("asking", "streaming", "waiting")

    @property
    def now(self) -> Panel:
        """What is to be shown of it; of a chain's line, the step it is in."""
        return self

    @property
    def place(self) -> str:
        """Where it is; only a chain's line is somewhere."""
        return ""

    @property
    def earlier(self) -> list[tuple[str, Panel]]:
        """What was answered before it, by name; only in a chain's line is something."""
        return []

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def sent(self, attempt: int) -> None:
        """A request left; what an earlier attempt said no longer counts."""
        if self.pieces:
            self.begin_anew([])
        self.state, self.note, self.attempt = "asking", "", attempt
        self.sent_at, self.first_at, self.ttft_s = monotonic(), 0.0, None
        self.version += 1

    def add(self, delta: str) -> None:
        """More text."""
        if not self.first_at:
            self.state, self.first_at = "streaming", monotonic()
            self.ttft_s = self.first_at - self.sent_at
        room = SHOWN_CHARS - self.length
        self.length += len(delta)
        if room > 0:
            self.pieces.append(delta if len(delta) <= room else delta[:room])
        self.version += 1

    def wait(self, why: str) -> None:
        """It waits before it is asked again."""
        self.state, self.note = "waiting", why
        self.version += 1

    def end(self, generation: Generation) -> None:
        """It is on disk."""
        text = generation.text or ""
        self.length = len(text)
        kept = text[:SHOWN_CHARS]
        if self.text != kept:
            self.begin_anew([kept] if kept else [])
        elif len(self.pieces) > 1:
            self.pieces = [kept]  # the same text in one piece; views count characters, not pieces
        replayed = generation.replayed_from is not None
        self.state = "known" if replayed and generation.status == "done" else generation.status
        self.note = "" if generation.status == "done" else _why(generation)
        self.stop_reason = generation.stop_reason or ""
        self.ttft_s, self.latency_s = generation.ttft_s, generation.latency_s
        self.output_tokens, self.cost_usd = generation.output_tokens, generation.cost_usd
        self.version += 1

    def score(self, score: Score) -> None:
        """It has a value."""
        self.scores = {**self.scores, score.scorer: score}
        self.version += 1

    def forget(self, *, keep: int = 200) -> None:
        """Give up all but the beginning of a finished text."""
        self.begin_anew([self.text[:keep]])
        self.version += 1

    def begin_anew(self, pieces: list[str]) -> None:
        """Another text. Readers look at `take` before `pieces`, so this order is what keeps them right."""
        if not pieces:
            self.length = 0
        self.pieces = pieces
        self.take += 1


class Finished:
    """Panels that are over, whose text is kept as long as it is not too much in all."""

    def __init__(self) -> None:
        self._panels: deque[Panel] = deque()
        self._chars = 0

    def keep(self, panel: Panel) -> None:
        """One more; where it is too much, the oldest give up their text."""
        self._panels.append(panel)
        self._chars += min(panel.length, SHOWN_CHARS)
        while self._chars > KEPT_CHARS and len(self._panels) > 1:
            oldest = self._panels.popleft()
            self._chars -= min(oldest.length, SHOWN_CHARS)
            oldest.forget()


def _why(generation: Generation) -> str:
    said = generation.error_message or ""
    kind = generation.error_type or ""
    return f"{kind}: {said}" if kind and said else kind or said
