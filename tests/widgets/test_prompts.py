"""Choosing and writing prompts, headless."""

from __future__ import annotations

from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError
from labkit.widgets.prompts import PromptSelector


@pytest.fixture
def saved(lab: Any) -> Any:
    """A lab with three prompts, one of them in two versions."""
    lab.prompts.save(lk.Prompt("triage", "Classify: {{ text }}"))
    lab.prompts.save(lk.Prompt("triage", "In one word: {{ text }}", blocks=[lk.Block("style", "Be plain.")]))
    lab.prompts.save(lk.Prompt("plain", "Hello"))
    lab.prompts.save(lk.Prompt("tone", "In a {{ tone }} tone: {{ text }}"))
    return lab


def test_few_prompts_are_all_chosen(saved: Any) -> None:
    """With at most four prompts, *Run All* takes them all."""
    assert set(PromptSelector(saved).value) == {"triage", "plain", "tone"}


def test_many_prompts_are_not(saved: Any) -> None:
    """With more than four the first is chosen."""
    for number in range(4):
        saved.prompts.save(lk.Prompt(f"more-{number}", f"text {number}"))
    assert len(PromptSelector(saved).value) == 1


def test_files_come_first(here: Any, saved: Any) -> None:
    """Where the project has prompts in files, those are chosen, whatever else the lab has kept."""
    folder = here / "data" / "prompts"
    folder.mkdir(parents=True)
    (folder / "terse.md").write_text("One word: {{ text }}")
    assert PromptSelector(saved).value == ("terse",)


def test_no_prompts_at_all(lab: Any) -> None:
    """A lab without prompts has an empty selector that can be shown and written in."""
    selector = PromptSelector(lab)
    assert selector.value == ()
    selector.draft.text = "Hi"
    selector.use_draft(True)
    assert [prompt.text for prompt in selector.value] == ["Hi"]  # type: ignore[union-attr]
    assert selector._repr_html_()


def test_versions(saved: Any) -> None:
    """A version can be chosen, one that does not exist cannot."""
    selector = PromptSelector(saved, value=["triage@1"])
    assert selector.value == ("triage@1",)
    assert selector.prompt("triage").text == "Classify: {{ text }}"
    selector.pick("triage", None)
    assert selector.value == ("triage",)
    with pytest.raises(DefinitionError, match="version 9"):
        selector.pick("triage", 9)
    with pytest.raises(DefinitionError):
        PromptSelector(saved, value=["triage@7"])


def test_search_reads_texts(saved: Any) -> None:
    """Search looks into names, variables and texts."""
    selector = PromptSelector(saved)
    assert [choice.value for choice in selector.found("one word")] == ["triage"]
    assert [choice.value for choice in selector.found("tone")] == ["tone"]


def test_the_typed_prompt_is_a_value(saved: Any) -> None:
    """What is typed counts once it is used; while it is no prompt it cannot be."""
    selector = PromptSelector(saved, value=["plain"])
    with pytest.raises(DefinitionError):
        selector.use_draft(True)
    selector.draft.text = "Shout {{ word }}"
    selector.draft.values["word"] = "hey"
    selector.use_draft(True)
    assert selector.value[0] == "plain"
    assert (
        saved.plan(prompts=selector.value, models=["gpt-4o"], dataset=[selector.values]).frame().shape[0] == 2
    )


def test_saving_is_the_next_version(saved: Any) -> None:
    """Saving a copy with changes makes the next version, chosen in the draft's place."""
    selector = PromptSelector(saved, value=[])
    selector.edit("triage")
    assert selector.last() is not None
    selector.draft.text = "Briefly: {{ text }}"
    selector.use_draft(True)
    assert selector.save().version == 3
    assert selector.value == ("triage",)
    assert selector.versions("triage") == (1, 2, 3)
    assert saved.prompts["triage"].text == "Briefly: {{ text }}"


def test_saving_the_same_is_the_same_version(saved: Any) -> None:
    """The same content keeps its number."""
    selector = PromptSelector(saved)
    selector.edit("plain")
    assert selector.save().version == 1


def test_a_saved_version_beside_a_file(here: Any, lab: Any) -> None:
    """Where a file of the name says something else, what is chosen is the version just saved."""
    folder = here / "data" / "prompts"
    folder.mkdir(parents=True)
    (folder / "terse.md").write_text("One word: {{ text }}")
    selector = PromptSelector(lab)
    selector.edit("terse")
    selector.draft.text = "Two words: {{ text }}"
    saved = selector.save()
    assert selector.value == (f"terse@{saved.version}",)


def test_blocks_to_tick(saved: Any) -> None:
    """Blocks of listed prompts and given ones can be ticked, each name once."""
    selector = PromptSelector(saved, blocks=[lk.Block("facts", "The sky is blue.")])
    assert {block.name for block in selector.blocks} == {"style", "facts"}


def test_blocks_to_measure(saved: Any) -> None:
    """By name, on and off again; one that is not there is refused, one that is gone is measured no more."""
    selector = PromptSelector(saved, blocks=[lk.Block("facts", "The sky is blue.")])
    heard = []
    selector.on_change(lambda: heard.append(selector.measured))
    selector.measure("style")
    selector.measure("facts")
    selector.measure("style", False)
    assert heard == [("style",), ("style", "facts"), ("facts",)]
    with pytest.raises(DefinitionError, match="no block 'fact'; there are 'facts'"):
        selector.measure("fact")
    selector.draft.blocks = (lk.Block("typed", "x"),)
    selector.measure("typed")
    selector.draft.blocks = ()
    assert selector.measured == ("facts",)


def test_the_code_makes_the_same_choice(saved: Any) -> None:
    """The code that is shown makes a selector with the same value, typed prompt included."""
    selector = PromptSelector(saved, value=["triage@1", "plain"])
    selector.draft.text, selector.draft.system = 'Say "{{ x }}"\n', "''' be kind"
    selector.use_draft(True)
    assert eval(selector.code, {"lk": lk, "lab": saved}).value == selector.value


def test_the_table_is_text(lab: Any, hostile: tuple[str, ...]) -> None:
    """Hostile texts in prompts are text in the table."""
    for number, text in enumerate(hostile[:7]):
        lab.prompts.save(lk.Prompt(f"p{number}", text, description=text))
    page = PromptSelector(lab, value=[f"p{number}" for number in range(7)])._repr_html_()
    assert not any(tag in page for tag in ("<img", "<script", "<svg", "<iframe", "<a "))
