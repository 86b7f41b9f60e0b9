"""labkit.prompts.chain and labkit.read: a chain is a prompt of named steps."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError
from labkit.prompts.chain import MOST_STEPS
from labkit.read import Lost, kept_as, name_of

FACTS = lk.Step("facts", "List the facts in: {{ text }}", read=lk.read.json())
REPLY = lk.Step("reply", "Answer {{ tone }}. Facts: {{ facts.name }} Message: {{ text }}")
FILE = """---
name: reply
description: Facts first
steps:
  - name: facts
    read: json
    system: You are terse.
  - reply
---
## facts

List the facts in: {{ text }}

## Rules

None.

## reply ##
Facts: {{ facts.name }}
"""


def chain(*steps: lk.Step) -> lk.Chain:
    return lk.Chain("reply", *(steps or (FACTS, REPLY)))


def test_a_chain_needs_columns_and_no_answers() -> None:
    """Its variables are those of its steps that are no steps; an earlier step is never missing."""
    assert chain().variables == ("text", "tone")
    assert chain().missing({"text": "x"}) == ["tone"]
    assert chain().sees(1) == ("facts",)
    assert isinstance(chain(), lk.Prompt)


def test_a_chain_is_its_content() -> None:
    """Its hash changes with a step's text, system part, block, default, name, read and order, and with
    nothing else; chains of the same content are equal."""
    same = chain()
    other = lk.Step("other", "x {{ facts }}")
    steps = [
        (FACTS, lk.Step("reply", "Answer. {{ facts }}")),
        (FACTS, lk.Step("reply", REPLY.prompt.text, system="Be kind.")),
        (FACTS, lk.Step("reply", REPLY.prompt.text, blocks=[lk.Block("b", "x")])),
        (FACTS, lk.Step("reply", REPLY.prompt.text, defaults={"tone": "kindly"})),
        (lk.Step("facts", FACTS.prompt.text), REPLY),
        (FACTS, REPLY, other),
        (FACTS, other, REPLY),
    ]
    found = [same.hash, *(chain(*made).hash for made in steps)]
    assert len(set(found)) == len(found)
    assert (chain().hash, chain()) == (same.hash, same)
    assert chain().replace(description="x", version=3).hash == same.hash


def test_a_chain_goes_through_pickle() -> None:
    """What comes out is equal, with its version."""
    made = chain().replace(version=2)
    back = pickle.loads(pickle.dumps(made))
    assert (back, back.version, back.steps[0].read) == (made, 2, made.steps[0].read)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([], "has no steps"),
        ([FACTS, FACTS], "two steps named 'facts'"),
        ([lk.Step("a", "{{ b }}"), lk.Step("b", "{{ a }}")], "names 'b', which comes later"),
        ([lk.Step("a", "{{ a }}")], "names itself"),
        ([lk.Step("a", "x"), lk.Step("A", "{{ a }}")], "differ only in how they are written"),
        ([lk.Step("a", "x"), lk.Step("b", "{{ a | image }}")], "takes an answer for an image"),
        ([lk.Step("a", "x"), lk.Step("b", "{% set x = a %}{{ x | image }}")], "takes an answer for an image"),
        ([lk.Step("a", "x"), lk.Step("b", "{{ row['a'] | image }}")], "takes an answer for an image"),
        ([lk.Step("a", "x", read=lk.read.lines()), lk.Step("b", "y")], "no later step names 'a'"),
        ([lk.Step(f"s{n}", "x") for n in range(MOST_STEPS + 1)], f"at most {MOST_STEPS} are asked"),
        (["facts"], "lk.Step values"),
    ],
)
def test_what_is_no_chain_is_refused(steps: list[lk.Step], told: str) -> None:
    """The message says what is wrong with which step."""
    with pytest.raises(DefinitionError, match=told):
        lk.Chain("reply", *steps)


def test_all_that_is_wrong_with_a_chain_is_told_at_once() -> None:
    """One error has every fault."""
    with pytest.raises(DefinitionError) as refused:
        lk.Chain("a/b", lk.Step("a", "{{ a }} {{ b }}"), lk.Step("b", "x"), lk.Step("b", "y"))
    assert len(refused.value.faults) == 4


@pytest.mark.parametrize("name", ["two words", "class", "1st", "id", "row", "range", "", "a.b"])
def test_a_steps_name_is_a_word(name: str) -> None:
    """Later steps write it in braces, so it is a word that means nothing else there."""
    with pytest.raises(DefinitionError, match="step name"):
        lk.Step(name, "x")


@pytest.mark.parametrize("read", [lk.read.json, lk.read.lines, lambda: None, lambda text, more: None])
def test_a_read_takes_the_answer(read: Any) -> None:
    """A function that cannot be called with one text is refused before anything is asked."""
    with pytest.raises(DefinitionError, match=r"takes no text; use lk\.read\.json\(\) or a function"):
        lk.Step("a", "x", read=read)


def test_what_does_not_say_what_it_takes_is_a_read() -> None:
    """Types are called with a text, and some that are written in C do not tell."""
    assert lk.Step("a", "x", read=int).value("12") == 12


def test_a_column_may_be_an_image_in_a_step_that_sees_answers() -> None:
    """`image` is for columns, which come from the user and not from a model."""
    chain(lk.Step("a", "x"), lk.Step("b", "{{ a }} {{ photo | image }} {{ row['p q'] | image }}"))


def test_what_a_step_sees_is_read() -> None:
    """`read` makes a value of the answer, or raises; without one a step sees the text."""
    assert FACTS.value('{"name": "Ada"}') == {"name": "Ada"}
    assert REPLY.value("{{ 7 * 7 }}") == "{{ 7 * 7 }}"
    assert lk.Step("a", "x", read=lk.read.lines()).value(" a\n\n b\n") == ["a", "b"]
    with pytest.raises(ValueError, match="no JSON"):
        FACTS.value("Ada")


def test_a_reader_is_kept_by_its_name() -> None:
    """labkit's own come back as they were; a function of one's own comes back as a name that cannot be
    called."""

    def first(text: str) -> str:
        return text[:1]

    assert kept_as(name_of(lk.read.json())) is lk.read.json()
    lost = kept_as(name_of(first))
    assert lost == Lost("first()")
    assert name_of(lost) == "first()"
    with pytest.raises(DefinitionError, match="only the name"):
        lost("x")


def test_a_file_lists_the_steps_of_a_chain(tmp_path: Path) -> None:
    """Each step has the text under its heading; other headings are text."""
    path = tmp_path / "file.md"
    path.write_text(FILE)
    found = lk.Chain.load(path)
    facts = lk.Step(
        "facts",
        "List the facts in: {{ text }}\n\n## Rules\n\nNone.",
        read=lk.read.json(),
        system="You are terse.",
    )
    assert found == lk.Chain("reply", facts, lk.Step("reply", "Facts: {{ facts.name }}"))
    assert found.description == "Facts first"
    with pytest.raises(DefinitionError, match=r"lk\.Chain\.load"):
        lk.Prompt.load(path)
    path.write_text("Say hi")
    with pytest.raises(DefinitionError, match="lists its `steps:`"):
        lk.Chain.load(path)


@pytest.mark.parametrize(
    ("front", "body", "told"),
    [
        ("steps: []", "## a\nx", "list the steps"),
        ("steps: facts", "## facts\nx", "but is to be a list"),
        ("steps: [1]", "## a\nx", "1 is neither"),
        ("steps: [a, b]", "## a\nx", "'b' has no text"),
        ("steps: [a]", "Hello\n## a\nx", "belongs to no step"),
        ("steps: [a]", "## a\nx\n## a\ny", "stands twice"),
        ("steps: [{name: a, red: json}]", "## a\nx", "Did you mean 'read'"),
        ("steps: [{name: a, read: xml}, b]", "## a\nx\n## b\n{{ a }}", "json or lines"),
        ("steps: [a]\nsystem: You", "## a\nx", "belong to a step"),
        ("steps: [if]", "## if\nx", "is a word of Python"),
    ],
)
def test_a_file_that_is_no_chain_is_refused(tmp_path: Path, front: str, body: str, told: str) -> None:
    """The message says what is wrong, and in which file."""
    path = tmp_path / "reply.md"
    path.write_text(f"---\n{front}\n---\n{body}\n")
    with pytest.raises(DefinitionError, match=told) as refused:
        lk.Chain.load(path)
    assert "reply.md" in str(refused.value)


def test_context_goes_in_front_of_every_step() -> None:
    """`within` puts blocks before those of each step; `replace(blocks=)` puts them in their place."""
    block, own = lk.Block("style", "Plain."), lk.Block("rules", "None.")
    made = chain(lk.Step("a", "x", blocks=[own]), lk.Step("b", "{{ a }}")).within([block])
    assert [[one.name for one in step.prompt.blocks] for step in made.steps] == [
        ["style", "rules"],
        ["style"],
    ]
    assert made.blocks == (block, own)
    assert made.replace(blocks=[own]).blocks == (own,)
