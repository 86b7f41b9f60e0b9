"""Labels of a run's answers: which rows are drawn, what a person is shown of them, and what he says.

Samples are drawn at random, and their answers shown one by one: blind, in an order of their own, without what
a judge said. Each label is on disk before the next shows. It knows no screen (`labkit.widgets.rating_view`).
"""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any

from labkit.arguments import check, is_number, text, whole
from labkit.arguments import seed as seeds
from labkit.errors import DefinitionError
from labkit.nearest import listed
from labkit.records import Generation, Sample
from labkit.run import score_answers
from labkit.run.judge_design import prompts_of, shown_columns
from labkit.run.lab_services import LabServices
from labkit.scoring.judge_faults import grades_of
from labkit.scoring.judges import Judge, as_text
from labkit.scoring.recipe import made_again
from labkit.scoring.verdict_request import CANNOT_TELL, Part
from labkit.store import LabelRecord
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

    from labkit.widgets.rating_view import RatingView

_GIVEN = """
    select generation_id, grade from labels
    where scorer = ? and "user" is not distinct from ? order by labelled_at
"""
_RECIPES = """
    select detail->'$.scorers' as scorers from log.run_events
    where event = 'started' and run_id in (
        select run_id from log.runs where parent_run_id = $run union select $run
    )
    order by written_at desc
"""
KEYS = ("generation_id", "sample_id", "prompt", "model", "repeat", "text")
"""By which columns a frame of labels may name answers."""


@dataclass(frozen=True)
class Task:
    """Answers with one text to one sample: what a person is shown, and whom the label is of."""

    sample_id: str
    parts: tuple[Part, ...]
    """What a judge is shown beside the answer: columns of the sample, and the reference."""
    answer: str
    of: tuple[str, ...]
    """The generation_ids; never shown."""


class Labelling:
    """What one person says of a run's answers, by one score."""

    def __init__(
        self,
        run_id: str,
        score: str,
        services: LabServices,
        *,
        n: int | None,
        seed: int,
        user: str | None,
        grades: Mapping[str, float] | None,
    ) -> None:
        faults = [*text("score", score), *seeds(seed), *text("user", user, or_none=True)]
        check(faults, [] if n is None else whole("n", n))
        self.score, self.user = score, user or services.user
        self._store = services.store
        with self._store.complete_opening():
            judge = judge_of(run_id, score, services)
            self.grades = _grades(judge, score, grades)
            answers = list(score_answers.answers(run_id, self._store))
            samples = self._store.samples(run_id)
            columns = shown_columns(prompts_of(run_id, self._store), samples)
            given = self._store.table(_GIVEN, [score, self.user]).to_pylist()
        if not answers:
            raise DefinitionError(f"Run {run_id} has no finished answers to label.")
        self.question = score if judge is None else judge.question
        self.meanings = {} if judge is None else dict(judge.meanings)
        self._answers = {answer.generation_id: answer for answer in answers}
        names = sorted({answer.sample_id for answer in answers})
        # One order of all for each seed: who draws more later keeps those that were drawn.
        order = Random(f"{run_id}/{score}/{seed}").sample(names, len(names))  # noqa: S311 - a draw, not a secret
        drawn = order[:n]
        self.chance, self._draw = len(drawn) / len(names), str(seed)
        self.tasks = _tasks(answers, samples, columns, judge, set(drawn), seed)
        self._said = {row["generation_id"]: str(row["grade"]) for row in given}
        of = {one: task for task in self.tasks for one in task.of}
        self._done = list(dict.fromkeys(of[one] for one in self._said if one in of))

    # -- one by one ------------------------------------------------------------------------------

    @property
    def left(self) -> list[Task]:
        """What is still to be labelled, in the order in which it is shown."""
        return [task for task in self.tasks if not all(one in self._said for one in task.of)]

    def say(self, task: Task, grade: str, comment: str | None = None) -> None:
        """Label what a task shows; it is on disk when this returns. Raises `DefinitionError` for what is no
        grade, `StoreError` where it could not be written."""
        if grade not in (*self.grades, CANNOT_TELL):
            raise DefinitionError(f"{quoted(grade)} is no grade; there are {', '.join(self.grades)}.")
        self._put([self._label(one, grade, comment=comment) for one in task.of])
        self._said |= dict.fromkeys(task.of, grade)
        self._done = [*(one for one in self._done if one != task), task]

    def undo(self) -> Task | None:
        """Take back this person's last label, and open its task again; None where there is none."""
        if not self._done:
            return None
        task = self._done[-1]
        self._put([self._label(one, self._said[one], withdrawn=True) for one in task.of if one in self._said])
        self._done.pop()
        for one in task.of:
            self._said.pop(one, None)
        return task

    # -- from a frame ----------------------------------------------------------------------------

    def give(self, labels: pd.DataFrame, *, drawn: bool) -> int:
        """Label answers from a frame: `drawn` those alone that labkit drew, else all that it names, which are
        then kept as chosen by hand unless they are all that there is. How many answers were labelled.

        Raises one `DefinitionError` with everything that is wrong with the frame.
        """
        found = self._matched(labels)
        mine = {one for task in self.tasks for one in task.of}
        if drawn:
            found = {key: row for key, row in found.items() if key[0] in mine}
        whole = drawn or {one for one, _ in found} >= set(self._answers)
        self._put(
            [
                self._label(one, grade, comment=comment, user=user, drawn=whole)
                for (one, user), (grade, comment) in found.items()
            ]
        )
        self._said |= {one: grade for (one, user), (grade, _) in found.items() if user == self.user}
        return len({one for one, _ in found})

    def _matched(self, labels: pd.DataFrame) -> dict[tuple[str, str | None], tuple[str, str | None]]:
        """By generation and person, the grade and the comment."""
        keys = [name for name in KEYS if name in labels.columns]
        faults = [] if keys else [f"it names no answers; columns that do: {', '.join(KEYS)}"]
        if not {"grade", "value"} & set(labels.columns):
            faults.append("it has no column 'grade' (or 'value')")
        if faults:
            raise DefinitionError([f"The frame of labels: {fault}." for fault in faults])
        places: defaultdict[tuple[Any, ...], list[str]] = defaultdict(list)
        for one, answer in self._answers.items():
            places[tuple(str(getattr(answer, name)) for name in keys)].append(one)
        by_value = {value: grade for grade, value in self.grades.items()}
        found: dict[tuple[str, str | None], tuple[str, str | None]] = {}
        strangers, wrong, twice = list[str](), list[str](), list[str]()
        for row in labels.astype(object).where(labels.notna(), None).to_dict("records"):
            where, said = tuple(str(row[name]) for name in keys), row.get("grade", row.get("value"))
            if said is None:
                continue
            called, user = " · ".join(where), str(row["user"]) if row.get("user") else self.user
            grade = by_value.get(said) if is_number(said) else str(said)
            if not places.get(where):
                strangers.append(called)
            if grade is None or grade not in (*self.grades, CANNOT_TELL):
                wrong.append(f"{quoted(said)} ({called})")
                continue
            comment = row.get("comment")
            for one in places.get(where, ()):
                twice += [called] if (one, user) in found else []
                found[one, user] = grade, comment if isinstance(comment, str) else None
        grades = ", ".join(f"{grade!r} ({value:g})" for grade, value in self.grades.items())
        check(
            _told("names {} that this run has no answer for", strangers),
            _told(f"has {{}} that is no grade; there are {grades}", wrong),
            _told("labels {} twice by one person", twice),
        )
        return found

    # -- writing ---------------------------------------------------------------------------------

    def _label(
        self,
        one: str,
        grade: str,
        *,
        comment: str | None = None,
        user: str | None = None,
        drawn: bool = True,
        withdrawn: bool = False,
    ) -> LabelRecord:
        return LabelRecord(
            label_id=f"l-{secrets.token_hex(8)}",
            generation_id=one,
            scorer=self.score,
            grade=grade,
            value=self.grades.get(grade),
            labelled_at=datetime.now(UTC),
            user=user or self.user,
            draw=self._draw if drawn else None,
            chance=self.chance if drawn else None,
            comment=comment,
            withdrawn=withdrawn,
        )

    def _put(self, labels: Sequence[LabelRecord]) -> None:
        writer = self._store.writer()
        for label in labels:
            writer.put(label)
        writer.flush()

    # -- showing ---------------------------------------------------------------------------------

    @cached_property
    def _view(self) -> RatingView:
        from labkit.run.rated_labels import RatedLabels
        from labkit.widgets.rating_view import RatingView

        return RatingView(RatedLabels(self))

    def _ipython_display_(self) -> None:
        self._view.show()

    def __repr__(self) -> str:
        done, of = len(self.tasks) - len(self.left), len(self.tasks)
        return f"Labelling({self.score!r}, {done:,} of {of:,} answers labelled by {self.user})"


def judge_of(run_id: str, score: str, services: LabServices) -> Judge | None:
    """The judge that gives this score, as the run was scored with it; None where none did."""
    here = {one.name: one for one in services.scorers.get(run_id, ())}
    if isinstance(known := here.get(score), Judge):
        return known
    for row in services.store.table(_RECIPES, {"run": run_id}).to_pylist():
        for told in json.loads(row["scorers"] or "[]"):
            if told.get("name") == score and isinstance(found := made_again(told), Judge):
                return found
    return None


def _grades(judge: Judge | None, score: str, given: Mapping[str, float] | None) -> dict[str, float]:
    if given is not None:
        values, faults = grades_of(f"label {quoted(score)}", given)
        check(faults)
        return values
    if judge is None:
        raise DefinitionError(
            f"No judge of this run is called {quoted(score)}, so its grades are not known. Give them: "
            f"run.label({quoted(score)}, grades={{'no': 0, 'yes': 1}})."
        )
    if judge.compares:
        raise DefinitionError(
            f"{judge!r} compares two answers, and labels are of one. Label another score of the same "
            "question: run.label('good', grades={'no': 0, 'yes': 1})."
        )
    return {grade: value for grade, value in judge.verdicts.items() if value is not None}


def _tasks(
    answers: Sequence[Generation],
    samples: Mapping[str, Sample],
    columns: Sequence[str],
    judge: Judge | None,
    drawn: Collection[str],
    seed: int,
) -> list[Task]:
    """What is shown of the drawn samples, each text once: in an order that tells nothing of who answered."""
    same: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    first: dict[tuple[str, str, str], int] = {}
    for answer in answers:
        # Of repeats the first says as much of the mean as any other.
        contender = answer.sample_id, answer.prompt, answer.model
        if answer.sample_id in drawn and first.setdefault(contender, answer.repeat) == answer.repeat:
            same[answer.sample_id, answer.text or ""].append(answer.generation_id)
    tasks = []
    for (sample_id, said), of in same.items():
        sample = samples.get(sample_id, Sample(id=sample_id, fields={}))
        shown = [Part(name, as_text(sample[name])) for name in columns if sample.fields.get(name) is not None]
        parts = shown if judge is None else judge.parts(sample, columns)
        tasks.append(Task(sample_id, tuple(parts), said, tuple(sorted(of))))
    tasks.sort(key=lambda task: task.of)
    Random(seed).shuffle(tasks)  # noqa: S311 - an order, not a secret
    return tasks


def _told(said: str, rows: Sequence[str]) -> list[str]:
    few = listed(rows[0], list(dict.fromkeys(rows)), most=3) if rows else ""
    return [f"The frame of labels {said.format(few)}."] if rows else []
