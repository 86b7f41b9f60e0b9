"""labkit.verdict.several: of equal models hardly a study claims a difference, by however many scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from labkit.stats import holm
from labkit.summary.contender_table import contender_table
from labkit.summary.pairwise import compare_pairs, p_values

STUDIES = 200
"""Enough to see that four scores corrected each by itself claim too much."""
MOST = stats.binom.ppf(0.999, STUDIES, 0.05)


@pytest.fixture(scope="module")
def claims() -> dict[str, int]:
    """How many studies of three equal models claim a difference: by 2 and 4 scores together, by 4 alone."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame([{"model": m, "sample_id": s, "status": "done"} for m in "abc" for s in range(60)])
    found = dict.fromkeys(("2", "4", "alone"), 0)
    for _ in range(STUDIES):
        tables = []
        for rated in (False, True, False, True):
            frame["score.s"] = rng.integers(1, 6, 180) if rated else rng.integers(0, 2, 180)
            tables.append(contender_table(frame, bounds=(1, 5) if rated else (0, 1), step=1))
        families = [p_values(table) for table in tables]
        for scores in (2, 4):
            others = [np.concatenate([*families[:at], *families[at + 1 : scores]]) for at in range(scores)]
            together = zip(tables, others, strict=False)
            found[str(scores)] += any(
                compare_pairs(table, beside=other)["decided"].any() for table, other in together
            )
        found["alone"] += any((holm(family) < 0.05).any() for family in families)
    return found


@pytest.mark.parametrize("scores", ["2", "4"])
def test_no_more_than_one_in_twenty_studies_claims_a_difference(scores: str, claims: dict[str, int]) -> None:
    """By any of the scores, over all pairs of all, as far as so many studies can tell (99.9 %)."""
    assert claims[scores] <= MOST


def test_scores_that_do_not_count_each_other_claim_too_much(claims: dict[str, int]) -> None:
    """The same studies show it where each of four scores is corrected by itself."""
    assert claims["alone"] > MOST
