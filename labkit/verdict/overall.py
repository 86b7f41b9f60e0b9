"""What can be said of all contenders together: the headline, and the notes that it rests on.

The best can only be among those that nobody is shown to beat: if Holm's claims are all true, which they
are with the verdict's level, the truly best one is never left out. It calculates nothing. What the headline
claims and the notes say it rests on must not part, and stand together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.summary.contender_table import ContenderTable
from labkit.summary.scores import Basis
from labkit.verdict.amounts import counted, listed, number, span
from labkit.verdict.pricing import price_notes
from labkit.verdict.ranks import over, records
from labkit.verdict.settling import settling_notes
from labkit.verdict.timing import clock_notes, time_notes
from labkit.verdict.words import NEARLY, Terms, score_note
from labkit.visible import quoted, visible

if TYPE_CHECKING:
    import pandas as pd


FEW = 100
"""With fewer samples, what is rare is likely not among them."""
MOST_LACKING = 6
"""Of more contenders that lack scores only the sum is told."""
FEW_NAMES = 3
"""Of more that nobody is shown to beat, only who leads is named."""


def headline(
    contenders: pd.DataFrame,
    pairs: pd.DataFrame,
    shown: Mapping[str, str],
    terms: Terms,
    by: Sequence[str],
) -> str:
    """One or two sentences: who is best as far as is known, and what could overturn that."""
    noun = by[0] if len(by) == 1 else "combination"
    scored = [str(name) for name in contenders.loc[contenders["score_n"] > 0, "name"]]
    silent = [shown[str(name)] for name in contenders["name"] if str(name) not in scored]
    rest = f" No scored answer: {listed(silent)}." if silent else ""
    standing = left(scored, pairs)
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
    among = over(pairs, scored) if len(scored) > 2 else ""
    lost = f"; {counted(losers, f'other {noun} is', f'other {noun}s are')} beaten" if losers else ""
    equal = _all_equal(standing, pairs)
    if equal and terms.margin is not None:
        those = listed([shown[name] for name in standing])
        said = f"{those} are equal within {terms.within()}{over(pairs, standing)}{lost}."
    elif losers == 0 and len(scored) > 2:
        said = f"Which {noun} is best is undecided{among}: none is shown to beat another."
    elif len(standing) > FEW_NAMES:
        front, rest_of_them = _front(standing, contenders, shown)
        said = f"Which {noun} is best is undecided{among}: {front}, {rest_of_them}{lost}."
    else:
        those = listed([shown[name] for name in standing])
        said = f"Which {noun} is best is undecided between {those}{among}{lost}."
    return said + _lacking(standing, contenders, shown) + rest


def left(names: Sequence[str], pairs: pd.DataFrame) -> list[str]:
    """Those of the names that nobody is shown to beat."""
    beaten = set(pairs.loc[pairs["decided"], "second"])
    return [name for name in names if name not in beaten]


def _front(standing: Sequence[str], contenders: pd.DataFrame, shown: Mapping[str, str]) -> tuple[str, str]:
    """Who has the best mean score of those that nobody beats, and how many are not shown to be worse."""
    scores = contenders.set_index("name")["score"].loc[list(standing)]
    first = [name for name in standing if scores[name] == scores[standing[0]]]
    others = counted(len(standing) - len(first), "other is", "others are")
    has = "has" if len(first) == 1 else "have"
    lead = f"{listed([shown[name] for name in first], most=2)} {has} the best mean"
    return lead, f"{others} not shown to be worse"


def _winner(
    best: str, scored: Sequence[str], pairs: pd.DataFrame, shown: Mapping[str, str], noun: str
) -> str:
    wins = set(pairs.loc[pairs["decided"] & (pairs["first"] == best), "second"])
    if len(wins) == len(scored) - 1:
        if len(scored) == 2:
            return f"{shown[best]} is the better {noun}"
        others = "both others" if len(scored) == 3 else f"each of the {len(scored) - 1} others"
        return f"{shown[best]} is the best {noun}: it beats {others}"
    return f"{shown[best]} is the only {noun} that none is shown to beat"


def _fragile(best: str, pairs: pd.DataFrame) -> str:
    mine = pairs[pairs["decided"] & (pairs["first"] == best)]
    lost = (mine["missing"] > 0) & (mine["worst_low"] <= 0)
    return " Missing answers could overturn that." if lost.any() else ""


def _all_equal(standing: Sequence[str], pairs: pd.DataFrame) -> bool:
    among = pairs[pairs["first"].isin(standing) & pairs["second"].isin(standing)]
    whole = len(among) == len(standing) * (len(standing) - 1) // 2
    return whole and bool((among["answer"] == "equal").all())


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
    *,
    lacking: Sequence[str] = (),
    others: Sequence[str] = (),
) -> tuple[str, ...]:
    """What the sentences rest on, most important first: what is scored, what is missing and may bend it
    (`lacking`), how far ranges hold, prices and times, and how short words are to be read.

    `others` are scores that there are, where none was named.
    """
    one = "it" if len(others) == 1 else "one"
    see = f"; see {one} by run.verdict({quoted(others[0])})" if others else ""
    beside = f"; scored too: {visible(', '.join(others))}{see}" if others else ""
    said = [f"{_score_note(found, terms)}{beside}", *lacking, *_missing_notes(contenders, shown)]
    said += _range_notes(found, pairs, shown, terms) + _replay_notes(found, terms)
    unpriced = [shown[name] for name in found.names if name in terms.unpriced]
    if len(unpriced) == len(found.names):
        said.append("what they cost is not known")
    elif unpriced:
        said.append(f"not every answer of {listed(unpriced)} has a known cost")
    costs = dict(zip(contenders["name"], contenders["cost_per_1k_usd"], strict=True))
    if terms.several:
        said += price_notes(costs, shown, terms.unpriced)
        said += time_notes(records(pairs), terms.clocks, shown, terms.apart)
    said += clock_notes(found, contenders["latency_p50_s"], shown)
    return (*said, *_pair_notes(pairs[pairs["units"] > 1], terms))


def assurance(found: ContenderTable, terms: Terms) -> str:
    """How far what is said of scores may be trusted, without their ranges: the level, and looks before.

    Of a study that grew no level alone is true: its looks share what may go wrong.
    """
    study = terms.study
    if study.grown:
        return _looks(study)
    level = f"{study.level * 100:g} % holds for all that is said of scores together"
    return "; but ".join([level, *_replay_notes(found, terms)])


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
    kinds = _kinds(told)
    apart = (
        f"; {level} holds for {listed(['scores', *kinds])} separately, not for all of them together"
        if kinds
        else ""
    )
    if study.watched:
        others = f"; those of {listed(kinds)} do not allow for earlier looks" if kinds else ""
        said = [f"ranges of scores are {level} intervals{together}, at any moment of stopping{others}{apart}"]
    elif tested > 1:
        said = [
            f"decided by Holm's correction over {pairs_told}; ranges are {level} intervals{together}{units}"
            f"{apart}"
        ]
    else:
        said = [f"ranges are {level} intervals over common samples{units}{apart}"]
    if len(pairs) < len(found.names) * (len(found.names) - 1) // 2:
        (opponent,) = set.intersection(*map(set, zip(pairs["first"], pairs["second"], strict=True)))
        said.append(f"the others are compared with {shown[opponent]} only, not with one another")
    if study.grown:
        said.append(_looks(study))
    if not study.scale.binary and 2 < least < FEW and np.isfinite(told["all_low"]).any():
        rare = f"1 in {max(2, least // 3):,}"
        said.append(
            f"a large difference on fewer than about {rare} {terms.unit}s may not have been seen, "
            "and is not in the ranges"
        )
    return said


def _kinds(told: pd.DataFrame) -> list[str]:
    """What else than scores has ranges."""
    kinds = (("prices", "cost"), ("times", "latency"))
    return [kind for kind, of in kinds if told[f"{of}_low"].notna().any()]


def _pair_notes(told: pd.DataFrame, terms: Terms) -> list[str]:
    """What sentences of pairs mean by their shorter words."""
    said = []
    if (told["decided"] & (told["all_low"] <= 0)).any():
        said.append(
            f"“{NEARLY}”, “by up to”: Holm's correction, which asks less than ranges that hold for all pairs "
            "together, decides such a pair and gives it no lower limit"
        )
    if terms.several and (kinds := _kinds(told)):
        untold = listed([kind.removesuffix("s") for kind in kinds], joint="or")
        said.append(
            f"a {untold} that a sentence leaves out is not shown to differ, or not compared; its range is in "
            "the table and in .frame()"
        )
    return said + (settling_notes(records(told), terms) if terms.several else [])


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
    parts = [score_note(terms, given=bool(found.score.counts.any()))]
    if terms.better == "lower":
        parts.append("lower is better")
    if found.over:
        levels = " and ".join(f"{name}s" for name in found.over)
        parts.append(f"{levels} held equal, each sample counted once")
    elif (found.score.counts > 1).any():
        parts.append("mean over repeats, each sample counted once")
    return ", ".join(parts)


def _missing_notes(contenders: pd.DataFrame, shown: Mapping[str, str]) -> list[str]:
    """Whose answers have no score, and why, in one note."""
    said = []
    for row in records(contenders):
        unscored = row["n"] - row["scored"]
        if unscored and row["score_n"]:
            kinds = [f"{row[kind]:,} {kind}" for kind in ("failed", "partial", "stopped") if row[kind]]
            rest = unscored - sum(row[kind] for kind in ("failed", "partial", "stopped"))
            kinds += [f"{rest:,} done but not scored"] if rest > 0 else []
            said.append(f"{unscored:,} of {row['n']:,} of {shown[row['name']]} ({', '.join(kinds)})")
    if len(said) > MOST_LACKING:
        total, cells = int((contenders["n"] - contenders["scored"]).sum()), int(contenders["n"].sum())
        return [
            f"{total:,} of {cells:,} answers are without a score, of {len(said)} contenders; see .contenders"
        ]
    return [f"without a score: {listed(said, most=MOST_LACKING)}"] if said else []


def mean_score(row: Mapping[str, Any] | pd.Series[Any], terms: Terms) -> str:
    """The mean score of a contender, with its interval and over how many samples."""
    value, over = terms.amount(number(terms.factor * float(row["score"]))), counted(row["score_n"], "sample")
    if not (math.isfinite(row["score_low"]) and math.isfinite(row["score_high"])):
        return f"{value} over {over}"
    low, high = span(terms.factor * float(row["score_low"]), terms.factor * float(row["score_high"]))
    return f"{value} ({low} to {high}) over {over}"
