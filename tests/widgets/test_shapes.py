"""Text from models, made safe to look at."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from labkit.widgets.shapes import cut, shown


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
