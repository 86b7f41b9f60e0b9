"""From a design, its prices and what was seen before to an estimate.

Input is counted (`token_counts`). Output lies between one token and `max_tokens` each; where the same prompt
was answered by the same model before, its total is told from those answers (`labkit.stats.total_interval`).
It does not know failures and retries, and takes the samples to come to be like those seen.

Of a kind of answer that was not seen yet, as when a model reasons about some rows only, an answer is taken
to have at most `UNSEEN_TYPICAL` times the median or `UNSEEN_LONGEST` times the longest seen, and never more
than `max_tokens`. With that the true total lies in the range in at least 90 % of studies for what
`benchmarks/estimates.py` simulates: constant, measured, bimodal (5 to 50 % of rows 10 to 50 times longer)
and lognormal lengths up to sigma 1.5. Heavier tails without a `max_tokens` break it: lognormal lengths of
sigma 2 lie in the range in 82 to 85 % of studies after 5 answers, in 88 to 89 % after 50.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from labkit.catalog.model import Model
from labkit.catalog.prices import Pricer
from labkit.design import Design, Place
from labkit.plan.estimate import Estimate, Part, plural
from labkit.plan.past_answers import Seen
from labkit.plan.token_counts import Count, Counts, Ends, count
from labkit.records import Message

LEVEL, DRAWN = 0.9, 0.92
"""What the range promises, and the level it is computed at, so that the worst simulated cell keeps to it."""
UNBOUNDED_OUTPUT_TOKENS = 4096
"""What an answer without `max_tokens` is assumed to be at most, where the model's own limit is not known."""
UNSEEN_TYPICAL, UNSEEN_LONGEST = 30, 2
CACHED_FROM_TOKENS = 1024
"""OpenAI reads and writes its cache unasked from so many input tokens on; others may do so at any length."""


class Span(NamedTuple):
    """What a request has on average: at least, at most, and likely (None: nothing was seen)."""

    low: float
    high: float
    likely: float | None
    words: str


def forecast(
    design: Design,
    places: Sequence[Place],
    *,
    pricers: Sequence[Pricer],
    seen: Mapping[tuple[int, int], Seen],
    counting: Mapping[int, Count],
    queues: Sequence[tuple[Any, int]],
) -> Estimate:
    """Add up what `places` would cost.

    `seen` is keyed by positions of prompt and model, `counting` by model's; `queues` has for each model what
    is the same for models that share an endpoint's places, and how many there are.
    """
    by_model: list[list[Place]] = [[] for _ in design.models]
    for place in places:
        by_model[place.model].append(place)
    seconds = _seconds(design, by_model, seen, queues)
    parts = [
        _part(design, m, mine, pricers[m], seen, counting.get(m, count), seconds[m])
        for m, mine in enumerate(by_model)
        if mine
    ]
    return Estimate(requests=len(design.places), known=len(design.places) - len(places), parts=tuple(parts))


def _part(
    design: Design,
    m: int,
    places: Sequence[Place],
    pricer: Pricer,
    seen: Mapping[tuple[int, int], Seen],
    counter: Count,
    seconds: float | None,
) -> Part:
    model = design.models[m]
    cells = Counter((place.prompt, place.sample) for place in places)
    ways: set[str] = set()
    right: set[str] = set()
    words: list[str] = []
    entering = leaving = usd = (0.0, 0.0, 0.0)
    priced = known = True
    prompts = dict.fromkeys(prompt for prompt, _ in cells)
    for prompt in prompts:
        mine = {sample: number for (p, sample), number in cells.items() if p == prompt}
        past = seen.get((prompt, m))
        counts = Counts(design, prompt, m, samples=mine, counter=counter, past=past, level=LEVEL)
        # Repeats of a sample may all be alike, so what is to come counts by samples where there are some.
        units = len(mine) if past is None or past.by_sample else sum(mine.values())
        out = output(past, model, design.params[m], units=units)
        words.append(
            f"prompt '{design.prompts[prompt].name}': {out.words}" if len(prompts) > 1 else out.words
        )
        known = known and out.likely is not None
        leave = out.low, out.high, out.likely or 0.0
        for sample, number in mine.items():
            enter = counts.of(sample)
            cached = "cache_control" in design.params[m] or _cacheable(
                model, design.messages[prompt, sample], enter[1]
            )
            cost = _cost(pricer, enter, leave, cached=cached)
            priced = priced and cost is not None
            entering, leaving = _add(entering, enter, number), _add(leaving, leave, number)
            usd = _add(usd, cost or (0.0, 0.0, 0.0), number)
        ways |= counts.ways
        right |= {counts.right} - {""}
    return Part(
        model=model.id,
        requests=len(places),
        input_low_tokens=math.floor(entering[0]),
        input_high_tokens=math.ceil(entering[1]),
        output_low_tokens=math.floor(leaving[0]),
        output_high_tokens=math.ceil(leaving[1]),
        cost_low_usd=usd[0] if priced else None,
        cost_high_usd=usd[1] if priced else None,
        cost_likely_usd=usd[2] if priced and known else None,
        seconds=seconds,
        assumptions=(
            ", ".join([f"input by {' and '.join(sorted(ways))}", *sorted(right)]),
            *dict.fromkeys(words),
            *(() if priced else ("price not known",)),
        ),
    )


def output(past: Seen | None, model: Model, params: Mapping[str, Any], *, units: int) -> Span:
    """Output tokens of a request, averaged over `units` to be asked: samples or answers, as in `past`."""
    limit, assumed, sure = _output_limit(model, params)
    if past is None:
        narrow = "; plan.pilot(10) narrows it"
        return Span(1.0, limit, None, f"output between 1 and {limit:,} tokens ({assumed}){narrow}")
    from labkit import stats

    values = past.output_tokens
    reach = max(UNSEEN_TYPICAL * median(values), UNSEEN_LONGEST * max(values))
    highest = math.ceil(max(min(limit, reach) if sure else reach, *values))
    found = stats.total_interval(values, units, lowest=min(1.0, *values), highest=highest, level=DRAWN)
    low, high, likely = (end / units for end in (found.low, found.high, found.estimate))
    thought = past.reasoning_tokens
    reasoning = f", {thought:,.0f} of them reasoning" if thought else ""
    unseen = 1 - ((1 - DRAWN) / 2) ** (1 / len(values)) if highest > max(values) else 0.0
    rare = f"; up to {unseen:.0%} of a kind not seen yet, of at most {highest:,} tokens" if unseen else ""
    elsewhere = "" if past.own else " to other samples"
    return Span(
        low,
        high,
        likely,
        f"output from {plural(past.answers, 'answer')} of this prompt and model{elsewhere}: "
        f"{likely:,.0f} tokens on average{reasoning}, {low:,.0f} to {high:,.0f} with {LEVEL:.0%} confidence"
        f"{rare}",
    )


def _cost(pricer: Pricer, enter: Ends, leave: Ends, *, cached: bool) -> Ends | None:
    ends = pricer.bounds_usd(enter[:2], leave[:2], cached=cached)
    middle = pricer.bounds_usd((enter[2], enter[2]), (leave[2], leave[2]), cached=False)
    return None if ends is None or middle is None else (*ends, min(max(middle[1], ends[0]), ends[1]))


def _cacheable(model: Model, messages: Sequence[Message], high: float) -> bool:
    if model.dialect == "anthropic":
        contents = (message.get("content") for message in messages)
        return any(
            isinstance(part, Mapping) and part.get("cache")
            for content in contents
            if isinstance(content, list)
            for part in content
        )
    return model.provider != "openai" or high >= CACHED_FROM_TOKENS


def _output_limit(model: Model, params: Mapping[str, Any]) -> tuple[int, str, bool]:
    """The most an answer can have, in which words, and whether that is sure."""
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        if isinstance(params.get(name), int):
            return params[name], name, True
    if model.max_output:
        return model.max_output, "the model's limit; set max_tokens to narrow it", True
    return UNBOUNDED_OUTPUT_TOKENS, "assumed; set max_tokens", False


def _seconds(
    design: Design,
    by_model: Sequence[Sequence[Place]],
    seen: Mapping[tuple[int, int], Seen],
    queues: Sequence[tuple[Any, int]],
) -> list[float | None]:
    """Per model the time until the endpoint it shares is through; None where something was never timed."""
    waits: dict[Any, float | None] = {}
    longest: dict[Any, float] = {}
    for (queue, _), places in zip(queues, by_model, strict=True):
        for place in places:
            past = seen.get((place.prompt, place.model))
            latency, so_far = past.latency_s if past else None, waits.get(queue, 0.0)
            waits[queue] = None if latency is None or so_far is None else so_far + latency
            longest[queue] = max(longest.get(queue, 0.0), latency or 0.0)
    found: list[float | None] = []
    for queue, at_once in queues:
        wait = waits.get(queue)
        found.append(None if wait is None else max(wait / at_once, longest[queue]))
    return found


def _add(total: Ends, one: Ends, number: int) -> Ends:
    return total[0] + number * one[0], total[1] + number * one[1], total[2] + number * one[2]
