"""The cheapest set of blocks that nobody is shown to beat: what follows from the effects that are decided.

A set is beaten where a decided effect says that another is better, or where another set's answers are. It
reads the frames of `labkit.summary.block_effects`, and calculates nothing but sums of prices.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from labkit.stats.factorial import Cell, Factorial

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """A set, by what it is chosen, and whether it was asked by itself."""

    cell: Cell
    priced: bool
    """Whether by price; else by input tokens."""
    asked: bool


def cheapest(
    design: Factorial,
    names: Sequence[str],
    effects: Sequence[Row],
    states: Sequence[Row],
    beaten: Collection[Cell],
) -> Choice | None:
    """The set, of those asked and, in balanced designs, of all others; None where each is beaten.

    `effects` and `states` are the rows of one prompt and model; `beaten` are the sets that others are
    decided to be better than.
    """
    balanced = design.resolution is None or design.resolution >= 3
    sets = list(product((True, False), repeat=design.k)) if balanced else list(design.cells)
    place = {name: at for at, name in enumerate(names)}
    paired = {row[side] for row in states for side in ("first", "second")}
    alone = [row for row in effects if row["decided"] and row["block"] not in paired]
    decided = [row for row in states if row["decided"]]
    left = [
        cell
        for cell in sets
        if cell not in beaten
        and not any(_lacks(cell, row, place, design) for row in alone)
        and not any(_worse(cell, row, place) for row in decided)
    ]
    if not left:
        return None
    priced = all(not math.isnan(row["cost_per_1k_usd"]) for row in effects) and len(effects) == len(names)
    amount = {row["block"]: row["cost_per_1k_usd" if priced else "input_tokens"] for row in effects}

    def dear(cell: Cell) -> tuple[float, int]:
        have = [name for name, inside in zip(names, cell, strict=True) if inside]
        return round(sum(amount.get(name) or 0.0 for name in have), 9), len(have)

    best = min(left, key=dear)
    return Choice(best, priced, best in design.cells)


def _lacks(cell: Cell, row: Row, place: Mapping[str, int], design: Factorial) -> bool:
    """Whether a decided effect of a block says that the set is better with it, or without it."""
    at = place[row["block"]]
    if any(cell[other] != inside for other, inside in design.conditions(at)):
        return False
    return bool(cell[at] != (row["effect"] > 0))


def _worse(cell: Cell, row: Row, place: Mapping[str, int]) -> bool:
    """Whether its state of two blocks is one that a decided comparison says is worse than another."""
    mine = (cell[place[row["first"]]], cell[place[row["second"]]])
    return bool(mine == (row["worse"] if row["effect"] > 0 else row["better"]))
