"""What judges of a plan's answers will take: how many verdicts, how many the lab knows, why not the others,
and between which costs.

Of answers that are still to come the length is not known: each may have from one token to its limit. How long
verdicts are is told from those that the lab has of the same judge. It asks nobody.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cache
from math import ceil, floor

from labkit import tokens
from labkit.catalog.model import Model
from labkit.design import Design, Place
from labkit.plan.estimate import RUBRIC, JudgePart
from labkit.plan.estimate_inputs import queue_of
from labkit.plan.forecast import NOTHING_USD, add, cost_usd, output
from labkit.plan.past_answers import Seen, history
from labkit.plan.token_counts import Ends, count, output_limit
from labkit.records import Generation, Sample
from labkit.run import LabServices, replaying
from labkit.run.judging import cell_id, compared, judge_design, shown_columns
from labkit.scoring import Scorer
from labkit.scoring.judge_models import asked
from labkit.scoring.judges import Judge
from labkit.scoring.verdict_request import LONGEST_PART, MATERIAL

TO_COME, NEVER = "the answer is to be asked", "never judged"


def judge_parts(
    design: Design, scorers: Sequence[Scorer], services: LabServices, *, fresh: bool
) -> tuple[JudgePart, ...]:
    """A part for each judge among the scorers and each of its models."""
    judges = [scorer for scorer in scorers if isinstance(scorer, Judge)]
    if not judges:
        return ()
    last = [place for place in design.places if design.is_last(place)]
    with services.store.one_opening():
        known = {} if fresh else _answers(design, last, services)
        return tuple(
            part for judge in judges for part in _parts(judge, design, last, known, services, fresh=fresh)
        )


def _answers(design: Design, last: Sequence[Place], services: LabServices) -> Mapping[Place, str]:
    """What the lab would replay, by place."""
    found = replaying.look_up(services.store, design, design.places)
    rows = replaying.answers(found)[0]
    keys = ((place, found.told(place)) for place in last)
    return {
        place: row.text or ""
        for place, told in keys
        if (row := rows.get((told.request_id, told.draw))) is not None
        and design.endpoints[place.model] is not None
    }


def _parts(
    judge: Judge,
    design: Design,
    last: Sequence[Place],
    known: Mapping[Place, str],
    services: LabServices,
    *,
    fresh: bool,
) -> Iterator[JudgePart]:
    who = asked(judge, services.catalog)
    samples = {sample.id: sample for sample in design.dataset.samples}
    rows = [_row(design, place, known.get(place)) for place in last]
    there = [row for row in rows if row.status == "done"]
    shown = shown_columns(design.prompts, samples)
    asking = judge_design(judge, who, there, samples, shown, experiment="", workspace="")
    have = set() if fresh else _judged(asking, services)
    changed = bool(asking.places) and _rubric_changed(judge, services)
    limits = {
        row.generation_id: output_limit(design.models[place.model], design.params[place.model])[0]
        for row, place in zip(rows, last, strict=True)
    }
    seen = history(asking, services.store) if asking.places else {}
    sizes = _Sizes(judge, samples, shown, limits)
    for m, model in enumerate(who.models):
        asked_by = {
            asking.dataset.samples[place.sample].id: (place.request_id, place.draw)
            for place in asking.places
            if place.model == m
        }
        judged = have & set(asked_by.values())
        pairs = list(_once(compared(judge, rows, samples), asked_by, judged))
        to_come = sum(any(row.status != "done" for row in pair) for pair in pairs)
        reasons = {TO_COME: to_come, RUBRIC if changed else NEVER: len(pairs) - to_come}
        past = seen.get((0, 0, m))
        out = output(past, model, who.params[m], units=max(1, len(pairs)))
        pricer = services.pricer(model, who.params[m])
        entering: tuple[float, ...] = (0.0, 0.0)
        usd, known_price = NOTHING_USD, True
        for pair in pairs:
            enter = sizes.of(model, pair)
            cost = cost_usd(pricer, enter, out, cached=False)
            known_price = known_price and cost is not None
            entering, usd = add(entering, enter[:2], 1), add(usd, cost or NOTHING_USD, 1)
        yield JudgePart(
            model=f"{judge!r}: {model.id}",
            requests=len(pairs),
            input_low_tokens=floor(entering[0]),
            input_high_tokens=ceil(entering[1]),
            output_low_tokens=floor(out.low * len(pairs)),
            output_high_tokens=ceil(out.high * len(pairs)),
            cost_low_usd=usd[0] if known_price else None,
            cost_high_usd=usd[1] if known_price else None,
            output_limit_tokens=out.limit,
            limit_assumed=out.assumed,
            seconds=_seconds(past, model, len(pairs)),
            assumptions=(out.words, *(() if known_price else ("price not known",))),
            known=len(judged),
            reasons={reason: times for reason, times in reasons.items() if times},
        )


def _once(
    pairs: Iterable[tuple[Generation, ...]],
    asked_by: Mapping[str, tuple[str, int]],
    judged: Container[tuple[str, int]],
) -> Iterator[tuple[Generation, ...]]:
    """What is still to be judged, where answers are there each text once; `asked_by` has the request and draw
    of those, by cell."""
    seen = set[tuple[str, int]]()
    for pair in pairs:
        key = asked_by.get(cell_id(pair))
        if key is None or (key not in judged and key not in seen):
            yield pair
        if key is not None:
            seen.add(key)


def _seconds(past: Seen | None, model: Model, verdicts: int) -> float | None:
    if past is None or past.latency_s is None:
        return None
    return past.latency_s * max(verdicts / queue_of(model)[1], min(verdicts, 1))


class _Sizes:
    """How many input tokens a verdict's request has."""

    def __init__(
        self, judge: Judge, samples: Mapping[str, Sample], shown: Sequence[str], limits: Mapping[str, int]
    ) -> None:
        self._judge, self._samples, self._shown, self._limits = judge, samples, shown, limits
        self._without = cache(self._counted)

    def of(self, model: Model, pair: Sequence[Generation]) -> Ends:
        """At least, at most, likely. An answer that is there is counted, one that is to come may have any
        length to its limit."""
        low, high = self._without(model, pair[0].sample_id, len(pair))
        for row in pair:
            if row.status == "done":
                text = tokens.estimate(model, row.text or "").tokens
                low, high = low + text, high + text
            else:
                low, high = low + 1, high + min(self._limits[row.generation_id], LONGEST_PART)
        return low, high, (low + high) / 2

    def _counted(self, model: Model, sample: str, answers: int) -> tuple[int, int]:
        material = self._judge.material(self._samples[sample], self._shown, *[""] * answers)
        low, high, _ = count(model, self._judge.prompt.render({MATERIAL: material}))
        return low, high


def _row(design: Design, place: Place, text: str | None) -> Generation:
    """The answer to a place as judges take it; one that is to come is `stopped`."""
    cell = design.cell(place, run_id="", versions={}, user=None)
    fields = {name: getattr(cell, name) for name in cell.__struct_fields__}
    return Generation(**fields, status="stopped" if text is None else "done", text=text)


def _judged(asking: Design, services: LabServices) -> set[tuple[str, int]]:
    """The request_id and draw of each verdict that the lab would replay."""
    return replaying.look_up(services.store, asking, asking.places).matching()


def _rubric_changed(judge: Judge, services: LabServices) -> bool:
    """Whether the lab has this judge, and never asked it in these words."""
    prompt = judge.prompt
    kept = {one.hash for one in services.store.saved_prompts(prompt.name)}
    return bool(kept) and prompt.hash not in kept
