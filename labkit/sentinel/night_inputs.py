"""All that a night is judged by, read from the lab: the baseline's answers, tonight's, those of the last
week, and under which circumstances they were asked.

It decides nothing. Asking once more is given to it as a function.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.errors import DefinitionError
from labkit.run import LabServices, Run
from labkit.sentinel import alarms
from labkit.sentinel.alarms import Alarm
from labkit.sentinel.baseline import Baseline, joined
from labkit.sentinel.check_history import Earlier, standing
from labkit.sentinel.circumstances import Circumstances, circumstances
from labkit.sentinel.rows import COLUMNS, Contender
from labkit.stats.scale import UNKNOWN, Scale
from labkit.summary.scores import score_scale

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd


AskAgain = Callable[[Sequence[Contender], Collection[str]], "pd.DataFrame"]
"""Asks these once more, afresh, for the sake of these metrics. Raises `LabkitError` where it cannot."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """All that a night is judged by."""

    before: pd.DataFrame
    """The baseline's generations."""
    now: pd.DataFrame
    then: Circumstances
    """The baseline's."""
    tonight: Circumstances
    baseline: str
    """Its name."""
    answers_each: int
    """That the baseline has of a row."""
    scored_anew: Collection[str]
    """Of the baseline's scores (columns) those that were given anew since it was accepted."""
    alarms: Sequence[Alarm]
    """That stood before."""
    at: datetime
    ask_again: AskAgain
    week: Callable[[], pd.DataFrame | None]
    """The last seven nights; None: it is not time for them. Of a prompt and model without the nights on which
    a quick alarm of theirs stood: those were told of."""

    def scale(self, metric: str) -> Scale:
        """What was declared of a score of the baseline."""
        return score_scale(self.before, metric) if metric in self.before.columns else UNKNOWN


def read(
    run: Run,
    held: Baseline,
    past: Sequence[Earlier],
    services: LabServices,
    *,
    at: datetime,
    ask_again: AskAgain,
) -> Given:
    """What is to be known of the night of `run`. Raises `DefinitionError` where it, or the baseline, has no
    answers."""
    store = services.store
    try:
        before = joined([Run.find(run_id, services) for run_id in held.run_ids], COLUMNS)
    except DefinitionError:
        raise DefinitionError(
            f"The answers of baseline {held.name} are no longer in this lab. Accept another: "
            "watch.accept(run)."
        ) from None
    if run.run_id in held.run_ids:
        raise DefinitionError(
            f"Run {run.run_id} is of baseline {held.name} itself, and against itself nothing is worse."
        )
    tonight = run.generations(columns=COLUMNS)
    if before.empty or tonight.empty:
        raise DefinitionError(f"Run {run.run_id if tonight.empty else held.run_ids[0]} has no answers.")
    changed = held.changed(before)
    if "answers" in changed:
        raise DefinitionError(
            f"The answers of baseline {held.name} are not those that were accepted: its run went on since. "
            "Accept it again: watch.accept(run)."
        )
    usable = [one for one in past if one.baseline_id == held.baseline_id and one.is_usable]

    def week() -> pd.DataFrame | None:
        if (len(usable) + 1) % alarms.WEEK:
            return None
        nights = usable[1 - alarms.WEEK :]
        try:
            whole = joined([*(Run.find(one.run_id, services) for one in nights), run], COLUMNS)
        except DefinitionError:  # some of its runs are gone
            return None
        return _without_known(whole, nights)

    return Given(
        before=before,
        now=tonight,
        then=circumstances(held.run_ids, store),
        tonight=circumstances([run.run_id], store),
        baseline=held.name,
        answers_each=held.answers_each,
        scored_anew=changed,
        alarms=[alarms.of(one) for one in standing(past, held)],
        at=at,
        ask_again=ask_again,
        week=week,
    )


def _without_known(whole: pd.DataFrame, nights: Sequence[Earlier]) -> pd.DataFrame:
    known = {
        (one.run_id, alarm["prompt"], alarm["model"])
        for one in nights
        for alarm in one.alarms
        if alarm["by"] != "slow"
    }
    keys = zip(whole["run_id"], whole["prompt"].astype(str), whole["model"].astype(str), strict=True)
    kept = whole[[key not in known for key in keys]]
    kept.attrs = dict(whole.attrs)
    return kept
