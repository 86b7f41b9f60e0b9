"""Text from models and users made safe to show: what would act or hide is shown as what it is.

Control and terminal characters, bidirectional overrides and zero-width characters become visible.
This module does not escape HTML (`html.escape` does) and knows no frame.
"""

from __future__ import annotations

import unicodedata

# Shown with their code: marks that reorder text, joiners and fillers without a width, tags, and the
# blanks that look like an ordinary one or like nothing.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f")


def visible(value: object, *, limit: int = 200) -> str:
    """`value` as one line of text in which every character can be seen, at most `limit` long.

    A line break is shown as ⏎, any other character without a shape as its code.

    >>> visible("a\\u202eb\\x1b[31m\\nc")
    'a⟨202E⟩b⟨1B⟩[31m⏎c'
    """
    text = "".join(map(_shown, str(value)[: limit + 1]))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _shown(character: str) -> str:
    if character == "\n":
        return "⏎"
    if character.isascii() and character.isprintable():
        return character
    if unicodedata.category(character) in _HIDDEN_CATEGORIES or character in _BLANK:
        return f"⟨{ord(character):02X}⟩"
    # Variation selectors and piled-up accents are marks: kept, they only change the letter before.
    return character
