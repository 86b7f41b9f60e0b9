"""What follows for use: which to take, what it costs, how long it takes, in two or three plain sentences.

It rests on what the pairs show and claims no more: cheaper or faster is who is shown to be, by the interval
of a pair. What an answer costs or takes is told as the table has it. It calculates nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.summary.contender_names import together
from labkit.summary.show import three_digits
from labkit.verdict.amounts import counted, listed, times, times_span, usd
from labkit.verdict.overall import left
from labkit.verdict.pricing import alike
from labkit.verdict.ranks import records
from labkit.verdict.timing import OTHER, conditions
from labkit.verdict.words import Terms

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
Lower = Mapping[str, set[str]]
"""Per contender those that it is shown to be lower than."""
FEWEST_ALIKE = 6
"""Fewer prices that are all in one ratio say nothing of others."""


def conclusion(
    contenders: pd.DataFrame, pairs: pd.DataFrame, shown: Mapping[str, str], terms: Terms
) -> tuple[str, ...]:
    """The sentences, of those that have a scored answer; none where there are not two of these."""
    table = {str(row["name"]): row for row in records(contenders) if row["score_n"] > 0}
    standing = left(list(table), pairs)
    if len(table) < 2 or not standing:
        return ()
    rows = records(pairs[pairs["first"].isin(list(table)) & pairs["second"].isin(list(table))])
    if len(standing) == 1:
        return _of_one(standing[0], table, rows, shown, terms)
    among = [row for row in rows if row["first"] in standing and row["second"] in standing]
    said = (_prices(standing, table, among, shown, terms), _times(standing, table, among, shown, terms))
    if len(standing) == len(table):
        # A name stays as it is.
        own = ("the ", "neither ", "none ")
        return tuple(part[0].upper() + part[1:] if part.startswith(own) else part for part in said if part)
    return tuple(f"Of those not beaten, {part}" for part in said if part)


def _of_one(
    best: str, table: Mapping[str, Row], rows: Sequence[Row], shown: Mapping[str, str], terms: Terms
) -> tuple[str, ...]:
    """Where one is left: that it is to be used, and who is shown to be cheaper or faster."""
    mine = [row for row in rows if best in (row["first"], row["second"])]
    sure = len(mine) == len(table) - 1 and all(
        row["decided"] and not (row["missing"] and row["worst_low"] <= 0) for row in mine
    )
    price, seconds = _price(table[best], terms), table[best]["latency_p50_s"]
    takes = "" if math.isnan(seconds) else f"takes {three_digits(seconds)} s an answer (median)"
    parts = " and ".join(part for part in (price, takes) if part)
    said = [f"{'Use' if sure else 'As far as is known, use'} {shown[best]}{': it ' if parts else ''}{parts}."]
    if len(table) == 2:
        # The sentence of the only pair tells the rest.
        return tuple(said)
    none = []
    for words, of, column in (
        (("dearer", "cheaper"), _cheaper, "cost_per_1k_usd"),
        (("slower", "faster"), _faster, "latency_p50_s"),
    ):
        lower = _lower(list(table), mine, of)
        ahead = sorted((name for name in table if best in lower[name]), key=lambda name: table[name][column])
        if ahead:
            row = next(one for one in mine if ahead[0] in (one["first"], one["second"]))
            more = "" if len(ahead) == 1 else f" and than {counted(len(ahead) - 1, 'other')}"
            how = _by_how_much(row, best, words[0], terms)
            said.append(f"It is {words[0]} than {shown[ahead[0]]}{how}{more}.")
        elif len(lower[best]) == len(table) - 1:
            said.append(f"It is {words[1]} than {'both' if len(table) == 3 else 'all'} others.")
        elif all(of(row) is not None for row in mine) and not (words[1] == "cheaper" and "nothing" in price):
            none.append(words[1])
    if none:
        said.append(f"None of the others is shown to be {' or '.join(none)}.")
    return tuple(said)


def _by_how_much(row: Row, best: str, word: str, terms: Terms) -> str:
    """The ratio as the pair's sentence has it; and whether what is gained for it lies within the margin."""
    what, noun = ("cost", "price") if word == "dearer" else ("latency", "time")
    ratio, low, high = (row[f"{what}_{part}"] for part in ("ratio", "low", "high"))
    told = " (which charges nothing)" if word == "dearer" and 0 in _costs(row) else ""
    if row["first"] == best and math.isfinite(ratio) and math.isfinite(high):
        spread = "throughout" if math.isclose(low, high) else times_span(low, high)
        told = f" ({times(ratio)} the {noun}, {spread})"
    if word == "slower" and conditions(terms.clocks[row["first"]], terms.clocks[row["second"]]):
        told += OTHER
    if row["decided"] and row["answer"] == "equal":
        told += f", and better by less than {terms.within()}"
    return told


def _prices(
    names: Sequence[str],
    table: Mapping[str, Row],
    rows: Sequence[Row],
    shown: Mapping[str, str],
    terms: Terms,
) -> str:
    costs = {name: float(table[name]["cost_per_1k_usd"]) for name in names}
    if any(name in terms.unpriced or math.isnan(cost) for name, cost in costs.items()):
        return ""
    free = [name for name in names if costs[name] == 0]
    if len(free) == len(names):
        return "neither charges for an answer." if len(names) == 2 else "none charges for an answer."
    if len(free) > 1:
        rest = _range([cost for cost in costs.values() if cost > 0], usd)
        others = "the other" if len(names) == len(free) + 1 else "the others"
        called = together(free, shown)
        verb = "charges" if len(called) == 1 else "charge"
        return f"{listed(called)} {verb} nothing, {others} {rest} for 1,000 answers."
    return _lowest("cheapest", _lower(names, rows, _cheaper), costs, usd, "for 1,000 answers", shown)


def _times(
    names: Sequence[str],
    table: Mapping[str, Row],
    rows: Sequence[Row],
    shown: Mapping[str, str],
    terms: Terms,
) -> str:
    seconds = {name: float(table[name]["latency_p50_s"]) for name in names}
    if any(map(math.isnan, seconds.values())) or any(_faster(row) is None for row in rows):
        return ""
    other = any(conditions(terms.clocks[row["first"]], terms.clocks[row["second"]]) for row in rows)
    told = _lowest(
        "fastest", _lower(names, rows, _faster), seconds, three_digits, "s an answer (median)", shown
    )
    return f"{told[:-1]}; not all were timed under the same conditions." if other else told


def _lowest(
    word: str,
    lower: Lower,
    values: Mapping[str, float],
    told: Callable[[float], str],
    unit: str,
    shown: Mapping[str, str],
) -> str:
    """Who of them is the cheapest or the fastest, if one is shown to be, and what that is."""
    two = len(lower) == 2
    word = word.replace("est", "er") if two else word
    for name, others in lower.items():
        if len(others) == len(lower) - 1:
            rest = _range([value for other, value in values.items() if other != name], told)
            return f"the {word} is {shown[name]}: {told(values[name])} {unit}, against {rest}."
    nobody = "neither" if two else "none"
    return f"{nobody} is shown to be the {word}: {_range(list(values.values()), told)} {unit}."


def _price(row: Row, terms: Terms) -> str:
    cost = row["cost_per_1k_usd"]
    if row["name"] in terms.unpriced or math.isnan(cost):
        return ""
    return "charges nothing" if cost == 0 else f"costs {usd(cost)} for 1,000 answers"


def _lower(names: Sequence[str], rows: Sequence[Row], of: Callable[[Row], int | None]) -> Lower:
    found: dict[str, set[str]] = {name: set() for name in names}
    for row in rows:
        sides = (row["first"], row["second"])
        if side := of(row):
            low, high = sides if side < 0 else sides[::-1]
            found[low].add(high)
    return found


def _cheaper(row: Row) -> int | None:
    """−1 where the first is shown to be cheaper, 1 where the second is, 0 where neither; None if unknown."""
    one, two = _costs(row)
    if not (one >= 0 and two >= 0):
        return None
    if one == 0 or two == 0:
        return int(one > 0) - int(two > 0)
    if not math.isfinite(row["cost_high"]):
        return None
    if row["cost_n"] < FEWEST_ALIKE and alike(row):
        return 0
    return int(row["cost_low"] > 1) - int(row["cost_high"] < 1)


def _costs(row: Row) -> tuple[float, float]:
    return row["first_cost_usd"], row["second_cost_usd"]


def _faster(row: Row) -> int | None:
    """The same of times."""
    if not math.isfinite(row["latency_high"]):
        return None
    return int(row["latency_low"] > 1) - int(row["latency_high"] < 1)


def _range(values: Sequence[float], told: Callable[[float], str]) -> str:
    least, most = told(min(values)), told(max(values))
    return least if least == most else f"{least} to {most.removeprefix('USD ')}"
