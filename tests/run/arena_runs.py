"""Runs of scripted models whose answers are known, for tests of the arena."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import labkit as lk

NAMES = ("kindly", "gruffly", "oddly")
MODELS = tuple(f"scripted/{name}" for name in NAMES)
PRICES = {"input": 7.77131, "output": 31.17177}


def says(number: int) -> Callable[[Any], str]:
    """An answer that differs from those of all other numbers, and names nobody."""
    return lambda request: f"Answer {'abcdefgh'[number]} to {request.messages[-1]['content']}"


def run(
    lab: Any,
    answers: Mapping[str, Callable[[Any], str]] | None = None,
    *,
    rows: int = 6,
    prompts: Sequence[Any] = (lk.Prompt("secret-prompt", "Reply to {{ message }}"),),
    fresh: bool = False,
    **given: Any,
) -> Any:
    """A finished run: three models that answer differently, or who is given; `rows` samples."""
    made = answers or {name: says(number) for number, name in enumerate(NAMES)}
    models = [
        lk.Model(f"scripted/{name}", client=lk.Script(said, version="1"), prices=PRICES)
        for name, said in made.items()
    ]
    dataset = [{"id": f"row-{n:03}", "message": f"message {n}"} for n in range(rows)]
    plan = lab.plan(prompts=list(prompts), models=models, dataset=dataset, **given)
    return plan.run(progress="none", fresh=fresh)


def rate(arena: Any, count: int, keys: str = "1233140", note: str | None = None) -> list[Any]:
    """Press so many keys in turn; the tasks that were rated."""
    tasks = []
    for number in range(count):
        tasks.append(arena.now())
        arena.press(tasks[-1], keys[number % len(keys)], note)
    return tasks
