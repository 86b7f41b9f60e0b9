"""What can be said of all contenders together: the headline, and the notes that it rests on.

The best can only be among those that nobody is shown to beat: if Holm's claims are all true, which they
are with the verdict's level, the truly best one is never left out. It calculates nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.summary.contender_table import Clock, ContenderTable
from labkit.verdict.amounts import counted, listed, number, span
from labkit.verdict.ranks import MANY, over
from labkit.verdict.words import Terms, conditions

if TYPE_CHECKING:
    import pandas as pd


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
    if not scored:
        return f"No {noun} has a scored answer, so there is nothing to compare."
    if len(scored) == 1:
        row = contenders[contenders["name"] == scored[0]].iloc[0]
        return (
            f"Only {shown[scored[0]]} has scored answers: {_scored(row, terms)}. There is nothing to compare."
        )
    beaten = {str(row["second"]) for row in records(pairs) if row["decided"]}
    standing = [name for name in scored if name not in beaten]
    if len(standing) == 1:
        return _winner(standing[0], scored, pairs, shown, noun) + _fragile(standing[0], pairs)
    losers = len(scored) - len(standing)
    among = over(pairs, scored) if len(scored) > MANY else ""
    those = listed([shown[name] for name in standing])
    lost = f"; {counted(losers, f'other {noun} is', f'other {noun}s are')} beaten" if losers else ""
    if losers == 0 and len(scored) > 2:
        said = f"Which {noun} is best is undecided: none is shown to beat another{among}."
        said = (
            said if not pairs["decided"].any() else f"Which {noun} is best is undecided among {those}{among}."
        )
    else:
        said = f"Which {noun} is best is undecided between {those}{among}{lost}."
    equal = _all_equal(standing, pairs)
    if equal and terms.margin is not None:
        said = f"{those} are equal within {terms.within()}{among}{lost}."
    return said + _cheapest(standing, pairs, shown)


def _winner(
    best: str, scored: Sequence[str], pairs: pd.DataFrame, shown: Mapping[str, str], noun: str
) -> str:
    wins = {str(row["second"]) for row in records(pairs) if row["decided"] and row["first"] == best}
    if len(wins) == len(scored) - 1:
        if len(scored) == 2:
            return f"{shown[best]} is the better {noun}."
        among = over(pairs, scored) if len(scored) > MANY else ""
        return f"{shown[best]} is the best {noun}: it beats each of the {len(scored) - 1} others{among}."
    return f"{shown[best]} is the only {noun} that none is shown to beat."


def _fragile(best: str, pairs: pd.DataFrame) -> str:
    mine = [row for row in records(pairs) if row["decided"] and row["first"] == best]
    lost = any(row["missing"] and row["worst_low"] <= 0 for row in mine)
    return " Missing answers could overturn that." if lost else ""


def _all_equal(standing: Sequence[str], pairs: pd.DataFrame) -> bool:
    among = [row for row in records(pairs) if row["first"] in standing and row["second"] in standing]
    return len(among) == len(standing) * (len(standing) - 1) // 2 and all(
        str(row["equivalent"]) == "True" for row in among
    )


def _cheapest(standing: Sequence[str], pairs: pd.DataFrame, shown: Mapping[str, str]) -> str:
    cheaper: dict[str, set[str]] = {name: set() for name in standing}
    for row in records(pairs):
        one, two = str(row["first"]), str(row["second"])
        if one not in cheaper or two not in cheaper:
            continue
        if row["cost_high"] < 1 or (row["first_cost_usd"] == 0 and row["second_cost_usd"] > 0):
            cheaper[one].add(two)
        elif row["cost_low"] > 1 or (row["second_cost_usd"] == 0 and row["first_cost_usd"] > 0):
            cheaper[two].add(one)
    for name, others in cheaper.items():
        if len(others) == len(standing) - 1:
            return f" The cheapest of them is {shown[name]}."
    return ""


def notes(
    found: ContenderTable,
    contenders: pd.DataFrame,
    pairs: pd.DataFrame,
    shown: Mapping[str, str],
    terms: Terms,
) -> tuple[str, ...]:
    """What the sentences rest on, most important first."""
    said = [_score_note(found, terms)]
    tested = int((pairs["n"] > 0).sum())
    if terms.watched:
        said.append(
            f"the study was watched while it grew, so intervals are {terms.level * 100:g} % at any moment of "
            f"stopping{f', for all {tested} pairs together' if tested > 1 else ''}; those of price and time "
            "are ordinary ones"
        )
    elif tested > 1:
        said.append(
            f"decided by Holm's correction over {tested:,} pairs; ranges are {terms.level * 100:g} % "
            "intervals that hold for all pairs together"
        )
    elif tested:
        said.append(f"ranges are {terms.level * 100:g} % intervals over common samples")
    said += _missing_notes(contenders, shown)
    unpriced = [shown[name] for name in found.names if name in terms.unpriced]
    if len(unpriced) == len(found.names):
        said.append("what they cost is not known")
    elif unpriced:
        said.append(f"cost not known for all answers of {listed(unpriced)}")
    said += _clock_notes(found, shown)
    return tuple(said)


def _score_note(found: ContenderTable, terms: Terms) -> str:
    parts = [f"score: {terms.scorer}"]
    if terms.better == "lower":
        parts.append("lower is better")
    if found.bounded:
        parts.append("1 point = 0.01")
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


def _clock_notes(found: ContenderTable, shown: Mapping[str, str]) -> list[str]:
    timed = [clock for clock in found.clocks if clock.fresh]
    without = [shown[name] for name, clock in zip(found.names, found.clocks, strict=True) if not clock.fresh]
    said = []
    if timed and without:
        said.append(f"no fresh answer, so no latency: {listed(without)}")
    elif not timed:
        said.append("no answer was asked afresh, so latencies are not compared")
    if timed:
        said.append(f"latencies: fresh answers only, measured {_when(timed)}")
        if len(timed) > 2 and any(conditions(timed[0], clock) for clock in timed[1:]):
            said.append("latencies were not all measured under the same conditions; see the sentences")
    return said


def _when(timed: Sequence[Clock]) -> str:
    days = sorted({day for clock in timed for day in clock.days})
    if not days:
        return "at a time that is not known"
    return f"on {days[0]} (UTC)" if len(days) == 1 else f"from {days[0]} to {days[-1]} (UTC)"


def _scored(row: Mapping[str, Any] | pd.Series[Any], terms: Terms) -> str:
    value = terms.amount(number(terms.scale * float(row["score"])))
    if row["score_low"] != row["score_low"]:
        return value
    low, high = span(terms.scale * float(row["score_low"]), terms.scale * float(row["score_high"]))
    return f"{value} ({low} to {high})"


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The frame's rows as dicts."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
