"""Text from models made safe to look at: every character that hides or turns others is shown as its code.

Line breaks and tabs stay, since a panel shows them as such; `labkit.summary.visible` gives one line
instead. This module does not escape HTML: views set text, tables use `html.escape`.
"""

from __future__ import annotations

from labkit.summary.visible import visible


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


def cut(text: str, *, limit: int = 200) -> str:
    """At most `limit` characters of `text`; where some are left out it says how many.

    >>> cut("abcdef", limit=3)
    'abc… (cut: 3 more characters)'
    """
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… (cut: {len(text) - limit:,} more characters)"
