"""A run from history as something to look at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

import labkit as lk
from labkit.records import Generation
from labkit.widgets.past_run import asked_s, past_run
from labkit.widgets.view_updates import ViewUpdates, line, state

START = datetime(2026, 11, 1, tzinfo=UTC)


def asked(start_s: float, latency_s: float | None, **given: Any) -> Generation:
    place = dict.fromkeys(("generation_id", "run_id", "experiment", "workspace", "prompt", "model"), "x")
    known = {"provider": "x", "sample_id": "s", "repeat": 0, "prompt_version": 1, "request_id": "r"}
    at = START + timedelta(seconds=start_s)
    return Generation(**place, **known, status="done", started_at=at, latency_s=latency_s, **given)


def test_what_a_run_took_leaves_gaps_out() -> None:
    """Overlapping requests count once, retries count, the hours between two launches and replays do not."""
    rows = [
        asked(0, 5),
        asked(3, 4),
        asked(20, 1, retry_s=3),
        asked(7200, 2),
        asked(100, None),
        asked(500, 60, replayed_from="g"),
    ]
    assert asked_s(rows) == 7 + 4 + 2
    assert asked_s([]) == 0


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=12))
def test_asked_is_the_union_of_what_was_in_flight(spans: list[tuple[int, int]]) -> None:
    """However requests overlap, each second in which one was out counts once."""
    seconds = {second for start, length in spans for second in range(start, start + length)}
    assert asked_s(asked(start, length) for start, length in spans) == len(seconds)


def test_a_run_from_history_looks_as_it_did(lab: Any, here: Any) -> None:
    """Its title, samples, order, scores and what it left unasked are there, from the lab alone."""
    models = [
        lk.Model(f"scripted/{name}", client=lk.Script(lambda r: "yes", version="1"), concurrency=1)
        for name in ("zeta", "beta")
    ]
    rows = [{"id": f"t{n}", "text": f"question {n}", "target": "no" if n % 2 else "yes"} for n in (3, 1, 2)]
    prompts = [lk.Prompt("say", "{{ text }}"), lk.Prompt("ask", "? {{ text }}")]
    lab.plan(prompts=prompts, models=models, dataset=rows, scorers=[lk.exact()], experiment="tone").run()
    live = past_run(lab.run("latest"))
    assert [(row.key.sample_id, row.key.prompt) for row in live.in_order()] == [
        (sample, prompt) for sample in ("t3", "t1", "t2") for prompt in ("say", "ask")
    ]
    assert list(live.tallies) == ["scripted/zeta", "scripted/beta"]
    assert live.title.startswith("tone: 2 prompts × 2 models × 3 samples × 1 repeat = 12 requests; asked 20")
    told = ViewUpdates(live).whole()
    assert [row["sample"] for row in told["rows"][::2]] == ["question 3", "question 1", "question 2"]
    marks = {change["i"]: change["m"] for change in told["panels"]}
    assert [marks[number] for number in told["rows"][0]["panels"].values()] == ["wrong", "wrong"]
    assert [marks[number] for number in told["rows"][4]["panels"].values()] == ["right", "right"]
    assert told["head"]["folds"] is False  # who asks for it wants to see it


def test_a_stopped_run_says_so_from_history(lab: Any) -> None:
    """What was not asked counts as not asked, and why stands below."""
    go: list[Any] = []

    def answer(request: Any) -> str:
        go[0].wait(30)
        run.stop("enough")
        return "yes"

    import threading

    go.append(threading.Event())
    model = lk.Model("scripted/one", client=lk.Script(answer, version="1"), concurrency=1)
    plan = lab.plan(prompts=["{{ n }}"], models=[model], dataset=[{"n": str(n)} for n in range(4)])
    run = plan.start()
    go[0].set()
    run.wait()
    live = past_run(lab.run("latest"))
    assert (state(live), line(live).split(" · ")[:2]) == ("stopped", ["1 of 4", "3 not asked"])
    assert live.left == run.left


def test_a_frame_of_replays_took_no_time(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """A run of which nothing was asked does not say how long that took."""

    class Past:
        run_id = "r"
        left = None

        def generations(self) -> pd.DataFrame:
            row = generation(cell(), replayed_from="g", latency_s=None, started_at=START, attempts=0)
            return pd.DataFrame([{name: getattr(row, name) for name in row.__struct_fields__}])

    said = line(past_run(Past()))
    assert "took" not in said
    assert "answers/s" not in said
