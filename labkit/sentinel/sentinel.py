"""A sentinel: a named watch over a scheduled run. It accepts baselines, checks runs, tells people, shows
nights.

How a check comes about is `checking`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from labkit.arguments import able, check, switch, text
from labkit.errors import LabkitError
from labkit.run import Run
from labkit.sentinel import baseline as baselines
from labkit.sentinel import check_history
from labkit.sentinel.channels import heartbeat
from labkit.sentinel.check import Check, hand_on
from labkit.sentinel.checking import Checking

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


def now() -> datetime:
    """The time, for tests to set."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Sentinel(Checking):
    """A named watch over a scheduled run. Made by `lab.sentinel(name, …)`; frozen.

    >>> watch = lab.sentinel("nightly", margin=0.02)
    >>> watch
    Sentinel('nightly': no baseline yet)
    """

    # -- baselines -------------------------------------------------------------------------------

    def accept(self, *runs: Run, why: str | None = None, force: bool = False) -> Sentinel:
        """Make the answers of a run, or of several as repeats of one, what later runs are held against.
        Nothing else does: no run becomes a baseline by itself. Alarms that stand are over with it. Prints
        what was accepted.

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
        told = baselines.accept(
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
        print(told, flush=True)
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
        hand_on(made, str(self.services.store.path))
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
