"""What a plan will cost, as a range with its assumptions. It asks nobody but a local model's tokenizer.

Input tokens are counted by tiktoken where its vocabulary is here, exactly by the local server, else
from the text's length. Output lies between one token and `max_tokens`, or between what the lab saw of the
same prompt and model before. A price the catalog does not know is named, and the total then says "at least".
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit import tokens
from labkit.catalog.model import Model
from labkit.design import Design, Place
from labkit.records import Message
from labkit.visible import shown

ROUGHLY_TIKTOKEN, ROUGHLY_BYTES = 0.02, 0.25
"""How far a count from tiktoken (the chat format is not promised) or from bytes may be off, each way."""
UNBOUNDED_OUTPUT_TOKENS = 4096
"""What an answer without `max_tokens` is assumed to be at most, where the model's own limit is not known."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One model's share of an estimate."""

    model: str
    requests: int
    input_low_tokens: int
    input_high_tokens: int
    output_low_tokens: int
    output_high_tokens: int
    cost_low_usd: float | None
    cost_high_usd: float | None
    seconds: float | None
    """At the latency and concurrency seen before; None where none was seen."""
    assumptions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A range for what is still to be asked. Costs are USD; `unpriced` names models without a price."""

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
    def seconds(self) -> float | None:
        """Models run side by side, so the slowest decides; None when any of them was never timed."""
        times = [part.seconds for part in self.parts]
        return None if None in times else max((t for t in times if t is not None), default=0.0)

    @property
    def assumptions(self) -> tuple[str, ...]:
        return tuple(f"{part.model}: {words}" for part in self.parts for words in part.assumptions)

    @property
    def cost(self) -> str:
        """The range in words: `USD 0.28–0.41`, with "at least" where a price is not known."""
        least = "at least " if self.unpriced else ""
        low, high = self.cost_low_usd, self.cost_high_usd
        if low == high:
            return f"{least}USD {_usd(high)}"
        return f"{least}USD {_usd(low)}–{_usd(high)}"

    def __str__(self) -> str:
        time = "" if self.seconds is None else f"; about {_duration(self.seconds)}"
        return f"{self.requests} requests; {self.known} known; {self.cost}{time}"

    def __repr__(self) -> str:
        return f"Estimate({self})"

    def frame(self) -> Any:
        """One row per model: requests, tokens and USD, low and high, seconds, assumptions."""
        import pandas as pd

        rows = [{name: getattr(part, name) for name in Part.__dataclass_fields__} for part in self.parts]
        return pd.DataFrame(rows, columns=list(Part.__dataclass_fields__)).assign(
            assumptions=["; ".join(part.assumptions) for part in self.parts]
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


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One prompt on one model as the lab saw it: output tokens (5th, 95th percentile), mean latency."""

    output_low_tokens: float
    output_high_tokens: float
    latency_s: float | None
    n: int


Count = Callable[[Model, Sequence[Message]], tuple[int, int, str]]
"""A model and messages → lowest and highest input tokens, and how they were counted."""


def count(model: Model, messages: Sequence[Message]) -> tuple[int, int, str]:
    """Input tokens without asking anybody. An estimate from length is widened by a quarter each way."""
    counted = tokens.estimate(model, messages)
    slack = 0 if counted.exact else ROUGHLY_TIKTOKEN if tokens.vocabulary(model) else ROUGHLY_BYTES
    return int(counted.tokens * (1 - slack)), math.ceil(counted.tokens * (1 + slack)), counted.how


def estimate(
    design: Design,
    places: Sequence[Place],
    *,
    pricers: Sequence[Any],
    seen: Mapping[tuple[str, str], Seen],
    counting: Mapping[int, Count],
    concurrency: Sequence[int],
) -> Estimate:
    """Add up what `places` would cost. `seen` is keyed by prompt name and model id, `counting` by model."""
    parts = []
    for m, model in enumerate(design.models):
        mine = [place for place in places if place.model == m]
        if mine:
            parts.append(_part(design, model, mine, pricers[m], seen, counting.get(m, count), concurrency[m]))
    return Estimate(requests=len(design.places), known=len(design.places) - len(places), parts=tuple(parts))


def _part(
    design: Design,
    model: Model,
    places: Sequence[Place],
    pricer: Any,
    seen: Mapping[tuple[str, str], Seen],
    counter: Count,
    concurrency: int,
) -> Part:
    m = places[0].model
    limit, assumed = _output_limit(model, design.params[m])
    counted: dict[tuple[int, int], tuple[int, int, str]] = {}
    totals = [0, 0, 0.0, 0.0]
    cost_low = cost_high = 0.0
    waits: list[float] = []
    priced = True
    histories = 0
    for place in places:
        key = place.prompt, place.sample
        if key not in counted:
            counted[key] = counter(model, design.messages[key])
        low, high, _ = counted[key]
        past = seen.get((design.prompts[place.prompt].name, model.id))
        out_low = past.output_low_tokens if past else 1
        out_high = min(past.output_high_tokens, limit) if past else limit
        histories += past is not None
        if past and past.latency_s is not None:
            waits.append(past.latency_s)
        for position, value in enumerate((low, high, out_low, out_high)):
            totals[position] += value
        usd_low, usd_high = pricer.worst_usd(low, int(out_low)), pricer.worst_usd(high, int(out_high))
        priced = priced and usd_low is not None and usd_high is not None
        cost_low, cost_high = cost_low + (usd_low or 0.0), cost_high + (usd_high or 0.0)
    ways = sorted({how for _, _, how in counted.values()})
    assumptions = [f"input by {' and '.join(ways)}"]
    if histories < len(places):
        assumptions.append(f"output between 1 and {limit:,} tokens ({assumed})")
    if histories:
        assumptions.append(f"output as seen before for {histories} of {len(places)}")
    if not priced:
        assumptions.append("price not known")
    return Part(
        model=model.id,
        requests=len(places),
        input_low_tokens=int(totals[0]),
        input_high_tokens=int(totals[1]),
        output_low_tokens=int(totals[2]),
        output_high_tokens=int(totals[3]),
        cost_low_usd=cost_low if priced else None,
        cost_high_usd=cost_high if priced else None,
        seconds=sum(waits) / concurrency if len(waits) == len(places) else None,
        assumptions=tuple(assumptions),
    )


def _output_limit(model: Model, params: Mapping[str, Any]) -> tuple[int, str]:
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        if isinstance(params.get(name), int):
            return params[name], name
    if model.max_output:
        return model.max_output, "the model's limit; set max_tokens to narrow it"
    return UNBOUNDED_OUTPUT_TOKENS, "assumed; set max_tokens"


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


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
