"""What a view is told, and that views that hear it know what the live run knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.visible import shown
from labkit.widgets import asking_clock, live_run, panel_words, view_updates
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
    """After any story of texts, attempts, ends and looks, no character is lost or doubled, but for
    blanks at the beginning."""
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
    assert {panel.number: shown(panel.text.lstrip()) for panel in panels} == view.texts
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
    assert said.startswith("2 of 4 · 1 failed · 1 not asked · 1 known · ")
    assert "of 5.00" in said
    assert "waiting" not in said


def test_running_cost_is_marked_as_a_guess(cell: Callable[..., Any], live: Callable[..., LiveRun]) -> None:
    """While an answer streams its cost is reckoned from the output price, and says so."""
    found = live(("m/one",), rows=1, rates={"m/one": 0.01})
    found.sent(cell("m/one", "s0"), 1)
    for _ in range(10):
        found.text(cell("m/one", "s0"), "word ")
    panel = found.order[0].panels["m/one"]
    panel.first_at -= 1.0
    assert panel_words.cost_of(panel, 0.01) == "≈ USD 0.10"
    assert panel_words.cost_of(panel, None) == ""


def test_what_was_not_asked_is_in_no_fraction(
    cell: Callable[..., Any], generation: Callable[..., Any], live: Callable[..., LiveRun]
) -> None:
    """A run that was stopped says so, whoever stopped it; its counts, those of its models and its bar are of
    what has ended, and beside them stands what was not asked."""
    found = live(("m/one", "m/two"), rows=4)
    found.ended(generation(cell("m/one", "s0")))
    for model, sample in (
        ("m/one", "s1"),
        ("m/one", "s2"),
        ("m/one", "s3"),
        *(("m/two", f"s{n}") for n in range(4)),
    ):
        found.ended(generation(cell(model, sample), None, status="stopped", attempts=0))
    found.close(left="7 cells were not asked: interrupted.")
    head = ViewUpdates(found).head()
    assert head["state"] == "stopped"
    assert head["line"].startswith("1 of 8 · 7 not asked")
    assert [one["counts"] for one in head["models"]] == ["1 of 4 · 3 not asked", "0 of 4 · 4 not asked"]
    assert (sum(head["bar"]), head["total"]) == (1, 8)
    assert head["left"] == "7 cells were not asked: interrupted."
    assert {one["state"] for one in head["models"]} == {"ended"}


def test_the_rate_forgets_pauses(
    monkeypatch: pytest.MonkeyPatch,
    cell: Callable[..., Any],
    generation: Callable[..., Any],
    live: Callable[..., LiveRun],
    controls: Any,
) -> None:
    """Answers a second, and the time that is left, are of the time in which something was asked."""
    now = 100.0
    for module in (asking_clock, live_run, view_updates):
        monkeypatch.setattr(module, "monotonic", lambda: now)
    found = live(("m/one",), rows=10)
    found.steer(controls)

    def answer(number: int, seconds: float) -> None:
        nonlocal now
        found.sent(cell("m/one", f"s{number}"), 1)
        now += seconds
        found.ended(generation(cell("m/one", f"s{number}")))

    now += 500  # what is known is written first, which is no asking
    answer(0, 2.0)
    answer(1, 2.0)
    assert "0.5 answers/s · about 16 s left" in line(found)
    found.sent(cell("m/one", "s2"), 1)
    found.pause(True)
    now += 2.0  # what is in flight goes on, and counts
    found.ended(generation(cell("m/one", "s2")))
    now += 3600.0
    assert "0.5 answers/s" in line(found)
    found.pause(False)
    assert "0.5 answers/s · about 14 s left" in line(found)
    answer(3, 2.0)
    assert "0.5 answers/s · about 12 s left" in line(found)
    found.close()
    assert "0.5 answers/s" in line(found)


def test_short_answers_stand_in_lines(
    cell: Callable[..., Any], generation: Callable[..., Any], live: Callable[..., LiveRun]
) -> None:
    """A row is a line while its answers are short and nothing longer was seen; when it is over, by its own
    answers alone."""
    found = live(("m/one",), rows=4)
    updates = ViewUpdates(found)

    def slim() -> list[bool]:
        return [row["slim"] for row in updates.whole()["rows"]]

    assert slim() == [True] * 4
    found.ended(generation(cell("m/one", "s0"), "  positive\n"))
    assert slim() == [True] * 4
    found.sent(cell("m/one", "s1"), 1)
    found.text(cell("m/one", "s1"), "A sentence that is longer than a line of the grid.")
    assert slim() == [True, False, False, False]
    found.ended(generation(cell("m/one", "s2"), "two\nlines"))
    found.ended(generation(cell("m/one", "s3"), "no"))
    assert slim() == [True, False, False, True]


def test_a_failure_has_room_for_its_reason(
    cell: Callable[..., Any], generation: Callable[..., Any], live: Callable[..., LiveRun]
) -> None:
    """What failed is a card, for its reason is long; what was not asked a line: its reason is the run's."""
    found = live(("m/one",), rows=2)
    failed = {"status": "failed", "error_type": "Refused", "error_message": "the provider said no, at length"}
    found.ended(generation(cell("m/one", "s0"), None, **failed))
    stopped = {
        "status": "stopped",
        "error_type": "RunStopped",
        "error_message": "stopped in the notebook, again",
    }
    found.ended(generation(cell("m/one", "s1"), None, **stopped, attempts=0))
    assert [row["slim"] for row in ViewUpdates(found).whole()["rows"]] == [False, True]


def test_an_empty_answer_says_so(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """Where an answer is empty or blank, that is said in its place; blanks before an answer are left out."""
    found = LiveRun.of([generation(cell(sample="s0"), " \n"), generation(cell(sample="s1"), "\n  Rome\n")])
    panels = ViewUpdates(found).whole()["panels"]
    assert [(panel["t"], panel["n"]) for panel in panels] == [("", "empty answer"), ("Rome\n", "")]


def test_a_score_takes_the_place_of_done(
    cell: Callable[..., Any], generation: Callable[..., Any], score: Callable[..., Any]
) -> None:
    """Once there is a score the panel says right, wrong or not scored; a known answer stays known."""
    cells = [cell(sample=f"s{n}") for n in range(4)]
    known = {"replayed_from": "g", "attempts": 0}
    found = LiveRun.of(
        [generation(cells[0]), generation(cells[1]), generation(cells[2], **known), generation(cells[3])]
    )
    for one, value in zip(cells, (1.0, 0.0, None), strict=False):
        found.scored(score(one, value))
    told = [(panel["m"], panel["w"]) for panel in ViewUpdates(found).whole()["panels"]]
    assert told == [("right", "right"), ("wrong", "wrong"), ("unscored", "not scored · known"), ("", "done")]


def test_a_run_folds_when_it_is_over(live: Callable[..., LiveRun]) -> None:
    """The head says that a run folds once it is over; not where hardly a row is hidden by that, nor where it
    was over before anybody looked."""
    found = live(rows=view_updates.FEWEST_FOLDED)
    updates = ViewUpdates(found)
    small = live(rows=view_updates.FEWEST_FOLDED - 1)
    of_small = ViewUpdates(small)
    assert not updates.head()["folds"]
    found.close()
    small.close()
    assert updates.head()["folds"]
    assert not of_small.head()["folds"]
    assert not ViewUpdates(found).head()["folds"]


def test_notes_stand_under_the_line(live: Callable[..., LiveRun], hostile: tuple[str, ...]) -> None:
    """What else is to be said of a run is told as plain text, with what hides made visible."""
    found = live()
    assert ViewUpdates(found).head()["notes"] == []
    found.close(notes=[f"scorer 'x' failed on 2 of 2 answers: {hostile[7]}"])
    assert ViewUpdates(found).head()["notes"] == [
        "scorer 'x' failed on 2 of 2 answers: a⟨202E⟩b⟨200B⟩c⟨1B⟩[31m⟨2066⟩d"
    ]


def test_the_prompt_is_named_once_where_there_is_one(
    live: Callable[..., LiveRun], cell: Callable[..., Any]
) -> None:
    """Rows of one prompt bear their sample alone, and the prompt stands above; a screen reader hears both."""
    told = ViewUpdates(live(prompts=["p"])).whole()
    assert told["head"]["rows"] == "p@1"
    assert (told["rows"][0]["label"], told["rows"][0]["name"]) == ("s0", "p@1 · s0")
    told = ViewUpdates(live(prompts=["p", "q"])).whole()
    assert told["head"]["rows"] == ""
    assert told["rows"][0]["label"] == "p@1 · s0"
