"""What a plan will cost, as a value: tokens, USD and time as ranges, with assumptions, and how it is shown.

It computes nothing from designs, prices or history: see `forecast`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.visible import shown

if TYPE_CHECKING:
    import pandas as pd

RUBRIC = "the judge's rubric changed"
TOLD_FROM = 2
"""How many times what was seen the upper end may be without a word."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One model's share of an estimate: totals over its requests."""

    model: str
    requests: int
    input_low_tokens: int
    input_high_tokens: int
    output_low_tokens: int
    output_high_tokens: int
    cost_low_usd: float | None
    cost_high_usd: float | None
    cost_likely_usd: float | None = None
    """At the mean length seen before; None where some prompt was never answered, or without a price."""
    cost_seen_high_usd: float | None = None
    """At most, if no answer is longer than the longest seen; None where `cost_likely_usd` is."""
    unseen_share: float = 0.0
    """Of the answers: how many run to the limit at the upper end, while the others are as those seen."""
    output_limit_tokens: int
    """What an answer has at most: `max_tokens`, else the model's own limit, else what is assumed."""
    limit_assumed: bool = False
    """Whether it is assumed: the range holds while no answer is longer."""
    seconds: float | None
    """Until its endpoint is through, at the latency seen before; None where none was seen."""
    assumptions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class JudgePart(Part):
    """One judge's share: totals over the verdicts that are still to be asked for."""

    known: int
    """Verdicts that the lab has."""
    reasons: Mapping[str, int]
    """Why the others are not known, and how many each."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A range for what is still to be asked. Costs are USD; `unpriced` names models without a price.

    The true cost lies in the range 9 times in 10 where the samples asked so far were drawn at random, as
    `plan.pilot` does, and answers keep to a limit: `max_tokens`, else the model's own, else one that is
    assumed and told beside the range. How the lengths are spread does not matter for that, and so the range
    can be wide: ten answers of 3 tokens do not show that no other runs to 4,096. Where the upper end is more
    than twice what it were if none is longer than those seen, both are told. Input that is estimated from
    answers takes the other texts to be like theirs, as the assumptions say.

    >>> plan = lab.plan(prompts=["Say {{ word }}"], models=[echo], dataset=[{"word": "hi"}])
    >>> plan.estimate()
    Estimate(1 request; 0 known; USD 0.00)
    """

    requests: int
    known: int
    parts: tuple[Part, ...]
    judging: tuple[JudgePart, ...] = ()
    """What judges take; their cost is in the whole."""

    @property
    def every(self) -> tuple[Part, ...]:
        """The parts of all that is asked."""
        return (*self.parts, *self.judging)

    @property
    def unpriced(self) -> tuple[str, ...]:
        return tuple(part.model for part in self.every if part.cost_high_usd is None)

    @property
    def cost_low_usd(self) -> float:
        return sum(part.cost_low_usd or 0.0 for part in self.every)

    @property
    def cost_high_usd(self) -> float:
        return sum(part.cost_high_usd or 0.0 for part in self.every)

    @property
    def cost_likely_usd(self) -> float | None:
        """At the mean lengths seen; None where something was never answered or has no price."""
        likely = [part.cost_likely_usd for part in self.every]
        return None if None in likely else sum(usd for usd in likely if usd is not None)

    @property
    def cost_seen_high_usd(self) -> float | None:
        """At most, if no answer is longer than the longest seen; None where `cost_likely_usd` is."""
        highs = [part.cost_seen_high_usd for part in self.every]
        return None if None in highs else sum(usd for usd in highs if usd is not None)

    @property
    def seconds(self) -> float | None:
        """Endpoints run side by side, so the slowest decides, and judges one after the other when all
        answers are there; None when any model was never timed."""
        times = [part.seconds for part in self.parts]
        after = [part.seconds for part in self.judging if part.requests]
        if None in times or None in after:
            return None
        return max((t for t in times if t is not None), default=0.0) + sum(t for t in after if t is not None)

    @property
    def assumptions(self) -> tuple[str, ...]:
        return tuple(f"{part.model}: {words}" for part in self.every for words in part.assumptions)

    @property
    def cost(self) -> str:
        """In words: `USD 0.28–0.41, likely 0.33`, with "at least" where a price is not known, and with what
        the upper end rests on where that is more than what was seen."""
        least = "at least " if self.unpriced else ""
        low, high, likely = self.cost_low_usd, self.cost_high_usd, self.cost_likely_usd
        if low == high:
            return f"{least}USD {_usd(high)}"
        middle = "" if likely is None else f", likely {_usd(likely)}"
        return f"{least}USD {_usd(low)}–{_usd(high)}{middle}{self._unseen}{self._assumed}"

    @property
    def judges(self) -> str:
        """What judges take, in words; empty where there are none: `; judges: 80 verdicts, 0 known (the
        judge's rubric changed), USD 0.01–0.05 of it`."""
        if not self.judging:
            return ""
        total = sum(part.requests + part.known for part in self.judging)
        known = sum(part.known for part in self.judging)
        changed = any(RUBRIC in part.reasons for part in self.judging)
        told = f"{plural(total, 'verdict')}, {known:,} known{f' ({RUBRIC})' if changed else ''}"
        if None in (part.cost_high_usd for part in self.judging):
            return f"; judges: {told}, at a price that is not known"
        low, high = (
            sum(usd or 0.0 for usd in usds)
            for usds in zip(*((part.cost_low_usd, part.cost_high_usd) for part in self.judging), strict=True)
        )
        if not high:
            return f"; judges: {told}"
        return f"; judges: {told}, USD {_usd(high) if low == high else f'{_usd(low)}–{_usd(high)}'} of it"

    @property
    def _unseen(self) -> str:
        seen_high = self.cost_seen_high_usd
        if seen_high is None or self.cost_high_usd <= TOLD_FROM * seen_high:
            return ""
        most = share(max(part.unseen_share for part in self.every))
        return (
            f"; up to {_usd(seen_high)} if none is longer than those seen, "
            f"up to {_usd(self.cost_high_usd)} if {most} run to their token limit"
        )

    @property
    def _assumed(self) -> str:
        limits = [
            part.output_limit_tokens for part in self.every if part.limit_assumed and part.cost_high_usd
        ]
        if not limits:
            return ""
        return f"; assumes at most {_range(min(limits), max(limits))} tokens an answer, as no limit is known"

    def __str__(self) -> str:
        time = "" if not self.seconds else f"; about {duration(self.seconds)}"
        return f"{plural(self.requests, 'request')}; {self.known} known; {self.cost}{self.judges}{time}"

    def __repr__(self) -> str:
        return f"Estimate({self})"

    def frame(self) -> pd.DataFrame:
        """One row per model, the fields of `Part`: requests and tokens int64, USD and seconds float64 (NaN:
        not known), assumptions as one text."""
        import pandas as pd

        rows = [{name: getattr(part, name) for name in Part.__dataclass_fields__} for part in self.every]
        amounts = [name for name in Part.__dataclass_fields__ if name.endswith("_usd") or name == "seconds"]
        return (
            pd.DataFrame(rows, columns=list(Part.__dataclass_fields__))
            .assign(assumptions=["; ".join(part.assumptions) for part in self.every])
            .astype(dict.fromkeys(amounts, "float64"))
        )

    def _repr_html_(self) -> str:
        return f"<div>{html.escape(str(self))}</div>{self.table}"

    @property
    def table(self) -> str:
        """HTML: a row per model that is still to be asked; nothing where none is."""
        if not self.every:
            return ""
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(shown(part.model))}</td><td>{part.requests}</td>"
            f"<td>{_range(part.input_low_tokens, part.input_high_tokens)}</td>"
            f"<td>{_range(part.output_low_tokens, part.output_high_tokens)}</td><td>{_part_cost(part)}</td>"
            f"<td style='text-align:left'>{html.escape('; '.join(part.assumptions))}</td></tr>"
            for part in self.every
        )
        heads = ("model", "to ask", "input tokens", "output tokens", "USD", "assuming")
        head = "".join(f"<th>{name}</th>" for name in heads)
        head = f"<thead><tr>{head}</tr></thead>"
        return f"<table>{head}<tbody>{rows}</tbody></table>"


def share(part: float) -> str:
    """As a percentage, rounded up: `28%`."""
    return f"{math.ceil(100 * part)}%"


def _usd(amount: float) -> str:
    """Cents, or the first two digits that say something: `0.28`, `0.014`, `0.00005`."""
    if amount >= 0.0995 or amount == 0:
        return f"{amount:,.2f}"
    return f"{amount:.{1 - math.floor(math.log10(amount))}f}".rstrip("0")


def _range(low: int, high: int) -> str:
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def _part_cost(part: Part) -> str:
    if part.cost_low_usd is None or part.cost_high_usd is None:
        return "unknown"
    if part.cost_low_usd == part.cost_high_usd:
        return _usd(part.cost_high_usd)
    return f"{_usd(part.cost_low_usd)}–{_usd(part.cost_high_usd)}"


def duration(seconds: float) -> str:
    """Seconds, or minutes from a minute and a half on: `40 s`, `3 min`."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def plural(count: int, noun: str) -> str:
    """`1 request`, `1,200 requests`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
