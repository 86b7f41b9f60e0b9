"""The part of a sentinel that checks: from a run to a check that is written down, and told.

It brings together what its neighbours do: what a night shows is `night`'s, what is said is `words`', who is
told is `notices`'. It holds no state: all of it is in the lab, so that any process goes on where another
stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from labkit.errors import DefinitionError, RunBusy
from labkit.plan import Plan
from labkit.plan.kept_scorers import kept_scorers
from labkit.run import LabServices, Run
from labkit.run.reask import reask, reasked
from labkit.sentinel import baseline as baselines
from labkit.sentinel import check_history, night_inputs, notices
from labkit.sentinel.baseline import Baseline
from labkit.sentinel.check import Check, outcome_of
from labkit.sentinel.check_history import Earlier
from labkit.sentinel.finding import SCORE
from labkit.sentinel.night import Seen, examine
from labkit.sentinel.night_inputs import Given
from labkit.sentinel.rows import COLUMNS, Contender
from labkit.sentinel.rules import Rules
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

WAIT_S = 60.0
"""How long a check waits for another one of the same sentinel to be written down."""
LOOK_S = 0.05
"""How often it looks whether that is so: nobody tells who waits for a lock of another process."""
_NO_NIGHTS = {"judge": "holds verdicts on the answers of", "reask": "asked once more what was asked in"}
"""By kind, what a run is that is neither accepted nor checked."""


@dataclass(frozen=True, kw_only=True)
class Checking:
    """What a sentinel is, and how it checks. `Sentinel` is the one."""

    name: str
    workspace: str
    user: str | None
    rules: Rules
    baseline: str | None
    """The name of the baseline; None: the latest that was accepted."""
    notify: tuple[str, ...] | None
    rows: bool
    """Whether notices hold texts of answers."""
    services: LabServices
    again: Callable[[str], Plan]
    """The plan of a run by its id."""

    def _checked(self, run: Run, at: datetime) -> Check | None:
        """The check, written down and told; None: another process wrote down another night or baseline
        meanwhile, by which it has to be judged anew."""
        store = self.services.store
        with store.one_opening():
            held, past = self._held(), self._before(run)
            given, why = self._given(run, held, past, at)
        seen = None if given is None else examine(given, self.rules)
        with self._alone():
            ids = [one.check_id for one in past]
            if self._held() != held or [one.check_id for one in self._before(run)] != ids:
                return None
            made = self._outcome(run, held, seen, why, past, at)
            record = check_history.record(made, held, seen, past, self.rules, store, at=at, user=self.user)
            check_history.keep(store, record)
            if made.night < check_history.nights(store, workspace=self.workspace, sentinel=self.name):
                return made  # of a night that others followed, nobody is told any more
            rows = notices.worst_rows(made, run, texts=self.rows) if made.outcome == "worse" else []
            told = notices.tell(made, record, rows, store, command=self.notify)
        return replace(made, told=tuple(told))

    def _known(self, *runs: Run) -> None:
        """Raise `DefinitionError` for runs that this lab does not have, and for those that are no nights."""
        for run in runs:
            Run.find(run.run_id, self.services)
            row = self.services.store.run_row(run.run_id)
            if row is not None and row["kind"] in _NO_NIGHTS:
                raise DefinitionError(
                    f"Run {run.run_id} {_NO_NIGHTS[row['kind']]} run {row['parent_run_id']}. Give that one: "
                    f"lab.run({row['parent_run_id']!r})."
                )

    def _before(self, run: Run) -> list[Earlier]:
        """The checks before this run's own."""
        every = check_history.earlier(self.services.store, workspace=self.workspace, sentinel=self.name)
        own = [one.night for one in every if one.run_id == run.run_id]
        return [one for one in every if not own or one.night < own[0]]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only one who writes down a check of this sentinel. Raises `RunBusy`."""
        until, called = time.monotonic() + WAIT_S, f"The sentinel {self.name!r}"
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(
                        self.services.store.drive(f"sentinel {self.workspace} {self.name}", called=called)
                    )
                    break
                except RunBusy:
                    if time.monotonic() > until:
                        raise
                    time.sleep(LOOK_S)
            yield

    def _held(self) -> Baseline | None:
        """The baseline that holds."""
        return baselines.current(
            self.services.store, workspace=self.workspace, sentinel=self.name, name=self.baseline
        )

    def _given(
        self, run: Run, held: Baseline | None, past: Sequence[Earlier], at: datetime
    ) -> tuple[Given | None, str]:
        """What the night is judged by, or why it cannot be."""
        self._known(run)
        if held is None:
            return None, self._no_baseline()
        try:
            found = night_inputs.read(
                run, held, past, self.services, at=at, ask_again=partial(self._ask_again, run)
            )
        except DefinitionError as error:
            return None, str(error)
        return found, ""

    def _no_baseline(self) -> str:
        known = baselines.history(self.services.store, workspace=self.workspace, sentinel=self.name)[
            "baseline"
        ]
        if self.baseline is None or known.empty:
            return "There is no baseline yet. Accept a run with repeats=5 as one: watch.accept(run)."
        there = ", ".join(map(quoted, known.unique()[-5:]))
        return f"There is no baseline {quoted(self.baseline)}; there are {there}."

    def _ask_again(self, run: Run, wanted: Sequence[Contender], metrics: Collection[str]) -> pd.DataFrame:
        """The same rows of these once more. Raises `LabkitError`, also where that would show nothing."""
        kept = kept_scorers(run.run_id, self.services)
        if {*metrics} <= {f"{SCORE}{name}" for name in kept.lost}:
            lost = ", ".join(map(quoted, kept.lost))
            raise DefinitionError(
                f"of the scorer {lost} only the name is kept here. Give it again and check again: "
                "lab.run(…).score(…)"
            )
        found = reask(run, kept.scorers, set(wanted), lambda: self.again(run.run_id).design)
        return found.generations(columns=COLUMNS)

    def _outcome(
        self,
        run: Run,
        held: Baseline | None,
        seen: Seen | None,
        why: str,
        past: Sequence[Earlier],
        at: datetime,
    ) -> Check:
        findings = () if seen is None else seen.findings
        outcome, said = outcome_of(findings)
        status = run.status
        notes = [*check_history.gap_words(past, at), *(seen.notes if seen is not None else ())]
        if status != "finished":
            left = run.left
            notes.append(f"run {run.run_id} is {status}{f': {left}' if left else ''}")
        return Check(
            sentinel=self.name,
            workspace=self.workspace,
            run_id=run.run_id,
            again_run_id=reasked(run),
            baseline=None if held is None else held.name,
            night=past[-1].night + 1 if past else 1,
            outcome=outcome,
            sentences=tuple(said if seen is not None else [f"Cannot tell: {why[:1].lower()}{why[1:]}"]),
            notes=tuple(notes),
            findings=findings,
        )
