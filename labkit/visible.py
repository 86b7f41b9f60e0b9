"""Text from models and users made safe to show: what would act or hide is shown as what it is.

Control and terminal characters, bidirectional overrides and zero-width characters become visible.
`visible` gives one line, `shown` leaves line breaks and tabs, `quoted` is for any value in a message. This
module does not escape HTML (`html.escape` does) and knows no frame.
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
    try:
        said = str(value)
    except Exception:  # noqa: BLE001 - it is anybody's code
        said = quoted(value)
    text = "".join(map(_shown, said[: limit + 1]))
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


class _Shapes(dict[int, str]):
    """A translation table that fills itself: a character is looked at once."""

    def __missing__(self, code: int) -> str:
        shown = chr(code) if code in (9, 10) else "" if code == 13 else visible(chr(code))
        self[code] = shown
        return shown


_SHAPES = _Shapes()


def shown(text: str) -> str:
    """`text` with its hidden characters as codes; each character by itself, so pieces can be joined after.

    >>> shown("a\\u202eb\\n\\tc\\x1b")
    'a⟨202E⟩b\\n\\tc⟨1B⟩'
    """
    return text if text.isascii() and text.isprintable() else text.translate(_SHAPES)


def quoted(value: object, *, limit: int = 80) -> str:
    """Any value as it is written in Python, at most `limit` long, for a message about it: never an error.

    A whole number of more than 4,300 digits, and what holds one, has no `repr`; nor have some objects.

    >>> quoted("a\\nb"), quoted([10**5000])
    ("'a\\\\nb'", '<list that cannot be written out>')
    """
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a repr is anybody's code
        return f"<{type(value).__name__} that cannot be written out>"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def cut(text: str, *, limit: int = 200) -> str:
    """At most `limit` characters of `text`; where some are left out it says how many.

    >>> cut("abcdef", limit=3)
    'abc… (cut: 3 more characters)'
    """
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… (cut: {len(text) - limit:,} more characters)"
