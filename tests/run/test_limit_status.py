"""A run's limits: seen while it goes and after, and changed while it goes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError, LabkitError
from labkit.run.limit_status import Limits, per_minute

COLUMNS = [
    "model", "endpoint", "queued", "waiting", "in_flight", "limit", "ceiling", "opens_in_s",
    "requests_per_minute", "requests_left", "tokens_left", "input_tokens_left", "output_tokens_left", "runs",
    "bound_times",
    "stopped",
]  # fmt: skip


class Slow:
    """A scripted model that counts how many of its answers are awaited at once, and calls at an answer."""

    def __init__(self, concurrency: int, first_token_s: float = 0.05) -> None:
        self.count = 0
        self.at: dict[int, Callable[[], object]] = {}
        script = lk.Script(self._answer, version="1", first_token_s=first_token_s)
        self.model = lk.Model("scripted/slow", client=script, concurrency=concurrency)

    def _answer(self, request: Any) -> str:
        self.count += 1
        if self.count in self.at:
            self.at[self.count]()
        return "yes"


def started(lab: Any, slow: Slow, cells: int, act: dict[int, Callable[[lk.Run], object]]) -> lk.Run:
    """A run that goes, and does something when the cell of that number is asked."""
    ready, runs = threading.Event(), []

    def at(number: int) -> Callable[[], object]:
        return lambda: ready.wait(10) and act[number](runs[0])

    slow.at = {number: at(number) for number in act}
    rows = [{"n": str(number)} for number in range(cells)]
    runs.append(lab.plan(prompts=["{{ n }}"], models=[slow.model], dataset=rows).start())
    ready.set()
    run: lk.Run = runs[0]
    return run.wait(60)


def test_they_are_seen_while_it_goes(lab: Any) -> None:
    """During a run the frame says what waits, what is out and what may be; after it, how it ended."""
    seen: list[Limits] = []
    slow = Slow(3)
    run = started(lab, slow, 20, {6: lambda run: seen.append(run.limits)})
    (row,) = seen[0].frame().to_dict("records")
    assert list(row) == COLUMNS
    assert (row["model"], row["limit"], row["ceiling"], row["runs"]) == ("scripted/slow", 3, 3, 1)
    assert 1 <= row["in_flight"] <= 3
    assert row["queued"] > 0
    assert "scripted/slow: " in repr(seen[0])
    assert " of 3 in flight" in repr(seen[0])
    (row,) = run.limits.frame().to_dict("records")
    assert (row["queued"], row["in_flight"], row["waiting"]) == (0, 0, 0)


def test_concurrency_is_followed_up_and_down(lab: Any) -> None:
    """Raised, more are out at once from then on; lowered, no more leave until there is room."""
    slow = Slow(2)
    change = {
        10: lambda run: run.limit("scripted/slow", concurrency=8),
        40: lambda run: run.limit("scripted/slow", concurrency=1),
    }
    run = started(lab, slow, 70, change)
    rows = run.generations().sort_values("started_at", ignore_index=True)
    assert (rows["status"] == "done").all()
    assert rows["in_flight"][:9].max() == 2
    assert rows["in_flight"][10:40].max() == 8
    assert rows["in_flight"][55:].max() == 1


def test_requests_a_minute_are_kept_and_lifted(lab: Any) -> None:
    """At 600 a minute requests leave a tenth of a second apart; lifted, they leave as fast as they can."""
    slow = Slow(4, first_token_s=0.0)
    change = {
        1: lambda run: run.limit("scripted/slow", requests_per_minute=600),
        30: lambda run: run.limit("scripted/slow", requests_per_minute=math.inf),
    }
    seen: list[Limits] = []
    change[20] = lambda run: seen.append(run.limits)
    run = started(lab, slow, 60, change)
    sent = run.generations()["started_at"].sort_values(ignore_index=True)
    # Ten may leave at once, and what had been sent when the change was made.
    assert (sent[29] - sent[0]).total_seconds() > 1.0
    assert (seen[0].frame()["requests_per_minute"] == 600).all()
    assert run.limits.frame()["requests_per_minute"].isna().all()


def test_tokens_a_minute_are_kept(lab: Any) -> None:
    """Tokens are set aside as the most a request may use, and given back by what it used."""
    slow = Slow(4, first_token_s=0.0)
    model = slow.model.replace(params={"max_tokens": 100})
    slow.model = model
    run = started(lab, slow, 8, {1: lambda run: run.limit("scripted/slow", tokens_per_minute=60_000)})
    assert (run.generations()["status"] == "done").all()
    left = run.limits.frame()["tokens_left"].item()
    assert 0 < left <= 60_000


def test_it_may_be_set_before_anything_is_asked(lab: Any) -> None:
    """A limit set right after the start holds from the first request on."""
    slow = Slow(8)
    rows = [{"n": str(number)} for number in range(12)]
    run = lab.plan(prompts=["{{ n }}"], models=[slow.model], dataset=rows).start()
    run.limit("scripted/slow", concurrency=1)
    run.wait(60)
    assert run.generations().sort_values("started_at")["in_flight"].iloc[-4:].max() == 1


def test_what_is_no_limit_is_refused_all_at_once(lab: Any) -> None:
    """Each fault is named, with what to do; the run is as it was."""
    with pytest.raises(DefinitionError) as refused:
        per_minute(0, math.nan, 0)
    assert len(refused.value.faults) == 3
    for wrong in ("8", True, -1):
        with pytest.raises(DefinitionError):
            per_minute(None, None, wrong)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="Nothing to change"):
        per_minute(None, None, None)
    slow = Slow(2)
    run = started(lab, slow, 2, {})
    with pytest.raises(DefinitionError, match="does not ask 'openai/x'; it asks scripted/slow"):
        run.limit("openai/x", concurrency=1)


def test_a_run_of_another_day_has_none(lab: Any) -> None:
    """A run that is not driven from here shows no limits, and takes none."""
    slow = Slow(2)
    run = lab.run(started(lab, slow, 2, {}).run_id)
    assert run.limits.frame().empty
    assert list(run.limits.frame()) == COLUMNS
    assert repr(run.limits) == "Limits(no model is asked)"
    with pytest.raises(LabkitError, match="not driven from here"):
        run.limit("scripted/slow", concurrency=1)


def test_names_are_shown_as_text() -> None:
    """A hostile name of a model is escaped in HTML, and columns without a value are left out."""
    state = {
        "model": "x/<img src=x onerror=alert(1)>", "endpoint": "here", "queued": 1, "waiting": 2,
        "in_flight": 3, "limit": 4, "ceiling": 5, "opens_in_s": 6.0, "requests_per_minute": 60.0,
        "left": {"input": 7.0}, "runs": 2, "stopped": "out of credit",
    }  # fmt: skip
    limits = Limits([state])
    page = limits._repr_html_()
    assert "<img" not in page
    assert "&lt;img" in page
    assert "input_tokens_left" in page
    assert "output_tokens_left" not in page
    for part in (
        "2 waiting to be asked again",
        "in 6.0 s",
        "60 requests a minute",
        "shared by 2 runs",
        "credit",
    ):
        assert part in repr(limits)
