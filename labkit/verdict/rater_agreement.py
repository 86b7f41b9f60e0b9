"""How raters agree with one another, with themselves, and with judges; and who prefers a side.

Agreement is Krippendorff's α over first, second, tie and neither, in the order of contenders and not of
sides. It knows ratings as a frame, and says in words what a figure means no further than its interval goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.verdict.amounts import number
from labkit.visible import visible

if TYPE_CHECKING:
    import pandas as pd

LEAST = 20
"""With fewer shared pairs nothing is said of agreement."""
PEOPLE = "people with people"
_WORDS = ((0.8, "well"), (0.4, "moderately"), (0.0, "little"))


def agreement_frame(
    ratings: pd.DataFrame, judged: Mapping[str, pd.DataFrame], *, level: float
) -> pd.DataFrame:
    """One row for people among one another, and one per judge with people. Columns: `who`, `pairs` (int,
    rated by both), `same` (float, the share alike), `alpha` with `low`, `high` (float; NaN where all are
    alike), `all_alike` (bool)."""
    import pandas as pd

    from labkit.stats.agreement import krippendorff_alpha, percent_agreement

    told = _in_order(ratings)
    rows = []
    for who, frame in ((PEOPLE, told), *((name, _with_judge(told, of)) for name, of in judged.items())):
        values, units = frame["value"].to_numpy(dtype=object), frame["unit"].to_numpy(dtype=object)
        found = krippendorff_alpha(values, units, level=level)
        same = percent_agreement(values, units, level=level)
        rows.append(
            {
                "who": who,
                "pairs": found.interval.n,
                "same": same.estimate,
                "alpha": found.interval.estimate,
                "low": found.interval.low,
                "high": found.interval.high,
                "all_alike": found.all_alike,
            }
        )
    return pd.DataFrame(rows)


def _in_order(ratings: pd.DataFrame) -> pd.DataFrame:
    """Each rater's first rating of each pair of answers, in the order of contenders."""
    once = ratings[ratings["drawn"].fillna("") != "turned"].copy()
    swapped = once["left"] > once["right"]
    turned = {"left": "second", "right": "first"}
    straight = {"left": "first", "right": "second"}
    once["value"] = [
        (turned if swap else straight).get(said, said)
        for swap, said in zip(swapped, once["preferred"], strict=True)
    ]
    pair = [tuple(sorted(both)) for both in zip(once["left"], once["right"], strict=True)]
    once["unit"] = ["\0".join((*both, sample)) for both, sample in zip(pair, once["sample_id"], strict=True)]
    return once.drop_duplicates(["unit", "user"])


def _with_judge(told: pd.DataFrame, judge: pd.DataFrame) -> pd.DataFrame:
    """What people said first, and the judge, of the pairs that both have."""
    import pandas as pd

    people = told.drop_duplicates("unit")[["unit", "value"]]
    people = people.assign(value=people["value"].replace("neither", "tie"))
    of = _in_order(judge)[["unit", "value"]]
    both = set(people["unit"]) & set(of["unit"])
    return pd.concat([people[people["unit"].isin(both)], of[of["unit"].isin(both)]])


def agreement_notes(agreement: pd.DataFrame, ratings: pd.DataFrame) -> list[str]:
    """Sentences on agreement, and on raters who prefer a side."""
    said = []
    for row in agreement.to_dict("records"):
        if row["who"] == PEOPLE and ratings["user"].nunique(dropna=False) < 2:
            continue
        said.append(_said(row))
    return [*said, *_self_agreement(ratings), *_sides(ratings)]


def _said(row: Mapping[Any, Any]) -> str:
    who = "raters" if row["who"] == PEOPLE else f"{visible(row['who'], limit=40)} and people"
    if row["pairs"] < LEAST:
        return f"too few pairs were rated by both to say how {who} agree: {row['pairs']:,} of {LEAST}"
    if row["all_alike"]:
        return (
            f"{who} said the same of all {row['pairs']:,} pairs, all alike: that tells nothing of agreement"
        )
    word = next((word for least, word in _WORDS if row["alpha"] >= least), "no better than by chance")
    ends = f"alpha {number(row['low'])} to {number(row['high'])}"
    return f"{who} agreed {word} ({ends}; {row['same'] * 100:.0f} % alike over {row['pairs']:,} pairs)"


def _self_agreement(ratings: pd.DataFrame) -> list[str]:
    again = ratings[ratings["drawn"].fillna("") == "turned"]
    if again.empty:
        return []
    first = {
        (row["user"], frozenset((row["left"], row["right"])), row["sample_id"]): _winner(row)
        for row in ratings[ratings["drawn"].fillna("") != "turned"].to_dict("records")
    }
    same = [
        first.get((row["user"], frozenset((row["left"], row["right"])), row["sample_id"])) == _winner(row)
        for row in again.to_dict("records")
    ]
    pairs = f"{sum(same):,} of {len(same):,} pairs"
    return [f"raters said the same of {pairs} that they saw again with sides exchanged"]


def _winner(row: Mapping[Any, Any]) -> Any:
    return row[row["preferred"]] if row["preferred"] in ("left", "right") else row["preferred"]


def _sides(ratings: pd.DataFrame) -> list[str]:
    from labkit.stats.intervals import wilson

    said = []
    decided = ratings[ratings["preferred"].isin(["left", "right"])]
    for user, mine in decided.groupby("user", dropna=False):
        left = int((mine["preferred"] == "left").sum())
        found = wilson(left, len(mine))
        if found.excludes(0.5):
            side = "left" if found.estimate > 0.5 else "right"
            said.append(
                f"{visible(user, limit=40)} said {side} in {max(left, len(mine) - left):,} of {len(mine):,} "
                "decided pairs: sides are drawn by chance, so that is a liking of the side"
            )
    return said
