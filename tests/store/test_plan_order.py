"""Rows of one run in the order of its plan."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

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
    assert found.attrs["plan"] == {"prompts": [], "models": []}


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
