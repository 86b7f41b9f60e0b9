"""A prompt being written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

import labkit as lk
from labkit.widgets.draft import Draft, difference


def test_variables_are_found_while_typing() -> None:
    """Each letter more, the draft says which variables there are; while it cannot be read, none."""
    draft = Draft()
    found = {}
    for end in range(len("Say {{ word }} in {{ tone }}") + 1):
        draft.text = "Say {{ word }} in {{ tone }}"[:end]
        found[end] = draft.variables
    assert found[0] == ()
    assert found[10] == ()
    assert found[14] == ("word",)
    assert found[max(found)] == ("word", "tone")


def test_what_is_wrong_is_said() -> None:
    """A draft that is no prompt yet tells every reason, and none when it is one."""
    draft = Draft(name="../x", text="{{ a")
    assert draft.faults
    assert Draft(name="x", text="{{ a }}").faults == ()


def test_a_prompt_without_a_name_has_one() -> None:
    """Without a name it is named after its first words."""
    assert Draft(text="Classify this please").prompt().name.startswith("classify")


def test_tried_values_are_a_sample() -> None:
    """Values fill the preview and are no part of the prompt."""
    draft = Draft(text="Say {{ word }}", values={"word": "{{ hi }}", "other": "x"})
    assert draft.messages() == [{"role": "user", "content": "Say {{ hi }}"}]
    assert draft.fields() == {"word": "{{ hi }}"}
    assert draft.prompt().hash == Draft(text="Say {{ word }}").prompt().hash


@given(st.text(min_size=1, max_size=40), st.text(max_size=40))
def test_code_makes_the_same_prompt(text: str, system: str) -> None:
    """Whatever was typed, the code shown makes a prompt of the same hash."""
    draft = Draft(name="x", text=text, system=system)
    if not draft.faults:
        assert eval(draft.code(), {"lk": lk}).hash == draft.prompt().hash


def test_a_copy_keeps_all_of_the_prompt() -> None:
    """Defaults and description are copied too; a default whose variable is gone goes with it."""
    prompt = lk.Prompt("x", "Say {{ word }}", defaults={"word": 7}, description="A word")
    draft = Draft.of(prompt)
    assert (draft.prompt().hash, draft.prompt().description) == (prompt.hash, "A word")
    assert eval(draft.code(), {"lk": lk}).hash == prompt.hash
    assert draft.fields() == {"word": 7}
    draft.text = "Say nothing"
    assert draft.prompt().defaults == {}
    assert ("-", "7") in difference(prompt, draft.prompt())


def test_code_has_blocks() -> None:
    """Blocks are part of the code."""
    draft = Draft("x", "hi", "be kind", (lk.Block("style", "'''plain'''"),))
    assert eval(draft.code(), {"lk": lk}) == draft.prompt()


def test_difference_by_lines() -> None:
    """What changed since the last version is told line by line; nothing changed is nothing told."""
    old = lk.Prompt("x", "one\ntwo", system="kind")
    new = lk.Prompt("x", "one\nthree", system="kind")
    assert ("-", "two") in difference(old, new)
    assert ("+", "three") in difference(old, new)
    assert difference(old, old) == []
