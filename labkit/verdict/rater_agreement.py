"""How raters agree with one another, with themselves, and with judges; and who prefers a side.

Agreement is Krippendorff's α over first, second, tie and neither, in the order of contenders and not of
sides. It knows ratings as a frame. A word says what the estimate means, and its interval stands beside it;
where that reaches 0 no agreement is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.verdict.amounts import counted, span
from labkit.visible import visible

if TYPE_CHECKING:
    import pandas as pd

LEAST = 20
"""With fewer shared pairs nothing is said of agreement."""
PEOPLE = "people with people"
SURE = 0.99
"""How sure it must be that a rater prefers a side: one is named wrongly in a hundred at most."""
_WORDS = ((0.8, "well"), (0.4, "moderately"), (0.0, "little"))
_PAIR = ["one", "other", "sample_id", "user"]


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


def first_ratings(ratings: pd.DataFrame) -> pd.DataFrame:
    """Each rater's first rating of each pair of answers, whatever their sides were."""
    return _by_pair(ratings).drop_duplicates(_PAIR).drop(columns=["one", "other"])


def _by_pair(ratings: pd.DataFrame) -> pd.DataFrame:
    """Ratings with their two contenders in the order of names, without those that were shown turned."""
    once = ratings[ratings["drawn"].fillna("") != "turned"]
    one = once["left"].where(once["left"] <= once["right"], once["right"])
    return once.assign(one=one, other=once["right"].where(once["left"] <= once["right"], once["left"]))


def _in_order(ratings: pd.DataFrame) -> pd.DataFrame:
    """Each rater's first rating of each pair of answers, in the order of contenders."""
    once = _by_pair(ratings).drop_duplicates(_PAIR)
    rows = zip(once["one"], once["other"], once["sample_id"], once["left"], once["preferred"], strict=True)
    values, units = [], []
    for one, other, sample, left, said in rows:
        sides = ("first", "second") if left == one else ("second", "first")
        values.append(dict(zip(("left", "right"), sides, strict=True)).get(said, said))
        units.append("\0".join((one, other, str(sample))))
    return once.assign(value=values, unit=units)


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
        by = "two raters" if row["who"] == PEOPLE else "both"
        pairs = counted(row["pairs"], "pair") if row["pairs"] else "no pair"
        few = f"{pairs} {'were' if row['pairs'] > 1 else 'was'} rated by {by}"
        return f"too little is known of how {who} agree: {few}, and {LEAST} are needed"
    if row["all_alike"]:
        return f"{who} said one and the same of all {row['pairs']:,} pairs: that tells nothing of agreement"
    low, high = span(row["low"], row["high"])
    ends = f"(alpha {low} to {high}; {row['same'] * 100:.0f} % alike over {row['pairs']:,} pairs)"
    if row["low"] <= 0:
        return f"{who} are not shown to agree more than by chance {ends}"
    return f"{who} agreed {next(word for least, word in _WORDS if row['alpha'] >= least)} {ends}"


def _self_agreement(ratings: pd.DataFrame) -> list[str]:
    again = ratings[ratings["drawn"].fillna("") == "turned"].to_dict("records")
    first = {_what(row): _winner(row) for row in first_ratings(ratings).to_dict("records")}
    # What was said first may have been taken back.
    same = [first[_what(row)] == _winner(row) for row in again if _what(row) in first]
    if not same:
        return []
    pairs = f"{sum(same):,} of {counted(len(same), 'pair')}"
    were = "was" if 1 in (sum(same), len(same)) else "were"
    return [f"{pairs} seen again with sides exchanged {were} rated the same"]


def _what(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    return str(row["user"]), frozenset((row["left"], row["right"])), row["sample_id"]


def _winner(row: Mapping[Any, Any]) -> Any:
    return row[row["preferred"]] if row["preferred"] in ("left", "right") else row["preferred"]


def _sides(ratings: pd.DataFrame) -> list[str]:
    from labkit.stats.significance import sign_p_values

    said = []
    decided = ratings[ratings["preferred"].isin(["left", "right"])]
    for user, mine in decided.groupby("user", dropna=False):
        left = int((mine["preferred"] == "left").sum())
        if float(sign_p_values(left, len(mine) - left)) >= 1 - SURE:
            continue
        side, often = ("left", left) if 2 * left > len(mine) else ("right", len(mine) - left)
        who = visible(user, limit=40) if isinstance(user, str) else "somebody unnamed"
        said.append(
            f"{who} preferred the {side} side in {often:,} of {len(mine):,} pairs: sides are drawn by "
            "chance, so that is likely a liking of the side"
        )
    return said
