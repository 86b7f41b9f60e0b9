"""What there is in place of a name that is not there: the likest first. It does not know what is named."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import lru_cache

MOST_SHOWN = 12
LONGEST = 100
"""Characters of a name that are compared."""


def by_likeness(name: object, there: Iterable[object]) -> list[str]:
    """All of `there` as texts, the likest to `name` first; whether letters are small does not count.

    >>> by_likeness("lable", ["text", "Label"])
    ['Label', 'text']
    """
    return list(_sorted(str(name), tuple(map(str, there))))


# A scorer that looks for a column that is not there does so once an answer.
@lru_cache(maxsize=256)
def _sorted(name: str, there: tuple[str, ...]) -> tuple[str, ...]:
    matcher = SequenceMatcher(b=name.casefold()[:LONGEST], autojunk=False)

    def likeness(other: str) -> float:
        matcher.set_seq1(other.casefold()[:LONGEST])
        return matcher.ratio()

    return tuple(sorted(there, key=likeness, reverse=True))


def listed(name: object, there: Iterable[object], *, most: int = MOST_SHOWN) -> str:
    """`there` for a message: the likest to `name` first, the rest counted; `none` where there is nothing.

    >>> listed("lable", ["text", "label", "kind"], most=2)
    "'label', 'text' and 1 more"
    """
    found = by_likeness(name, there)
    shown = ", ".join(repr(one)[:LONGEST] for one in found[:most])
    return f"{shown} and {len(found) - most:,} more" if len(found) > most else shown or "none"
