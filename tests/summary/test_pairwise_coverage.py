"""labkit.summary.pairwise: over many studies intervals cover and decisions err as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from labkit.summary.contender_table import contender_table
from labkit.summary.pairwise import compare_pairs
from tests.summary.test_pairwise import _study


@pytest.mark.parametrize("studies", [60, pytest.param(2000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("rates", [(0.5, 0.6), (0.98, 0.9), (0.02, 0.07)])
@pytest.mark.parametrize("prompts", [1, 2])
def test_intervals_cover_over_prompts_and_missing_answers(studies, rates, prompts):
    """With prompts held equal, alike samples and a tenth missing, 95 % intervals cover as they say."""
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(studies):
        found = contender_table(_study(rng, rates, prompts=prompts, likeness=0.7, missing=0.1))
        row = compare_pairs(found).iloc[0]
        true = (rates[0] - rates[1]) * (1 if row["first"] == "m0" else -1)
        hits += bool(row["low"] <= true <= row["high"])
    # Two points of slack, and what chance does to so few studies.
    assert hits / studies >= 0.93 - 2.6 * (0.05 * 0.95 / studies) ** 0.5


@pytest.mark.parametrize("studies", [40, pytest.param(1500, marks=pytest.mark.soak)])
def test_false_claims_over_all_pairs_stay_at_the_level(studies):
    """Among five equal models any claim at all is false: at most one study in twenty makes one."""
    rng = np.random.default_rng(8)
    wrong = sum(
        bool(compare_pairs(contender_table(_study(rng, [0.5] * 5)))["decided"].any()) for _ in range(studies)
    )
    assert wrong / studies <= 0.06 + 2.6 * (0.05 * 0.95 / studies) ** 0.5


@pytest.mark.parametrize("studies", [25, pytest.param(400, marks=pytest.mark.soak)])
def test_a_watched_study_errs_rarely_however_long_one_looks(studies):
    """Looking after every ten samples until decided: equal models are told apart in at most 5 %."""
    rng = np.random.default_rng(9)
    wrong = 0
    for _ in range(studies):
        frame = _study(rng, [0.6, 0.6], samples=120)
        looks = (frame[frame["sample_id"] < n] for n in range(10, 121, 10))
        wrong += any(compare_pairs(contender_table(part), watched=True)["decided"].item() for part in looks)
    assert wrong / studies <= 0.05 + 2.6 * (0.05 * 0.95 / studies) ** 0.5
