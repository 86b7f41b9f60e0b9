"""Labels as something that is rated key by key: 1 to 9 are the grades in their order, 0 is "cannot tell".

It does not know how a task is drawn, nor how labels are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.scoring.verdict_request import CANNOT_TELL, in_brackets
from labkit.widgets.rating import Choice, Progress, Task

if TYPE_CHECKING:
    from labkit.run import labelling as labels
    from labkit.run.labelling import Labelling


class RatedLabels:
    """What `RatingView` drives when answers are labelled."""

    def __init__(self, labelling: Labelling) -> None:
        self._labelling = labelling
        self._opened: labels.Task | None = None
        self._now: Task | None = None
        self.title = f"labels of {labelling.score}"
        self.question = in_brackets(labelling.question)
        said = {str(number): grade for number, grade in enumerate(labelling.grades, 1)} | {"0": CANNOT_TELL}
        # Past the ninth a grade has a button alone.
        self._said = {f"grade {key}" if len(key) > 1 else key: grade for key, grade in said.items()}
        self.choices = [
            Choice(key, grade, labelling.meanings.get(grade, "")) for key, grade in self._said.items()
        ]

    def now(self) -> Task | None:
        left = self._labelling.left
        if not left:
            self._now = None
            return None
        task = self._opened if self._opened in left else left[0]
        if self._now is None or self._now.of is not task:
            self._now = Task(tuple(task.parts), (("answer", task.answer),), of=task)
        return self._now

    def press(self, task: Task, key: str, note: str | None) -> None:
        self._labelling.say(task.of, self._said[key], note)
        self._now = None

    def undo(self) -> bool:
        self._opened = self._labelling.undo()
        self._now = None if self._opened else self._now
        return self._opened is not None

    def progress(self) -> Progress:
        of, left = len(self._labelling.tasks), len(self._labelling.left)
        words = f"{of - left:,} of {of:,} answers labelled"
        if not left:
            words = "the one answer is labelled" if of == 1 else f"all {of:,} answers are labelled"
        return Progress(of - left, of, words)
