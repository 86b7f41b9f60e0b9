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


POLICY = lk.Block("policy", "Be kind.")
CHAIN = lk.Chain(
    "reply",
    lk.Step(
        "facts", "List {{ text }} {{ tone }}", read=lk.read.json(), system="Count.", defaults={"tone": "x"}
    ),
    lk.Step("plan", "# facts\n{{ facts.all }} {{ tone }}", blocks=[POLICY]),
    lk.Step("reply", "{{ plan }}"),
    description="three steps",
)


def test_a_copy_of_a_chain_is_the_chain() -> None:
    """Nothing typed, nothing changed: systems, readers, blocks and defaults of steps stay; so its code."""
    draft = Draft.of(CHAIN)
    assert (draft.prompt(), draft.prompt().hash, draft.prompt().description) == (
        CHAIN,
        CHAIN.hash,
        "three steps",
    )
    assert eval(draft.code()) == CHAIN
    assert difference(CHAIN, draft.prompt()) == []


def test_a_chain_is_edited_as_its_text() -> None:
    """Its text with headings is read again; what the text does not show is kept of each step by its name."""
    draft = Draft.of(CHAIN.replace(steps=[CHAIN.steps[0], lk.Step("reply", "{{ facts.all }}")]))
    draft.text = draft.text.replace("List", "Count") + "\n## more\nNow {{ reply }}"
    draft.steps = "facts, reply, more"
    draft.blocks = (POLICY,)
    facts, reply, more = draft.prompt().steps
    assert facts == lk.Step(
        "facts", "Count {{ text }} {{ tone }}", read=lk.read.json(), system="Count.", blocks=[POLICY],
        defaults={"tone": "x"},
    )  # fmt: skip
    assert (reply.prompt.text, reply.prompt.system, reply.prompt.blocks) == (
        "{{ facts.all }}",
        None,
        (POLICY,),
    )
    assert (more.prompt.text, more.prompt.system, more.prompt.blocks) == ("Now {{ reply }}", None, (POLICY,))
    assert eval(draft.code()) == draft.prompt()


def test_what_all_steps_have_is_changed_for_all() -> None:
    """A system part, a block and a default that are every step's are edited once."""
    steps = [
        lk.Step(name, text, system="Short.", blocks=[POLICY], defaults={"tone": "x"})
        for name, text in (("facts", "{{ tone }}"), ("reply", "{{ facts }} {{ tone }}"))
    ]
    draft = Draft.of(lk.Chain("reply", *steps))
    draft.system, draft.blocks, draft.defaults = "Long.", (), {"tone": "y"}
    for step in draft.prompt().steps:
        assert (step.prompt.system, step.prompt.blocks, dict(step.prompt.defaults)) == (
            "Long.",
            (),
            {"tone": "y"},
        )


def test_what_is_wrong_in_a_chain_is_said_at_once() -> None:
    """A step without its heading, one that names a later one, and a heading twice are told together."""
    draft = Draft("reply", "## facts\n{{ reply }}\n## facts\nagain", steps="facts, reply")
    assert [fault.split(":")[0] for fault in draft.faults] == [
        "The heading 'facts' stands twice.",
        "Step 'reply' has no text",
    ]
    draft.text = "## facts\n{{ reply }}\n## reply\nhi"
    assert "comes later" in draft.faults[0]


def test_the_difference_of_chains_is_told_by_steps() -> None:
    """A reader, a system part and a line that differ are lines under the step they belong to."""
    other = CHAIN.replace(steps=[lk.Step("facts", "List {{ text }}"), *CHAIN.steps[2:]][:1])
    marks = [line for mark, line in difference(CHAIN, other) if mark == "-"]
    assert {"[read]", "json", "[system]", "Count.", "## plan", "[block policy]"} <= set(marks)
