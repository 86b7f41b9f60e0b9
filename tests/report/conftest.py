"""A scored run of three scripted models whose answers, names and prompts are as hostile as they can be."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EVIL = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '<a href="javascript:alert(1)">click</a>',
    "![x](http://127.0.0.1:9/leak) [y](javascript:alert(1))",
    "<style>@import url(http://127.0.0.1:9/)</style>",
    "=cmd|'/c calc'!A1",
    "a\u202eb\u200bc \x1b[31mred",
    "/home/ada/secrets/key.txt and C:\\Users\\ada\\x",
)


def answering(rate: float) -> Callable[[Any], str]:
    """Right so often, and always with something nasty behind it; the same for the same question."""

    def answer(request: Any) -> str:
        question = str(request.messages[-1]["content"])
        chance = random.Random(f"{question}/{rate}")
        return ("yes" if chance.random() < rate else "no") + " " + chance.choice(EVIL)

    return answer


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The run, finished and scored; tests only read it."""
    import labkit as lk

    here: Path = tmp_path_factory.mktemp("report")

    models = [
        lk.Model(
            f"scripted/{name}",
            client=lk.Script(answering(rate), version="1"),
            prices={"input": 1.0, "output": 2.0},
            label=f"{name} <b>{rate}</b>",
        )
        for name, rate in (("a", 0.3), ("b", 0.9), ("c", 0.4))
    ]
    rows = [{"text": f"q{i}", "target": "yes", "kind": EVIL[i % 2]} for i in range(40)]
    lab = lk.Lab(here / "lab.duckdb", models=models)
    plan = lab.plan(
        prompts=[lk.Prompt("p", "Hi <script>alert(1)</script> {{ text }}")],
        models=models,
        dataset=rows,
        repeats=2,
        scorers=[lk.contains("target")],
        experiment="demo",
    )
    found = plan.run(progress="none")
    found.lab = lab
    return found
