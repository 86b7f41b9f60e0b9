"""The workbench's state, headless."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import labkit as lk
from labkit.errors import DefinitionError
from labkit.widgets import models, sources
from labkit.widgets.workbench import Workbench


@pytest.fixture
def lab(here: Path, echo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A lab with two scripted models and a prompt."""
    monkeypatch.setattr(models, "weights_here", frozenset)
    made = lk.Lab(here / "lab.duckdb", models=[echo("one"), echo("two")])
    made.prompts.save(lk.Prompt("say", "Say {{ word }}"))
    return made


def test_headless_run(lab: Any) -> None:
    """Without a browser: choose, plan, start, read."""
    bench = Workbench(lab, models=["scripted/one", "scripted/two"], repeats=2)
    bench.values["word"] = "hi"
    assert len(bench.plan()) == 4
    run = bench.start().wait()
    assert bench.run is run
    assert set(run.generations()["text"]) == {"Say hi"}


def test_a_file_and_its_first_rows(lab: Any, here: Path) -> None:
    """Samples come from a file, and of it the first so many."""
    pd.DataFrame({"word": ["a", "b", "c"], "target": ["a", "b", "c"]}).to_csv(here / "words.csv", index=False)
    bench = Workbench(lab, models=["scripted/one"], dataset="words.csv", rows=2, score="contains the target")
    run = bench.start().wait()
    assert run.generations()["score.contains"].tolist() == [1.0, 1.0]


def test_scorers_of_ones_own_can_be_chosen(lab: Any) -> None:
    """A judge is chosen at first, the others beside it; the code writes it as it was made."""
    script = lk.Script(lambda request: '{"verdict": "yes"}', version="1")
    lab.models.add(lk.Model("scripted/judge", client=script))
    grades = {"no": 0, "yes": 1}
    polite = lk.judge("polite", "Is it polite?", model="scripted/judge", grades=grades, reason=None)
    bench = Workbench(lab, models=["scripted/one"], scorers=[polite])
    bench.values["word"] = "hi"
    assert bench.start().wait().generations()["score.polite"].tolist() == [1.0]
    written = f"lk.judge(name='polite', question='Is it polite?', model='scripted/judge', grades={grades}"
    assert written in bench.code
    bench.set(score="no score")
    assert bench.plan().scorers == ()
    with pytest.raises(DefinitionError, match="polite"):
        bench.set(score="impolite")


def test_wrong_choices_are_refused_together(lab: Any) -> None:
    """What cannot run is said by the plan with all its reasons, before anything is asked."""
    bench = Workbench(lab, models=[], repeats=0)
    with pytest.raises(DefinitionError) as error:
        bench.plan()
    assert len(error.value.faults) >= 2


def test_an_empty_value_is_refused_unless_there_is_a_default(lab: Any) -> None:
    """A variable without a typed value is a fault of the plan, told with all the others; a default does."""
    bench = Workbench(lab, prompts=[lk.Prompt("two", "{{ word }} {{ tone }}")], models=[])
    with pytest.raises(DefinitionError) as error:
        bench.plan()
    assert [fault.split()[0] for fault in error.value.faults[:2]] == ["word", "tone"]
    assert len(error.value.faults) >= 3
    bench.models.choose(["scripted/one"])
    bench.values.update(word="hi", tone="")
    bench.prompts.draft.defaults["tone"] = "kind"
    assert bench.start().wait().generations()["text"].tolist() == ["hi kind"]


def test_a_start_is_a_change(lab: Any) -> None:
    """Who listens hears of a run that was started, and finds it."""
    bench = Workbench(lab, models=["scripted/one"])
    bench.values["word"] = "hi"
    heard: list[Any] = []
    bench.on_change(lambda: heard.append(bench.run))
    assert bench.start() is heard[0]


def test_unknown_scores_are_refused(lab: Any) -> None:
    """A score that does not exist is refused, with those that do."""
    with pytest.raises(DefinitionError, match="contains the target"):
        Workbench(lab, score="vibes")


def test_every_change_is_heard(lab: Any) -> None:
    """A change of prompts, models or anything else reaches who listens, for the estimate to follow."""
    bench = Workbench(lab, models=["scripted/one"])
    heard: list[int] = []
    bench.on_change(lambda: heard.append(1))
    bench.prompts.choose([])
    bench.models.toggle("scripted/two", True)
    bench.models.set_params("scripted/two", seed=1)
    bench.set(repeats=3)
    assert len(heard) == 4


def test_variables_of_what_is_chosen(lab: Any) -> None:
    """Values are asked for exactly the chosen prompts' variables, the typed one's included."""
    bench = Workbench(lab, models=["scripted/one"])
    bench.prompts.draft.text = "In a {{ tone }} tone: {{ word }}"
    assert bench.variables == ("word",)
    bench.prompts.use_draft(True)
    assert bench.variables == ("word", "tone")


def run_code(code: str, names: dict[str, Any]) -> Any:
    exec(compile(code, "<shown code>", "exec"), names)
    return names["run"]


@pytest.mark.parametrize("dataset", ["frame", "file", "typed"])
def test_the_code_does_the_same(
    lab: Any, here: Path, dataset: str, monkeypatch: pytest.MonkeyPatch, hostile: tuple[str, ...]
) -> None:
    """Running the code that is shown plans the same cells, whatever strings are in the choice."""
    words = pd.DataFrame({"word": [*hostile, '"""', "\\"], "target": "x"})
    words.to_csv(here / "words.csv", index=False)
    names: dict[str, Any] = {"lab": lab, "words": words}
    monkeypatch.setattr(sources, "notebook_names", lambda: names)
    given = {"frame": words, "file": "words.csv", "typed": None}[dataset]
    bench = Workbench(
        lab,
        prompts=["say", lk.Prompt("nasty", "x {{ word }} " + " ".join(hostile[:9]), system="'''\"\"\"\\")],
        models=["scripted/one", "scripted/two"],
        dataset=given,
        rows=3 if dataset != "typed" else 0,
        repeats=2,
        score="equals the target",
        experiment="it's",
    )
    bench.models.set_params("scripted/two", seed=4)
    bench.values["word"] = hostile[1]
    if dataset == "typed":
        bench.set(score="no score")
    run = run_code(bench.code, dict(names))
    frame = bench.plan().frame()
    assert sorted(run.generations()["request_id"]) == sorted(frame["request_id"])
    assert frame["known"].all()


def test_blocks_that_are_to_be_measured_make_an_ablation(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan, run, code and what stands in without a kernel are those of `plan.ablate`."""
    blocks = [lk.Block("style", "Be brief."), lk.Block("facts", "Skies are blue."), lk.Block("tone", "Kind.")]
    table = pd.DataFrame({"word": [f"w{n}" for n in range(12)], "target": "w1"})
    names: dict[str, Any] = {"lab": lab, "table": table}
    monkeypatch.setattr(sources, "notebook_names", lambda: names)
    bench = Workbench(
        lab,
        prompts=[lk.Prompt("reply", "Say {{ word }}", blocks=blocks)],
        models=["scripted/one"],
        dataset=table,
        rows=6,
        score="contains the target",
        measure=["style", "facts"],
    )
    assert len(bench.plan()) == 4 * 6
    assert ").head(6).ablate(['style', 'facts'])" in bench.code
    run = bench.start().wait()
    assert run.ablation().effects["block"].tolist() == ["style", "facts"]
    assert "Block &quot;style&quot; " in bench._repr_html_()
    assert run_code(bench.code, dict(names)).generations()["prompt"].nunique() == 4
    bench.prompts.measure("facts", False)
    with pytest.raises(DefinitionError, match="at least two"):
        bench.plan()
    bench.prompts.measure("style", False)
    assert len(bench.plan()) == 6
    with pytest.raises(DefinitionError, match="There is no block 'stile'"):
        Workbench(lab, models=["scripted/one"], blocks=blocks, measure="stile")


def test_the_code_names_the_lab(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code uses the notebook's own lab where it has one, under its name; else it opens it."""
    bench = Workbench(lab, models=["scripted/one"])
    monkeypatch.setattr(sources, "notebook_names", lambda: {"mine": lab})
    assert "lab = mine\n" in bench.code
    monkeypatch.setattr(sources, "notebook_names", dict)
    assert f"lk.Lab({str(lab.path)!r}, workspace='default')" in bench.code


def test_the_table_is_text(lab: Any, hostile: tuple[str, ...]) -> None:
    """Without scripts the workbench is its choices and its code, escaped."""
    bench = Workbench(lab, prompts=[lk.Prompt("x", hostile[0])], models=["scripted/one"])
    page = bench._repr_html_()
    assert "<img" not in page
    assert "&lt;img" in page


def test_a_misspelt_param_is_told_with_the_one_that_was_meant(lab: Any) -> None:
    """What the plan says of a model's params the workbench says too, and nothing is asked."""
    bench = Workbench(lab, models=["scripted/one"])
    bench.models.set_params("scripted/one", temprature=1)
    bench.values["word"] = "hi"
    with pytest.raises(DefinitionError, match="Did you mean temperature"):
        bench.plan()
    bench.form._draw_estimate()
    assert "Did you mean temperature" in bench.form._estimate.value
    assert bench.form._run.disabled


def test_a_chain_and_models_per_step(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A saved chain and a typed one are asked by models per step; the code that is shown asks the same."""
    steps = lk.Step("facts", "List {{ word }}"), lk.Step("reply", "Answer {{ facts }}", read=None)
    lab.prompts.save(lk.Chain("saved", *steps))
    typed = lk.Chain("typed", lk.Step("facts", "{{ word }}", read=lk.read.lines()), steps[1])
    names: dict[str, Any] = {"lab": lab}
    monkeypatch.setattr(sources, "notebook_names", lambda: names)
    per_step = lk.per_step(facts=["scripted/one", "scripted/two"], reply="scripted/one")
    bench = Workbench(lab, prompts=["saved", typed], models=per_step)
    assert bench.variables == ("word",)
    assert repr(per_step) in repr(bench)
    bench.values["word"] = "tea"
    run = bench.start().wait()
    assert len(run.generations()) == 4
    again = run_code(bench.code, dict(names))
    assert sorted(again.generations()["text"]) == sorted(run.generations()["text"])
    assert bench.plan().frame()["known"].all()
    assert "<summary class='lk-soft'>facts · " in bench._repr_html_()
