"""What the lab saw of a design's prompts on its models: answers that tell how long the next ones will be.

An answer counts where the prompt's text, the model, its endpoint and every param that decides the length
are the same; under which name the prompt was asked does not matter. It reads the store and predicts nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from labkit.design import Design
from labkit.store import Store

ENOUGH = 5
"""From so many of the design's own samples on, answers to other samples are left out; and a design of fewer
samples has nothing but repeats of them to come, so each answer then counts for itself."""
NEUTRAL = frozenset({"seed", "user", "metadata", "service_tier", "speed", "store", "cache_prompt"})
"""Params that do not decide how long an answer gets."""
LATEST = 200
"""Samples of a prompt on a model that are looked at, the latest first."""

KEPT = "select 1 from log.prompts where hash in (select unnest(?::varchar[])) limit 1"
"""A prompt that the lab does not have was never asked: that spares a new one the query below."""
SEEN = """
    with asked as (
        select request_id, any_value(endpoint) as endpoint, any_value(params::varchar) as params
        from log.requests where model in (select unnest(?::varchar[])) group by request_id
    ),
    texts as (
        select distinct name, version, hash from log.prompts where hash in (select unnest(?::varchar[]))
    ),
    homes as (select run_id, any_value(dataset) = ? as own from log.runs group by run_id)
    select
        texts.hash as prompt, g.step, g.model, asked.endpoint, asked.params, g.sample_id,
        coalesce(homes.own, false) as own, list(g.output_tokens order by g.repeat) as output_tokens,
        avg(g.reasoning_tokens) as reasoning_tokens, avg(g.input_tokens) as input_tokens,
        avg(g.latency_s) as latency_s
    from steps as g
    join asked using (request_id)
    join texts on texts.name = g.prompt and texts.version = g.prompt_version
    left join homes using (run_id)
    where g.status = 'done' and g.replayed_from is null and g.output_tokens is not null
        and g.model in (select unnest(?::varchar[]))
    group by texts.hash, g.step, g.model, asked.endpoint, asked.params, homes.own, g.sample_id
    qualify row_number() over (
        partition by texts.hash, g.step, g.model, asked.endpoint, asked.params, homes.own
        order by max(g.started_at) desc, g.sample_id
    ) <= ?
    order by texts.hash, g.step, g.model, g.sample_id
"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One prompt on one model as the lab saw it."""

    answers: int
    output_tokens: tuple[float, ...]
    """Reasoning included; by sample the mean over its repeats, else each answer's."""
    by_sample: bool = True
    reasoning_tokens: float | None = None
    """Of an answer's output tokens, on average; None where not reported."""
    input_tokens: Mapping[str, float]
    """By sample id; only of the design's own samples."""
    latency_s: float | None = None
    """On average."""
    own: bool = True
    """Whether all answers are to samples of the design's own dataset."""


Asking = tuple[int, int, int]
"""Of what there is a history: positions of prompt and model in a design, between them the step (0: none)."""


def history(design: Design, store: Store) -> Mapping[Asking, Seen]:
    """What was seen; nothing where nothing was."""
    models = [model.id for model in design.models]
    hashes = [prompt.hash for prompt in design.prompts]
    if not store.table(KEPT, [hashes]).num_rows:
        return {}
    rows = store.table(SEEN, [models, hashes, design.dataset.hash, models, LATEST]).to_pylist()
    groups: defaultdict[tuple[str, int, str], list[dict[str, Any]]] = defaultdict(list)
    lengths = {m: (design.endpoints[m] or "", _deciding(params)) for m, params in enumerate(design.params)}
    read = {params: _deciding(json.loads(params)) for params in {row["params"] for row in rows}}
    for row in rows:
        groups[row["prompt"], row["step"], row["model"]].append(row)
    found = {}
    for p, step, m in {(place.prompt, len(place.line), place.model) for place in design.places}:
        same = [
            row
            for row in groups.get((design.prompts[p].hash, step, models[m]), ())
            if (row["endpoint"], read[row["params"]]) == lengths[m]
        ]
        own = [row for row in same if row["own"]]
        if chosen := own if len(own) >= ENOUGH else same:
            found[p, step, m] = _seen(chosen, by_sample=len(design.dataset.samples) >= ENOUGH)
    return found


def _deciding(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name not in NEUTRAL}


def _seen(rows: list[dict[str, Any]], *, by_sample: bool) -> Seen:
    lengths = [row["output_tokens"] for row in rows]
    each = tuple(float(length) for repeats in lengths for length in repeats)
    return Seen(
        answers=len(each),
        output_tokens=tuple(map(fmean, lengths)) if by_sample else each[:LATEST],
        by_sample=by_sample,
        reasoning_tokens=_mean(row["reasoning_tokens"] for row in rows),
        input_tokens={
            row["sample_id"]: row["input_tokens"] for row in rows if row["own"] and row["input_tokens"]
        },
        latency_s=_mean(row["latency_s"] for row in rows),
        own=all(row["own"] for row in rows),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
