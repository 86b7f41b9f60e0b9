"""How a study grows: more samples, models or repeats under the same run, until something is decided.

It makes the wider design, tells the lab that the run is now of that plan, and launches it; what was
answered stays. Looking while it grows costs something: from then on the run's intervals are those that
hold at any moment of stopping. Refusing, widening and launching are one step, which leaves a run as it was or
larger, and stand together.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any, TypeVar

from labkit import providers
from labkit.arguments import check, is_number, whole
from labkit.catalog import param_names
from labkit.catalog.params import OUTPUT_LIMITS
from labkit.catalog.per_step import PerStep
from labkit.design import Design, build
from labkit.engine.retry import Policy
from labkit.errors import DefinitionError
from labkit.library import Library
from labkit.plan import vision
from labkit.plan.study import Study
from labkit.plan.validation import MOST_REPEATS, define
from labkit.records import RunEvent
from labkit.run import Run, Settings, unasked
from labkit.run.judging import judging_of
from labkit.run.stored import Stored
from labkit.run.widened import widen
from labkit.scoring import scorers as as_scorers
from labkit.scoring.check import column_faults
from labkit.store import filters
from labkit.visible import quoted

log = logging.getLogger("labkit.run")

LEAST_BATCH = 10
S = TypeVar("S", bound=Study)


def more(
    plan: Study,
    run: Run,
    *,
    rows: int | None,
    models: Sequence[Any],
    repeats: int | None,
    until: str | float | None,
    budget_usd: float | None,
    score: str | list[str] | None,
    by: str | Sequence[str],
    margin: float | None,
    level: float,
    batch: int | None,
    params: Mapping[str, Any] | None,
    scorers: Sequence[Any] | None,
    allow_unpriced: bool,
    progress: str | None,
) -> Run:
    """See `run.more`: this is it, for a run of `plan`."""
    listed = (
        [models] if isinstance(models, str | PerStep) or not isinstance(models, Sequence) else list(models)
    )
    _check(plan, run, rows, listed, repeats, until, batch)
    if until is not None:
        _check_bounds(run, score)
    if scorers is not None:
        marking = as_scorers(scorers)
        check(column_faults(marking, plan.design.dataset.samples))
        plan = replace(plan, scorers=marking)
    launch = partial(_launch, budget_usd=budget_usd, allow_unpriced=allow_unpriced, progress=progress)
    if listed or repeats:
        plan = _widened(plan, models=listed, repeats=repeats or 0, params=params)
    if until is not None:
        _check_contenders(plan.design, by)
    if listed or repeats:
        told = {"models": [str(getattr(model, "id", model)) for model in listed], "repeats": repeats}
        run = launch(plan, run, told)
    if until is None:
        if rows is None:
            return run
        plan = _widened(plan, samples=_drawn(plan, rows))
        return launch(plan, run, {"rows": rows})
    judge = {"score": score, "by": by, "margin": margin, "level": level}
    _tell(run, {"until": until, **judge})
    left = rows
    while not _settled(run, until, judge) and run.status != "stopped":
        size = batch or max(LEAST_BATCH, math.ceil(_asked(plan.design) / 3))
        chosen = _drawn(plan, size if left is None else min(size, left), at_most=True)
        if not chosen:
            used_up = "rows= is" if _left(plan.design) else "all samples of the dataset are"
            log.warning("Run %s is not decided, and %s used up.", run.run_id, used_up)
            break
        left = None if left is None else left - len(chosen)
        plan = _widened(plan, samples=chosen)
        run = launch(plan, run, {"rows": len(chosen), "until": until})
    return run


def _check(
    plan: Study,
    run: Run,
    rows: int | None,
    models: Sequence[Any],
    repeats: int | None,
    until: str | float | None,
    batch: int | None,
) -> None:
    faults = []
    if run.status == "running":
        faults.append(f"Run {run.run_id} still goes on; wait for it first: run.wait().")
    if rows is None and not models and repeats is None and until is None:
        faults.append("more needs rows=, models=, repeats= or until=.")
    for name, value in (("rows", rows), ("repeats", repeats), ("batch", batch)):
        if value is not None:
            faults += whole(name, value, most=MOST_REPEATS if name == "repeats" else sys.maxsize)
    wide = is_number(until) and until > 0
    if until is not None and until != "decided" and not wide:
        faults.append(
            f"until is {quoted(until)}; use 'decided', or the widest interval that will do, as 0.1."
        )
    left = _left(plan.design)
    # Asking until something is so takes what there is.
    least = (rows or 0) if until is None else 0 if models or repeats else 1
    if not faults and least > left:
        wished = f", not {rows:,}" if rows else ""
        faults.append(
            f"The dataset has {left:,} more samples{wished}. Plan over a larger one: what is known is not "
            "asked again."
        )
    if faults:
        raise DefinitionError(faults)


def _check_bounds(run: Run, score: str | list[str] | None) -> None:
    """Looking again and again needs scores, with declared bounds."""
    from labkit.verdict import Verdicts

    found = run.verdict(score)
    every = found if isinstance(found, Verdicts) else [found]
    if unscored := [one.headline for one in every if not one.contenders["score_n"].any()]:
        raise DefinitionError(unscored)
    if unbounded := [one.scorer for one in every if not one.scale.bounded]:
        raise DefinitionError(
            [
                f"until= looks again and again, which needs a score with bounds; score {quoted(name)} "
                "declares none. Give its scorer low= and high= and score the answers again: run.score(…)."
                for name in unbounded
            ]
        )


def _check_contenders(design: Design, by: str | Sequence[str]) -> None:
    """Between one there is nothing to decide, and no pair whose interval grows narrow."""
    keys = tuple(filters.listed(by))
    named = {
        tuple(
            name
            for key, name in (("prompt", place.prompt), ("model", design.contender(place)))
            if key in keys
        )
        for place in design.places
        if design.is_last(place)
    }
    if len(named) < 2:
        raise DefinitionError(
            f"until= asks until contenders are told apart, and by={quoted(by)} this study has one. Give "
            "another (models=), say what competes (by='prompt'), or how much more is to be asked (rows=)."
        )


def _left(design: Design) -> int:
    """How many samples of the dataset were not asked yet."""
    return len(design.dataset.samples) - _asked(design)


def _asked(design: Design) -> int:
    return len({place.sample for place in design.places})


def _drawn(plan: Study, rows: int, *, at_most: bool = False) -> list[int]:
    """Positions of samples not asked yet, at random, the same for the same seed and state."""
    asked = {place.sample for place in plan.design.places}
    left = [place for place in range(len(plan.design.dataset.samples)) if place not in asked]
    chance = Random(f"{plan.seed}/{len(asked)}")  # noqa: S311 - a draw, not a secret
    return sorted(chance.sample(left, min(rows, len(left)) if at_most else rows))


def _widened(
    plan: S,
    *,
    samples: Sequence[int] = (),
    models: Sequence[Any] = (),
    repeats: int = 0,
    params: Mapping[str, Any] | None = None,
) -> S:
    """The plan with more cells: each new one beside cells that are there."""
    design = plan.design
    come, sent, lines = _defined(plan, models, params) if models else ((), (), [()] * len(design.lines))
    top = 1 + max(place.repeat for place in design.places)
    wider = build(
        experiment=design.experiment,
        workspace=design.workspace,
        prompts=design.prompts,
        models=(*design.models, *come),
        params=(*design.params, *sent),
        dataset=design.dataset,
        repeats=top + repeats,
        share=design.share,
        lines=[tuple(dict.fromkeys((*own, *new))) for own, new in zip(design.lines, lines, strict=True)],
    )
    wider = replace(wider, notes=design.notes)
    vision.check(wider)
    wanted = {place.where for place in design.places if design.is_last(place)}
    wanted |= {(p, s, repeat, line) for p, s, _, line in wanted for repeat in range(top, top + repeats)}
    wanted |= {(p, s, repeat, line) for p, s, repeat, _ in wanted for line in lines[p]}
    wanted |= {(p, s, repeat, line) for p, _, repeat, line in wanted for s in samples}
    return replace(plan, design=design.widen(wider, wanted))


def _defined(
    plan: Study, models: Sequence[Any], params: Mapping[str, Any] | None
) -> tuple[Sequence[Any], Sequence[Mapping[str, Any]], Sequence[Sequence[tuple[int, ...]]]]:
    """The models that come, what is sent to them, and per prompt who competes with it anew."""
    design = plan.design
    found, _ = define(
        prompts=list(design.prompts),
        models=models,
        dataset=design.dataset,
        repeats=1,
        params=_shared(design) if params is None else params,
        context=(),
        experiment=design.experiment,
        workspace=design.workspace,
        duplicates="share" if design.share else "ask",
        catalog=plan.services.catalog,
        library=Library(plan.services.store, plan.services.folder),
        sql=lambda query: None,
    )
    place = {model.id: position for position, model in enumerate(design.models)}
    come = [
        (model, sent) for model, sent in zip(found.models, found.params, strict=True) if model.id not in place
    ]
    crossing = any(isinstance(one, PerStep) for one in models)
    if len(come) < len(found.models) and not crossing:
        twice = ", ".join(repr(model.id) for model in found.models if model.id in place)
        raise DefinitionError(f"The study has {twice} already.")
    place |= {model.id: len(design.models) + position for position, (model, _) in enumerate(come)}
    lines = [
        tuple(tuple(place[found.models[m].id] for m in line) for line in of_prompt)
        for of_prompt in found.lines
    ]
    if all(set(new) <= set(own) for own, new in zip(design.lines, lines, strict=True)):
        raise DefinitionError("The study has these combinations of models already.")
    return [model for model, _ in come], [sent for _, sent in come], lines


def _shared(design: Design) -> dict[str, Any]:
    """The params that all models of the design have, as a person wrote them: what only the first one's
    provider sends unasked is none, but for the limit of an answer, which is the same for all."""
    first, *others = design.params
    model = design.models[0]
    unasked = providers.load(model.dialect).defaults(model, first)
    shared = {
        name: value
        for name, value in first.items()
        if all(name in params and params[name] == value for params in others)
        and (name in OUTPUT_LIMITS or name not in unasked or unasked[name] != value)
    }
    return param_names.as_written(shared, model)


def _launch(
    plan: Study,
    run: Run,
    told: Mapping[str, Any],
    *,
    budget_usd: float | None,
    allow_unpriced: bool,
    progress: str | None,
) -> Run:
    services, row = plan.services, plan.services.store.run_row(run.run_id)
    if row is None:
        raise DefinitionError(f"This lab has no run '{run.run_id}'.")
    judging = judging_of(plan.design, plan.scorers, services)
    settings = Settings(
        fresh=bool(row["fresh"]),
        budget_usd=budget_usd,
        allow_unpriced=allow_unpriced,
        policy=Policy(),
        seed=plan.seed,
    )
    with services.store.drive(run.run_id):
        # What would be refused is refused before the run is another. The launch reads all this again, so it
        # is read here only where something may be.
        if judging.unpriced() or unasked.unpriced(plan.design, plan.design.places, services):
            known = Stored.read(plan.design, services, run_id=run.run_id, resumed=True, fresh=settings.fresh)
            settings.after(known, plan.design, services, also=judging.unpriced)
        widen(row, plan.design, services.store)
    _tell(run, {"more": dict(told)} | {key: told[key] for key in ("until",) if key in told})
    return begin(plan, settings, progress=progress, run_id=run.run_id).wait()


def begin(plan: Study, settings: Settings, *, progress: str | None, run_id: str | None = None) -> Run:
    """Launch the plan, under `run_id` where one is given; the run can grow."""
    run = Run.start(
        plan.design,
        services=plan.services,
        scorers=plan.scorers,
        settings=settings,
        progress=progress,
        title=plan.title,
        run_id=run_id,
    )
    run.grown_by(partial(more, plan))
    return run


def _tell(run: Run, detail: Mapping[str, Any]) -> None:
    writer = run._services.store.writer()
    writer.put(RunEvent(run_id=run.run_id, event="resumed", at_time=datetime.now(UTC), detail=dict(detail)))
    writer.flush()


def _settled(run: Run, until: str | float, judge: Mapping[str, Any]) -> bool:
    """Whether every pair is decided (or equal within the margin), or every interval narrow enough."""
    pairs = run.verdict(**judge).frame()
    compared = pairs[pairs["n"] > 0]
    if compared.empty:
        return False
    if until == "decided":
        return bool((compared["decided"] | (compared["answer"] == "equal").fillna(False)).all())
    return bool((compared["all_high"] - compared["all_low"] <= float(until)).all())
