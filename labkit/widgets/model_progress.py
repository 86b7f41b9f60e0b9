"""What one model did so far in a run, in numbers and in one line of words. It knows one model only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from time import monotonic

from labkit.dollars import usd
from labkit.records import Generation
from labkit.summary import cut_answers


@dataclass(frozen=True, slots=True)
class Before:
    """What earlier launches of the run had of a model."""

    cost_usd: float = 0.0
    cost_unknown: int = 0
    """Answers whose cost is not known."""
    lacks: Counter[str] = field(default_factory=Counter)
    """How many of its answers are cut, empty or refused."""


@dataclass(slots=True)
class ModelProgress:
    """Counts of one model's cells in the whole run; costs in USD, clocks of this launch in seconds."""

    total: int = 0
    settled: int = 0
    """Done by an earlier launch of the run."""
    before: Before = field(default_factory=Before)
    done: int = 0
    failed: int = 0
    stopped: int = 0
    replayed: int = 0
    in_flight: int = 0
    waiting: int = 0
    waiting_until: float = 0.0
    waiting_why: str = ""
    cost_usd: float = 0.0
    """Of this launch alone, as all that follows but `lacks`."""
    cost_unknown: int = 0
    output_tokens: int = 0
    asked_s: float = 0.0
    ttft_s: list[float] = field(default_factory=list)
    stopping: bool = False
    """Nothing more is asked of it."""
    lacks: Counter[str] = field(default_factory=Counter)
    """How many of the run's done are cut, empty or refused."""

    def __post_init__(self) -> None:
        self.lacks.update(self.before.lacks)

    @property
    def ended(self) -> int:
        """Cells that were asked, or known, and are over; those that are not asked are none of them."""
        return self.settled + self.done + self.failed

    @property
    def left(self) -> int:
        """Cells that may still be asked."""
        return self.total - self.ended - self.stopped

    @property
    def answered(self) -> int:
        """Answers that were asked for in this launch."""
        return self.done - self.replayed

    def left_queue(self, *, waited: bool, first: bool) -> None:
        """A request left."""
        if waited:
            self.waiting -= 1
            self.in_flight += 1
        elif first:
            self.in_flight += 1

    def wait(self, seconds: float, why: str, *, was: str) -> None:
        """A request waits before it is sent, again or at all; what it `was` is its panel's state."""
        if was != "waiting":
            self.waiting += 1
            self.in_flight = max(0, self.in_flight - (was != "queued"))
        self.waiting_until, self.waiting_why = monotonic() + seconds, why

    def end(self, generation: Generation, *, waited: bool) -> None:
        """A cell is on disk."""
        if waited:
            self.waiting -= 1
        elif generation.attempts and generation.replayed_from is None:
            self.in_flight = max(0, self.in_flight - 1)
        if generation.replayed_from is not None:
            self.replayed += 1
        elif generation.attempts:
            self.cost_usd += generation.cost_usd or 0.0
            self.cost_unknown += generation.cost_usd is None and generation.status == "done"
            self.output_tokens += generation.output_tokens or 0
            self.asked_s += generation.latency_s or 0.0
            if generation.ttft_s is not None:
                self.ttft_s.append(generation.ttft_s)
        if generation.status == "done":
            self.done += 1
            self.lacks.update(cut_answers.of_row(generation))
        elif generation.status == "stopped":
            self.stopped += 1
        else:
            self.failed += 1

    @property
    def words(self) -> str:
        """Its median time to first token, its speed, its cost, and what it waits for."""
        parts = []
        if self.ttft_s:
            parts.append(f"TTFT {median(self.ttft_s):.2f} s")
        if self.asked_s and self.output_tokens:
            parts.append(f"{self.output_tokens / self.asked_s:.0f} tokens/s")
        if self.answered or self.cost_usd or self.before.cost_usd:
            parts.append(cost_words([self]))
        if self.waiting and (left_s := self.waiting_until - monotonic()) > 0:
            parts.append(f"waits {left_s:.0f} s: {self.waiting_why}")
        return " · ".join(parts)


def cost_words(tallies: Iterable[ModelProgress], *, before_usd: float | None = None) -> str:
    """The cost of all in words, with `before_usd` for what earlier launches spent (by default what their
    answers cost); "at least" where some answer's is not known.

    >>> cost_words([ModelProgress(cost_usd=0.0123), ModelProgress(cost_unknown=1)])
    'at least USD 0.0123'
    >>> cost_words([ModelProgress(cost_usd=0.02, before=Before(cost_usd=0.1))])
    'USD 0.12'
    """
    listed = list(tallies)
    least = "at least " if any(tally.cost_unknown + tally.before.cost_unknown for tally in listed) else ""
    if before_usd is None:
        before_usd = sum(tally.before.cost_usd for tally in listed)
    return f"{least}USD {usd(before_usd + sum(tally.cost_usd for tally in listed))}"


def duration(seconds: float) -> str:
    """Seconds in words.

    >>> [duration(x) for x in (8, 200, 9000)]
    ['8 s', '3 min', '2.5 h']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
