"""What the lab saw of a score: how far two contenders lay apart on one sample, from answers scored before.

Answers count that are to samples of the design's dataset, or of its experiment; each once, also where it was
replayed. Those of the design's own contenders go before those of others. It reads the store and tells no
chance (see `power`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import Any

from labkit.design import Design
from labkit.store import Store

ENOUGH = 8
"""Common samples from which a pair's differences are gone by: a pilot of ten, less a failure or two."""
SAMPLES = 200
"""Samples that are looked at: those that most contenders answered, the latest first."""
WIDEST = 10
"""Contenders that are compared: those with the most samples."""
MOST = 2000
"""About so many differences are kept; of more, evenly chosen ones."""
REST = 1e-12
"""A smaller difference is the rest of a subtraction."""
KEYS = {"prompt": "hash", "model": "model"}
"""By what a prompt and a model are told from others."""

KEPT = """
    select 1 from log.runs where (dataset = ? or experiment = ?)
    and exists (select 1 from log.scores where scorer = ?) limit 1
"""
SCORED = """
    with answers as (
        select
            generation_id, coalesce(replayed_from, generation_id) as asked, prompt, prompt_version, model,
            sample_id, "repeat", written_at
        from log.generations
        where status = 'done' and coalesce(step, 0) = 0
            and run_id in (select run_id from log.runs where dataset = ? or experiment = ?)
    ),
    common as (
        select sample_id from answers group by sample_id
        order by count(distinct (prompt, prompt_version, model)) desc, max(written_at) desc, sample_id limit ?
    ),
    texts as (select "name", version, any_value(hash) as hash from log.prompts group by "name", version),
    each as (
        select
            hash, model, sample_id, asked, any_value(prompt) as prompt, min("repeat") as "repeat",
            max_by("value", epoch_us(s.written_at)) as "value", max(a.written_at) as written_at
        from answers as a
        join common using (sample_id)
        join log.scores as s using (generation_id)
        join texts on texts."name" = a.prompt and texts.version = a.prompt_version
        where s.scorer = ?
        group by hash, model, sample_id, asked
    )
    select
        hash, model, sample_id, any_value(prompt) as prompt,
        list("value" order by "repeat", written_at) as "values"
    from each
    where "value" is not null
    group by hash, model, sample_id
    order by hash, model, sample_id
"""


@dataclass(frozen=True, kw_only=True)
class Past:
    """Differences of pairs on samples, each pair turned so that the one ahead comes first."""

    differences: tuple[float, ...]
    """In rising order; for each pair also the two imagined samples of `labkit.stats.pairwise`."""
    samples: int
    contenders: tuple[str, ...]
    """Names of those that were compared."""
    own: bool
    """Whether these are contenders of the design."""
    thin: bool
    """Whether a sample had fewer answers than the design has of it."""


def past_scores(
    design: Design,
    store: Store,
    *,
    scorer: str,
    by: Sequence[str],
    repeats: int,
    levels: int,
    width: float,
) -> Past | None:
    """What there is of a score of this name; None where no pair was scored on `ENOUGH` common samples.

    The design has `repeats` answers of one sample at each of `levels` levels of what is not compared; of more
    repeats the first are taken. Where a pair never differed it could have by `width`, that of the score's
    scale; where that is infinite it says nothing.
    """
    where = [design.dataset.hash, design.experiment]
    with store.one_opening():
        if not store.table(KEPT, [*where, scorer]).num_rows:
            return None
        rows = store.table(SCORED, [*where, SAMPLES, scorer]).to_pylist()
    models = set(design.contenders)
    hashes = {prompt.hash for prompt in design.prompts}
    own = [row for row in rows if row["model"] in models and row["hash"] in hashes]
    found = _past(own, by, repeats, levels, width, own=True)
    return found or _past(rows, by, repeats, levels, width, own=False)


def _past(
    rows: Sequence[dict[str, Any]],
    by: Sequence[str],
    repeats: int,
    levels: int,
    width: float,
    own: bool,
) -> Past | None:
    from labkit.summary.contender_table import BETWEEN

    told: dict[tuple[str, ...], str] = {}
    cells: defaultdict[tuple[str, ...], defaultdict[str, dict[str, list[float]]]]
    cells = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        contender = tuple(row[KEYS[factor]] for factor in by)
        told[contender] = BETWEEN.join(row[factor] for factor in by)
        level = "".join(row[key] for factor, key in KEYS.items() if factor not in by)
        cells[contender][row["sample_id"]][level] = row["values"][:repeats]
    best_known = sorted(cells, key=lambda contender: len(cells[contender]), reverse=True)[:WIDEST]
    differences: list[float] = []
    samples: set[str] = set()
    used: set[tuple[str, ...]] = set()
    answers: list[int] = []
    for one, two in combinations(best_known, 2):
        common = cells[one].keys() & cells[two].keys()
        each = [_apart(cells[one][sample], cells[two][sample]) for sample in common]
        apart = [found for found in each if found is not None]
        square = [difference**2 for difference, _ in apart if difference]
        far = math.sqrt(fmean(square)) if square else width
        if len(apart) < ENOUGH or math.isinf(far):
            continue
        side = math.copysign(1, sum(difference for difference, _ in apart))
        differences += [*(side * difference for difference, _ in apart), far, -far]
        answers += [count for _, count in apart]
        samples |= common
        used |= {one, two}
    if not used:
        return None
    differences.sort()
    every = max(1, math.ceil(len(differences) / MOST))
    return Past(
        differences=tuple(differences[::every]),
        samples=len(samples),
        contenders=tuple(told[contender] for contender in best_known if contender in used),
        own=own,
        thin=fmean(answers) < 0.99 * repeats * levels,
    )


def _apart(one: dict[str, list[float]], two: dict[str, list[float]]) -> tuple[float, int] | None:
    """The difference on one sample over what is not compared, and of how many answers each side's mean is."""
    common = one.keys() & two.keys()
    if not common:
        return None
    apart = fmean(fmean(one[level]) - fmean(two[level]) for level in common)
    counts = [sum(len(side[level]) for level in common) for side in (one, two)]
    return (0.0 if abs(apart) < REST else apart), min(counts)
