"""The answers of one prompt's sets of blocks on one model, and contrasts of them as two contenders.

A contrast is one number a sample: its mean over the sets with a block less that over the sets without it. Its
two sides are contenders of a `ContenderTable` like any others, so that they are compared like any others. It
compares nothing itself, and knows no words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labkit.prompts.block_sets import BlockSets
from labkit.stats import paired_difference
from labkit.stats.factorial import Factorial, sides
from labkit.stats.scale import UNKNOWN, Scale
from labkit.stats.table import Table, sample_tables
from labkit.stats.units import Floats
from labkit.summary.clocks import clocks
from labkit.summary.contender_table import ContenderTable, contender_table, contenders
from labkit.summary.first_asking import FirstAskings, first_askings
from labkit.summary.scores import codes, floats

if TYPE_CHECKING:
    import pandas as pd

SIDES = ("with", "without")
TOKENS = ("input_tokens", "fresh_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


@dataclass(frozen=True, eq=False)
class SetAnswers:
    """The answers of one prompt's sets on one model."""

    sets: BlockSets
    model: str
    table: ContenderTable
    """A contender for each set that was asked."""
    tokens: Mapping[str, Table]
    frame: pd.DataFrame
    first: FirstAskings
    contender: NDArray[np.intp]

    @cached_property
    def design(self) -> Factorial:
        """The sets that were asked, in the order of the table's contenders."""
        return Factorial(tuple(self.sets.cells[name] for name in self.table.names))

    @property
    def failing(self) -> float:
        """The share of answers of the prompt with most blocks that have no score."""
        whole = max(range(len(self.design.cells)), key=lambda at: sum(self.design.cells[at]))
        asked = self.table.asked[:, whole]
        return float(np.isnan(self.table.score.means[asked, whole]).mean()) if asked.any() else 1.0

    def contrast(self, weights: Floats) -> ContenderTable:
        """The two sides of a contrast as contenders; a sample that lacks an answer of a set has none."""
        both, given = sides(weights), self.table
        used = weights != 0
        asked = given.asked[:, used].all(axis=1)
        least, most = given.at_ends()
        side = np.where(both[0] > 0, 0, np.where(both[1] > 0, 1, -1))[self.contender]
        return replace(
            given,
            by=("side",),
            keys=tuple((name,) for name in SIDES),
            names=SIDES,
            score=replace(_averaged(given.score, both), scale=_scale(given.score.scale, weights)),
            cost=_averaged(given.cost, both),
            latency=_typical(given.latency, both),
            ttft=_typical(given.ttft, both),
            asked_at=_averaged(given.asked_at, both),
            asked=np.column_stack([asked, asked]),
            cost_known=np.zeros(len(SIDES), dtype=bool),  # what it adds to the price `amounts` tells
            clocks=clocks(self.frame, self.first, side, tuple((self.model,) for _ in SIDES)),
            ends=(_mean(least, both), _mean(most, both)),
        )

    def amounts(self, weights: Floats, level: float) -> dict[str, float]:
        """What a block adds to tokens and price; NaN where that is not known. What it adds to the answer and
        to the price has an interval at `level`; what it adds to the input is counted."""
        both = sides(weights)
        found = {}
        for name, table in self.tokens.items():
            one, two = _mean(table.means, both).T
            found[name] = _mean_of(one - two)
            if name == "output_tokens":
                found |= self._interval(name, one, two, level)
        if self.table.cost_known[weights != 0].all():
            one, two = 1000 * _mean(self.table.cost.means, both).T
            found |= {"cost_per_1k_usd": _mean_of(one - two)} | self._interval(
                "cost_per_1k_usd", one, two, level
            )
        return found

    def _interval(self, name: str, one: Floats, two: Floats, level: float) -> dict[str, float]:
        row = paired_difference(one, two, clusters=self.table.score.clusters, level=level)
        return {f"{name}_low": float(row.low[0]), f"{name}_high": float(row.high[0])}


def set_answers(
    frame: pd.DataFrame, every: Sequence[BlockSets], *, score: str, clusters: str | None, better: str
) -> Iterator[SetAnswers]:
    """The answers of each prompt's sets on each model that was asked more than one of them."""
    for sets in every:
        mine = frame[frame["prompt"].astype(str).isin(list(sets.cells))]
        for model in dict.fromkeys(mine["model"].astype(str)):
            part = mine[mine["model"].astype(str) == model].reset_index(drop=True)
            part.attrs = dict(frame.attrs)
            if part["prompt"].nunique() > 1:
                yield _set_answers(part, sets, model, score, clusters, better)


def _set_answers(
    frame: pd.DataFrame, sets: BlockSets, model: str, score: str, clusters: str | None, better: str
) -> SetAnswers:
    found = contender_table(frame, by="prompt", score=score, clusters=clusters)
    contender, _ = contenders(frame, ("prompt",))
    done = (frame["status"] == "done").to_numpy()
    counts = {name: floats(frame, name) for name in TOKENS if name != "fresh_tokens"}
    cached = sum(np.nan_to_num(counts[name]) for name in ("cache_read_tokens", "cache_write_tokens"))
    counts["fresh_tokens"] = counts["input_tokens"] - cached
    for name in ("cache_read_tokens", "cache_write_tokens"):
        # What is not reported of an answer whose input is counted was not kept for it.
        counts[name] = np.where(np.isnan(counts["input_tokens"]), np.nan, np.nan_to_num(counts[name]))
    columns = [np.where(done, counts[name], np.nan) for name in TOKENS]
    tables = sample_tables(columns, codes(frame["sample_id"]), contender, scales=[UNKNOWN] * len(TOKENS))
    return SetAnswers(
        sets=sets,
        model=model,
        table=found if better == "higher" else found.turned(),
        tokens=dict(zip(TOKENS, tables, strict=True)),
        frame=frame,
        first=first_askings(frame, ("prompt",)),
        contender=contender,
    )


def _mean(means: Floats, both: tuple[Floats, Floats]) -> Floats:
    """The mean over the sets of each side, a column each; NaN in one of them is NaN in the mean."""
    return np.column_stack([means[:, one > 0] @ one[one > 0] for one in both])


def _averaged(table: Table, both: tuple[Floats, Floats]) -> Table:
    means = _mean(table.means, both)
    # A sample that lacks one side is in none: sides are compared over the same samples.
    means[np.isnan(means).any(axis=1)] = np.nan
    return replace(
        table, means=means, counts=(~np.isnan(means)).astype(np.intp), contenders=np.arange(len(SIDES))
    )


def _typical(table: Table, both: tuple[Floats, Floats]) -> Table:
    with np.errstate(divide="ignore"):
        logarithms = replace(table, means=np.log(table.means))
    found = _averaged(logarithms, both)
    return replace(found, means=np.exp(found.means))


def _scale(scale: Scale, weights: Floats) -> Scale:
    """Of the sides of a contrast: a mean over several sets moves in smaller steps than one answer does."""
    size, least = float(np.maximum(weights, 0).sum()), float(np.abs(weights[weights != 0]).min())
    step = None if scale.step is None else scale.step * least
    if math.isclose(size, 1):
        return replace(scale, step=step)
    low, high = sorted((scale.low * size, scale.high * size))
    return Scale(low, high, step) if scale.bounded else Scale()


def _mean_of(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan
