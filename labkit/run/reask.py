"""The cells of a run once more: fresh, within what is left of its budget, in a run of the kind `reask`.

There is one for a run at most: asked for again, it is that one, it goes on where it was broken off, and it
grows by prompts and models that nobody doubted before. It does not know why it is asked, nor what the answers
are held against.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from labkit.design import Design
from labkit.dollars import usd
from labkit.errors import DefinitionError, RunBusy
from labkit.run.earlier import Earlier
from labkit.run.handle import Run
from labkit.run.launch import Settings
from labkit.run.widened import widen
from labkit.scoring import Scorer
from labkit.store import Store

LOOK_S = 0.5
"""How often it looks whether another process is through: nobody tells who waits for a lock."""
_ASKED = "select run_id from runs where parent_run_id = ? and kind = 'reask' order by started_at limit 1"
_HAS = "select distinct prompt, model from generations where run_id = ?"
_SCORERS = """
    select distinct scorer->>'name' as name from (
        select unnest(detail->'$.scorers[*]') as scorer from log.run_events where run_id = ?
    )
"""
_ENDED = """
    select event = 'finished' and (detail->>'unscored') is null as whole from log.run_events
    where run_id = ? order by written_at desc limit 1
"""
"""Whether it came to its end, with its scores: one that was killed before them has all its answers."""


def reasked(run: Run) -> str | None:
    """The run in which the cells of `run` were asked once more; None where they were not."""
    found: list[str] = run._services.store.table(_ASKED, [run.run_id])["run_id"].to_pylist()
    return found[0] if found else None


def reask(
    run: Run,
    scorers: Sequence[Scorer],
    contenders: Collection[tuple[str, str]],
    planned: Callable[[], Design],
    *,
    progress: str | None = None,
) -> Run:
    """Ask those cells of `run` once more whose prompt and model are among `contenders`, score them, and wait
    for the end. What was asked before is not asked a third time, and what another process asks is waited for.
    `planned` gives the design of a run that was not launched here.

    Raises `DefinitionError` where nothing of the run's budget is left, and what launching a run raises.
    """
    store, told = run._services.store, False
    while True:
        try:
            with store.drive(f"{run.run_id} once more", called=f"The re-ask of run {run.run_id}"):
                return _once_more(run, scorers, contenders, planned, progress=progress)
        except RunBusy as busy:
            if not told:
                print(f"labkit: {busy}", flush=True)
                told = True
            time.sleep(LOOK_S)


def _is_scored(run_id: str, scorers: Sequence[Scorer], store: Store) -> bool:
    """Whether it came to its end with these: it may have been killed before, or lacked one of them."""
    ended = store.table(_ENDED, [run_id])["whole"].to_pylist() == [True]
    return ended and {scorer.name for scorer in scorers} <= {
        *store.table(_SCORERS, [run_id])["name"].to_pylist()
    }


def _once_more(
    run: Run,
    scorers: Sequence[Scorer],
    contenders: Collection[tuple[str, str]],
    planned: Callable[[], Design],
    *,
    progress: str | None,
) -> Run:
    services = run._services
    have = reasked(run)
    row = None if have is None else services.store.run_row(have)
    has = {(one["prompt"], one["model"]) for one in services.store.table(_HAS, [have or ""]).to_pylist()}
    whole = row is not None and row["status"] == "finished" and has >= {*contenders}
    if have is not None and whole and _is_scored(have, scorers, services.store):
        return Run.find(have, services)
    earlier = Earlier.read(services.store, run.run_id)
    left_usd = earlier.budget_usd - earlier.spent_usd
    if have is None and left_usd <= 0:
        raise DefinitionError(
            f"nothing is left of the budget of USD {usd(earlier.budget_usd)}: give the run more, budget_usd="
        )
    design = planned() if run._launch is None else run._launch.design
    # A name of its own: the next night's run of this plan is not to go on with this one.
    again = replace(design, experiment=f"{run.run_id}, once more")
    again = again.keep(
        position
        for position, place in enumerate(design.places)
        if design.is_last(place)
        and (design.prompts[place.prompt].name, design.contender(place)) in {*contenders, *has}
    )
    if row is not None and row["plan_id"] != again.plan_id:
        widen(row, again, services.store)
    settings = Settings(
        fresh=True,
        # One that there is keeps what it was given.
        budget_usd=left_usd if have is None else None,
        allow_unpriced=earlier.allow_unpriced or left_usd == math.inf,
    )
    return Run.start(
        again,
        services=services,
        scorers=scorers,
        settings=settings,
        progress=progress,
        title=lambda _: lambda: f"asked once more: {len(again.places):,} requests",
        run_id=have,
        parent_run_id=run.run_id,
    ).wait()
