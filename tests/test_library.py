"""labkit.library: saved prompts and files, by name."""

from __future__ import annotations

from pathlib import Path

import pytest

import labkit as lk
from labkit.errors import UnknownPrompt


@pytest.fixture
def files(here: Path) -> Path:
    """A project with two prompt files, seen from a folder inside it."""
    folder = here / "data" / "prompts"
    folder.mkdir(parents=True)
    (folder / "ask.md").write_text("Ask {{ text }}")
    (folder / "tell.md").write_text("Tell {{ text }}")
    return folder


def test_files_and_saved_prompts_are_listed_once(lab: lk.Lab, files: Path) -> None:
    """Iteration gives every name once; a file's text stands for its name."""
    lab.prompts.save(lk.Prompt("ask", "An older {{ text }}"))
    lab.prompts.save(lk.Prompt("kept", "Kept {{ text }}"))
    found = {prompt.name: prompt.text for prompt in lab.prompts}
    assert found == {"ask": "Ask {{ text }}", "tell": "Tell {{ text }}", "kept": "Kept {{ text }}"}
    assert len(lab.prompts) == 3


def test_a_version_is_what_was_saved(lab: lk.Lab, files: Path) -> None:
    """`name@1` is the first saved text, whatever the file says now."""
    lab.prompts.save(lk.Prompt("ask", "First {{ text }}"))
    assert lab.prompts["ask@1"].text == "First {{ text }}"
    assert lab.prompts["ask"].text == "Ask {{ text }}"


def test_unknown_names_and_versions_say_what_there_is(lab: lk.Lab, files: Path) -> None:
    """A wrong name names the nearest, a wrong version those there are."""
    lab.prompts.save(lk.Prompt("ask", "First {{ text }}"))
    with pytest.raises(UnknownPrompt, match="ask"):
        lab.prompts["akk"]
    with pytest.raises(UnknownPrompt, match="it has @1"):
        lab.prompts["ask@7"]


def test_one_word_that_is_no_name_may_be_the_text(lab: lk.Lab, files: Path) -> None:
    """Who writes a word and means it as the text is told how that is written."""
    with pytest.raises(UnknownPrompt) as caught:
        lab.prompts["Hello"]
    assert str(caught.value).endswith(
        "A single word is taken for the name of a prompt: if it is what is to be asked, "
        "write lk.Prompt('hello', 'Hello')."
    )
    with pytest.raises(UnknownPrompt) as caught:
        lab.prompts["Hello@3"]
    assert "single word" not in str(caught.value)


def test_the_same_text_keeps_its_version(lab: lk.Lab) -> None:
    """Saving a prompt twice gives one version; another text the next."""
    assert [lab.prompts.save(lk.Prompt("p", text)).version for text in ("a", "a", "b")] == [1, 1, 2]
    assert lab.prompts.frame()["version"].tolist() == [1, 2]
