"""The form of a prompt selector, driven without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.widgets.prompts import PromptSelector


@pytest.fixture
def selector(lab: Any) -> PromptSelector:
    """A selector over a prompt in two versions and one with a block."""
    lab.prompts.save(lk.Prompt("tone", "Praise? {{ text }}"))
    lab.prompts.save(lk.Prompt("tone", "Praise or complaint? {{ text }}"))
    lab.prompts.save(lk.Prompt("plain", "Hello", blocks=[lk.Block("style", "Be kind.")]))
    return PromptSelector(lab, value=["tone"])


def test_typing_finds_variables_and_previews(selector: PromptSelector) -> None:
    """While typing, variables appear with fields for their values, and what would be sent."""
    form = selector.form
    form._text.value = "Say {{ word }} in {{ tone }}"
    assert [row.children[0].description for row in form._values.children] == ["word", "tone"]
    form._fields["word"]._box.value = "<b>hi</b>"
    assert "Say &lt;b&gt;hi&lt;/b&gt; in" in form._preview.value
    form._text.value = "Say {{ word"
    assert form._values.children == ()
    assert "lk-bad" in form._preview.value
    assert form._save.disabled


def test_edit_shows_the_difference_and_saves(selector: PromptSelector) -> None:
    """Edit copies a prompt, the difference to the last version is shown, Save makes the next."""
    form = selector.form
    next(w for w in form._row_extras["tone"] if w.description == "Edit").click()
    assert "the same as @2" in form._preview.value
    form._text.value = "In a word: {{ text }}"
    assert "lk-add" in form._preview.value
    assert "lk-del" in form._preview.value
    form._save.click()
    assert "saved as tone@3" in form._status.widget.value
    assert selector.value == ("tone",)


def test_a_tried_value_can_be_made_the_default(selector: PromptSelector) -> None:
    """Ticked, what is typed for a variable stands in the prompt; unticked, it is only looked at."""
    form = selector.form
    form._name.value, form._text.value = "kind", "Say {{ word }}"
    field = form._fields["word"]
    field._box.value = "hi"
    assert selector.draft.prompt().defaults == {}
    field._default.value = True
    field._box.value = "ho"
    assert selector.draft.prompt().defaults == {"word": "ho"}
    assert "Say ho" in form._preview.value
    form._save.click()
    assert selector.prompt("kind").defaults == {"word": "ho"}
    field._default.value = False
    assert selector.draft.prompt().defaults == {}


def test_the_version_picked_is_the_value(selector: PromptSelector) -> None:
    """The version chosen in a row is the one asked."""
    form = selector.form
    versions = next(w for w in form._row_extras["tone"] if hasattr(w, "options"))
    versions.value = 1
    assert selector.value == ("tone@1",)
    versions.value = 0
    assert selector.value == ("tone",)


def test_using_the_draft(selector: PromptSelector) -> None:
    """The typed prompt is used only while it is one; using nonsense is refused in the status line."""
    form = selector.form
    form._use.value = True
    assert "role='alert'" in form._status.widget.value
    assert form._use.value is False
    form._text.value = "Hi there"
    form._use.value = True
    assert len(selector.value) == 2
    assert "1 chosen and the one written below" in form._list._where.value
    form._text.value = "Hi {{ there"
    assert form._use.value is False
    assert len(selector.value) == 1


def test_blocks_are_ticked_into_the_draft(selector: PromptSelector) -> None:
    """A ticked block is in front of what is sent."""
    form = selector.form
    form._text.value = "Hi there"
    form._blocks.children[0].value = True
    assert [block.name for block in selector.draft.blocks] == ["style"]
    assert "Be kind." in form._preview.value


def test_blocks_are_ticked_to_be_measured_where_they_can_be(selector: PromptSelector) -> None:
    """In a larger form, which plans; by itself a selector has no such tick."""
    form = selector.form
    assert (
        len(form._blocks.children[0].children if hasattr(form._blocks.children[0], "children") else ()) == 0
    )
    form.embed()
    _, measure = form._blocks.children[0].children
    assert measure.description == "measure"
    measure.value = True
    assert selector.measured == ("style",)
    _, measure = form._blocks.children[0].children
    assert measure.value is True
    measure.value = False
    assert selector.measured == ()


def test_nothing_typed_is_nothing_previewed(selector: PromptSelector) -> None:
    """An empty form says what to do and saves nothing."""
    form = selector.form
    assert "found as you type" in form._found.value
    assert form._save.disabled


def test_the_preview_shows_what_a_base_model_reads(here: Any) -> None:
    """A model with a chat template of ours reads more than what is sent: that stands below it."""
    selector = PromptSelector(lk.Lab(here / "own.duckdb"))
    selector.draft.text = "Say <b>"
    selector.changed()
    shown = selector.form._preview.value
    assert "What local/gemma-3-270m reads, by its chat template, stop=[&#x27;\\n&#x27;]" in shown
    assert "Question: What is the capital of Italy?" in shown
    assert "Question: Say &lt;b&gt;\nAnswer:" in shown
    assert "smollm2" not in shown


def test_a_chain_is_previewed_step_by_step(here: Path) -> None:
    """Each step's messages are shown, with a mark where an answer will stand; it is edited as its text."""
    lab = lk.Lab(here / "lab.duckdb")
    steps = lk.Step("facts", "List {{ text }}", read=lk.read.json()), lk.Step("plan", "Plan {{ facts.all }}")
    lab.prompts.save(lk.Chain("chained", *steps, lk.Step("reply", "<b> {{ plan }}", system="Short")))
    form = PromptSelector(lab).form
    form._edit("chained")
    assert form._steps.value == "facts, plan, reply"
    for told in (
        "[facts, user]\nList", "[plan, as written]\nPlan {{ facts.all }}",
        "[reply, system]\nShort", "[reply, user]\n&lt;b&gt; «what plan answered»", "the same as @1",
    ):  # fmt: skip
        assert told in form._preview.value
    form._text.value += " now"
    assert form._save.disabled is False
    form._saved()
    assert lab.prompts["chained"].steps[2].prompt.text == "<b> {{ plan }} now"
    assert lab.prompts["chained@2"].steps[0] == steps[0]
