"""labkit.prompts.prompt: a prompt as a value, and its messages (groups B6, B7, S14)."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import DefinitionError, MissingVariables
from labkit.prompts import Block, Prompt


def test_a_prompt_becomes_messages():
    """The system part comes first, then one user turn, both with their variables filled."""
    prompt = Prompt("p", "Ask {{ q }}", system="You are {{ role }}.")
    assert prompt.variables == ("role", "q")
    assert prompt.render({"q": "why", "role": "kind"}) == [
        {"role": "system", "content": "You are kind."},
        {"role": "user", "content": "Ask why"},
    ]


def test_a_blank_system_part_is_left_out():
    """A system part that comes out blank is not sent: an empty one is an error to some providers."""
    prompt = Prompt("p", "hi", system="{% if role %}You are {{ role }}.{% endif %}")
    assert prompt.render({"role": None}) == [{"role": "user", "content": "hi"}]


def test_renderings_do_not_share_anything():
    """Changing one rendering's messages changes no other."""
    prompt = Prompt("p", "hi", system="s")
    first = prompt.render({})
    first[0]["content"] = "changed"
    first.append({})
    assert prompt.render({})[0]["content"] == "s"


@pytest.mark.parametrize("text", [None, "", "   ", "\n\t", 5, b"x", "a\ud800"])
def test_a_prompt_without_a_usable_text_is_refused(text):
    """B6: None, an empty or blank text, half a character and what is no text are faults."""
    with pytest.raises(DefinitionError):
        Prompt("p", text)
    with pytest.raises(DefinitionError):
        Prompt("p", "x", system=text if text is not None else "")
    with pytest.raises(DefinitionError):
        Prompt.of(text)


@pytest.mark.parametrize("value", ["", " \n", "\u3000"])
def test_a_rendering_that_is_blank_is_refused(value):
    """B6: a prompt that comes out blank for a sample is a fault, not a request."""
    with pytest.raises(DefinitionError, match="blank for this sample"):
        Prompt("p", "{{ text }}").render({"text": value})
    with pytest.raises(DefinitionError, match="blank for this sample"):
        Prompt("p", "{{ text }}", blocks=[Block("b", "x")]).render({"text": value})


def test_everything_wrong_is_named_at_once():
    """Name, text, system part, blocks and defaults are all looked at before anything is refused."""
    with pytest.raises(DefinitionError) as caught:
        Prompt("a/b", " ", system="", blocks=["x"], defaults=[1])
    assert len(caught.value.faults) == 5


def test_both_templates_are_read_before_a_fault_is_raised():
    """A broken system part does not hide a broken user part."""
    with pytest.raises(DefinitionError) as caught:
        Prompt("p", "{{ a", system="{% if %}")
    assert len(caught.value.faults) == 2


def test_two_blocks_of_one_name_are_refused():
    """A model could not tell two blocks of one name apart, nor two that differ in case only."""
    for names in (("a", "a"), ("a", "A")):
        with pytest.raises(DefinitionError):
            Prompt("p", "x", blocks=[Block(name, "t") for name in names])


def test_defaults_stand_in_for_what_is_missing_or_empty():
    """A default is used where the sample has no such column, or nothing in it; a value wins over it."""
    prompt = Prompt("p", "{{ tone }}: {{ text }}", defaults={"tone": "neutral"})
    assert prompt.missing({"text": "x"}) == []
    contents = [
        prompt.render(fields)[0]["content"] for fields in ({"text": "x"}, {"text": "x", "tone": None})
    ]
    assert contents == ["neutral: x", "neutral: x"]
    assert prompt.render({"text": "x", "tone": ""})[0]["content"] == ": x"


@pytest.mark.parametrize(
    "defaults",
    [{"tones": "x"}, {"tone": None}, {"tone": [1]}, {"tone": float("nan")}, {1: "x"}, {"tone": "\ud800"}],
)
def test_defaults_that_cannot_be_used_are_refused(defaults):
    """B7: a default for a variable that is not there, or that is no text or number, is a fault."""
    with pytest.raises(DefinitionError):
        Prompt("p", "{{ tone }}", defaults=defaults)


def test_missing_values_are_named_for_both_parts():
    """B7: what either part lacks is named once, in the order of use."""
    prompt = Prompt("p", "{{ a }} {{ b }}", system="{{ b }} {{ c }}")
    assert prompt.missing({"a": None}) == ["b", "c", "a"]
    with pytest.raises(MissingVariables):
        prompt.render({"a": 1})


def test_the_hash_is_over_what_is_sent():
    """Text, system part, blocks and defaults make the hash; name, version and description do not."""
    base = Prompt("p", "{{ t }}", system="s", blocks=[Block("b", "x")], defaults={"t": 1})
    assert base.hash.startswith("p1:")
    same = base.replace(name="other", version=3, description="d")
    assert same.hash == base.hash
    others = [
        base.replace(text="{{ t }}!"),
        base.replace(system=None),
        base.replace(system="s2"),
        base.replace(blocks=()),
        base.replace(blocks=[Block("b", "y")]),
        base.replace(defaults={"t": 2}),
        base.replace(defaults={}),
    ]
    assert len({prompt.hash for prompt in [base, *others]}) == 8


def test_a_prompt_is_frozen_and_keeps_no_reference():
    """A prompt cannot be changed, also not through what it was made from."""
    defaults, blocks = {"t": 1}, [Block("b", "x")]
    prompt = Prompt("p", "{{ t }}", defaults=defaults, blocks=blocks)
    defaults["t"] = 2
    blocks.clear()
    assert prompt.render({})[0]["content"].endswith("1")
    with pytest.raises(AttributeError):
        prompt.text = "x"
    with pytest.raises(TypeError):
        prompt.defaults["t"] = 3


def test_copies_and_pickles_are_the_same_prompt():
    """A prompt can be a dict's key, be copied, and be sent to another process."""
    prompt = Prompt("p", "{{ t }}", system="s", blocks=[Block("b", "x")], defaults={"t": 1}, version=2)
    for again in (copy.copy(prompt), copy.deepcopy(prompt), pickle.loads(pickle.dumps(prompt))):
        assert again == prompt
        assert hash(again) == hash(prompt)
        assert (again.hash, again.version) == (prompt.hash, 2)
        assert again.render({}) == prompt.render({})


def test_a_bare_text_gets_a_name():
    """Texts given without a name get one of their own, the same for the same text."""
    assert Prompt.of("Say hi").name.startswith("say-hi-")
    assert Prompt.of("Say hi") == Prompt.of("Say hi")
    assert Prompt.of("?!").render({}) == [{"role": "user", "content": "?!"}]


def test_it_shows_itself_in_one_line_and_safely():
    """S7: the repr is one line with version and variables; the HTML shows hostile text as text."""
    prompt = Prompt("p", "{{ t }} <img src=x onerror=alert(1)>", system="<script>", version=3)
    assert repr(prompt) == "Prompt('p@3', variables: t)"
    assert repr(Prompt("p", "x")) == "Prompt('p')"
    shown = prompt._repr_html_()
    assert "<img" not in shown
    assert "<script>" not in shown
    assert "&lt;img" in shown


@settings(deadline=None)
@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_a_value_is_never_read_as_a_template(value):
    """S14: whatever a cell holds comes out as it went in."""
    prompt = Prompt("p", "{{ text }}", system="[{{ text | trim }}]")
    system, user = prompt.render({"text": value})
    assert user["content"] == value
    assert system["content"] == f"[{value.strip()}]"
