"""Checking a judge before it is believed: it is asked about controls, and must give each what it deserves.

The calls are generations as any other, so a check that was made is replayed. It does not know what the
controls are (see `labkit.scoring.judge_controls`).
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from labkit.arguments import check, mapping, text
from labkit.errors import DefinitionError
from labkit.records import Generation, RunEvent, Sample, Score
from labkit.run.ask_judge import ask
from labkit.run.judge_design import judge_design
from labkit.run.judging import Judging, scored
from labkit.run.lab_services import LabServices
from labkit.run.launch import Settings
from labkit.run.launch_commands import LaunchCommands
from labkit.scoring.judge_controls import Control, best_verdict, controls
from labkit.scoring.judges import Judge
from labkit.visible import cut, quoted, visible

if TYPE_CHECKING:
    import pandas as pd

SAMPLE = "control"


@dataclass(frozen=True)
class JudgeCheck:
    """What a judge said of twelve controls. `passed`: it gave each what it deserves."""

    judge: str
    rows: tuple[Mapping[str, Any], ...]

    @property
    def passed(self) -> bool:
        return not self.fooled_by

    @property
    def fooled_by(self) -> list[str]:
        """The controls that it gave something else, or nothing that could be read."""
        return [str(row["control"]) for row in self.rows if not row["right"]]

    def frame(self) -> pd.DataFrame:
        """One row a control: `control`, `answer` (cut), `wanted` and `value` (float: of a duel the share that
        the control won against a good answer), `right` (bool), `said`, what the judge said or why nothing."""
        import pandas as pd

        return pd.DataFrame(list(self.rows))

    def __repr__(self) -> str:
        right = sum(bool(row["right"]) for row in self.rows)
        head = f"{self.judge}: {right} of {len(self.rows)} controls as they should be"
        fooled = [
            f"  {row['control']}: {visible(row['said'], limit=80)}" for row in self.rows if not row["right"]
        ]
        return "\n".join([head, *fooled])

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:left'>{html.escape(visible(told, limit=120))}</td>"
                for told in (row["control"], "yes" if row["right"] else "no", row["said"])
            )
            + "</tr>"
            for row in self.rows
        )
        head = html.escape(repr(self).splitlines()[0])
        heads = "".join(f"<th scope='col'>{name}</th>" for name in ("control", "right", "the judge said"))
        return f"<div><b>{head}</b></div><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def check_judge(
    judge: Judge,
    services: LabServices,
    *,
    workspace: str,
    good: str | None,
    bad: str | None,
    sample: Mapping[str, Any] | None,
    budget_usd: float | None,
) -> JudgeCheck:
    """Ask a judge about its controls; see `Judge.check`."""
    check(
        text("good", good, or_none=True),
        text("bad", bad, or_none=True),
        [] if sample is None else mapping("sample", sample, like="{'text': 'It works.'}"),
    )
    fields = dict(sample or {})
    if judge.reference is not None and judge.reference in fields:
        good = str(fields[judge.reference]) if good is None else good
        bad = f"It is not so that: {good}" if bad is None else bad
    if lacking := _lacking(judge, fields, good, bad):
        raise DefinitionError(lacking)
    told = controls(judge, good=str(good), bad=str(bad))
    judging = Judging([judge], services, contenders=())
    if budget_usd is not None:
        check(judging.unpriced())
    answers = [_answer(f"control-{n}", control.answer, n) for n, control in enumerate(told, 1)]
    if judge.compares:  # each against a good answer, in a repeat of its own
        answers += [_answer(f"good-{n}", str(good), n) for n in range(1, len(told) + 1)]
    samples = {SAMPLE: Sample(id=SAMPLE, fields=fields)}
    design = judge_design(
        judge,
        judging.asked(judge),
        answers,
        samples,
        [name for name in fields if name != judge.reference],
        experiment="controls",
        workspace=workspace,
    )
    settings = Settings(budget_usd=budget_usd, fresh=False)
    verdicts, left = ask(judge, design, services, settings, LaunchCommands())
    if left:
        raise DefinitionError(f"{judge!r} was not asked about all controls: {left}")
    scores = {score.generation_id: score for score in scored(judge, answers, samples, verdicts)}
    rows = [_row(judge, control, scores[f"control-{n}"]) for n, control in enumerate(told, 1)]
    _keep(rows, verdicts[0].run_id, services)
    return JudgeCheck(repr(judge), tuple(rows))


def _keep(rows: Sequence[Mapping[str, Any]], run_id: str, services: LabServices) -> None:
    """What came of it, beside the run that asked: cards and verdicts tell it."""
    told = [{name: row[name] for name in ("control", "value", "right")} for row in rows]
    event = RunEvent(run_id=run_id, event="finished", at_time=datetime.now(UTC), detail={"check": told})
    writer = services.store.writer()
    writer.put(event)
    writer.flush()


def _row(judge: Judge, control: Control, score: Score) -> dict[str, Any]:
    low, high = (0.0, 0.5) if judge.compares else (float(judge.low or 0.0), float(judge.high or 0.0))
    wanted = high if control.deserves_best else low
    # A padded answer may well be worse than the same without.
    right = score.value == wanted or (judge.compares and control.deserves_best and score.value == low)
    return {
        "control": control.name,
        "answer": cut(control.answer, limit=200),
        "wanted": wanted,
        "value": score.value,
        "right": right,
        "said": score.error or score.explanation or "",
    }


def _answer(id: str, said: str, repeat: int) -> Generation:
    return Generation(
        generation_id=id,
        run_id="",
        experiment="",
        workspace="",
        prompt="",
        prompt_version=None,
        model="",
        provider="",
        sample_id=SAMPLE,
        repeat=repeat,
        status="done",
        text=said,
        request_id="",
    )


def _lacking(judge: Judge, fields: Mapping[str, Any], good: str | None, bad: str | None) -> list[str]:
    missing = [name for name in judge.columns if name not in fields]
    named = ", ".join(map(repr, missing))
    faults = [f"{judge!r} reads {named}: give a sample with it, sample={{…}}"] if missing else []
    if good is None:
        faults.append(f"give good=, an answer that deserves {quoted(best_verdict(judge))} of {judge!r}")
    if bad is None:
        faults.append(f"give bad=, an answer that deserves the opposite of {judge!r}")
    return faults
