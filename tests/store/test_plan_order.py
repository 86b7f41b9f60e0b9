"""Rows and scores of one run in the order of its plan."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from labkit.records import RunEvent
from labkit.store import Store
from labkit.store.definition_records import SampleRecord

Put = Callable[..., None]


def launch(event: str, **told: Any) -> RunEvent:
    return RunEvent(run_id="run-1", event=event, at_time=datetime.now(UTC), detail=told or None)


def rows(make: Any) -> list[Any]:
    """Two samples under two prompts on two models, written in no order."""
    places = [(s, p, m) for m in ("x/b", "x/a") for s in ("s1", "s2") for p in ("q", "p")]
    return [
        make.generation(f"{s}{p}{m}", sample_id=s, prompt=p, model=m)
        for s, p, m in (places[5], places[2], places[7], places[0], *places[3:5], places[1], places[6])
    ]


def samples() -> list[SampleRecord]:
    """The dataset has them the other way round."""
    return [
        SampleRecord(dataset="t1:x", dataset_name="x", position=place, sample_id=name, fields={})
        for place, name in enumerate(("s2", "s1"))
    ]


def read(store: Store) -> list[str]:
    return list(store.generations(run="run-1")["generation_id"])


def test_the_latest_launch_decides(store: Store, put: Put, make: Any) -> None:
    """Samples stand as in the dataset; prompts and models as the run was launched last, however it began."""
    put(make.run(dataset="t1:x"), *samples(), *rows(make))
    put(launch("started", prompts=["q", "p"], models=["x/b", "x/a"]))
    ordered = [f"{s}{p}{m}" for s in ("s2", "s1") for p in ("q", "p") for m in ("x/b", "x/a")]
    assert read(store) == ordered
    put(launch("stopped", reason="enough"))
    assert read(store) == ordered
    put(launch("resumed", prompts=["p", "q"], models=["x/a", "x/b", "x/c"]))
    assert read(store) == [f"{s}{p}{m}" for s in ("s2", "s1") for p in ("p", "q") for m in ("x/a", "x/b")]


def test_a_run_that_told_no_plan_is_read_by_name(store: Store, put: Put, make: Any) -> None:
    """Without a launch that says its plan, or a dataset, rows still come in one order: that of the names."""
    put(make.run(dataset=""), *rows(make))
    found = store.generations(run="run-1")
    assert list(found["generation_id"]) == sorted(found["generation_id"])
    assert found.attrs["plan"] == {"prompts": [], "models": [], "scorers": []}


def test_only_one_run_is_read_as_planned(store: Store, put: Put, make: Any) -> None:
    """Of several runs, and with a limit, rows come by time; so nothing is asked of a plan there."""
    made = rows(make)
    put(make.run(dataset="t1:x"), *samples())
    for row in made:
        put(row)
    written = [row.generation_id for row in made]
    assert list(store.generations(run=["run-1"])["generation_id"]) == written
    assert list(store.generations(run="run-1", limit=3)["generation_id"]) == written[::-1][:3]
    assert "plan" not in store.generations().attrs


def scores(store: Store, **asked: Any) -> list[str]:
    found = store.generations(columns=["score.*"], **asked)
    return [name.removeprefix("score.") for name in found.columns]


@pytest.mark.parametrize("planned", list(permutations(("mild", "able", "zany"))))
def test_scores_stand_as_the_latest_launch_that_scored_has_them(
    store: Store, put: Put, make: Any, planned: tuple[str, ...]
) -> None:
    """Whatever scored first, and whatever the alphabet says; a launch that leaves scoring for later changes
    nothing, and what was scored outside of the plan stands after it."""
    first = launch("started", prompts=["q"], models=["m"], scorers=[{"name": "able"}])
    put(make.run(), make.generation("g1"), first)
    put(*(make.score("g1", name) for name in ("aside", "zany", "able", "mild")))
    put(launch("resumed", prompts=["q"], models=["m"], scorers=[{"name": name} for name in planned]))
    put(launch("resumed", prompts=["q"], models=["m"], scorers=[]))
    assert scores(store, run="run-1") == [*planned, "aside"]


@pytest.mark.parametrize("order", list(permutations(("mild", "able", "zany"))))
def test_without_a_plan_scores_stand_as_they_were_first_given(
    store: Store, put: Put, make: Any, path: Path, order: tuple[str, ...]
) -> None:
    """Over several runs, or where no launch told its scorers; two that score at once are folded one after the
    other, and a score that is given again keeps its place."""
    put(make.run(), make.generation("g1"))
    other = Store(path)
    # The fold is to be that of the reading below, and no thread's of a store that only writes.
    other._shared.background.start = lambda: None  # type: ignore[method-assign]
    writers = (store.writer(), other.writer())
    for place, name in enumerate((*order, order[0])):
        writers[place % 2].put(make.score("g1", name, value=place))
        writers[place % 2].flush()
    assert scores(store) == scores(store, run="run-1") == list(order)
    assert store.generations(run="run-1")[f"score.{order[0]}"].item() == 3
    other._shared.writer.close()
