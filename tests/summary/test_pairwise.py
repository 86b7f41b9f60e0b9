"""labkit.summary: contenders, pairwise, pairwise_ratios, dominance, compact: the numbers behind a verdict."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labkit.errors import DefinitionError
from labkit.stats import mcnemar, paired_difference, ratio_of_means, ratio_of_typical, worst_case
from labkit.summary.clocks import RESOLUTION_S
from labkit.summary.compact_frame import compact
from labkit.summary.contender_table import contender_table
from labkit.summary.dominance import dominated
from labkit.summary.pairwise import COLUMNS, compare_pairs


def _study(rng, rates, *, samples=50, prompts=1, likeness=0.5, missing=0.0):
    """0/1 scores whose answers to one sample resemble each other."""
    shared = rng.random(samples)
    rows = []
    for model, rate in enumerate(rates):
        for prompt in range(prompts):
            mine = np.where(rng.random(samples) < likeness, shared, rng.random(samples))
            score = np.where(rng.random(samples) < missing, np.nan, (mine < rate) * 1.0)
            part = {"model": f"m{model}", "prompt": f"p{prompt}", "sample_id": np.arange(samples)}
            rows.append(pd.DataFrame({**part, "status": "done", "score.ok": score}))
    found = pd.concat(rows, ignore_index=True)
    found.attrs["scales"] = {"ok": (0, 1, 1)}
    return found


def test_one_pair_is_what_labkit_stats_says(rows):
    """Difference, ratios and worst case equal the functions of labkit.stats on the same samples."""
    frame = rows(samples=40, repeats=3)
    frame.loc[[3, 4, 5], "score.exact"] = np.nan
    found = contender_table(frame)
    row = compare_pairs(found).iloc[0]
    first, second = (found.names.index(name) for name in (row["first"], row["second"]))
    means = found.score.means
    alone = paired_difference(means[:, first], means[:, second], scale=found.score.scale)
    assert row["difference"] == pytest.approx(alone.difference[0])
    assert (row["low"], row["high"]) == pytest.approx((alone.low[0], alone.high[0]))
    assert (row["all_low"], row["all_high"]) == pytest.approx((row["low"], row["high"]))
    worst = worst_case(found.score, first, second)
    assert (row["worst_low"], row["worst_high"]) == pytest.approx((worst.low, worst.high))
    cost = ratio_of_means(found.cost.means[:, first], found.cost.means[:, second])
    assert row["cost_ratio"] == pytest.approx(cost.estimate)
    seconds = ratio_of_typical(found.latency.means[:, first], found.latency.means[:, second])
    faster = min(row["first_latency_s"], row["second_latency_s"])
    assert (row["latency_ratio"], row["latency_low"]) == pytest.approx(
        (seconds.estimate, seconds.low / (1 + RESOLUTION_S / faster))
    )


def test_all_documented_columns_are_there_also_without_pairs(rows):
    """The frame has its columns in their order, with two models, with one, and with repeats and prompts."""
    for frame in (rows(), rows(models=["m"]), rows(prompts=["p", "q"])):
        assert list(compare_pairs(contender_table(frame)).columns) == list(COLUMNS)


@pytest.mark.parametrize("seed", range(5))
def test_the_better_stands_first_and_nothing_else_changes(seed):
    """Whatever the order of names, the difference is not negative, and wins are the first one's."""
    rng = np.random.default_rng(seed)
    frame = _study(rng, rng.uniform(0.2, 0.8, 4), missing=0.1)
    found = compare_pairs(contender_table(frame))
    assert (found["difference"] >= 0).all()
    renamed = frame.assign(model=frame["model"].map({"m0": "z", "m1": "y", "m2": "b", "m3": "a"}))
    other = compare_pairs(contender_table(renamed)).sort_values("difference")
    ordered = found.sort_values("difference")
    for name in ("difference", "all_low", "all_high", "p_holm", "worst_low", "worst_high"):
        assert ordered[name].to_numpy() == pytest.approx(other[name].to_numpy())


def test_joint_intervals_are_wider_and_contain_each_pairs_own():
    """The interval that holds for all pairs together contains that of the pair alone."""
    found = compare_pairs(contender_table(_study(np.random.default_rng(1), [0.4, 0.5, 0.6])))
    assert (found["all_low"] <= found["low"]).all()
    assert (found["all_high"] >= found["high"]).all()


def test_mcnemar_and_the_interval_tell_the_same_story():
    """On one outcome per sample, decided pairs have a small exact p value too, within the methods' slack."""
    rng = np.random.default_rng(3)
    for _ in range(30):
        frame = _study(rng, [0.4, 0.7], samples=80)
        found = contender_table(frame)
        row = compare_pairs(found).iloc[0]
        exact = mcnemar(found.score.means[:, 0], found.score.means[:, 1]).p_value
        assert exact < 0.1 if row["decided"] else exact > 0.01


def test_what_was_not_asked_is_not_missing(rows):
    """A model asked of half the samples has no missing answers; one that failed on half has."""
    frame = rows(samples=20, repeats=1)
    part = frame[(frame["model"] == "local/a") | (frame["sample_id"].str[1:].astype(int) < 10)]
    assert compare_pairs(contender_table(part))["missing"].item() == 0
    assert compare_pairs(contender_table(part))["n"].item() == 10
    gone = frame.copy()
    gone.loc[gone.index[:10], "score.exact"] = np.nan
    assert compare_pairs(contender_table(gone))["missing"].item() == 10


def test_a_sample_in_two_clusters_is_refused(rows):
    """Clusters that split a sample cannot be units."""
    frame = rows(repeats=2).assign(author=lambda f: f["repeat"])
    with pytest.raises(DefinitionError, match="two clusters"):
        contender_table(frame, clusters="author")


def test_slim_changes_no_number(rows):
    """A frame cut to what is read gives the same pairs."""
    frame = rows(models=["b/x", "a/y"], prompts=["q", "p"]).assign(text="long", raw="{}")
    cut = compact(frame, "score.exact")
    assert "text" not in cut.columns
    whole, less = compare_pairs(contender_table(frame)), compare_pairs(contender_table(cut))
    pd.testing.assert_frame_equal(whole, less)


def test_next_to_no_difference_needs_no_impossible_number():
    """Means that differ by a rounding error are level; tiny differences ask for a number that exists."""
    rows = [
        {"model": m, "sample_id": s, "status": "done", "score.ok": ((s % 3) / 3 + (m == "b") * e) / 1.1}
        for m in "ab"
        for s in range(30)
        for e in ((-1) ** s * 0.3 + 1e-13, (-1) ** s * 0.3 + 1e-13)
    ]
    row = compare_pairs(contender_table(pd.DataFrame(rows))).iloc[0]
    assert row["difference"] == 0
    assert pd.isna(row["samples_needed"])
    for row in rows[len(rows) // 2 :]:
        row["score.ok"] += 1e-7
    assert compare_pairs(contender_table(pd.DataFrame(rows)))["samples_needed"].item() == 1_000_000_000


def test_dominated_needs_all_three(rows):
    """Nobody is dominated by one that is only cheaper, or only better."""
    row = {"first": "b", "second": "a", "decided": True, "first_cost_usd": 1.0, "second_cost_usd": 2.0}
    row |= {"cost_ratio": 0.5, "cost_high": 0.7, "latency_ratio": 0.5, "latency_high": 0.7}
    assert dominated(pd.DataFrame([row])) == {"a": "b"}
    for change in (
        {"decided": False},
        {"cost_high": 1.1},
        {"latency_high": 1.1},
        {"cost_ratio": np.nan, "first_cost_usd": np.nan},
    ):
        assert dominated(pd.DataFrame([row | change])) == {}
    free = row | {"cost_ratio": np.nan, "first_cost_usd": 0.0, "second_cost_usd": 0.0}
    assert dominated(pd.DataFrame([free])) == {"a": "b"}
