"""labkit.summary.visible: what hides or acts is shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.summary import visible


@pytest.mark.parametrize(
    ("text", "shown"),
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
def test_hidden_characters_are_shown(text, shown):
    """Overrides, zero widths, controls, surrogates and tags become visible codes."""
    assert visible(text) == shown


@given(st.text())
def test_no_control_or_format_character_comes_through(text):
    """Whatever goes in, every character that comes out has a shape, and there are at most 50."""
    shown = visible(text, limit=50)
    assert len(shown) <= 50
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for c in shown)


def test_a_long_text_is_cut_with_a_mark():
    """What was cut can be seen to be cut."""
    assert visible("x" * 300, limit=10) == "x" * 9 + "…"
