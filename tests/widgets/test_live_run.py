"""A run as something to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.widgets import panel
from labkit.widgets.live_run import LiveRun


def test_rows_and_columns(live: Callable[..., LiveRun]) -> None:
    """A row per prompt and sample, in it a panel per model, each counted once."""
    found = live(("m/one", "m/two"), rows=3)
    assert [row.key.sample_id for row in found.order] == ["s0", "s1", "s2"]
    assert all(list(row.panels) == ["m/one", "m/two"] for row in found.order)
    assert [panel.number for row in found.order for panel in row.panels.values()] == list(range(6))


def test_replayed_cells_are_seen_without_being_queued(
    cell: Callable[..., Any], generation: Callable[..., Any]
) -> None:
    """An answer that was known already has its panel and its count, and costs nothing here."""
    found = LiveRun()
    found.planned({"m/one": 1}, {})
    found.ended(generation(cell(), replayed_from="g1:0", attempts=0))
    tally = found.tallies["m/one"]
    assert (tally.done, tally.replayed, tally.cost_usd, tally.in_flight) == (1, 1, 0.0, 0)


def test_ending_twice_counts_once(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """A row told twice is one row."""
    found = LiveRun()
    found.planned({"m/one": 1}, {})
    for _ in range(2):
        found.ended(generation(cell()))
    assert found.tallies["m/one"].done == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["sent", "text", "waiting", "done", "failed", "stopped"]), max_size=12))
def test_counts_are_conserved(
    cell: Callable[..., Any], generation: Callable[..., Any], story: list[str]
) -> None:
    """Whatever happens to a cell, it is in flight, waiting or ended at most once, never less than none."""
    found = LiveRun()
    found.planned({"m/one": 1}, {})
    one = cell()
    found.queued(one)
    attempt = 0
    for event in story:
        state = found.order[0].panels["m/one"].state
        over = found.order[0].panels["m/one"].over
        if event == "sent" and not over and state in ("queued", "waiting"):
            attempt += 1
            found.sent(one, attempt)
        elif event == "text" and state in ("asking", "streaming"):
            found.text(one, "x")
        elif event == "waiting" and not over:  # a pause tells it of what is queued and what waits already
            found.waiting(one, 1.0, "429")
        elif event in ("done", "failed", "stopped") and not over:
            found.ended(generation(one, status=event, attempts=attempt))
        tally = found.tallies["m/one"]
        assert min(tally.in_flight, tally.waiting, tally.done, tally.failed, tally.stopped) >= 0
        assert tally.in_flight + tally.waiting + tally.ended <= 1


def test_active_rows_are_those_with_something_in_flight(
    cell: Callable[..., Any], generation: Callable[..., Any], live: Callable[..., LiveRun]
) -> None:
    """A row is active from its first request to its last answer."""
    found = live(("m/one", "m/two"), rows=2)
    found.sent(cell("m/one", "s1"), 1)
    found.sent(cell("m/two", "s1"), 1)
    assert list(found.active) == [1]
    found.ended(generation(cell("m/one", "s1")))
    assert list(found.active) == [1]
    found.ended(generation(cell("m/two", "s1")))
    assert list(found.active) == []
    assert [row.number for row in found.latest] == [1]


def test_old_texts_are_forgotten(
    monkeypatch: pytest.MonkeyPatch, cell: Callable[..., Any], generation: Callable[..., Any]
) -> None:
    """However many answers there are, what is kept for showing is bounded; the beginning stays."""
    monkeypatch.setattr(panel, "KEPT_CHARS", 5_000)
    found = LiveRun()
    found.planned({"m/one": 20}, {})
    for number in range(20):
        found.ended(generation(cell(sample=f"s{number}"), "x" * 1_000))
    kept = [len(row.panels["m/one"].text) for row in found.order]
    assert sum(kept) <= 5_000 + 20 * 200
    assert kept[0] == 200
    assert kept[-1] == 1_000


def test_text_is_not_kept_where_nobody_looks(cell: Callable[..., Any]) -> None:
    """Headless, the live run counts and keeps no text."""
    found = LiveRun(keep_text=False)
    found.planned({"m/one": 1}, {})
    found.sent(cell(), 1)
    found.text(cell(), "hi")
    assert found.order[0].panels["m/one"].text == ""


def test_buttons_reach_the_controls(live: Callable[..., LiveRun], controls: Any) -> None:
    """Stop, stop one model, pause and go on are passed on once each, and not after the end."""
    found = live()
    found.steer(controls)
    found.pause(True)
    found.pause(True)
    found.pause(False)
    found.stop(model="m/one")
    found.stop(model="m/nobody")
    found.stop()
    found.close()
    found.stop()
    assert controls.heard == ["pause", "go on", ("stop", "m/one"), ("stop", None)]
    assert found.stopping


def test_a_board_of_history(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """A run from history looks like one that is over, with all its rows."""
    rows = [generation(cell("m/one", f"s{n}")) for n in range(3)]
    found = LiveRun.of(rows, title="t")
    assert found.over.is_set()
    assert (found.tallies["m/one"].total, found.tallies["m/one"].done) == (3, 3)


def test_what_broke_the_run_is_told(live: Callable[..., LiveRun]) -> None:
    """An error that ended the run stands where failures stand."""
    found = live()
    found.close(OSError("disk full"))
    assert "disk full" in found.last_failure
    assert found.broken


def test_rows_are_read_in_the_datasets_order(cell: Callable[..., Any]) -> None:
    """However a run shuffles its requests, rows are read as the samples stand, then as the prompts do."""
    samples = {"z": {"text": "first", "target": "x"}, "a": {"text": "second"}}
    found = LiveRun(samples=samples, prompts=["q", "p"])
    found.planned({"m/one": 4}, {})
    for prompt, sample in (("q", "a"), ("p", "a"), ("q", "z"), ("p", "z")):
        found.queued(cell("m/one", sample, prompt=prompt))
    assert [(row.key.prompt, row.key.sample_id) for row in found.in_order()] == [
        ("q", "z"),
        ("p", "z"),
        ("q", "a"),
        ("p", "a"),
    ]
    assert found.sample("z") == "first"
    assert found.sample("unknown") == ""


def test_a_title_is_worded_once_and_only_if_it_is_shown() -> None:
    """What a plan costs is worked out for a line that somebody sees, not for one that nobody does."""
    worded: list[str] = []

    def words() -> str:
        worded.append("1 request")
        return worded[-1]

    live = LiveRun(title=words)
    assert not worded
    assert [live.title, live.title] == ["1 request"] * 2
    assert worded == ["1 request"]


def test_what_is_new_stirs(cell: Callable[..., Any]) -> None:
    """A request that leaves, text that comes and the end each wake who shows the live run."""
    live, one = LiveRun(), cell()
    for happens in (lambda: live.sent(one, 1), lambda: live.text(one, "a"), live.close):
        live.stirred.clear()
        happens()
        assert live.stirred.is_set()


def test_what_others_say_is_heard(live: Callable[..., LiveRun]) -> None:
    """A run that is paused or stopped by code is shown as one that is paused or stopped by its buttons."""
    from labkit.widgets.view_updates import state

    found = live()
    found.rested(True)
    assert state(found).startswith("paused")
    found.rested(False)
    assert state(found) == "running"
    found.halted(model="m/one")
    assert state(found) == "running"
    assert found.tallies["m/one"].stopping
    found.halted()
    assert state(found).startswith("stopping")
    found.close()
    assert state(found) == "finished"  # all that was in flight was all there was


def test_why_a_cell_is_not_asked_is_told_at_once(
    cell: Callable[..., Any], generation: Callable[..., Any], live: Callable[..., LiveRun]
) -> None:
    """While a run goes the reason of what it does not ask stands below its line, unless a person pressed a
    button; at the end what it comes to takes its place."""
    found = live(("m/one",), rows=3)
    none = {"status": "stopped", "attempts": 0}
    found.ended(
        generation(cell("m/one", "s0"), None, error_type="RunStopped", error_message="by you", **none)
    )
    assert found.left == ""
    found.ended(
        generation(cell("m/one", "s1"), None, error_type="BudgetExhausted", error_message="spent", **none)
    )
    assert found.left == "m/one: BudgetExhausted: spent"
    found.close(left="2 cells were not asked: spent. The remaining 2 cost at most USD 1.")
    assert found.left.startswith("2 cells")
    assert found.last_failure == ""
