"""What can be said of prices: how many times dearer one of a pair is, who charges nothing, what is not known.

It reads one row of `labkit.summary.pairwise`; it calculates nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from labkit.summary.contender_names import together
from labkit.verdict.amounts import listed, times, times_span, usd

Row = Mapping[str, Any]


def at_price(row: Row, names: tuple[str, str], unpriced: Sequence[str], *, only_shown: bool) -> str:
    """The price as the end of a sentence about the first: " at 0.58× the price (0.54× to 0.62×)".

    `unpriced` are those of the two with answers whose cost is not known. With `only_shown` nothing but a
    ratio that is shown to differ from 1; the rest is said of several pairs at once (`price_notes`).
    """
    if only_shown and not _differs(row):
        return ""
    if not _has_ratio(row):
        said = _without_ratio(row, names, unpriced)
        return f"; {said}" if said else ""
    if alike(row, at=1):
        return " at the same price throughout"
    if row["cost_low"] <= 1 <= row["cost_high"]:
        return f" at a price that is not shown to differ ({_spread(row)})"
    return f" at {times(row['cost_ratio'])} the price ({_spread(row)})"


def price_sentence(row: Row, names: tuple[str, str], unpriced: Sequence[str], *, only_shown: bool) -> str:
    """The price as a sentence of its own; empty where nothing is known. `only_shown` as in `at_price`."""
    if only_shown and not _differs(row):
        return ""
    if not _has_ratio(row):
        said = _without_ratio(row, names, unpriced)
        begin = said if said.startswith(names) else f"{said[:1].upper()}{said[1:]}"
        return f"{begin}." if said else ""
    if alike(row, at=1):
        return "Both cost the same throughout."
    if row["cost_low"] <= 1 <= row["cost_high"]:
        return f"Their prices are not shown to differ ({_spread(row)})."
    return f"{names[0]} costs {times(row['cost_ratio'])} what {names[1]} does ({_spread(row)})."


def price_notes(costs: Mapping[str, float], shown: Mapping[str, str], unpriced: Collection[str]) -> list[str]:
    """What an answer costs where ratios cannot tell it, of several pairs: who charges nothing, who how much.

    `costs` are those of 1,000 answers by contender (USD); `unpriced` are those with a cost not known.
    """
    known = {name: cost for name, cost in costs.items() if name not in unpriced and math.isfinite(cost)}
    free = [name for name, cost in known.items() if cost == 0]
    if not free:
        return []
    if len(free) == len(costs):
        return ["none of them charges for an answer"]
    nothing = together(free, shown)
    charging = [f"{shown[name]} {usd(cost)}" for name, cost in known.items() if cost > 0]
    said = f"{listed(nothing)} {'charges' if len(nothing) == 1 else 'charge'} nothing"
    return [f"{said}; for 1,000 answers {listed(charging)}" if charging else said]


def alike(row: Row, *, at: float | None = None) -> bool:
    """Whether prices were in one ratio throughout (in that one), so that their range is no interval."""
    low, high = row["cost_low"], row["cost_high"]
    return math.isclose(low, high) and (at is None or math.isclose(low, at))


def _spread(row: Row) -> str:
    over = "" if row["cost_n"] == row["n"] else f", over {row['cost_n']:,} priced"
    return f"{'throughout' if alike(row) else times_span(row['cost_low'], row['cost_high'])}{over}"


def _without_ratio(row: Row, names: tuple[str, str], unpriced: Sequence[str]) -> str:
    if unpriced:
        return f"what {' and '.join(unpriced)} {'costs' if len(unpriced) == 1 else 'cost'} is not known"
    one, two = row["first_cost_usd"], row["second_cost_usd"]
    if one == two == 0:
        return "neither charges for an answer"
    if one == 0 and two > 0:
        return f"{names[0]} charges nothing, {names[1]} {usd(two * 1000)} for 1,000 answers"
    if two == 0 and one > 0:
        return f"{names[0]} charges {usd(one * 1000)} for 1,000 answers, {names[1]} nothing"
    return ""


def _differs(row: Row) -> bool:
    return _has_ratio(row) and not row["cost_low"] <= 1 <= row["cost_high"]


def _has_ratio(row: Row) -> bool:
    return math.isfinite(row["cost_ratio"]) and math.isfinite(row["cost_high"])
