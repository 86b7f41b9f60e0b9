"""A run to be labelled, for notebooks of the browser tests: their cells name no model and no prompt."""

from __future__ import annotations

from typing import Any

from hostile import HOSTILE

import labkit as lk
from labkit.widgets.rating import Choice, Progress, Task
from labkit.widgets.rating_view import RatingView

MODELS = ("scripted/kindly", "scripted/gruffly")
PROMPT = "secret-prompt"
PRICES = {"input": 7.77131, "output": 31.17177}
REPLIES = {
    "scripted/kindly": "Thank you for writing. Your parcel left our warehouse on Monday and should reach you "
    "by Thursday. If it has not come by then, answer this message and we will send another one.",
    "scripted/gruffly": "It was sent. Wait.",
}
ASKED = (
    "Hello,\nI ordered a lamp two weeks ago (number {n}) and it has not come. Where is it?\nKind regards, Ada"
)
GRADES = {"no": 0.0, "partly": 0.5, "yes": 1.0}


def run(name: str, *, rows: int = 5, replies: dict[str, list[str]] | None = None) -> Any:
    """A finished run in the lab `name`, which it is made in at first: two models, `rows` samples."""
    lab = lk.Lab(f"{name}.duckdb", models=[_model(one, replies) for one in MODELS])
    plan = lab.plan(
        prompts=[lk.Prompt(PROMPT, "Reply to {{ message }}")],
        models=list(MODELS),
        dataset=[{"id": f"row-{n:03}", "message": ASKED.format(n=n)} for n in range(rows)],
    )
    plan.run(progress="none")
    return lab.run("latest")


def hostile(name: str) -> Any:
    """A run whose answers are hostile, empty, or a million characters long."""
    nasty = [*HOSTILE, "", " \n ", "\u05d0\u05d1\u05d2 123 \u05d3", "word " * 200_000]
    return run(name, rows=7, replies={MODELS[0]: nasty[::2], MODELS[1]: nasty[1::2]})


class Pairs:
    """Two answers side by side, with the arena's keys; `said` is what was pressed."""

    title = "arena"
    question = "Which answer helps more?"
    choices = (
        Choice("1", "left", "The left one helps more, or it is the only one that is true."),
        Choice("2", "right", "The right one helps more, or it is the only one that is true."),
        Choice("3", "tie", "Both help, and as much."),
        Choice("4", "neither", "None of them helps."),
        Choice("0", "skip"),
    )

    def __init__(self, count: int = 4) -> None:
        self.count = count
        self.said: list[tuple[str, str | None]] = []

    def now(self) -> Task | None:
        number = len(self.said)
        if number >= self.count:
            return None
        long = "\n\n".join([REPLIES[MODELS[0]]] * (1 + 8 * number))
        sides = (("left", REPLIES[MODELS[1]]), ("right", long))
        return Task((("message", ASKED.format(n=number)),), sides, of=number)

    def press(self, task: Task, key: str, note: str | None) -> None:
        self.said.append((key, note))

    def undo(self) -> bool:
        return bool(self.said and self.said.pop())

    def progress(self) -> Progress:
        done = len(self.said)
        words = f"{done} of {self.count} pairs rated" if done < self.count else "all pairs are rated"
        return Progress(done, self.count, words)


def pairs() -> RatingView:
    """A view of pairs."""
    return RatingView(Pairs())


def _model(name: str, replies: dict[str, list[str]] | None) -> lk.Model:
    def said(request: Any) -> str:
        number = int(request.messages[-1]["content"].split("number ")[1].split(")")[0])
        return replies[name][number] if replies else f"{REPLIES[name]} ({number})"

    return lk.Model(name, client=lk.Script(said, version="1"), prices=PRICES)
