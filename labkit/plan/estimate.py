"""What a plan will cost, as a value: tokens, USD and time as ranges, with assumptions, and how it is shown.

It computes nothing from designs, prices or history: see `forecast`.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.visible import shown

if TYPE_CHECKING:
    import pandas as pd


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
    seconds: float | None
    """Until its endpoint is through, at the latency seen before; None where none was seen."""
    assumptions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A range for what is still to be asked. Costs are USD; `unpriced` names models without a price.

    >>> plan = lab.plan(prompts=["Say {{ word }}"], models=[echo], dataset=[{"word": "hi"}])
    >>> plan.estimate()
    Estimate(1 request; 0 known; USD 0.00)
    """

    requests: int
    known: int
    parts: tuple[Part, ...]

    @property
    def unpriced(self) -> tuple[str, ...]:
        return tuple(part.model for part in self.parts if part.cost_high_usd is None)

    @property
    def cost_low_usd(self) -> float:
        return sum(part.cost_low_usd or 0.0 for part in self.parts)

    @property
    def cost_high_usd(self) -> float:
        return sum(part.cost_high_usd or 0.0 for part in self.parts)

    @property
    def cost_likely_usd(self) -> float | None:
        """At the mean lengths seen; None where something was never answered or has no price."""
        likely = [part.cost_likely_usd for part in self.parts]
        return None if None in likely else sum(usd for usd in likely if usd is not None)

    @property
    def seconds(self) -> float | None:
        """Endpoints run side by side, so the slowest decides; None when any model was never timed."""
        times = [part.seconds for part in self.parts]
        return None if None in times else max((t for t in times if t is not None), default=0.0)

    @property
    def assumptions(self) -> tuple[str, ...]:
        return tuple(f"{part.model}: {words}" for part in self.parts for words in part.assumptions)

    @property
    def cost(self) -> str:
        """In words: `USD 0.28–0.41, likely 0.33`, with "at least" where a price is not known."""
        least = "at least " if self.unpriced else ""
        low, high, likely = self.cost_low_usd, self.cost_high_usd, self.cost_likely_usd
        if low == high:
            return f"{least}USD {_usd(high)}"
        middle = "" if likely is None else f", likely {_usd(likely)}"
        return f"{least}USD {_usd(low)}–{_usd(high)}{middle}"

    def __str__(self) -> str:
        time = "" if not self.seconds else f"; about {duration(self.seconds)}"
        return f"{plural(self.requests, 'request')}; {self.known} known; {self.cost}{time}"

    def __repr__(self) -> str:
        return f"Estimate({self})"

    def frame(self) -> pd.DataFrame:
        """One row per model, the fields of `Part`: requests and tokens int64, USD and seconds float64 (NaN:
        not known), assumptions as one text."""
        import pandas as pd

        rows = [{name: getattr(part, name) for name in Part.__dataclass_fields__} for part in self.parts]
        amounts = [name for name in Part.__dataclass_fields__ if name.endswith("_usd") or name == "seconds"]
        return (
            pd.DataFrame(rows, columns=list(Part.__dataclass_fields__))
            .assign(assumptions=["; ".join(part.assumptions) for part in self.parts])
            .astype(dict.fromkeys(amounts, "float64"))
        )

    def _repr_html_(self) -> str:
        told = html.escape(str(self))
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(shown(part.model))}</td><td>{part.requests}</td>"
            f"<td>{_range(part.input_low_tokens, part.input_high_tokens)}</td>"
            f"<td>{_range(part.output_low_tokens, part.output_high_tokens)}</td><td>{_part_cost(part)}</td>"
            f"<td style='text-align:left'>{html.escape('; '.join(part.assumptions))}</td></tr>"
            for part in self.parts
        )
        heads = ("model", "to ask", "input tokens", "output tokens", "USD", "assuming")
        head = "".join(f"<th>{name}</th>" for name in heads)
        head = f"<thead><tr>{head}</tr></thead>"
        return f"<div>{told}</div><table>{head}<tbody>{rows}</tbody></table>"


def _usd(amount: float) -> str:
    return f"{amount:.2f}" if amount >= 0.1 or amount == 0 else f"{amount:.2g}"


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
