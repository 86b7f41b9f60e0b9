"""The form of the workbench, driven without a browser."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import labkit as lk
from labkit.widgets import models
from labkit.widgets.workbench import Workbench, blocks_html
from labkit.widgets.workform import WorkForm, outlook


@pytest.fixture
def bench(here: Path, echo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """A workbench with one prompt and two scripted models."""
    monkeypatch.setattr(models, "weights_here", frozenset)
    lab = lk.Lab(here / "lab.duckdb", models=[echo("one"), echo("two")])
    lab.prompts.save(lk.Prompt("say", "Say {{ word }}"))
    return Workbench(lab, models=["scripted/one", "scripted/two"])


def settled(form: WorkForm, name: str = "labkit-estimate") -> None:
    """Wait until no estimate (or other thread of that name) is under way."""
    for thread in [t for t in threading.enumerate() if t.name == name]:
        thread.join(30)


def test_the_estimate_follows(bench: Workbench) -> None:
    """After each change the line says how many are known, how many to ask, and the cost."""
    form = bench.form
    bench.values["word"] = "hi"
    bench.changed()
    settled(form)
    assert "0 of 2 known, 2 to ask, USD 0.00" in form._estimate.value
    bench.set(repeats=3)
    settled(form)
    assert "0 of 6 known, 6 to ask" in form._estimate.value


def test_what_cannot_be_planned_is_said(bench: Workbench) -> None:
    """Where no plan can be made, the reasons stand in the estimate's place and Run cannot be pressed."""
    form = bench.form
    bench.values["word"] = "hi"
    bench.models.choose([])
    settled(form)
    assert "lk-bad" in form._estimate.value
    assert form._run.disabled
    bench.models.choose(["scripted/one"])
    settled(form)
    assert not form._run.disabled


@pytest.mark.parametrize("score", ["contains the target", "equals the target", "is the target's number"])
def test_a_score_without_a_target_is_said(bench: Workbench, here: Path, score: str) -> None:
    """A score by a target that the rows do not have stands among what is wrong, and Run cannot be pressed."""
    form = bench.form
    pd.DataFrame({"word": ["a", "b"], "label": ["a", "b"]}).to_csv(here / "words.csv", index=False)
    bench.set(source=next(one for one in bench.sources() if one.name == "words.csv"), score=score)
    settled(form)
    assert "reads column &#x27;target&#x27;, which the dataset does not have" in form._estimate.value
    assert form._run.disabled
    bench.set(score="no score")
    settled(form)
    assert not form._run.disabled


def test_a_placeholder_of_another_language_is_said(bench: Workbench, here: Path) -> None:
    """`{word}` over several rows cannot be run; a prompt that uses no column can, and is remarked on."""
    table = pd.DataFrame({"word": ["a", "b"]})
    given = {"models": ["scripted/one"], "dataset": table}
    form = Workbench(bench.lab, prompts=[lk.Prompt("slip", "Say {word}")], **given).form
    settled(form)
    assert "Did you mean {{ word }}?" in form._estimate.value
    assert form._run.disabled
    form = Workbench(bench.lab, prompts=[lk.Prompt("control", "Say anything")], **given).form
    settled(form)
    assert "the same is asked for each of 2 samples" in form._estimate.value
    assert not form._run.disabled


def test_missing_keys_are_said(bench: Workbench) -> None:
    """A chosen model without its key is named, and Run waits for it."""
    form = bench.form
    bench.values["word"] = "hi"
    bench.models.choose(["openai/gpt-4o"])
    settled(form)
    assert "OPENAI_API_KEY" in form._estimate.value
    assert form._run.disabled


def test_run_shows_grid_and_results(bench: Workbench) -> None:
    """Run puts the live grid and the results into the form, and the estimate then knows the answers."""
    bench.values["word"] = "hi"
    form = bench.form
    form._run.click()
    assert bench.run.wait().status == "finished"
    settled(form, "labkit-await")
    settled(form, "labkit-results")
    settled(form)
    assert form._grid.children == (bench.run.progress.grid,)
    assert "Say hi" in form._results._answers.value
    assert "2 of 2 known, 0 to ask" in form._estimate.value


def test_a_run_started_by_code_is_shown(bench: Workbench) -> None:
    """`bench.start()` puts grid and results into the form, however often, and the estimate follows each."""
    form = bench.form
    for word in ("hi", "ho"):
        bench.values["word"] = word
        run = bench.start().wait()
        settled(form, "labkit-await")
        settled(form, "labkit-results")
        settled(form)
        assert form._grid.children == (run.progress.grid,)
        assert f"Say {word}" in form._results._answers.value
        assert "2 of 2 known, 0 to ask" in form._estimate.value


def test_a_form_made_after_the_start_shows_the_run(bench: Workbench) -> None:
    """A workbench that is drawn only when its run goes, or is over, shows it."""
    bench.values["word"] = "hi"
    run = bench.start().wait()
    form = bench.form
    settled(form, "labkit-await")
    assert form._grid.children == (run.progress.grid,)


def test_a_plans_run_is_followed(bench: Workbench) -> None:
    """`bench.plan().run()` in a cell: the estimate knows its answers, and so it does after each."""
    form = bench.form
    for word in ("hi", "ho"):
        bench.values["word"] = word
        bench.plan().run(progress="none")
        settled(form)
        assert "2 of 2 known, 0 to ask" in form._estimate.value


def test_refresh_estimates_again(bench: Workbench) -> None:
    """What was asked elsewhere is known to the estimate after Refresh."""
    form = bench.form
    bench.values["word"] = "hi"
    bench.changed()
    settled(form)
    bench.lab.plan(
        prompts=["say"],
        models=["scripted/one", "scripted/two"],
        dataset=[{"word": "hi"}],
        experiment="elsewhere",
    ).run(progress="none")
    form._renew()
    settled(form)
    assert "2 of 2 known" in form._estimate.value


def test_an_empty_value_is_refused_where_it_is_to_be_typed(bench: Workbench) -> None:
    """Run waits for a value, as a plan refuses an empty cell; what was tried in the editor is none."""
    form = bench.form
    bench.prompts.draft.values["word"] = "only to look at"
    bench.changed()
    settled(form)
    assert "word has no value. Type one under Samples" in form._estimate.value
    assert form._run.disabled
    form._value_boxes["word"].value = "hi"
    settled(form)
    assert not form._run.disabled


def test_what_stands_in_without_a_kernel_has_answers_and_scores(bench: Workbench, here: Path) -> None:
    """Beside the widget the notebook keeps the run's summary and its answers, read once."""
    (here / "words.csv").write_text("word,target\na,a\nb,x\n")
    bench.set(source=bench._named("words.csv"), score="contains the target")
    run = bench.start().wait()
    still = bench._repr_html_()
    for said in ("✓ right", "✗ wrong", "labkit-summary", "lk-answers", "<style>", "position: sticky"):
        assert said in still
    run.generations = None
    assert bench._repr_html_() == still


def test_fields_change_the_choice(bench: Workbench, here: Path) -> None:
    """Rows, repeats, budget, score and source are set by their fields; wrong words are said."""
    (here / "words.csv").write_text("word,target\na,a\nb,b\n")
    form = bench.form
    form._renew()
    form._source.value = next(value for name, value in form._source.options if name == "words.csv")
    assert bench.source.given == "words.csv"
    assert form._values.children == ()
    settled(form)
    assert "0 of 4 known" in form._estimate.value
    assert outlook(bench.plan())[1:] == ("", ())


def test_what_the_samples_can_show_stands_beside_the_price(
    bench: Workbench, here: Path, echo: Callable[..., Any]
) -> None:
    """Once the lab has scores to go by, a line under the price tells what the samples decide."""
    rows = "".join(f"{n},{n % 2}\n" for n in range(12))
    (here / "words.csv").write_text(f"word,target\n{rows}")
    bench.lab.models.add(echo("two", answers=lambda request: "1"))
    bench.set(source=bench._named("words.csv"), score="contains the target")
    bench.start().wait()
    form = bench.form
    bench.changed()
    settled(form)
    told = str(bench.plan().power())
    assert "12 samples decide" in told
    assert "as scripted/one, scripted/two did on 12 samples" in told
    assert f"</div><div class='lk-soft'>{told}</div>" in form._estimate.value
    assert told in form._detail.value
    bench.models.choose(["scripted/one"])
    settled(form)
    assert "decide" not in form._estimate.value


def test_typed_values_are_asked_for(bench: Workbench) -> None:
    """Without a dataset there is a field for each variable of the chosen prompts."""
    form = bench.form
    assert [box.description for box in form._values.children] == ["word"]
    form._value_boxes["word"].value = "ho"
    assert bench.plan().design.dataset.samples[0].fields == {"word": "ho"}
    bench.prompts.choose([])
    assert form._values.children == ()


def test_what_blocks_are_worth_stands_in_a_tab_of_its_own(bench: Workbench) -> None:
    """While their run is shown, and no longer; the plan's sets stand beside the price before."""
    blocks = [lk.Block("style", "Be brief."), lk.Block("facts", "Skies are blue.")]
    table = pd.DataFrame({"word": [f"w{n}" for n in range(8)], "target": "w1"})
    bench = Workbench(
        bench.lab,
        prompts=[lk.Prompt("reply", "Say {{ word }}", blocks=blocks)],
        models=["scripted/one"],
        dataset=table,
        score="contains the target",
    )
    form = bench.form
    settled(form)
    assert "measures" not in form._estimate.value
    for row in range(2):
        bench.prompts.form._blocks.children[row].children[1].value = True
    settled(form)
    assert "measures the blocks" in form._estimate.value
    bench.start().wait()
    settled(form, "labkit-await")
    settled(form, "labkit-results")
    tabs = form._results.tabs
    assert tabs.titles[-1] == "Blocks"
    tabs.selected_index = 4
    assert "Block &quot;style&quot; " in form._results._blocks.value
    for row in range(2):
        bench.prompts.form._blocks.children[row].children[1].value = False
    bench.start().wait()
    settled(form, "labkit-await")
    settled(form, "labkit-results")
    assert tabs.titles[-1] == "Rows"
    assert tabs.selected_index == 0


def test_blocks_of_answers_without_a_score_say_why(bench: Workbench) -> None:
    """What cannot be told stands in the tab as a sentence."""
    blocks = [lk.Block("style", "Be brief."), lk.Block("facts", "Skies are blue.")]
    prompt = lk.Prompt("reply", "Say it", blocks=blocks)
    made = Workbench(bench.lab, prompts=[prompt], models=["scripted/one"], measure=["style", "facts"])
    run = made.start().wait()
    assert "Nothing can be told of the blocks, since " in blocks_html(run)
