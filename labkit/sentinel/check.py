"""What a check of a run gives: the outcome, its sentences and figures, as a value for notebooks and
schedulers.

It shows what was found; how it was found is `night`'s.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.errors import LabkitError, SentinelAlarm
from labkit.sentinel.finding import Finding
from labkit.sentinel.words import sentences
from labkit.store.definition_records import Outcome
from labkit.verdict import show
from labkit.visible import visible

if TYPE_CHECKING:
    import pandas as pd

EXIT_CODES: dict[Outcome, int] = {"not shown to be worse": 0, "worse": 3, "cannot tell": 4}
CHECKS = "LABKIT_CHECKS"
"""The variable that names a file which gets each check as a line of JSON: how `labkit run` hears of them."""
MOST_SAID = 12
"""Sentences that `str` shows; all are in `sentences`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Check:
    """A run as a sentinel saw it. Made by `watch.check(run)`; frozen."""

    sentinel: str
    workspace: str
    run_id: str
    again_run_id: str | None
    """The run in which rows were asked once more; None: they were not."""
    baseline: str | None
    """The name of the baseline; None: there was none."""
    night: int
    """How manieth run it is that this sentinel checked."""
    outcome: Outcome
    """`worse`, `not shown to be worse` or `cannot tell`."""
    sentences: tuple[str, ...]
    """One per metric of each prompt and model, what is worse first."""
    notes: tuple[str, ...]
    """What else is to be known: an odd hour, a week that was pooled, a run that did not finish."""
    findings: tuple[Finding, ...]
    """The figures behind the sentences; as a frame: `frame()`."""
    told: tuple[str, ...] = ()
    """Who was told of it, and who was not and why."""

    @property
    def exit_code(self) -> int:
        """0 not shown to be worse, 3 worse, 4 cannot tell: that of `labkit run`."""
        return EXIT_CODES[self.outcome]

    def frame(self) -> pd.DataFrame:
        """One row per metric of each prompt and model: `prompt`, `model`, `metric` (`score.<name>`, `cost`,
        `latency`), `said`, `by` (`quick`, `slow`, `certain`: what raised the alarm), `stands`, `since`,
        `samples`, `before`, `now` (mean score, USD per answer, typical seconds), `change` (of a score now −
        before, else now ÷ before) with `low`, `high` at 95 % for all prompts and models together, `margin`,
        `better`, `resolved`, `causes` (lists), `sentence`."""
        import pandas as pd

        return pd.DataFrame(
            [one.plain() for one in self.findings], columns=list(Finding.__dataclass_fields__)
        )

    def raise_for_outcome(self) -> Check:
        """For schedulers that know only cells that fail: raise `SentinelAlarm` unless it is not shown to be
        worse.

        >>> watch.check(run).raise_for_outcome()            # doctest: +SKIP
        """
        if self.exit_code:
            raise SentinelAlarm(str(self))
        return self

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "sentinel": self.sentinel,
            "workspace": self.workspace,
            "run_id": self.run_id,
            "again_run_id": self.again_run_id,
            "baseline": self.baseline,
            "night": self.night,
            "outcome": self.outcome,
            "sentences": list(self.sentences),
            "notes": [*self.notes, *self.told],
            "findings": [one.plain() for one in self.findings],
        }

    @property
    def headline(self) -> str:
        """The outcome in a line."""
        against = (
            f" than baseline {visible(self.baseline)}"
            if self.baseline and self.outcome != "cannot tell"
            else ""
        )
        return f"{visible(self.sentinel, limit=80)}: {self.outcome}{against} (night {self.night})."

    def __str__(self) -> str:
        said: Sequence[str] = self.sentences[:MOST_SAID]
        more = len(self.sentences) - MOST_SAID
        rest = [f"… and {more:,} more: see .sentences and .frame()."] if more > 0 else []
        return "\n".join([self.headline, *said, *rest, *(f"({note})" for note in (*self.notes, *self.told))])

    def __repr__(self) -> str:
        return f"Check({visible(self.sentinel, limit=40)}, night {self.night}: {self.outcome})"

    def _repr_html_(self) -> str:
        frame = self.frame()
        shown = frame[["prompt", "model", "metric", "said", "samples", "change", "low", "high"]]
        return show.listing(self.headline, self.sentences, (*self.notes, *self.told), shown)


def outcome_of(findings: Sequence[Finding]) -> tuple[Outcome, list[str]]:
    """What all findings come to, and their sentences."""
    said = {one.said for one in findings}
    if "worse" in said:
        return "worse", sentences(findings)
    if "cannot tell" in said or not said - {"absent"}:
        return "cannot tell", sentences(findings) or ["Cannot tell: nothing that is watched was measured."]
    return "not shown to be worse", sentences(findings)


def hand_on(made: Check, lab: str) -> None:
    """Append the check to the file that `labkit run` reads, where there is one. Raises `LabkitError` where
    that cannot be written: it would else be a night without a word."""
    if not (path := os.environ.get(CHECKS)):
        return
    line = json.dumps({**made.plain(), "lab": lab}, ensure_ascii=False)
    try:
        with open(path, "a", encoding="utf-8", errors="replace") as file:
            file.write(line + "\n")
    except OSError as error:
        raise LabkitError(
            f"{made.headline} The check is in the lab, but the file that {CHECKS} names cannot be written "
            f"({error.strerror}), so that whoever reads it does not know."
        ) from None
