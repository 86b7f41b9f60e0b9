"""Many contenders in sentences: bands that cannot be told apart, with their ranks, and who may be best.

With more than five, pairs are too many to read; what they come to is told instead. It reads the frames
of a verdict; what ranks, bands and chances are stands in `labkit.stats.ranking`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from labkit.stats.ranking import Better, bands, best_chances, rank_intervals
from labkit.summary.contender_table import ContenderTable
from labkit.verdict.amounts import counted, listed
from labkit.verdict.words import Terms, by

if TYPE_CHECKING:
    import pandas as pd

MANY = 5
"""With more scored contenders than this, `str` and HTML tell ranks in place of pairs."""
MOST_LINES = 12
MOST_NAMES = 6
"""A larger band is told by its first and its last."""


def with_ranks(contenders: pd.DataFrame, pairs: pd.DataFrame, found: ContenderTable) -> pd.DataFrame:
    """The contenders with `rank_low`, `rank_high` (Int64) and `best_chance` (float).

    As they are where there are no more than five, or where not all pairs were compared. NA for those
    with fewer than two scored samples: the ranks are among the others. No chance is told where two of
    those that may be best have no interval between them. `found.score` is to have higher for better.
    """
    import pandas as pd

    names = _ranked(contenders)
    among = _among(names, pairs)
    if len(names) <= MANY or len(among) < len(names) * (len(names) - 1) // 2:
        return contenders
    better = _better(names, among)
    low, high = (dict(zip(names, map(int, ranks), strict=True)) for ranks in rank_intervals(better))
    chances = dict.fromkeys(names, np.nan)
    standing = [name for name in names if low[name] == 1]
    between = _among(standing, among)[["all_low", "all_high"]]
    if np.isfinite(between.to_numpy(dtype=float)).all():
        chances = dict(zip(found.names, best_chances(found.score), strict=True))
    return contenders.assign(
        rank_low=pd.array([low.get(name) for name in contenders["name"]], dtype="Int64"),
        rank_high=pd.array([high.get(name) for name in contenders["name"]], dtype="Int64"),
        best_chance=[chances[name] if name in low else np.nan for name in contenders["name"]],
    )


def lines(
    contenders: pd.DataFrame, pairs: pd.DataFrame, shown: Mapping[str, str], by: Sequence[str]
) -> tuple[str, ...]:
    """The chance of being best, then a line per band, or, where bands are many, per rank; best first.

    Empty without ranks.
    """
    if "rank_low" not in contenders.columns:
        return ()
    noun = _noun(by)
    names = _ranked(contenders)
    rows = contenders.set_index("name").loc[names]
    said = [_chances(rows, shown, noun)] if rows["best_chance"].notna().any() else []
    groups = _bands(names, pairs)
    if len(groups) <= MOST_LINES:
        said += [f"{_rank(rows, band)}: {_members(band, names, shown)}." for band in groups]
    else:
        alike = _alike(rows)
        said += [
            f"{_rank(rows, group)}: {listed([shown[names[place]] for place in group])}."
            for group in alike[:MOST_LINES]
        ]
        if more := sum(map(len, alike[MOST_LINES:])):
            said.append(f"… and {counted(more, f'more {noun}')}: the ranks of all are in .contenders.")
    unranked = [shown[name] for name in contenders["name"] if name not in names]
    if unranked:
        are = "is" if len(unranked) == 1 else "are"
        said.append(f"{listed(unranked)} {are} not ranked, for want of two scored samples.")
    return tuple(said)


def lead(
    contenders: pd.DataFrame, pairs: pd.DataFrame, shown: Mapping[str, str], terms: Terms
) -> tuple[str, ...]:
    """Whom the first is shown to beat, and by how much; empty without ranks, and where it beats nobody."""
    if "rank_low" not in contenders.columns:
        return ()
    first = _ranked(contenders)[0]
    mine = pairs[pairs["decided"] & (pairs["first"] == first)]
    won = records(mine)
    if not won:
        return ()
    if len(won) > MOST_NAMES:
        nearest, last = (f"{shown[row['second']]}{by(row, terms)}" for row in (won[0], won[-1]))
        others = f"{len(won):,} others, from {nearest} down to {last}"
    else:
        others = listed([f"{shown[row['second']]}{by(row, terms)}" for row in won])
    return (f"{shown[first]} beats {others}.",)


def notes(contenders: pd.DataFrame, pairs: pd.DataFrame, level: float, by: Sequence[str]) -> tuple[str, ...]:
    """What ranks and chances rest on; empty without ranks."""
    if "rank_low" not in contenders.columns:
        return ()
    noun = _noun(by)
    names = _ranked(contenders)
    among = _among(names, pairs)
    ranked = "" if len(names) == len(contenders) else "ranked "
    said = [
        f"ranks rest on the decided pairs alone; those of all {len(names):,} {ranked}{noun}s hold together "
        f"at {level * 100:g} %"
    ]
    if len(_bands(names, pairs)) <= MOST_LINES:
        said[0] += f"; two {noun}s that stand together in no line are told apart"
    decided = among[among["decided"]]
    open_ = int(((decided["missing"] > 0) & ~(decided["worst_low"] > 0)).sum())
    if open_:
        said.append(f"missing answers could overturn {open_:,} of the {len(decided):,} decided pairs")
    if contenders["best_chance"].isna().all():
        said.append(
            "no chance of being best is told: two of those that may be best have no interval between them"
        )
        return tuple(said)
    missing = " and takes it for chance which answers are missing" if among["missing"].any() else ""
    said.append(
        "chance of being best: how often each comes out best when the samples are weighed anew at random, "
        f"with room for luck; it decides nothing{missing}"
    )
    return tuple(said)


def over(pairs: pd.DataFrame, names: Sequence[str]) -> str:
    """How many samples any two of these contenders have in common, to stand behind a claim.

    >>> import pandas as pd
    >>> pairs = pd.DataFrame({"first": list("aab"), "second": list("bcc"), "samples": [100, 98, 99]})
    >>> over(pairs, "ab"), over(pairs, "abc")
    (' over 100 samples', ' over 98 to 100 samples a pair')
    """
    pairs = _among(names, pairs)
    if pairs.empty:
        return ""
    least, most = int(pairs["samples"].min()), int(pairs["samples"].max())
    return (
        f" over {counted(most, 'sample')}" if least == most else f" over {least:,} to {most:,} samples a pair"
    )


def _noun(by: Sequence[str]) -> str:
    return by[0] if len(by) == 1 else "combination"


def _among(names: Sequence[str], pairs: pd.DataFrame) -> pd.DataFrame:
    return pairs[pairs["first"].isin(list(names)) & pairs["second"].isin(list(names))]


def _ranked(contenders: pd.DataFrame) -> list[str]:
    return [str(name) for name in contenders.loc[contenders["score_n"] > 1, "name"]]


def _better(names: Sequence[str], pairs: pd.DataFrame) -> Better:
    place = {name: at for at, name in enumerate(names)}
    better = np.zeros((len(names), len(names)), dtype=bool)
    decided = _among(names, pairs[pairs["decided"]])
    better[decided["first"].map(place), decided["second"].map(place)] = True
    return better


def _bands(names: Sequence[str], pairs: pd.DataFrame) -> list[list[int]]:
    return bands(_better(names, pairs), np.arange(len(names)))


def _alike(ranked: pd.DataFrame) -> list[list[int]]:
    """Neighbours with the same ranks, by their places."""
    found: list[list[int]] = []
    before = None
    for place, ranks in enumerate(zip(ranked["rank_low"], ranked["rank_high"], strict=True)):
        if ranks == before:
            found[-1].append(place)
        else:
            found.append([place])
        before = ranks
    return found


def _chances(ranked: pd.DataFrame, shown: Mapping[str, str], noun: str) -> str:
    standing = ranked[ranked["rank_low"] == 1].sort_values("best_chance", ascending=False, kind="stable")
    told = standing if len(standing) <= MOST_NAMES else standing.head(MOST_NAMES - 1)
    parts = [f"{shown[str(name)]} {percent(chance)}" for name, chance in told["best_chance"].items()]
    rest = standing["best_chance"].iloc[len(told) :]
    if len(rest):
        parts.append(f"the {len(rest):,} others that may be best {percent(rest.sum())} together")
    return f"Chance of being the best {noun}: {', '.join(parts)}."


def _rank(ranked: pd.DataFrame, group: Sequence[int]) -> str:
    low = int(ranked["rank_low"].iloc[list(group)].min())
    high = int(ranked["rank_high"].iloc[list(group)].max())
    return f"Rank {low}" if low == high else f"Rank {low} to {high}"


def _members(band: Sequence[int], names: Sequence[str], shown: Mapping[str, str]) -> str:
    who = [shown[names[place]] for place in band]
    if len(band) == 1:
        return f"{who[0]} is told apart from all others"
    run = band[-1] - band[0] == len(band) - 1
    if len(band) > MOST_NAMES and run:
        return f"the {len(band):,} from {who[0]} down to {who[-1]} cannot be told apart"
    return f"{listed(who)} cannot be told apart"


def percent(chance: float) -> str:
    """A chance in whole percents, and no certainty.

    >>> percent(0.314), percent(0.001), percent(1.0)
    ('31 %', 'below 1 %', 'above 99 %')
    """
    if chance < 0.01:
        return "below 1 %"
    return "above 99 %" if chance > 0.99 else f"{chance * 100:.0f} %"


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The frame's rows as dicts."""
    return cast("list[dict[str, Any]]", frame.to_dict("records"))
