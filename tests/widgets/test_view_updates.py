"""What a view is told, and that views that hear it know what the live run knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.visible import shown
from labkit.widgets.live_run import LiveRun
from labkit.widgets.view_updates import ViewUpdates, line


class View:
    """Does in Python what the browser does with what it is told."""

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.states: dict[int, str] = {}
        self.rows: list[Any] = []

    def hear(self, told: dict[str, Any]) -> None:
        json.dumps(told)
        if "rows" in told:
            self.rows = told["rows"]
            there = {number for row in self.rows for number in row["panels"].values()}
            self.texts = {number: text for number, text in self.texts.items() if number in there}
        for change in told.get("panels", []):
            number = change["i"]
            self.texts[number] = change.get("t", self.texts.get(number, "")) + change.get("+", "")
            self.states[number] = change.get("s", self.states.get(number, ""))


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["sent", "text", "waiting", "ended", "look", "hello"]),
        st.integers(0, 5),
        st.text(max_size=6),
    ),
    max_size=60,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EVENTS)
def test_a_view_knows_what_the_board_knows(
    cell: Callable[..., Any], generation: Callable[..., Any], live: Callable[..., LiveRun], events: Any
) -> None:
    """After any story of texts, attempts, ends and looks, no character is lost or doubled."""
    found = live(("m/one", "m/two"), rows=3)
    updates, view = ViewUpdates(found), View()
    view.hear(updates.whole())
    attempts: dict[str, int] = {}
    for event, where, text in events:
        one = cell(("m/one", "m/two")[where % 2], f"s{where // 2}")
        panel = next(p for r in found.order for p in r.panels.values() if p.number == where)
        if event == "look":
            view.hear(updates.changes())
        elif event == "hello":
            view = View()
            view.hear(updates.whole())
        elif event == "sent" and panel.state in ("queued", "waiting"):
            attempts[one.generation_id] = attempts.get(one.generation_id, 0) + 1
            found.sent(one, attempts[one.generation_id])
        elif event == "text" and panel.state in ("asking", "streaming") and text:
            found.text(one, text)
        elif event == "waiting" and panel.state in ("asking", "streaming"):
            found.waiting(one, 2.0, "429")
        elif event == "ended" and not panel.over:
            found.ended(generation(one, panel.text if where % 2 else text, attempts=1))
    view.hear(updates.changes())
    panels = [panel for row in found.order for panel in row.panels.values()]
    assert {panel.number: shown(panel.text) for panel in panels} == view.texts
    assert {panel.number: panel.state for panel in panels} == view.states


def test_nothing_new_is_nothing_told(live: Callable[..., LiveRun]) -> None:
    """Between two looks without an event no message is due."""
    updates = ViewUpdates(live())
    updates.whole()
    assert updates.changes() == {}


def test_only_the_new_text_is_told(cell: Callable[..., Any], live: Callable[..., LiveRun]) -> None:
    """A look tells the text since the last look, not the whole."""
    found = live()
    updates = ViewUpdates(found)
    found.sent(cell("m/one", "s0"), 1)
    found.text(cell("m/one", "s0"), "x" * 1000)
    updates.whole()
    found.text(cell("m/one", "s0"), "yz")
    told = updates.changes()["panels"]
    assert [change.get("+") for change in told] == ["yz"]
    assert "t" not in told[0]


def test_turning_a_page_tells_whole_panels(cell: Callable[..., Any], live: Callable[..., LiveRun]) -> None:
    """Panels that come into view are told whole, also when they had been in view before."""
    found = live(rows=100)
    found.sent(cell("m/one", "s0"), 1)
    found.text(cell("m/one", "s0"), "hello")
    updates = ViewUpdates(found)
    updates.window.turn(0)
    updates.whole()
    updates.window.turn(1)
    updates.changes()
    updates.window.turn(0)
    told = {change["i"]: change.get("t") for change in updates.changes()["panels"]}
    assert told[0] == "hello"


def test_hostile_names_are_shown_as_they_are(
    cell: Callable[..., Any], live: Callable[..., LiveRun], hostile: tuple[str, ...]
) -> None:
    """Whatever a model, a prompt or a sample is called, views get its text with nothing hidden in it."""
    found = LiveRun(title=hostile[0], samples={hostile[0]: {"text": hostile[7]}})
    found.planned(dict.fromkeys(hostile, 1), {})
    for name in hostile:
        found.queued(cell(name, name, prompt=name))
    told = json.dumps(ViewUpdates(found).whole(), ensure_ascii=False)
    assert not set(told) & set("\u202e\u200b\x1b\u2066")
    assert "⟨202E⟩" in told


def test_the_line_says_what_is_not_as_it_should_be(
    cell: Callable[..., Any], generation: Callable[..., Any], live: Callable[..., LiveRun]
) -> None:
    """Failures, cells not asked, known answers and the budget are in the line, zeros are not."""
    found = live(("m/one",), rows=4, budget_usd=5.0)
    found.ended(generation(cell("m/one", "s0"), None, status="failed", error_type="TimedOut"))
    found.ended(generation(cell("m/one", "s1"), None, status="stopped", attempts=0))
    found.ended(generation(cell("m/one", "s2"), replayed_from="g"))
    said = line(found)
    assert said.startswith("3/4 · 1 failed · 1 not asked · 1 known · ")
    assert "of 5.00" in said
    assert "waiting" not in said


def test_running_cost_is_marked_as_a_guess(cell: Callable[..., Any], live: Callable[..., LiveRun]) -> None:
    """While an answer streams its cost is reckoned from the output price, and says so."""
    from labkit.widgets import view_updates

    found = live(("m/one",), rows=1, rates={"m/one": 0.01})
    found.sent(cell("m/one", "s0"), 1)
    for _ in range(10):
        found.text(cell("m/one", "s0"), "word ")
    panel = found.order[0].panels["m/one"]
    panel.first_at -= 1.0
    assert view_updates._cost(panel, 0.01) == "≈ USD 0.1000"
    assert view_updates._cost(panel, None) == ""
