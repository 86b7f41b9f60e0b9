"""labkit.run.conclusions: what a run concludes, on a run of scripted models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError
from labkit.scoring import length

ROWS = [{"text": f"q{i}", "target": "yes" if i % 5 else "no"} for i in range(40)]


@pytest.fixture
def run(lab: Any) -> Any:
    """Two models, one always right and one never."""
    always = lk.Model(
        "scripted/always",
        client=lk.Script(lambda r: "yes", version="1"),
        prices={"input": 1.0, "output": 3.0},
    )
    never = lk.Model("scripted/never", client=lk.Script(lambda r: "perhaps", version="1"))
    plan = lab.plan(
        prompts=[lk.Prompt("p", "{{ text }}")],
        models=[always, never],
        dataset=ROWS,
        scorers=[lk.contains("target")],
    )
    return plan.run()


def test_a_run_gives_its_verdict_and_deciding_rows(run: Any) -> None:
    """The verdict is that of labkit.verdict over the run's rows; the rows that decide are those apart."""
    found = run.verdict("contains")
    assert found.headline == "scripted/always is the better model, over 40 samples."
    assert found.frame()["decided"].all()
    assert not found.watched
    assert run.differences().counts["disagreement"] == 32


def test_several_scores_are_corrected_over_all_of_them(run: Any) -> None:
    """A list gives a verdict by each; what each scorer declares, and its direction, are its own."""
    run.score(length())
    found = run.verdict(
        ["contains", "length_words"], better={"length_words": "lower"}, margin={"contains": 0.1}
    )
    assert found["contains"].headline == run.verdict("contains").headline
    assert [one.better for one in found] == ["higher", "lower"]
    assert found.frame()["decided"].tolist() == [True, False]  # both say one word
    assert "2 pairs of all scores" in str(found)
    with pytest.raises(DefinitionError, match=r"no score 'tone'.*\n.*no score 'style'"):
        run.verdict(["tone", "contains", "style"])


def test_a_report_a_card_and_a_forest_tell_one_score(run: Any, here: Path) -> None:
    """A list of scores is refused in words that say what to do."""
    run.score(length())
    for refused in (run.report, run.card):
        with pytest.raises(DefinitionError, match="one score; write one for each"):
            refused(here / "page.md", score=["contains", "length_words"])
    found = run.verdict(["contains", "length_words"])
    for several in (found, found.frame()):
        with pytest.raises(DefinitionError, match=r"one score: lk\.charts\.forest\(verdicts\['contains'\]\)"):
            lk.charts.forest(several)
    assert lk.charts.forest(found["length_words"]).data


def test_prices_are_those_listed_when_it_was_made(run: Any) -> None:
    """USD per million tokens, by model and token class."""
    assert run.prices()["scripted/always"] == {"input": 1.0, "output": 3.0}


def test_the_design_is_rebuilt_from_the_lab(run: Any, lab: Any) -> None:
    """Its cells without answers, and from them the plan's id as it was stored."""
    design = run.design()
    assert len(design) == 80
    assert "text" not in design.columns
    assert run.plan_id() == lab.runs()["plan_id"].item()


def test_two_runs_are_compared(run: Any, lab: Any) -> None:
    """By id or as themselves; a replayed run teaches nothing new, and says so."""
    found = lab.compare(run, run.run_id)
    assert all("is a replay of " in said for said in found.sentences)
    assert all(
        "replay of monday's" in said for said in lab.compare(run, run, names=("monday", "b")).sentences
    )
    for names in (("monday",), ("monday", 2), 3):
        with pytest.raises(DefinitionError, match="give two texts"):
            lab.compare(run, run, names=names)


def test_a_run_that_does_not_know_its_plan_says_where_to_get_it(run: Any) -> None:
    """A bare handle cannot grow, and names the lab's way."""
    from labkit.run import Run

    bare = Run.find(run.run_id, run._services)
    with pytest.raises(DefinitionError, match=r"lab\.run\("):
        bare.more(rows=1)


def test_nothing_scored_is_told(lab: Any, echo: Callable[..., Any]) -> None:
    """A verdict without a score says what to do."""
    run = lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS[:2]).run()
    with pytest.raises(DefinitionError, match=r"run\.score"):
        run.verdict()
