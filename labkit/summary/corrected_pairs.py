"""Pairs by a judge's score as people's labels correct them: the difference, its interval, what labels were
worth.

Where a pair has too few labelled samples in common it goes by labels alone, and without any by the judge,
whom then nobody has checked. It tells numbers; the words are `labkit.verdict.judge_words`'.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.stats import Pairs, corrected_difference, labels_to_decide
from labkit.stats.adjusted_t import AdjustedT
from labkit.stats.corrected import Corrected
from labkit.summary.contender_table import ContenderTable
from labkit.summary.scores import LEAST_LABELS

ADVISED = 30
"""With fewer labelled samples in common it is said that they are few."""
CORRECTED, LABELS, JUDGE = "corrected", "labels", "judge"
"""What a pair goes by."""
COLUMNS = (
    "basis", "labelled", "label_worth", "judged_worth", "judge_difference", "judge_opposite", "judge_blind",
    "labels_needed",
)  # fmt: skip


def corrected_pairs(given: ContenderTable, pairs: Pairs) -> tuple[Pairs, Corrected, NDArray[Any]]:
    """`pairs` by the judge, corrected where labels allow, else by labels alone; what the labels were found to
    be worth, and what each pair goes by."""
    assert given.labels is not None
    first, second = pairs.first, pairs.second
    found = corrected_difference(
        given.labels.means[:, first] - given.labels.means[:, second],
        given.score.means[:, first] - given.score.means[:, second],
        common=given.answered[:, first] & given.answered[:, second],
        clusters=given.score.clusters,
        scale=given.score.scale,
        level=pairs.level,
    )
    basis = np.where(found.n >= LEAST_LABELS, CORRECTED, np.where(found.n > 1, LABELS, JUDGE))
    t = pairs.t
    for name, of in ((CORRECTED, found.t), (LABELS, found.alone)):
        t = _where(basis == name, of, t)
    made = replace(pairs, t=t, difference=t.mean, p_value=t.p_value())
    low, high = made.limits(pairs.level)
    return replace(made, low=low, high=high), found, basis


def _where(chosen: NDArray[np.bool_], of: AdjustedT, other: AdjustedT) -> AdjustedT:
    names = [field.name for field in fields(AdjustedT) if field.name != "united"]
    return replace(
        other, **{name: np.where(chosen, getattr(of, name), getattr(other, name)) for name in names}
    )


def label_columns(
    found: Corrected,
    basis: NDArray[Any],
    turn: NDArray[np.bool_],
    *,
    decided: NDArray[np.bool_],
    alpha: float,
) -> dict[str, Any]:
    """The columns `COLUMNS` of pairs of which some were `turn`ed, in which the first is the better one."""
    import pandas as pd

    judge = found.judge.turned(turn)
    opposite = (judge.mean < 0) & (judge.p_value() < alpha) & (basis == CORRECTED)
    needed: list[int | None] = []
    for place, name in enumerate(basis):
        open_ = name != JUDGE and not decided[place]
        total = labels_to_decide(found, place, alpha=alpha) if open_ else None
        needed.append(None if total is None else max(1, total - int(found.n[place])))
    return {
        "basis": basis,
        "labelled": found.n,
        "label_worth": found.label_worth,
        "judged_worth": found.judged_worth,
        "judge_difference": judge.mean,
        "judge_opposite": opposite,
        "judge_blind": found.blind,
        "labels_needed": pd.array(needed, dtype="Int64"),
    }
