"""Rating answers one task after the other: what is shown of a task, and which press counts.

A view is told nothing of a task but what a person may see, and an opaque token, which is new each time a
task is shown: a press that comes twice, late, or from a view that shows another task does nothing. What is
rated, and where it is kept, is the matter of a `Rated`; how it is drawn that of `rating_view`.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from labkit.errors import LabkitError
from labkit.visible import cut, shown, visible

LONGEST_TEXT = 200_000
"""Characters of one text that are shown; a longer one is cut, and says so."""
LONGEST_NOTE = 2_000
EMPTY, BLANK = "(empty answer)", "(nothing but blanks)"
_KEPT_MARKS = 64


class Choice(NamedTuple):
    """One thing that can be said of a task."""

    key: str
    """The key for it, and its name in a press. One of several characters has a button alone."""
    label: str
    title: str = ""
    """What it means, where the label does not say it."""


@dataclass(frozen=True)
class Task:
    """What a person is shown at a time: parts and answers, each a heading and a text, one or two answers."""

    parts: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, str], ...]
    of: Any = field(default=None, repr=False)
    """By what the `Rated` knows it again; it never leaves Python."""


class Progress(NamedTuple):
    """How far somebody is."""

    done: int
    total: int
    words: str
    """`12 of 80 answers labelled`; when nothing is left what is then to be said."""


class Rated(Protocol):
    """What is rated: it hands out tasks, and keeps what is said of them."""

    @property
    def title(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def choices(self) -> Sequence[Choice]: ...

    def now(self) -> Task | None:
        """The task to be shown, the same object until something is said of it. None where nothing is left."""

    def press(self, task: Task, key: str, note: str | None) -> None:
        """Say something of the task; it is on disk when this returns. Raises `LabkitError` where it is not:
        the task then stays. A key may also do something else; `now` then goes on giving the task."""

    def undo(self) -> bool:
        """Take back what was said last, and open its task again; whether there was something."""

    def progress(self) -> Progress: ...


class Rating:
    """The state behind the views of one `Rated`. Each method gives the message that all views are to have."""

    def __init__(self, rated: Rated) -> None:
        self.rated = rated
        self._lock = threading.RLock()
        self._number = 0
        self._token = ""
        self._task: Task | None = None
        self._heard = deque[str](maxlen=_KEPT_MARKS)
        self._turn(anew=True)

    def state(self, *, mark: str | None = None, told: str = "", trouble: str = "") -> dict[str, Any]:
        """All that a view needs. `mark` is that of the message which this answers."""
        with self._lock:
            self._turn()
            self._number += 1
            task, progress = self._task, self.rated.progress()
            return {
                "kind": "state",
                "number": self._number,
                "task": self._token,
                "mark": mark,
                "over": task is None,
                "title": shown(self.rated.title),
                "question": shown(self.rated.question),
                "choices": [[one.key, shown(one.label), shown(one.title)] for one in self.rated.choices],
                "parts": [_seen(*part) for part in task.parts] if task else [],
                "answers": [_answer(*answer) for answer in task.answers] if task else [],
                "progress": [progress.done, progress.total, shown(progress.words)],
                "told": told,
                "trouble": trouble,
            }

    def obey(self, content: Any) -> dict[str, Any]:
        """Do what a view asks for: `{kind: press | undo, task, mark}`, a press with `key` and `note`. All
        else is answered with the state."""
        if not isinstance(content, Mapping):
            return self.state()
        with self._lock:
            mark = content.get("mark")
            mark = mark if isinstance(mark, str) else None
            if content.get("kind") not in ("press", "undo") or not self._is_new(mark, content.get("task")):
                return self.state(mark=mark)
            try:
                told = self._undo() if content["kind"] == "undo" else self._press(content)
            except LabkitError as error:
                return self.state(mark=mark, trouble=visible(error, limit=600))
            except Exception as error:  # noqa: BLE001 - a callback's exception is shown nowhere else
                # Its words may name who answered.
                return self.state(mark=mark, trouble=f"{type(error).__name__}: it was not kept. Press again.")
            return self.state(mark=mark, told=told)

    def _is_new(self, mark: str | None, token: Any) -> bool:
        """Whether a message is about the task that is shown, and came for the first time."""
        if token != self._token or mark in self._heard:
            return False
        if mark is not None:
            self._heard.append(mark)
        return True

    def _press(self, content: Mapping[str, Any]) -> str:
        key, note = content.get("key"), content.get("note")
        if self._task is not None and any(one.key == key for one in self.rated.choices):
            said = note.strip()[:LONGEST_NOTE] if isinstance(note, str) else ""
            self.rated.press(self._task, str(key), said or None)
        return ""

    def _undo(self) -> str:
        if not self.rated.undo():
            return "There is nothing to take back."
        self._turn(anew=True)
        return "Taken back: say it again."

    def _turn(self, *, anew: bool = False) -> None:
        task = self.rated.now()
        if anew or task is not self._task:
            self._task, self._token = task, secrets.token_hex(8)


def _seen(heading: str, text: str) -> list[str]:
    return [shown(heading), shown(cut(text, limit=LONGEST_TEXT))]


def _answer(heading: str, text: str) -> list[Any]:
    """Heading, text, and whether the text is ours, since there is none to be seen."""
    if text.strip():
        return [*_seen(heading, text), False]
    return [shown(heading), BLANK if text else EMPTY, True]
