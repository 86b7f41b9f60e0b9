"""Asking one judge what its design holds: a run of the kind `judge`, whose parent is the judged one.

It shares the judged run's purse. It does not know what the verdicts are worth as scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace

from labkit.design import Design
from labkit.dollars import usd
from labkit.identity import new_run_id
from labkit.records import Cell, Generation, Score
from labkit.run import replaying
from labkit.run.lab_services import LabServices
from labkit.run.launch import Launch, Settings
from labkit.run.launch_commands import LaunchCommands
from labkit.run.stored import Stored
from labkit.scoring.judges import Judge
from labkit.store import Store

_RUNS = "select distinct run_id from log.runs where parent_run_id = ?"
_VERDICTS = "select {columns} from steps where run_id = ?"


def ask(
    judge: Judge,
    design: Design,
    services: LabServices,
    settings: Settings,
    commands: LaunchCommands,
    *,
    parent_run_id: str | None = None,
    progress: Callable[[str], None] | None = None,
    anew: bool = False,
) -> tuple[list[Generation], str | None]:
    """Ask what the lab does not know of a judge's design; every verdict, and why some are lacking.

    What was asked for the parent itself holds also where `settings` ask afresh, unless all is asked `anew`.
    """
    store = services.store
    keys = services.find_keys(design.models)
    with ExitStack() as driving:
        with store.one_opening():
            # Two that judge the same answers in one moment would both pay for it.
            driving.enter_context(store.drive(design.plan_id, called=f"{judge!r} of this run"))
            unfinished = store.unfinished(design.plan_id, fresh=settings.fresh)
            run_id = unfinished or new_run_id()
            driving.enter_context(store.drive(run_id))
            stored = Stored.read(design, services, run_id=run_id, resumed=unfinished is not None, fresh=anew)
            if settings.fresh and parent_run_id is not None and stored.answers is not None:
                stored = stored._replace(answers=of_its_own(stored.answers, parent_run_id, store))
            # One purse: what the judged run and its judges spent so far is spent.
            spent = stored.earlier._replace(spent_usd=store.spent(parent_run_id or run_id))
        launch = Launch(
            design,
            run_id=run_id,
            resumed=unfinished is not None,
            services=services,
            keys=keys,
            scorers=(judge,),
            settings=replace(settings, settles=False),
            stored=stored._replace(earlier=spent),
            watcher=_Counting(judge, design, progress),
            parent_run_id=parent_run_id,
        )
        with commands.handed_over(launch):
            ended = launch.drive()
    columns = ", ".join(f'"{name}"' for name in Generation.__struct_fields__ if name != "raw")
    with store.complete_opening():
        rows = store.table(_VERDICTS.format(columns=columns), [run_id]).to_pylist()
    return [Generation(**row) for row in rows], ended.left


def of_its_own(found: replaying.Answers, run_id: str, store: Store) -> replaying.Answers:
    """Those of the verdicts that were asked for this run."""
    runs = set(store.table(_RUNS, [run_id])["run_id"].to_pylist())
    mine = [one in runs for one in found.rows["run_id"].to_pylist()]
    # Of an empty list arrow does not know that it is one of truths.
    return found._replace(rows=found.rows.filter(mine)) if mine else found


class _Counting:
    """Hears a judge's run, and tells how far it is."""

    keeps_text = False

    def __init__(self, judge: Judge, design: Design, progress: Callable[[str], None] | None) -> None:
        self._called, self._progress = repr(judge), progress
        self._total, self._ended, self._usd = len(design.places), 0, 0.0

    def planned(self, total: Mapping[str, int], settled: Mapping[str, int]) -> None:
        self._ended = sum(settled.values())
        self._tell()

    def ended(self, generation: Generation) -> None:
        self._ended += 1
        self._usd += generation.cost_usd or 0.0 if generation.replayed_from is None else 0.0
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            cost = f", USD {usd(self._usd)}" if self._usd else ""
            self._progress(f"{self._called}: {self._ended:,} of {self._total:,} verdicts{cost}")

    def queued(self, cell: Cell) -> None: ...

    def sent(self, cell: Cell, attempt: int) -> None: ...

    def text(self, cell: Cell, delta: str) -> None: ...

    def waiting(self, cell: Cell, seconds: float, why: str) -> None: ...

    def scored(self, score: Score) -> None: ...
