"""What there is in place of a name that is not there: the likest first. It does not know what is named."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import lru_cache
from operator import itemgetter

MOST_SHOWN = 12
LONGEST = 100
"""Characters of a name that are compared."""
NEAR = 0.5
"""From this likeness on a name may have been meant; 1 is the same, 0 has no letter in common."""
MEANT = 0.6
"""From this likeness on one name is a slip of another."""


def by_likeness(name: object, there: Iterable[object]) -> list[str]:
    """All of `there` as texts, the likest to `name` first; whether letters are small does not count.

    >>> by_likeness("lable", ["text", "Label"])
    ['Label', 'text']
    """
    return [other for _, other in _sorted(_text(name), tuple(map(str, there)))]


def near(name: object, there: Iterable[object], *, most: int = 3, likeness: float = NEAR) -> list[str]:
    """Those of `there` that may have been meant, the likest first; none where none is that like it.

    >>> near("lable", ["text", "label", "table"]), near("kind", ["text"])
    (['label', 'table'], [])
    """
    found = _sorted(_text(name), tuple(dict.fromkeys(map(str, there))))
    return [other for like, other in found[:most] if like >= likeness]


def meant(name: object, there: Iterable[object], *, likeness: float = MEANT) -> str | None:
    """The one that was meant, where one is so like it that the name is a slip of it.

    >>> meant("lable", ["text", "label"]), meant("Exact", ["length"])
    ('label', None)
    """
    return next(iter(near(name, there, most=1, likeness=likeness)), None)


def _text(name: object) -> str:
    try:
        return str(name)
    except Exception:  # noqa: BLE001 - a name may be any object, whose own text may raise
        return ""


# A scorer that looks for a column that is not there does so once an answer.
@lru_cache(maxsize=256)
def _sorted(name: str, there: tuple[str, ...]) -> tuple[tuple[float, str], ...]:
    matcher = SequenceMatcher(b=name.casefold()[:LONGEST], autojunk=False)

    def likeness(other: str) -> float:
        matcher.set_seq1(other.casefold()[:LONGEST])
        return matcher.ratio()

    return tuple(sorted(((likeness(other), other) for other in there), key=itemgetter(0), reverse=True))


def listed(name: object, there: Iterable[object], *, most: int = MOST_SHOWN) -> str:
    """`there` for a message: the likest to `name` first, the rest counted; `none` where there is nothing.

    >>> listed("lable", ["text", "label", "kind"], most=2)
    "'label', 'text' and 1 more"
    """
    found = by_likeness(name, there)
    shown = ", ".join(repr(one)[:LONGEST] for one in found[:most])
    return f"{shown} and {len(found) - most:,} more" if len(found) > most else shown or "none"
