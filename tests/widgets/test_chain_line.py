"""Chains in the live grid, without a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import labkit as lk
from labkit.records import Cell
from labkit.visible import shown
from labkit.widgets import answers, static_table
from labkit.widgets.chain_line import Line, LineOf
from labkit.widgets.live_run import LiveRun
from labkit.widgets.panel_words import folded, state_words
from labkit.widgets.past_run import past_run
from labkit.widgets.view_updates import ViewUpdates, line, state

from .test_view_updates import View

NAMES = ("facts", "reply")
CONTENDERS = ("m/a", "facts: m/a, reply: m/b")
REPLY = lk.Chain("reply", lk.Step("facts", "F {{ text }}"), lk.Step("reply", "R {{ facts }}"))


def step_cell(cell: Callable[..., Cell], model: str, step: int) -> Cell:
    """A step of the one chain; the second step's model says which line it is of."""
    made = cell(model)
    return replace(made, generation_id=f"{model}/{step}", step=step, step_name=NAMES[step - 1])


@pytest.fixture
def two_lines() -> LiveRun:
    """A chain of two steps on one sample: model a begins both lines, a and b end one each."""
    lines = [LineOf(f"whole {number}", name, NAMES) for number, name in enumerate(CONTENDERS)]
    made = LiveRun(
        lines={"m/a/1": tuple(lines), "m/a/2": (lines[0],), "m/b/2": (lines[1],)},
        contenders=dict.fromkeys(CONTENDERS, (1, 0)),
    )
    made.planned({"m/a": 2, "m/b": 1}, {})
    return made


def shared(live: LiveRun) -> list[Line]:
    """The lines of the one row."""
    return [cast("Line", live.order[0].panels[name]) for name in CONTENDERS]


def test_a_shared_step_is_in_all_its_lines(two_lines: LiveRun, cell: Any, generation: Any) -> None:
    """What several lines begin with is one request, whose text all of them show."""
    facts = step_cell(cell, "m/a", 1)
    two_lines.sent(facts, 1)
    two_lines.text(facts, "late")
    assert [one.now.text for one in shared(two_lines)] == ["late", "late"]
    assert [state_words(one) for one in shared(two_lines)] == ["facts, 1 of 2"] * 2
    assert two_lines.tallies["m/a"].in_flight == 1
    two_lines.ended(generation(facts, "late"))
    assert two_lines.tallies["m/a"].cost_usd == pytest.approx(0.01)
    assert not any(one.over for one in shared(two_lines))


def test_a_line_goes_on_alone(two_lines: LiveRun, cell: Any, generation: Any) -> None:
    """Each line is in its own later step, with the earlier one folded behind it."""
    facts = step_cell(cell, "m/a", 1)
    two_lines.sent(facts, 1)
    two_lines.ended(generation(facts, "late"))
    two_lines.queued(step_cell(cell, "m/b", 2))
    first, second = shared(two_lines)
    assert (state_words(first), first.earlier) == ("facts, 1 of 2: done", [])
    assert state_words(second) == "reply, 2 of 2: queued"
    assert folded(second) == {"line": "facts · 0.50 s · 2 tokens · USD 0.01", "steps": [["", "late"]]}
    two_lines.text(step_cell(cell, "m/b", 2), "Dear")
    assert (first.now.text, second.now.text) == ("late", "Dear")


def test_beside_a_step_stands_no_cost(two_lines: LiveRun, cell: Any) -> None:
    """What a step would cost so far is told with its clocks: the step's name has the room above."""
    two_lines.rates["m/a"] = 0.01
    facts = step_cell(cell, "m/a", 1)
    two_lines.sent(facts, 1)
    for word in "abc":
        two_lines.text(facts, word)
    (change, _) = ViewUpdates(two_lines).whole()["panels"]
    assert (change["w"], change["c"]) == ("facts, 1 of 2", "")
    assert change["f"].endswith("≈ USD 0.03")


def test_the_whole_ends_a_line(two_lines: LiveRun, cell: Any, generation: Any, score: Any) -> None:
    """The last step's text stays, with cost and time of all steps, and the score is the chain's."""
    for one in (step_cell(cell, "m/a", 1), step_cell(cell, "m/b", 2)):
        two_lines.sent(one, 1)
        two_lines.ended(generation(one, f"said by {one.generation_id}"))
    whole = replace(cell(CONTENDERS[1]), generation_id="whole 1")
    two_lines.ended(generation(whole, "said by m/b/2", steps=2, cost_usd=0.02, latency_s=1.0))
    two_lines.scored(score(whole, 1.0))
    told = {change["i"]: change for change in ViewUpdates(two_lines).whole()["panels"]}
    done = told[shared(two_lines)[1].number]
    assert (done["t"], done["w"], done["m"], done["c"]) == ("said by m/b/2", "right", "right", "USD 0.02")
    assert done["e"]["steps"] == [["", "said by m/a/1"]]
    assert two_lines.contenders[CONTENDERS[1]].ended == 1
    assert sum(tally.cost_usd for tally in two_lines.tallies.values()) == pytest.approx(0.02)
    assert line(two_lines).startswith("2 of 3 requests")


def test_a_row_of_chains_is_no_line(two_lines: LiveRun, cell: Any) -> None:
    """However short the answers, their steps need room."""
    two_lines.queued(step_cell(cell, "m/a", 1))
    assert ViewUpdates(two_lines).whole()["rows"][0]["slim"] is False


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["text", "text", "end", "look", "hello"]), st.integers(0, 1), st.text(max_size=5)
    ),
    max_size=40,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EVENTS)
def test_a_view_knows_what_each_line_says(cell: Any, generation: Any, events: Any) -> None:
    """Whatever is heard and looked at, in whatever order, a view shows the text of each line's step."""
    of = [(LineOf(f"whole {n}", f"m/{n}", NAMES),) for n in (0, 1)]
    found = LiveRun(lines={f"m/{n}/{step}": of[n] for n in (0, 1) for step in (1, 2)})
    found.planned({"m/0": 2, "m/1": 2}, {})
    at = [1, 1]
    for n in (0, 1):
        found.sent(step_cell(cell, f"m/{n}", 1), 1)
    updates, view = ViewUpdates(found), View()
    view.hear(updates.whole())
    for event, n, text in events:
        if event == "look":
            view.hear(updates.changes())
        elif event == "hello":
            view = View()
            view.hear(updates.whole())
        elif at[n] < 3:
            one = step_cell(cell, f"m/{n}", at[n])
            if event == "text" and text:
                found.text(one, text)
            elif event == "end":
                found.ended(generation(one, text))
                at[n] += 1
                if at[n] == 2:
                    found.sent(step_cell(cell, f"m/{n}", 2), 1)
    view.hear(updates.changes())
    lines = [panel for row in found.order for panel in row.panels.values()]
    assert view.texts == {one.number: shown(one.now.text.lstrip()) for one in lines}
    assert view.states == {one.number: one.now.state for one in lines}


# -- runs ------------------------------------------------------------------------------------------


@pytest.fixture
def models(echo: Callable[..., Any]) -> list[Any]:
    """Three models; c has no answer for step 1 of what is bad, until it is mended."""
    broken = [True]

    def answer(request: Any) -> str:
        said: str = request.messages[-1]["content"]
        if broken and said == "F bad":
            raise RuntimeError("out of order")
        return f"c: {said}"

    made = [echo(name, answers=lambda r, name=name: f"{name}: {r.messages[-1]['content']}") for name in "ab"]
    made.append(echo("c", answers=answer))
    made[-1].client.broken = broken
    return made


def told(live: LiveRun) -> dict[Any, tuple[Any, ...]]:
    """What a view is told of each panel, by row and column, without clocks."""
    changes = {change["i"]: change for change in ViewUpdates(live).whole()["panels"]}
    found = {}
    for row in live.order:
        for name, panel in row.panels.items():
            change = changes[panel.number]
            steps = change.get("e", {}).get("steps", [])
            found[row.key.sample_id, row.key.prompt, name] = (change["t"], change["w"], change["n"], steps)
    return found


def test_a_run_of_chains(lab: Any, models: list[Any]) -> None:
    """Each contender has its column; counts and money are of requests, each once; from history it is the
    same."""
    plan = lab.plan(
        prompts=[REPLY],
        models=lk.per_step(facts=models[:2], reply=models),
        dataset=[{"id": "s", "text": "hi"}],
        scorers=[lk.contains("id")],
    )
    run = plan.run(progress="grid")
    live = run.progress
    assert live.columns == list(plan.design.contenders)
    assert line(live).startswith("8 of 8 requests")
    assert {name: tally.total for name, tally in live.tallies.items()} == {
        "scripted/a": 3, "scripted/b": 3, "scripted/c": 2,
    }  # fmt: skip
    found = told(live)
    assert found["s", "reply", "facts: scripted/b, reply: scripted/c"] == (
        "c: R b: F hi", "wrong", "", [["", "b: F hi"]],
    )  # fmt: skip
    assert len(found) == 6
    assert told(past_run(lab.run(run.run_id))) == found
    assert past_run(lab.run(run.run_id)).title.split("; asked")[0].endswith("= 6 answers in 8 requests")


def test_a_failed_step_stops_its_line(lab: Any, models: list[Any]) -> None:
    """The panel says which step and why; the run is finished all the same, live and later."""
    plan = lab.plan(prompts=[REPLY], models=models[1:], dataset=[{"id": "s", "text": "bad"}])
    run = plan.run(progress="grid")
    for live in (run.progress, past_run(lab.run(run.run_id))):
        text, words, why, steps = told(live)["s", "reply", "scripted/c"]
        assert (text, words, steps) == ("", "facts, 1 of 2: failed", [])
        assert why.startswith("step 'facts' failed: ")
        assert (state(live), live.left) == ("finished", "")
        assert line(live).startswith("3 of 4 requests · 1 failed · 1 not asked")


def test_a_resumed_run_counts_what_was_there(lab: Any, models: list[Any]) -> None:
    """Lines that an earlier launch settled are counted, and those asked now are shown."""
    rows = [{"id": text, "text": text} for text in ("hi", "bad")]
    steps = lk.per_step(facts=[models[2]], reply=models[:2])
    run = lab.plan(prompts=[REPLY], models=steps, dataset=rows).run()
    models[2].client.broken.clear()
    live = run.resume().progress
    counts = {one["name"]: one["counts"] for one in ViewUpdates(live).head()["columns"]}
    assert set(counts.values()) == {"2 of 2 answers"}
    assert len(counts) == 2
    assert {key[0] for key in told(live)} == {"bad"}


def test_a_resumed_line_has_its_earlier_steps(lab: Any, echo: Any) -> None:
    """What an earlier launch had of a line that goes on stands folded in it, and is not counted anew."""
    broken = [True]

    def answer(request: Any) -> str:
        said: str = request.messages[-1]["content"]
        if broken and said.startswith("R"):
            raise RuntimeError("out of order")
        return said

    rows = [{"id": "s", "text": "hi"}]
    run = lab.plan(prompts=[REPLY], models=[echo("one", answers=answer)], dataset=rows).run()
    broken.clear()
    live = run.resume(progress="grid").progress
    assert told(live)["s", "reply", "scripted/one"] == ("R F hi", "done", "", [["", "F hi"]])
    assert line(live).startswith("2 of 2 requests · 1 done by an earlier launch · ")


# -- tables ----------------------------------------------------------------------------------------


def test_hostile_steps_are_text(lab: Any, echo: Any, hostile: tuple[str, ...]) -> None:
    """What an earlier step said is text in every table, whatever it says."""
    rows = [{"id": f"t{n}", "text": text} for n, text in enumerate(hostile)]
    run = lab.plan(prompts=[REPLY], models=[echo("one")], dataset=rows).run()
    live = past_run(lab.run(run.run_id))
    frame = answers.read(run)
    for html in (static_table.table(live), answers.table(frame)):
        assert (html.count("facts · "), html.count("reply · ")) == (len(rows), 0)
        for sign in ("<img", "<script", "<svg", "<iframe", "<a ", "\u202e", "\x1b"):
            assert sign not in html
    assert static_table.rows(live)["rows"][0]["panels"][0][5]["steps"][0][1].startswith("F ")


def test_plain_runs_read_no_steps(lab: Any, echo: Any) -> None:
    """A run without chains is read once, and its answers have nothing before them."""
    run = lab.plan(prompts=["{{ text }}"], models=[echo("one")], dataset=[{"text": "hi"}]).run()
    assert "earlier" not in answers.read(run)
    assert not any(isinstance(one, Line) for row in past_run(run).order for one in row.panels.values())
