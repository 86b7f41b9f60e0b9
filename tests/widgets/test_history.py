"""The lab's runs, headless."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import labkit as lk
from labkit.errors import DefinitionError, ProviderError
from labkit.widgets.history import History


@pytest.fixture
def lab(here: Path, echo: Callable[..., Any]) -> Any:
    """A lab with two finished runs in two workspaces."""
    models = [echo("one"), echo("two")]
    for space, word in (("first", "hi"), ("second", "ho")):
        made = lk.Lab(here / "lab.duckdb", models=models, workspace=space)
        made.plan(
            prompts=[lk.Prompt("say", "Say {{ word }}")],
            models=["scripted/one", "scripted/two"][: 1 if space == "first" else 2],
            dataset=[{"word": word}],
            experiment=f"try-{space}",
        ).run()
    return made


def test_newest_first_from_every_workspace(lab: Any) -> None:
    """All runs are listed, the newest first, with state, counts, cost, scores, what they asked, and where."""
    history = History(lab)
    assert [choice.name.split()[-1] for choice in history.choices] == ["try-second", "try-first"]
    assert history.choices[0].facts[0] == "finished"
    assert history.choices[0].facts[1].startswith("2 of 2 · USD 0.00")
    assert history.choices[0].facts[2:] == ("none", "say@1", "scripted/one, scripted/two", "second")
    assert history.tags("workspace") == ("first", "second")
    assert history.tags("model") == ("scripted/one", "scripted/two")


def test_the_table_without_widgets_is_not_empty(lab: Any) -> None:
    """Where nothing is chosen the latest runs stand in it, else what is chosen."""
    history = History(lab)
    assert all(f"try-{space}" in history._repr_html_() for space in ("first", "second"))
    history.choose([history.choices[0].value])
    assert "try-first" not in history._repr_html_()


def test_search_and_filters(lab: Any) -> None:
    """Words and filters by workspace, model, status and day narrow the list."""
    history = History(lab)
    assert len(history.found("try-first")) == 1
    assert len(history.found(tags=["model:scripted/two"])) == 1
    assert len(history.found(tags=["workspace:first", "status:finished"])) == 1
    history.since = datetime.now(UTC).date() + timedelta(days=1)
    assert history.choices == ()


def test_an_empty_lab(here: Path) -> None:
    """A lab without runs has an empty history."""
    history = History(lk.Lab(here / "new.duckdb"))
    assert history.choices == ()
    assert "0 of 0" in history._repr_html_()


def test_open_and_compare(lab: Any) -> None:
    """One run opens; of two that share no sample there is no answer beside another, nor a score to go by."""
    history = History(lab)
    history.choose([history.choices[1].value])
    assert history.open().generations()["text"].tolist() == ["Say hi"]
    history.choose([choice.value for choice in history.choices])
    assert len(history.answers()) == 0
    assert [side for side, _ in history.sides()] == ["A", "B"]
    assert "try-first" in history.sides()[0][1]
    assert "neither run was scored" in str(history.compare())


@pytest.fixture
def scored(here: Path, echo: Callable[..., Any]) -> Any:
    """A lab with two runs of one experiment: another text of the prompt, other params, one more model."""
    lab = lk.Lab(here / "lab.duckdb", models=[echo("one"), echo("two")])
    rows = [{"word": word, "target": target} for word, target in (("hi", "hi"), ("ho", "no"), ("hu", "hu"))]
    for text, models, given in (
        ("Say {{ word }}", ["scripted/one"], {"max_tokens": 8}),
        ("Say no, {{ word }}", ["scripted/one", "scripted/two"], {"max_tokens": 9}),
    ):
        lab.plan(
            prompts=[lk.Prompt("say", text)], models=models, dataset=rows, params=given, repeats=2,
            scorers=[lk.contains("target")], experiment="same",
        ).run(progress="none")  # fmt: skip
    return lab


def test_runs_of_one_name_are_told_apart(scored: Any) -> None:
    """By the second, the prompt's version, the models, their params, and between which means scores lie."""
    later, earlier = History(scored).choices
    assert later.name.split()[-1] == earlier.name.split()[-1] == "same"
    assert len(later.name.split()[1]) == len("00:00:00")
    assert earlier.facts[1].endswith(" · 3 samples × 2 repeats")
    assert (earlier.facts[2], later.facts[2]) == ("contains 0.667", "contains 1")
    assert (earlier.facts[3], later.facts[3]) == ("say@1", "say@2")
    assert earlier.facts[4] == "scripted/one · max_tokens 8"
    assert later.facts[4] == "scripted/one, scripted/two · max_tokens 9"


def test_two_runs_are_compared_as_the_lab_does(scored: Any) -> None:
    """The words and the table of `lab.compare`, the later against the earlier, under short names."""
    history = History(scored)
    history.choose([choice.value for choice in history.choices])
    found = history.compare()
    b, a = history.chosen
    pd.testing.assert_frame_equal(found.frame(), scored.compare(a, b).frame())
    assert (found.before, found.after) == ("A", "B")
    assert a not in str(found)
    frame = history.answers()
    assert set(frame["model"]) == {"scripted/one"}
    assert len(frame) == 12


def test_too_many_or_too_few(lab: Any) -> None:
    """What needs one run or two says so."""
    history = History(lab)
    for act, words in (
        (history.open, "Tick one"),
        (history.compare, "Tick two"),
        (history.rerun, "One run can be run again; chosen so far: 0. Tick one"),
    ):
        with pytest.raises(DefinitionError, match=words):
            act()


def test_run_again_is_a_new_run_with_replay(lab: Any) -> None:
    """A rerun is a run of its own that asks nothing that is known."""
    history = History(lab)
    first = history.choices[0].value
    history.choose([first])
    again = history.rerun(progress="none").wait()
    assert again.run_id != first
    assert again.generations()["replayed_from"].notna().all()
    history.renew()
    assert history.choices[0].value == again.run_id


def test_resume_continues_the_run(here: Path, echo: Callable[..., Any]) -> None:
    """A run that was stopped is continued under its own id until nothing is missing."""
    slow = echo("slow", delay_s=0.2)
    lab = lk.Lab(here / "lab.duckdb", models=[slow.replace(concurrency=1)])
    words = [{"word": str(number)} for number in range(4)]
    run = lab.plan(
        prompts=[lk.Prompt("say", "Say {{ word }}")], models=["scripted/slow"], dataset=words
    ).start()
    run.stop()
    run.wait()
    history = History(lab)
    history.choose([run.run_id])
    with pytest.raises(DefinitionError, match="resume it"):
        history.rerun()
    resumed = history.resume(progress="none").wait()
    assert resumed.run_id == run.run_id
    assert set(resumed.generations()["status"]) == {"done"}
    history.renew()
    with pytest.raises(DefinitionError, match="nothing to resume"):
        history.resume()


def test_failures_are_counted(here: Path, echo: Callable[..., Any]) -> None:
    """A run with failures says how many."""
    model = echo("bad", answers=[ProviderError("no")])
    lab = lk.Lab(here / "lab.duckdb", models=[model])
    lab.plan(prompts=["Say hi"], models=["scripted/bad"]).run()
    assert "1 failed" in History(lab).choices[0].facts[1]


def test_the_code_opens_what_is_chosen(lab: Any) -> None:
    """The code shown opens the ticked runs."""
    history = History(lab)
    history.choose([history.choices[0].value])
    assert eval(history.code, {"lab": lab}).run_id == history.choices[0].value


def short(generation: Any, sample: Any) -> bool:
    """A scorer of one's own."""
    return len(generation.text) < 80


def test_what_is_asked_again_is_scored_again(here: Path, echo: Callable[..., Any]) -> None:
    """A run's scorers come along where they are to be had: built-ins always, an own function while the lab
    that ran it is open; else its name is told in the run's line, and what to write."""
    models = [echo("one")]
    first = lk.Lab(here / "lab.duckdb", models=models)
    scorers = [lk.exact("target", ignore_case=True), short]
    run = first.plan(
        prompts=["Say {{ target }}"], models=["scripted/one"], dataset=[{"target": "x"}], scorers=scorers
    ).run(progress="none")

    def again(lab: lk.Lab) -> lk.Run:
        history = History(lab)
        history.choose([run.run_id])
        return history.rerun(progress="none").wait()

    found = again(first)
    assert found.generations()[["score.exact", "score.short"]].notna().all(axis=None)
    found = again(lk.Lab(here / "lab.duckdb", models=models))
    assert found.generations()["score.exact"].notna().all()
    assert "score.short" not in found.generations()
    assert "not scored by 'short', of which only the name is kept: run.score(…)" in found.progress.title


def test_a_run_of_chains_is_listed_by_who_answered(lab: Any, echo: Callable[..., Any]) -> None:
    """Its contenders are told apart, its counts are of requests, and it is found by each model it asked."""
    chain = lk.Chain("reply", lk.Step("facts", "List tea"), lk.Step("reply", "{{ facts }}"))
    x, y = echo("x"), echo("y")
    lab.plan(prompts=[chain], models=lk.per_step(facts=[x, y], reply=[x])).run()
    history = History(lab)
    choice = history.choices[0]
    assert choice.facts[1].startswith("4 of 4 requests · ")
    assert choice.facts[4] == "facts: scripted/y, reply: scripted/x; scripted/x"
    assert {"model:scripted/x", "model:scripted/y"} <= choice.tags
    assert not any("facts" in tag for tag in choice.tags)
