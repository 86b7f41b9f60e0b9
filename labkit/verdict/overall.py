"""What can be said of all contenders together: the headline, and the notes that it rests on.

The best can only be among those that nobody is shown to beat: if Holm's claims are all true, which they
are with the verdict's level, the truly best one is never left out. It calculates nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.summary.contender_table import ContenderTable
from labkit.summary.scores import Basis
from labkit.verdict.amounts import counted, listed, number, span
from labkit.verdict.pricing import alike
from labkit.verdict.ranks import MANY, over
from labkit.verdict.timing import clock_notes
from labkit.verdict.words import Terms, score_note
from labkit.visible import visible

if TYPE_CHECKING:
    import pandas as pd


FEW = 100
"""With fewer samples, what is rare is likely not among them."""
FEWEST_ALIKE = 6
"""Fewer prices that are all in one ratio say nothing of others."""


def headline(
    contenders: pd.DataFrame,
    pairs: pd.DataFrame,
    shown: Mapping[str, str],
    terms: Terms,
    by: Sequence[str],
) -> str:
    """One or two sentences: who is best as far as is known, and which of these is the cheapest."""
    noun = by[0] if len(by) == 1 else "combination"
    scored = [str(name) for name in contenders.loc[contenders["score_n"] > 0, "name"]]
    silent = [shown[str(name)] for name in contenders["name"] if str(name) not in scored]
    rest = f" No scored answer: {listed(silent)}." if silent else ""
    beaten = {str(row["second"]) for row in records(pairs) if row["decided"]}
    standing = [name for name in scored if name not in beaten]
    if len(standing) == 1:
        best = standing[0]
        said = f"{_winner(best, scored, pairs, shown, noun)},{over(pairs, scored)}."
        return said + _fragile(best, pairs) + rest
    if not standing:
        return (
            f"Which {noun} is best is undecided: each of the {len(scored)} is beaten by another,"
            f"{over(pairs, scored)}, which are not the same for all pairs."
            f"{_lacking(scored, contenders, shown)}{rest}"
        )
    losers = len(scored) - len(standing)
    among = over(pairs, scored) if len(scored) > MANY else ""
    those = listed([shown[name] for name in standing])
    lost = f"; {counted(losers, f'other {noun} is', f'other {noun}s are')} beaten" if losers else ""
    if losers == 0 and len(scored) > 2:
        said = f"Which {noun} is best is undecided: none is shown to beat another{among}."
    else:
        said = f"Which {noun} is best is undecided between {those}{among}{lost}."
    equal = _all_equal(standing, pairs)
    if equal and terms.margin is not None:
        said = f"{those} are equal within {terms.within()}{over(pairs, standing)}{lost}."
    return said + _cheapest(standing, pairs, shown) + _lacking(standing, contenders, shown) + rest


def _winner(
    best: str, scored: Sequence[str], pairs: pd.DataFrame, shown: Mapping[str, str], noun: str
) -> str:
    wins = {str(row["second"]) for row in records(pairs) if row["decided"] and row["first"] == best}
    if len(wins) == len(scored) - 1:
        if len(scored) == 2:
            return f"{shown[best]} is the better {noun}"
        others = "both others" if len(scored) == 3 else f"each of the {len(scored) - 1} others"
        return f"{shown[best]} is the best {noun}: it beats {others}"
    return f"{shown[best]} is the only {noun} that none is shown to beat"


def _fragile(best: str, pairs: pd.DataFrame) -> str:
    mine = [row for row in records(pairs) if row["decided"] and row["first"] == best]
    lost = any(row["missing"] and row["worst_low"] <= 0 for row in mine)
    return " Missing answers could overturn that." if lost else ""


def _all_equal(standing: Sequence[str], pairs: pd.DataFrame) -> bool:
    among = [row for row in records(pairs) if row["first"] in standing and row["second"] in standing]
    return len(among) == len(standing) * (len(standing) - 1) // 2 and all(
        row["answer"] == "equal" for row in among
    )


def _cheapest(standing: Sequence[str], pairs: pd.DataFrame, shown: Mapping[str, str]) -> str:
    cheaper: dict[str, set[str]] = {name: set() for name in standing}
    for row in records(pairs):
        one, two = str(row["first"]), str(row["second"])
        if one not in cheaper or two not in cheaper:
            continue
        if row["cost_n"] < FEWEST_ALIKE and alike(row):
            continue
        if row["cost_high"] < 1 or (row["first_cost_usd"] == 0 and row["second_cost_usd"] > 0):
            cheaper[one].add(two)
        elif row["cost_low"] > 1 or (row["second_cost_usd"] == 0 and row["first_cost_usd"] > 0):
            cheaper[two].add(one)
    for name, others in cheaper.items():
        if len(others) == len(standing) - 1:
            return f" The cheapest of them is {shown[name]}."
    return ""


def _lacking(standing: Sequence[str], contenders: pd.DataFrame, shown: Mapping[str, str]) -> str:
    """How many answers of those that stand have no score."""
    gone = [
        f"{row['n'] - row['scored']:,} of {row['n']:,} answers of {shown[row['name']]}"
        for row in records(contenders)
        if row["name"] in standing and row["scored"] < row["n"]
    ]
    return f" Without a score: {listed(gone, most=3)}." if gone else ""


def notes(
    found: ContenderTable,
    contenders: pd.DataFrame,
    pairs: pd.DataFrame,
    shown: Mapping[str, str],
    terms: Terms,
) -> tuple[str, ...]:
    """What the sentences rest on, most important first."""
    said = [_score_note(found, terms), *_range_notes(found, pairs, shown, terms)]
    said += _missing_notes(contenders, shown)
    unpriced = [shown[name] for name in found.names if name in terms.unpriced]
    if len(unpriced) == len(found.names):
        said.append("what they cost is not known")
    elif unpriced:
        said.append(f"not every answer of {listed(unpriced)} has a known cost")
    return (*said, *clock_notes(found, shown), *_replay_notes(found, terms))


def _replay_notes(found: ContenderTable, terms: Terms) -> list[str]:
    """Answers that were there before may have been looked at, and nobody knows."""
    replays, done = (sum(getattr(clock, what) for clock in found.clocks) for what in ("replays", "done"))
    if terms.study.watched or terms.study.grown or not 0 < replays < done:
        return []
    return [
        f"{replays:,} of {done:,} answers are replays: if they were looked at before, "
        "that look is not counted in the level"
    ]


def _range_notes(
    found: ContenderTable, pairs: pd.DataFrame, shown: Mapping[str, str], terms: Terms
) -> list[str]:
    """How far the ranges may be trusted."""
    told, study = pairs[pairs["units"] > 1], terms.study
    tested = len(told)
    if not tested:
        return []
    level = f"{study.level * 100:g} %"
    tested += terms.beside
    pairs_told = f"{tested:,} pairs{' of all scores' if terms.beside else ''}"
    together = f" that hold for all {pairs_told} together" if tested > 1 else ""
    least, most = int(told["units"].min()), int(told["units"].max())
    units = ""
    if study.clusters is not None:
        many = counted(most, "cluster") if least == most else f"{least:,} to {most:,} clusters"
        units = f", samples taken as {many} ({visible(study.clusters, limit=60)})"
    kinds = [
        kind for kind, of in (("prices", "cost"), ("times", "latency")) if told[f"{of}_low"].notna().any()
    ]
    if study.watched:
        others = f"; those of {listed(kinds)} do not allow for earlier looks" if kinds else ""
        said = [f"ranges of scores are {level} intervals{together}, at any moment of stopping{others}"]
    elif tested > 1:
        said = [
            f"decided by Holm's correction over {pairs_told}; ranges are {level} intervals{together}{units}"
        ]
    else:
        said = [f"ranges are {level} intervals over common samples{units}"]
    if len(pairs) < len(found.names) * (len(found.names) - 1) // 2:
        (opponent,) = set.intersection(*({row["first"], row["second"]} for row in records(pairs)))
        said.append(f"the others are compared with {shown[opponent]} only, not with one another")
    if study.grown:
        said.append(_looks(study))
    if kinds:
        said.append(
            f"{level} holds for {listed(['scores', *kinds])} separately, not for all of them together"
        )
    if not study.scale.binary and 2 < least < FEW and np.isfinite(told["all_low"]).any():
        rare = f"1 in {max(2, least // 3):,}"
        said.append(
            f"a large difference on fewer than about {rare} {terms.unit}s may not have been seen, "
            "and is not in the ranges"
        )
    return said


def _looks(study: Basis) -> str:
    spent = 1 - study.asked_level
    if study.level > study.asked_level:
        # Each time the study grew, half as much was kept for the looks after it.
        before, total = study.asked_level * 100, (2 * spent - (1 - study.level)) * 100
        return (
            f"the study was made larger after it could be looked at with {before:g} % intervals: that look "
            f"and all since counted, at most {total:g} % of studies with nothing to find make a false claim "
            "about scores"
        )
    why = "its score has no declared bounds" if study.clusters is None else "it is taken by clusters"
    return (
        "the study was made larger after it could be looked at, which its ranges do not count, "
        f"since {why}: looking again and again makes false claims more frequent than {spent * 100:g} %"
    )


def _score_note(found: ContenderTable, terms: Terms) -> str:
    parts = [score_note(terms)]
    if terms.better == "lower":
        parts.append("lower is better")
    if found.over:
        levels = " and ".join(f"{name}s" for name in found.over)
        parts.append(f"{levels} held equal, samples as wholes")
    elif (found.score.counts > 1).any():
        parts.append("mean over repeats, samples as wholes")
    return ", ".join(parts)


def _missing_notes(contenders: pd.DataFrame, shown: Mapping[str, str]) -> list[str]:
    said = []
    for row in records(contenders):
        unscored = row["n"] - row["scored"]
        if unscored and row["score_n"]:
            kinds = [f"{row[kind]:,} {kind}" for kind in ("failed", "partial", "stopped") if row[kind]]
            rest = unscored - sum(row[kind] for kind in ("failed", "partial", "stopped"))
            kinds += [f"{rest:,} done but not scored"] if rest > 0 else []
            said.append(
                f"{shown[row['name']]}: {unscored:,} of {row['n']:,} without a score ({', '.join(kinds)})"
            )
    if len(said) > 6:
        total, cells = int((contenders["n"] - contenders["scored"]).sum()), int(contenders["n"].sum())
        return [
            f"{total:,} of {cells:,} answers are without a score, of {len(said)} contenders; see .contenders"
        ]
    return said


def mean_score(row: Mapping[str, Any] | pd.Series[Any], terms: Terms) -> str:
    """The mean score of a contender, with its interval and over how many samples."""
    value, over = terms.amount(number(terms.factor * float(row["score"]))), counted(row["score_n"], "sample")
    if not (math.isfinite(row["score_low"]) and math.isfinite(row["score_high"])):
        return f"{value} over {over}"
    low, high = span(terms.factor * float(row["score_low"]), terms.factor * float(row["score_high"]))
    return f"{value} ({low} to {high}) over {over}"


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The frame's rows as dicts."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
