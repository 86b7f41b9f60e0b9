"""A score in a symbol and a word: right, wrong, how much, or not scored.

Right and wrong are said only of a scorer that declares its values as true or false: of 0 and 1 without such
a word nobody knows which is good. It draws nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from labkit.records import Score

SYMBOLS = {"right": "✓", "wrong": "✗", "unscored": "?"}
WORDS = {"right": "right", "wrong": "wrong", "unscored": "not scored"}


class Mark(NamedTuple):
    """What a panel says of its scores. `kind`: right, wrong, graded, unscored, several, or empty."""

    kind: str = ""
    words: str = ""
    aloud: str = ""
    """What a screen reader says instead, where symbols stand among the words."""


def mark(scores: Mapping[str, Score]) -> Mark:
    """What the scores of one answer come to, by scorer; of several each stands with its name.

    >>> from datetime import datetime
    >>> now = datetime(2026, 11, 23)
    >>> mark({"ok": Score(generation_id="g", scorer="ok", value=1, scored_at=now, low=0, high=1, step=1)})
    Mark(kind='right', words='right', aloud='')
    """
    if len(scores) < 2:
        return next((Mark(*_one(score)) for score in scores.values()), Mark())
    told = [(name, *_one(score)) for name, score in scores.items()]
    short = (f"{SYMBOLS.get(kind, words)} {name}" for name, kind, words in told)
    return Mark("several", " · ".join(short), ", ".join(f"{name} {words}" for name, _, words in told))


def _one(score: Score) -> tuple[str, str]:
    return of_value(score.value, (score.low, score.high, score.step))


def of_value(value: float | None, scale: Sequence[float | None] | None) -> tuple[str, str]:
    """The kind and the words of one value (None or NaN: not scored), by what its scorer declared: lowest,
    highest, step.

    >>> of_value(1.0, (0, 1, 1)), of_value(0.25, (0, 1, None)), of_value(None, None)
    (('right', 'right'), ('graded', '0.25'), ('unscored', 'not scored'))
    """
    if value is None or value != value:
        return "unscored", WORDS["unscored"]
    if tuple(scale or ()) == (0, 1, 1):
        kind = "right" if value else "wrong"
        return kind, WORDS[kind]
    return "graded", f"{value:.4g}"
