"""Whether a text has certain words in it, as whole words, in any script.

"no" is not in "unknown", "4" not in "42" or "3.14", "toxic" not in "non-toxic", "can" not in "can't"; but
"Paris" is in "Paris-based" and "France" in "France's". Where a script has no blanks between its words (Han,
kana, Thai …) nobody can tell a word's ends without a dictionary, so each place may be one. It changes neither
text: case and blanks are the caller's.
"""

from __future__ import annotations

import re
import unicodedata

WITHOUT_BLANKS = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u3005-\u3007\u3040-\u312f\u31a0-\u31ff"
    r"\u3400-\u9fff\uaa60-\uaa7f\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Scripts whose words follow each other without a blank, as a part of a regular expression's `[]`."""

_BLANKLESS = re.compile(f"[{WITHOUT_BLANKS}]")
_HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")
_APOSTROPHES = frozenset("'\u2019\u02bc\uff07")
_HYPHENS = frozenset("-\u2010\u2011\ufe63\uff0d")
_MINUS = _HYPHENS | frozenset("\u2012\u2013\u2212")
_CLITICS = frozenset({"s", "t", "d", "m", "ll", "re", "ve"})
"""What English hangs behind an apostrophe: no answer "D" is given by "I'd"."""
_ZERO_WIDTH_SPACE = "\u200b"


def occurs(wanted: str, text: str) -> bool:
    """Whether `wanted` stands in `text` with nothing before or behind it that belongs to the same word.

    >>> occurs("no", "unknown"), occurs("no", "No? no!"), occurs("4", "42"), occurs("C++", "in C++.")
    (False, True, False, True)
    """
    at = text.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        if not (_begins_earlier(text, at, end) or _ends_later(text, end)):
            return True
        at = text.find(wanted, at + 1)
    return False


def _begins_earlier(text: str, at: int, end: int) -> bool:
    """Whether the word that stands at `at` goes back before it."""
    first, place = text[at], _beside(text, at - 1, -1)
    before, further = _character(text, place), _character(text, place - 1)
    if not _in_word(first) or not before:
        return False
    if _in_word(before):
        return not (_is_blankless(before, first) or (_HANGUL.match(before) and not _HANGUL.match(first)))
    if before in _APOSTROPHES:
        if first.isdigit():
            return further.isdigit()
        return _in_word(further) and text[at:end].casefold() in _CLITICS
    if first.isdigit():
        if before in (".", ","):
            return further.isdigit() or (before == "." and not further.strip())
        return before in _MINUS and not further.isdigit()
    return before in _HYPHENS and _in_word(further)


def _ends_later(text: str, end: int) -> bool:
    """Whether the word that stands before `end` goes on behind it."""
    last, place = text[end - 1], _beside(text, end, 1)
    behind, further = _character(text, place), _character(text, place + 1)
    if not _in_word(last) or not behind:
        return False
    if _is_mark(behind):
        return True
    if _in_word(behind):
        # Korean hangs its particles behind a word: 서울은, Paris는.
        return not (_is_blankless(last, behind) or _HANGUL.match(behind) or _HANGUL.match(last))
    if last.isdigit() and further.isdigit():
        return behind in (".", ",") or behind in _APOSTROPHES
    if behind in _APOSTROPHES:
        return last in "nN" and further in ("t", "T") and not _in_word(_character(text, place + 2))
    while _character(text, place) in ("+", "#"):
        place += 1
    return behind in ("+", "#") and not _in_word(_character(text, place))


def _beside(text: str, place: int, step: int) -> int:
    """The next place that says something: beyond `_`, joiners and other marks without a width, where what
    they join is a part of the word."""
    begin = place
    while 0 <= place < len(text) and _links(text[place]):
        place += step
    return place if place == begin or _in_word(_character(text, place)) else begin


def _character(text: str, place: int) -> str:
    return text[place] if 0 <= place < len(text) else ""


def _in_word(character: str) -> bool:
    return character.isalnum() or (character != "" and _is_mark(character))


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def _links(character: str) -> bool:
    return character == "_" or (character != _ZERO_WIDTH_SPACE and unicodedata.category(character) == "Cf")


def _is_blankless(one: str, other: str) -> bool:
    return _BLANKLESS.match(one) is not None or _BLANKLESS.match(other) is not None
