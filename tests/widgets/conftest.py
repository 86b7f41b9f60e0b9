"""A run to look at without a run: cells, and a live run that is told what would happen to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from labkit.records import Cell, Generation, Score
from labkit.widgets.live_run import LiveRun

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "<svg onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<style>@import 'http://127.0.0.1:1/x'</style>",
    '<a href="javascript:alert(1)">x</a>',
    "![t](http://127.0.0.1:1/q)",
    "a\u202eb\u200bc\x1b[31m\u2066d",
    "'; drop table generations; --",
    "{{ 7 * 7 }}",
)
PLACE = tuple(name for name in Cell.__struct_fields__)


def make_cell(model: str = "m/one", sample: str = "s0", *, prompt: str = "p", repeat: int = 0) -> Cell:
    return Cell(
        generation_id=f"{prompt}|{model}|{sample}|{repeat}",
        run_id="r",
        experiment="e",
        workspace="w",
        prompt=prompt,
        prompt_version=1,
        model=model,
        provider="m",
        sample_id=sample,
        repeat=repeat,
        request_id="r1:0",
        draw=0,
    )


def make_generation(cell: Cell, text: str | None = "hi", **given: Any) -> Generation:
    place = {name: getattr(cell, name) for name in PLACE}
    answered = {"status": "done", "attempts": 1, "cost_usd": 0.01, "output_tokens": 2, "latency_s": 0.5}
    return Generation(**place, text=text, **{**answered, **given})


def make_board(models: Sequence[str] = ("m/one", "m/two"), rows: int = 3, **given: Any) -> LiveRun:
    live = LiveRun(**given)
    live.planned(dict.fromkeys(models, rows), {})
    for row in range(rows):
        for model in models:
            live.queued(make_cell(model, f"s{row}"))
    return live


@pytest.fixture
def cell() -> Callable[..., Cell]:
    """Makes a cell."""
    return make_cell


@pytest.fixture
def generation() -> Callable[..., Generation]:
    """Makes the row of a cell."""
    return make_generation


@pytest.fixture
def live() -> Callable[..., LiveRun]:
    """Makes a live run whose cells are queued."""
    return make_board


@pytest.fixture
def hostile() -> tuple[str, ...]:
    """Strings that would act if anything were to run, render or reorder them."""
    return HOSTILE


def make_score(cell: Cell, value: float | None, scorer: str = "ok") -> Score:
    return Score(
        generation_id=cell.generation_id,
        scorer=scorer,
        value=value,
        scored_at=datetime.now(UTC),
        low=0.0,
        high=1.0,
        step=1.0,
    )


@pytest.fixture
def score() -> Callable[..., Score]:
    """Makes a score of true or false for a cell."""
    return make_score


class Controls:
    """Hears what buttons ask for."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def stop(self, reason: str = "", *, model: str | None = None) -> None:
        self.heard.append(("stop", model))

    def pause(self) -> None:
        self.heard.append("pause")

    def go_on(self) -> None:
        self.heard.append("go on")


@pytest.fixture
def controls() -> Controls:
    """Somebody for the buttons to turn to."""
    return Controls()
