"""Made ratings of pairs of answers: exactly as many of each outcome as wanted, on both sides alike."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pandas as pd

COLUMNS = ["sample_id", "left", "right", "preferred", "user", "drawn", "peeked"]


def between(
    one: str, other: str, *, won: int = 0, lost: int = 0, tied: int = 0, user: str = "ada"
) -> pd.DataFrame:
    """Ratings of `one` against `other`, each of another sample; every second one has them exchanged."""
    outcomes = ["won"] * won + ["lost"] * lost + ["tied"] * tied
    rows = []
    for number, outcome in enumerate(outcomes):
        exchanged = bool(number % 2)
        left, right = (other, one) if exchanged else (one, other)
        better = {"won": exchanged, "lost": not exchanged}.get(outcome)
        preferred = ("tie", "neither")[number % 2] if better is None else ("left", "right")[better]
        rows.append([f"s{number}", left, right, preferred, user, "rule", False])
    return pd.DataFrame(rows, columns=COLUMNS)


def together(*frames: pd.DataFrame) -> pd.DataFrame:
    """Ratings one after the other."""
    return pd.concat(frames, ignore_index=True)


def by_two(count: int, *, alike: float, seed: int = 0) -> pd.DataFrame:
    """Ratings of the same pairs by ada and by bo, who says the same as she so often, and else anything."""
    chance, rows = random.Random(seed), []
    says: Sequence[str] = ("left", "right", "tie")
    for number in range(count):
        hers = chance.choice(says)
        his = hers if chance.random() < alike else chance.choice(says)
        sides = ("a", "b") if number % 2 else ("b", "a")
        rows.append([f"s{number}", *sides, hers, "ada", "rule", False])
        rows.append([f"s{number}", *sides, his, "bo", "again", False])
    return pd.DataFrame(rows, columns=COLUMNS)


def turned(ratings: pd.DataFrame, count: int, *, same: int) -> pd.DataFrame:
    """The first `count` rated again with their sides exchanged, `same` of them as before."""
    again = ratings.iloc[:count].copy()
    again[["left", "right"]] = again[["right", "left"]].to_numpy()
    again["drawn"] = "turned"
    other = {"left": "right", "right": "left"}
    again["preferred"] = [
        other.get(said, said) if place < same else ("tie" if said == "neither" else "neither")
        for place, said in enumerate(again["preferred"])
    ]
    return together(ratings, again)
