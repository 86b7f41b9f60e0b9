"""From a design, its prices and what was seen before to an estimate.

Input is counted (`token_counts`). Output lies between one token and `max_tokens` each; where the same prompt
was answered by the same model before, its total is told from those answers (`labkit.stats.total_interval`).
It does not know failures and retries, and takes the samples to come to be like those seen. Each step of a
chain is taken by itself, and the ends added up, which is on the safe side: after ten samples the range held
in 96 to 100 % of studies of two and three steps (`tests/plan/test_chain_coverage.py`).

A few answers do not show that no other runs to `max_tokens`, so the upper end allows for as many that do as
might have been missed: after ten answers 28 %. With a limit that is kept to, given or the model's own, the
true total lies in the range in at least 90 % of studies of all lengths that `benchmarks/estimates.py` has.
Where no limit is known an answer is taken to have at most `UNBOUNDED_OUTPUT_TOKENS` or `UNSEEN_LONGEST` times
the longest seen, and the range says so; where answers pass that it holds less often: lognormal lengths of
sigma 2.5 and median 60 without any limit lie in it in 70 to 95 % of studies.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from labkit.catalog.model import Model
from labkit.catalog.prices import Pricer
from labkit.design import Design, Place
from labkit.plan.estimate import Estimate, Part, plural, share
from labkit.plan.past_answers import Asking, Seen
from labkit.plan.token_counts import UNSEEN_LONGEST, Count, Counts, Ends, count, output_limit
from labkit.records import Message

LEVEL, DRAWN = 0.9, 0.92
"""What the range promises, and the level it is computed at, so that the worst simulated cell keeps to it."""
NOTHING_USD: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
"""At least, at most, likely, and at most if no answer is longer than the longest seen."""
CACHED_FROM_TOKENS = 1024
"""OpenAI reads and writes its cache unasked from so many input tokens on; others may do so at any length."""


class Span(NamedTuple):
    """What a request has on average: at least, at most, and what was seen of it (None: nothing was)."""

    low: float
    high: float
    likely: float | None
    seen_high: float | None
    """At most, if no answer is longer than the longest seen."""
    limit: int
    """The most that one answer can have, or is taken to have where that is `assumed`."""
    assumed: bool
    unseen_share: float
    """Of the answers: how many run to the limit at the high end, while the others are as at `seen_high`."""
    words: str


def forecast(
    design: Design,
    places: Sequence[Place],
    *,
    pricers: Sequence[Pricer],
    seen: Mapping[Asking, Seen],
    counting: Mapping[int, Count],
    queues: Sequence[tuple[Any, int]],
) -> Estimate:
    """Add up what `places` would cost.

    `counting` is keyed by positions of models; `queues` has for each model what
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
    seen: Mapping[Asking, Seen],
    counter: Count,
    seconds: float | None,
) -> Part:
    model = design.models[m]
    cells = Counter(((place.prompt, len(place.line)), place.sample) for place in places)
    ways: set[str] = set()
    right: set[str] = set()
    outs: list[Span] = []
    words: dict[str, list[str]] = {}
    entering: tuple[float, ...] = (0.0, 0.0)
    leaving, usd = entering, NOTHING_USD
    priced = True
    asked = {((place.prompt, len(place.line)), place.sample): place for place in places}
    prompts = dict.fromkeys(prompt for prompt, _ in cells)
    for prompt in prompts:
        mine = {sample: number for (p, sample), number in cells.items() if p == prompt}
        past = seen.get((*prompt, m))
        of = [asked[prompt, sample] for sample in mine]
        counts = Counts(design, of, counter=counter, past=past, level=DRAWN)
        # Repeats of a sample may all be alike, so what is to come counts by samples where there are some.
        units = len(mine) if past is None or past.by_sample else sum(mine.values())
        out = output(past, model, design.params[m], units=units)
        words.setdefault(out.words, []).append(_named(design, of[0]))
        outs.append(out)
        for sample, number in mine.items():
            enter = counts.of(sample)
            cached = "cache_control" in design.params[m] or _cacheable(
                model, design.outline(asked[prompt, sample]), enter[1]
            )
            cost = cost_usd(pricer, enter, out, cached=cached)
            priced = priced and cost is not None
            entering, leaving = add(entering, enter[:2], number), add(leaving, out[:2], number)
            usd = add(usd, cost or NOTHING_USD, number)
        ways |= counts.ways
        right |= {counts.later, counts.right} - {""}
    known = priced and all(out.likely is not None for out in outs)
    return Part(
        model=model.id,
        requests=len(places),
        input_low_tokens=math.floor(entering[0]),
        input_high_tokens=math.ceil(entering[1]),
        output_low_tokens=math.floor(leaving[0]),
        output_high_tokens=math.ceil(leaving[1]),
        cost_low_usd=usd[0] if priced else None,
        cost_high_usd=usd[1] if priced else None,
        cost_likely_usd=usd[2] if known else None,
        cost_seen_high_usd=usd[3] if known else None,
        output_limit_tokens=max(out.limit for out in outs),
        limit_assumed=any(out.assumed for out in outs),
        unseen_share=max(out.unseen_share for out in outs),
        seconds=seconds,
        assumptions=(
            ", ".join([" and ".join(_entered(way) for way in sorted(ways)), *sorted(right)]),
            *(_of_prompts(names, told, len(prompts)) for told, names in words.items()),
            *(() if priced else ("price not known",)),
        ),
    )


def _entered(way: str) -> str:
    """How input was counted, as a clause."""
    estimated, _, rest = way.partition(": ")
    return f"input estimated at {rest}" if estimated == "estimated" else f"input counted by {way}"


def _named(design: Design, place: Place) -> str:
    prompt, step = design.prompts[place.prompt].name, design.step_name(place)
    return prompt if step is None else f"{prompt}, step {step}"


def _of_prompts(names: Sequence[str], told: str, prompts: int) -> str:
    """What is told of some of the prompts, said once; of all of them without their names."""
    if len(names) == prompts:
        return told
    quotes = [f"'{name}'" for name in names]
    return f"{'prompt' if len(names) == 1 else 'prompts'} {' and '.join(quotes)}: {told}"


def output(past: Seen | None, model: Model, params: Mapping[str, Any], *, units: int) -> Span:
    """Output tokens of a request, averaged over `units` to be asked: samples or answers, as in `past`."""
    limit, told, sure = output_limit(model, params)
    if past is None:
        narrow = "; plan.pilot(10) narrows it"
        words = f"output between 1 and {limit:,} tokens ({told}){narrow}"
        return Span(1.0, limit, None, None, limit, not sure, 0.0, words)
    from labkit import stats

    values, longest = past.output_tokens, max(past.output_tokens)
    # What was longer than its limit shows that this endpoint does not keep to it.
    if sure and longest > limit:
        told, sure = f"assumed, as some had more than {limit:,}", False
    if not sure:
        limit = math.ceil(max(limit, UNSEEN_LONGEST * longest))
    found, alike = (
        stats.total_interval(values, units, lowest=min(1.0, *values), highest=highest, level=DRAWN)
        for highest in (limit, longest)
    )
    low, high, likely, seen_high = (
        end / units for end in (found.low, found.high, found.estimate, alike.high)
    )
    unseen = (high - seen_high) / (limit - seen_high) if limit > longest else 0.0
    thought = past.reasoning_tokens
    reasoning = f", {thought:,.0f} of them reasoning" if thought else ""
    rare = f"; at the upper end {share(unseen)} run to {limit:,} tokens ({told})" if unseen else ""
    elsewhere = "" if past.own else " to other samples"
    words = (
        f"output from {plural(past.answers, 'answer')} of this prompt and model{elsewhere}: "
        f"{likely:,.0f} tokens on average{reasoning}, {low:,.0f} to {high:,.0f} with {LEVEL:.0%} confidence"
        f"{rare}"
    )
    return Span(low, high, likely, seen_high, limit, not sure, unseen, words)


def cost_usd(pricer: Pricer, enter: Ends, out: Span, *, cached: bool) -> tuple[float, ...] | None:
    """The ends that `NOTHING_USD` has; None where the price is not known."""
    ends = pricer.bounds_usd(enter[:2], out[:2], cached=cached)
    middle = pricer.bounds_usd((enter[2], enter[2]), (out.likely or 0.0,) * 2, cached=False)
    alike = pricer.bounds_usd(enter[:2], (out.low, out.seen_high or out.low), cached=cached)
    if ends is None or middle is None or alike is None:
        return None
    return *ends, min(max(middle[1], ends[0]), ends[1]), alike[1]


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


def _seconds(
    design: Design,
    by_model: Sequence[Sequence[Place]],
    seen: Mapping[Asking, Seen],
    queues: Sequence[tuple[Any, int]],
) -> list[float | None]:
    """Per model the time until the endpoint it shares is through; None where something was never timed."""
    waits: dict[Any, float | None] = {}
    longest: dict[Any, float] = {}
    for (queue, _), places in zip(queues, by_model, strict=True):
        for place in places:
            past = seen.get((place.prompt, len(place.line), place.model))
            latency, so_far = past.latency_s if past else None, waits.get(queue, 0.0)
            waits[queue] = None if latency is None or so_far is None else so_far + latency
            longest[queue] = max(longest.get(queue, 0.0), latency or 0.0)
    found: list[float | None] = []
    for queue, at_once in queues:
        wait = waits.get(queue)
        found.append(None if wait is None else max(wait / at_once, longest[queue]))
    return found


def add(total: tuple[float, ...], one: tuple[float, ...], number: int) -> tuple[float, ...]:
    """The ends of a total with so many times one more."""
    return tuple(so_far + number * end for so_far, end in zip(total, one, strict=True))
