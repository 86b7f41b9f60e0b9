"""labkit.prompts.names: what a prompt may be called (groups B11 and S13)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import DefinitionError
from labkit.prompts.names import is_ref, name_faults, name_for, parse_ref, twin_faults


@pytest.mark.parametrize(
    "name",
    ["triage", "Triage 2", "a.b-c_d", "Ärger", "分類", "🙂", "👩‍💻 task", "x" * 100, "1", "terse (v2)"],
)
def test_ordinary_names_are_taken(name):
    """B11: letters of any script, digits, blanks and emoji make a name."""
    assert name_faults(name) == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        (" a", "begins or ends"),
        ("a/b", "holds '/'"),
        ("a\\b", "holds '/'"),
        ("../triage", "holds '/'"),
        ("..", "'..'"),
        ("a..b", "'..'"),
        (".hidden", "begins with"),
        ("-rf", "begins with"),
        ("~root", "begins with"),
        ("a\0b", "cannot be seen"),
        ("a\nb", "cannot be seen"),
        ("a\x1b[31mb", "cannot be seen"),
        ("a\u202eb", "cannot be seen"),
        ("a\u200bb", "cannot be seen"),
        ("a\u2028b", "cannot be seen"),
        ("a\ud800b", "cannot be seen"),
        ("a\U000e0041", "cannot be seen"),
        ("x" * 101, "longer than 100"),
        ("🙂" * 64, "longer than 100"),
        ("con", "device"),
        ("NUL.txt", "device"),
        ("Com1", "device"),
        ("a@b", "'@'"),
        (None, "is NoneType"),
        (3, "is int"),
    ],
)
def test_unsafe_names_are_refused_with_a_reason(name, why):
    """B11, S13: what would leave a folder, hide itself or break a file system is refused by name."""
    faults = name_faults(name)
    assert any(why in fault for fault in faults), faults
    assert all(len(fault) < 300 for fault in faults)


def test_twins_are_refused():
    """B11: names that differ only in case or in how a letter is composed are one to a person."""
    assert twin_faults(["Triage", "triage"]) == [
        "The prompt names 'Triage' and 'triage' differ only in how they are written."
    ]
    assert twin_faults(["caf\u00e9", "cafe\u0301"])
    assert twin_faults(["a", "b", "a"]) == []


def test_a_reference_has_a_name_and_perhaps_a_version():
    """`triage@3` is version 3 of triage, and `triage` is whichever is the latest."""
    assert parse_ref("triage@3") == ("triage", 3)
    assert parse_ref("triage") == ("triage", None)
    assert parse_ref("a b@12") == ("a b", 12)


@pytest.mark.parametrize(
    "ref", ["a@", "a@0", "a@-1", "a@1.5", "a@b", "a@1@2", "@1", "", None, "a@١", "../a@1", 5]
)
def test_broken_references_are_refused(ref):
    """A version that is no whole number, or a name that is none, is a fault and not a guess."""
    with pytest.raises(DefinitionError):
        parse_ref(ref)


def test_a_word_is_a_reference_and_a_sentence_a_prompt():
    """One word names a saved prompt; anything with blanks or braces is a text."""
    assert all(map(is_ref, ["triage", "triage@2", "a.b-c_1"]))
    assert not any(map(is_ref, ["Say hi", "{{ text }}", "triage 2", "a\nb", ""]))


def test_a_bare_text_is_named_after_its_words_and_its_hash():
    """A text's name is its first words and a piece of its hash, so two texts never share one."""
    name = name_for("Classify in one word: {{ text }}")
    assert name.startswith("classify-in-one-word-")
    assert name != name_for("Classify in one word: {{ text }}!")
    assert name == name_for("Classify in one word: {{ text }}")


def test_a_text_without_english_words_is_named_after_what_it_has():
    """Words of another script, or else its variables, and a hash alone only where there is nothing to say."""
    assert re.fullmatch(r"将以下内容分类-[0-9a-f]{6}", name_for("将以下内容分类：{{ text }}"))
    assert re.fullmatch(r"text-kind-[0-9a-f]{6}", name_for("{{ text }}\n\n{{ kind }}"))
    assert re.fullmatch(r"[0-9a-f]{6}", name_for("?!"))


@settings(deadline=None)
@given(st.text(max_size=300) | st.text("𐐀가𠀀я ", min_size=60))
def test_every_text_gets_a_name_that_is_taken(text):
    """Whatever the text is, the name made from it is a good one."""
    assert name_faults(name_for(text)) == []


@settings(deadline=None)
@given(st.text(max_size=120))
def test_a_name_without_faults_is_a_safe_file_name(name):
    """S13: a name that is taken cannot leave the folder its file lies in."""
    if not name_faults(name):
        assert "/" not in name
        assert name not in (".", "..")
        assert len(name.encode()) + len(".md") <= 255
        assert parse_ref(name) == (name, None)
