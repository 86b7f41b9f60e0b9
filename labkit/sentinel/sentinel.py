"""A sentinel: a named watch over a scheduled run. It accepts baselines, checks runs, tells people, shows
nights.

It brings together what its neighbours do: what a night shows is `night`'s, what is said is `words`'. It holds
no state: all of it is in the lab, so that any process goes on where another stopped.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from labkit.arguments import able, check, switch, text
from labkit.errors import DefinitionError, LabkitError, RunBusy
from labkit.identity import new_run_id
from labkit.plan import Plan
from labkit.plan.kept_scorers import kept_scorers
from labkit.run import LabServices, Run
from labkit.run.reask import reask, reasked
from labkit.sentinel import baseline as baselines
from labkit.sentinel import check_history, night_inputs, notices
from labkit.sentinel.baseline import Baseline
from labkit.sentinel.channels import heartbeat
from labkit.sentinel.check import Check
from labkit.sentinel.check_history import Earlier
from labkit.sentinel.finding import SCORE, Finding
from labkit.sentinel.night import Seen, examine
from labkit.sentinel.night_inputs import Given
from labkit.sentinel.rows import COLUMNS, Contender
from labkit.sentinel.rules import Rules
from labkit.sentinel.words import sentences
from labkit.store.definition_records import CheckRecord, Outcome
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

CHECKS = "LABKIT_CHECKS"
"""The variable that names a file which gets each check as a line of JSON: how `labkit run` hears of them."""
WAIT_S = 60.0
"""How long a check waits for another one of the same sentinel to be written down."""


_NO_NIGHTS = {"judge": "holds verdicts on the answers of", "reask": "asked once more what was asked in"}
"""By kind, what a run is that is neither accepted nor checked."""


def now() -> datetime:
    """The time, for tests to set."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Sentinel:
    """A named watch over a scheduled run. Made by `lab.sentinel(name, …)`; frozen.

    >>> watch = lab.sentinel("nightly", margin=0.02)
    >>> watch
    Sentinel('nightly': no baseline yet)
    """

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

    # -- baselines -------------------------------------------------------------------------------

    def accept(self, *runs: Run, why: str | None = None, force: bool = False) -> Sentinel:
        """Make the answers of a run, or of several as repeats of one, what later runs are held against.
        Nothing else does: no run becomes a baseline by itself. Alarms that stand are over with it.

        The baseline has the sentinel's `baseline=` as its name, else today's date. Who accepted it, when and
        `why` stay in the lab, and so do all baselines before it (`baselines()`).

        Raises `DefinitionError`, naming all that is wrong, for runs that are not finished, have replays among
        their answers, or together fewer than three answers of each row, unless `force`; and for fewer than 20
        rows.

        >>> watch.accept(run, why="the prompt of November")         # doctest: +SKIP
        """
        check(
            text("why", why, or_none=True),
            switch("force", force),
            *(able("run", run, "generations", "run_id", like="a run: lab.run('latest')") for run in runs),
        )
        self._known(*runs)
        baselines.accept(
            runs,
            self.services.store,
            workspace=self.workspace,
            sentinel=self.name,
            name=self.baseline,
            user=self.user,
            why=why,
            force=force,
            now=now(),
        )
        return self

    def baselines(self) -> pd.DataFrame:
        """All baselines of this sentinel, oldest first. See `labkit.sentinel.baseline.history` for the
        columns."""
        return baselines.history(self.services.store, workspace=self.workspace, sentinel=self.name)

    # -- checking --------------------------------------------------------------------------------

    def check(self, run: Run) -> Check:
        """Hold a run against the baseline: worse, not shown to be worse, or cannot tell. The last cell of a
        scheduled notebook.

        What looks worse is asked once more, afresh, before it is called worse: the same rows of these prompts
        and models, within what is left of the run's budget, at most once for a run. Where the state changed,
        people are told (`LABKIT_WEBHOOK`, `notify=`). A run that was checked before is checked anew, by the
        nights before it, and is no other night.

        Raises `DefinitionError` for what is no run of this lab, `StoreError`, and `RunBusy` where another
        process checks it for longer than a minute. All else is an outcome: a night of which nothing is known
        is one of which nothing can be told.

        >>> watch.check(run)                            # doctest: +SKIP
        """
        check(able("run", run, "generations", "run_id", like="a run: lab.run('latest')"))
        run.wait()
        made = None
        while made is None:
            made = self._checked(run, now())
        _hand_on(made, str(self.services.store.path))
        if (failed := heartbeat()) is not None:
            print(f"labkit: the heartbeat failed: {failed}", flush=True)
        return made

    def checks(self) -> pd.DataFrame:
        """One row per run that was checked, in their order. See `labkit.sentinel.check_history.checks`."""
        return check_history.checks(self.services.store, workspace=self.workspace, sentinel=self.name)

    def chart(self) -> go.Figure:
        """Scores, prices and latencies by night, beside the baseline: `lk.charts.nights`."""
        from labkit import charts

        return charts.nights(self)

    # -- within ----------------------------------------------------------------------------------

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
            record = self._record(made, held, seen, past, at, run)
            check_history.keep(store, record)
            if made.night < len(self.checks()):
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
                    time.sleep(0.05)
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
        known = self.baselines()["baseline"]
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
        outcome, said = _outcome(findings)
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

    def _record(
        self,
        made: Check,
        held: Baseline | None,
        seen: Seen | None,
        past: Sequence[Earlier],
        at: datetime,
        run: Run,
    ) -> CheckRecord:
        row = self.services.store.run_row(run.run_id)
        # A night of which nothing can be told changes nothing.
        stand = check_history.standing(past, held) if seen is None else [one.plain() for one in seen.alarms]
        levels = None if seen is None else seen.levels
        return CheckRecord(
            check_id=new_run_id(),
            sentinel=self.name,
            workspace=self.workspace,
            run_id=made.run_id,
            again_run_id=made.again_run_id,
            baseline_id=None if held is None else held.baseline_id,
            baseline=made.baseline,
            outcome=made.outcome,
            sentences=list(made.sentences),
            notes=list(made.notes),
            findings=[one.plain() for one in made.findings],
            alarms=[*stand],
            settings={
                "margin": dict(self.rules.margin),
                "latency": self.rules.latency,
                "cost": self.rules.cost,
                "false_alarms_per_year": self.rules.per_year,
                "confirm": self.rules.confirm,
                "levels": None if levels is None else {"night": levels.night, "week": levels.week},
            },
            asked_at=at if row is None else row["started_at"].replace(tzinfo=UTC),
            checked_at=at,
            user=self.user,
        )

    def __repr__(self) -> str:
        try:
            held = self._held()
        except LabkitError:
            return f"Sentinel({self.name!r})"
        told = (
            "no baseline yet"
            if held is None
            else f"baseline {held.name!r}, {held.answers_each} answers a row"
        )
        return f"Sentinel({self.name!r}: {told})"


def _outcome(findings: Sequence[Finding]) -> tuple[Outcome, list[str]]:
    """What all findings come to."""
    said = {one.said for one in findings}
    if "worse" in said:
        return "worse", sentences(findings)
    if "cannot tell" in said or not said - {"absent"}:
        return "cannot tell", sentences(findings) or ["Cannot tell: nothing that is watched was measured."]
    return "not shown to be worse", sentences(findings)


def _hand_on(made: Check, lab: str) -> None:
    """Append the check to the file that `labkit run` reads, where there is one."""
    path = os.environ.get(CHECKS)
    if path:
        line = json.dumps({**made.plain(), "lab": lab}, ensure_ascii=False)
        with open(path, "a", encoding="utf-8", errors="replace") as file:
            file.write(line + "\n")
