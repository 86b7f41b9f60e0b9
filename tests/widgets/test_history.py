"""The lab's runs, headless."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

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
    """All runs are listed, the newest first, with their state, counts, cost and what they asked."""
    history = History(lab)
    assert [choice.name.split()[-1] for choice in history.choices] == ["try-second", "try-first"]
    assert history.choices[0].facts[0] == "finished"
    assert history.choices[0].facts[1].startswith("2 of 2 · USD 0.00")
    assert history.tags("workspace") == ("first", "second")
    assert history.tags("model") == ("scripted/one", "scripted/two")


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
    """One run opens; two are compared in one frame that tells them apart."""
    history = History(lab)
    history.choose([history.choices[1].value])
    assert history.open().generations()["text"].tolist() == ["Say hi"]
    history.choose([choice.value for choice in history.choices])
    frame = history.compare()
    assert len(frame) == 3
    assert frame["model"].nunique() == 3


def test_too_many_or_too_few(lab: Any) -> None:
    """What needs one run or two says so."""
    history = History(lab)
    for act, words in (
        (history.open, "Tick one"),
        (history.compare, "Tick two"),
        (history.rerun, "Tick one"),
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
