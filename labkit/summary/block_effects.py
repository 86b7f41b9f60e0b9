"""What each block of a prompt is worth: its effect and those of pairs, as frames, corrected as families.

Effects are contrasts of a prompt's sets (`set_answers`), compared as any two contenders are: intervals,
corrections, missing answers, prices and clocks are those of `pairwise`. It knows no words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from labkit.stats import benjamini_hochberg, holm, pairwise
from labkit.stats.factorial import Cell, Factorial, Pair
from labkit.stats.units import Floats
from labkit.summary.contender_table import ContenderTable
from labkit.summary.pairwise import compare_pairs, p_values
from labkit.summary.set_answers import SIDES, TOKENS, SetAnswers

if TYPE_CHECKING:
    import pandas as pd

FAILING = 0.2
"""Where more answers of the prompt as it was written have no score, nothing is told of its blocks."""
CONDITIONS = 6
"""How many comparisons of its four states a pair of blocks has."""

EFFECTS = (
    "prompt", "model", "block", "samples", "units", "effect", "low", "high", "all_low", "all_high",
    "p_value", "p_holm", "decided", "no_worse_without", "missing", "worst_low", "worst_high",
    "samples_needed",
    *TOKENS, "output_tokens_low", "output_tokens_high",
    "cost_per_1k_usd", "cost_per_1k_usd_low", "cost_per_1k_usd_high",
    "latency_ratio", "latency_low", "latency_high", "failing", "level",
)  # fmt: skip
PAIRS = (
    "prompt", "model", "blocks", "aliased", "samples", "effect", "low", "high", "p_value", "p_bh", "decided",
    "level",
)  # fmt: skip
STATES = (
    "prompt", "model", "first", "second", "better", "worse", "effect", "all_low", "all_high", "decided",
)  # fmt: skip


def main_effects(
    answers: Sequence[SetAnswers], *, margin: float | None, level: float, watched: bool
) -> pd.DataFrame:
    """One row per block and model: what it adds to the score, to tokens, price and time. Columns:

    - `prompt`, `model`, `block` (str); `samples`, `units` (int): what the effect rests on
    - `effect` (float): mean score with the block − without it, averaged over the other blocks, better up;
      `low`, `high` at `level` for it alone; `all_low`, `all_high` for all rows together; `p_value`, `p_holm`
      (Holm over all rows), `decided` (bool)
    - `no_worse_without` (boolean, NA without `margin`): without it the score is worse by less than the margin
    - `missing` (int): samples that lack an answer; `worst_low`, `worst_high`: `all_low`, `all_high` whatever
      those would have been; `samples_needed` (Int64)
    - `input_tokens`, of which `fresh_tokens`, `cache_read_tokens`, `cache_write_tokens`; `output_tokens`;
      `cost_per_1k_usd`: what it adds (NaN: not known), the last two with `…_low`, `…_high`
    - `latency_ratio` with it ÷ without it, with `latency_low`, `latency_high`
    - `failing` (float): share of answers of the prompt with most blocks that have no score
    """
    import pandas as pd

    told: list[tuple[SetAnswers, int, Floats]] = []
    for one in answers:
        effects = [one.design.main(factor) for factor in range(one.design.k)]
        told += [(one, factor, weights) for factor, weights in enumerate(effects) if weights is not None]
    tables = [one.contrast(weights) for one, _, weights in told]
    family = [float(p_values(table, watched=watched)[0]) for table in tables]
    together = 1 - (1 - level) / max(1, int(np.isfinite(family).sum()))
    rows = []
    for place, ((one, factor, weights), table) in enumerate(zip(told, tables, strict=True)):
        row = _compared(table, _beside(family, place), margin=margin, level=level, watched=watched)
        row |= {"prompt": one.sets.prompt, "model": one.model, "block": one.sets.names[factor]}
        row |= one.amounts(weights, together) | {"failing": one.failing}
        rows.append(row)
    found = pd.DataFrame(rows, columns=list(EFFECTS))
    return found.astype({"samples_needed": "Int64", "no_worse_without": "boolean"})


def pair_effects(answers: Sequence[SetAnswers], *, level: float, watched: bool) -> pd.DataFrame:
    """One row per pair of blocks and model, or per pairs that the sets cannot tell apart (`aliased`).

    `blocks` is a tuple of pairs of names. `effect` is half of what the effect of one block is greater for
    where the other is in, with `low`, `high` at `level` for it alone; `p_bh`: Benjamini and Hochberg's over
    all rows; `decided` (bool).
    """
    import pandas as pd

    told = [(one, pairs, weights) for one in answers for pairs, weights in one.design.strings.items()]
    tables = [one.contrast(weights) for one, _, weights in told]
    family = [float(p_values(table, watched=watched)[0]) for table in tables]
    rows = []
    for place, ((one, pairs, _), table) in enumerate(zip(told, tables, strict=True)):
        row = _compared(table, _beside(family, place), margin=None, level=level, watched=watched)
        blocks = tuple((one.sets.names[first], one.sets.names[second]) for first, second in pairs)
        row |= {"prompt": one.sets.prompt, "model": one.model, "blocks": blocks, "aliased": len(pairs) > 1}
        rows.append(row)
    found = pd.DataFrame(rows, columns=[name for name in PAIRS if name != "p_bh"])
    found.insert(PAIRS.index("p_bh"), "p_bh", benjamini_hochberg(found["p_value"].to_numpy(dtype=float)))
    if not watched:
        found["decided"] = found["p_bh"].fillna(1.0) < 1 - level
    return found


def states(
    answers: Sequence[SetAnswers], pairs: pd.DataFrame, *, level: float, watched: bool
) -> pd.DataFrame:
    """The four states of each decided pair of blocks against one another: neither, either, both.

    `better` and `worse` are (first is in, second is in); `effect` is the mean score of the one − of the other
    with `all_low`, `all_high`, and `decided` (bool), over all comparisons that there may be of pairs.
    """
    import pandas as pd

    tests = CONDITIONS * max(1, int((~pairs["aliased"].astype(bool)).sum()))
    decided = pairs[pairs["decided"].astype(bool) & ~pairs["aliased"].astype(bool)]
    chosen = set(zip(decided["prompt"], decided["model"], decided["blocks"], strict=True))
    rows = []
    for one in answers:
        for members in one.design.strings:
            blocks = tuple((one.sets.names[a], one.sets.names[b]) for a, b in members)
            if (one.sets.prompt, one.model, blocks) not in chosen:
                continue
            for upper, lower, weights in _contrasts(one.design, members[0]):
                row = _compared(
                    one.contrast(weights), np.ones(tests - 1), margin=None, level=level, watched=watched
                )
                row |= {"prompt": one.sets.prompt, "model": one.model, "better": upper, "worse": lower}
                rows.append(row | dict(zip(("first", "second"), blocks[0], strict=True)))
    return pd.DataFrame(rows, columns=list(STATES))


def beaten(one: SetAnswers, *, level: float) -> set[Cell]:
    """Sets that another is decided to be better than, by Holm's correction over all pairs of them."""
    pairs = pairwise(one.table.score, level=level).better_first()
    decided = np.nan_to_num(holm(pairs.p_value), nan=1.0) < 1 - level
    return {one.design.cells[place] for place in pairs.second[decided]}


State = tuple[bool, bool]


def _contrasts(design: Factorial, pair: Pair) -> Iterator[tuple[State, State, Floats]]:
    a, b = pair
    found: list[tuple[State, State, Floats | None]] = []
    for inside in (True, False):
        found.append(((True, inside), (False, inside), design.given(a, b, inside=inside)))
        found.append(((inside, True), (inside, False), design.given(b, a, inside=inside)))
    found.append(((True, True), (False, False), design.together(a, b, alike=True)))
    found.append(((True, False), (False, True), design.together(a, b, alike=False)))
    yield from ((upper, lower, weights) for upper, lower, weights in found if weights is not None)


def _beside(family: Sequence[float], place: int) -> Floats:
    return np.array([*family[:place], *family[place + 1 :]])


def _compared(
    table: ContenderTable, beside: ArrayLike, *, margin: float | None, level: float, watched: bool
) -> dict[str, Any]:
    """The one row of `compare_pairs`, turned so that it tells of the side with the block."""
    import pandas as pd

    pairs = compare_pairs(table, margin=margin, level=level, beside=beside, watched=watched)
    row: dict[str, Any] = {str(name): pairs[name].iloc[0] for name in pairs.columns}
    found = row | {"effect": row["difference"]}
    if row["first"] != SIDES[0]:
        found["effect"] = -row["difference"]
        for low, high in (("low", "high"), ("all_low", "all_high"), ("worst_low", "worst_high")):
            found[low], found[high] = -row[high], -row[low]
        with np.errstate(divide="ignore"):
            turned = [float(1 / np.float64(row[f"latency_{end}"])) for end in ("ratio", "high", "low")]
        found |= dict(zip(("latency_ratio", "latency_low", "latency_high"), turned, strict=True))
    limit = found["worst_high"] if found["missing"] else found["all_high"]
    found["no_worse_without"] = pd.NA if margin is None else bool(limit < margin)
    return found
