"""labkit.visible: what hides or acts is shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.visible import cut, quoted, shown, visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain é 模", "plain é 模"),
        ("a\u202eb", "a⟨202E⟩b"),
        ("a\u200bb", "a⟨200B⟩b"),
        ("\x1b[31m", "⟨1B⟩[31m"),
        ("\x00", "⟨00⟩"),
        ("a\r\nb", "a⟨0D⟩⏎b"),
        ("\ud800", "⟨D800⟩"),
        ("\U000e0041", "⟨E0041⟩"),
        ("\u2028", "⟨2028⟩"),
        (None, "None"),
        (3, "3"),
    ],
)
def test_hidden_characters_are_shown(text, seen):
    """Overrides, zero widths, controls, surrogates and tags become visible codes."""
    assert visible(text) == seen


@given(st.text())
def test_no_control_or_format_character_comes_through(text):
    """Whatever goes in, every character that comes out has a shape, and there are at most 50."""
    shown = visible(text, limit=50)
    assert len(shown) <= 50
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for c in shown)


def test_a_long_text_is_cut_with_a_mark():
    """What was cut can be seen to be cut."""
    assert visible("x" * 300, limit=10) == "x" * 9 + "…"


@given(st.text(), st.text())
def test_pieces_join_as_the_whole(one: str, two: str) -> None:
    """A text shown in pieces is the text shown whole, wherever it was cut."""
    assert shown(one) + shown(two) == shown(one + two)


@given(st.text())
def test_nothing_hides(text: str) -> None:
    """No control, format or unassigned character but line breaks and tabs is left in what is shown."""
    kinds = {unicodedata.category(one) for one in shown(text) if one not in "\n\t"}
    assert not kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_words_stay() -> None:
    """Ordinary text of any script is left as it is."""
    text = "Grüße, 你好, שלום, नमस्ते — 🎉\n\tso"
    assert shown(text) == text


def test_directions_are_codes() -> None:
    """Characters that turn or hide others are shown as their codes."""
    assert shown("a\u202eb\u200b\x1b[31m") == "a⟨202E⟩b⟨200B⟩⟨1B⟩[31m"


@given(st.text(max_size=50), st.integers(1, 40))
def test_cuts_say_so(text: str, limit: int) -> None:
    """What is cut says how much is missing, and what is not cut is unchanged."""
    found = cut(text, limit=limit)
    assert found == text if len(text) <= limit else f"cut: {len(text) - limit:,} more" in found


@given(st.integers() | st.text() | st.floats() | st.lists(st.text()), st.integers(2, 100))
def test_a_value_in_a_message_is_as_python_writes_it(value: object, limit: int) -> None:
    """Whatever it is, it is shown as its repr, or its beginning with a mark."""
    found = quoted(value, limit=limit)
    assert found == repr(value) if len(repr(value)) <= limit else found == repr(value)[: limit - 1] + "…"


@pytest.mark.parametrize("value", [10**5000, -(10**5000), [10**5000], {"a": 10**5000}], ids="abcd")
def test_what_has_no_repr_is_named_by_its_kind(value: object) -> None:
    """A message about a giant number is one, not an error."""
    assert quoted(value) == f"<{type(value).__name__} that cannot be written out>"
