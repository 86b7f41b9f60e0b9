"""labkit.summary.set_answers, block_effects: what a block adds, as the arithmetic by hand has it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labkit.stats import benjamini_hochberg, holm, paired_difference
from labkit.stats.factorial import Factorial
from labkit.stats.scale import Scale
from labkit.summary.block_effects import beaten, main_effects, pair_effects, states
from labkit.summary.compact_frame import compact
from labkit.summary.set_answers import set_answers
from tests.verdict.blocks import TOKENS, asked


def gathered(frame, sets, *, better="higher", clusters=None):
    """The answers of each model, as the ablation reads them."""
    cut = compact(frame, "score.exact", clusters, "cache_read_tokens", "cache_write_tokens")
    return list(set_answers(cut, sets, score="exact", clusters=clusters, better=better))


def effects(frame, sets, *, margin=None, level=0.95, watched=False, **more):
    """The main effects."""
    return main_effects(gathered(frame, sets, **more), margin=margin, level=level, watched=watched)


def by_hand(frame, sets, weights, column="score.exact"):
    """Per sample, the weighted sum over the sets."""
    cells = Factorial(tuple(sets[0].cells.values())).cells
    prompts = {cell: name for name, cell in sets[0].cells.items()}
    wide = frame.pivot_table(index="sample_id", columns="prompt", values=column, dropna=False)
    return sum(weight * wide[prompts[cell]] for cell, weight in zip(cells, weights, strict=True) if weight)


@pytest.mark.parametrize("k", [2, 3, 5, 6, 9])
def test_an_effect_is_the_mean_of_the_contrast_of_each_sample(k):
    """With its interval, p value and Holm's correction, as `paired_difference` has them of the two sides."""
    frame, sets = asked(k, 40, effects={"examples": 0.2})
    found, known = effects(frame, sets), Factorial(tuple(sets[0].cells.values()))
    tests, p_values = k, []
    for factor in range(k):
        weights = known.main(factor)
        contrast = by_hand(frame, sets, weights)
        row = found.iloc[factor]
        assert row["block"] == sets[0].names[factor]
        assert row["effect"] == pytest.approx(contrast.mean())
        upper = by_hand(frame, sets, np.maximum(weights, 0))
        scale = Scale(0, 1, float(np.abs(weights[weights != 0]).min()))
        pairs = paired_difference(upper, upper - contrast, scale=scale)
        assert (row["low"], row["high"]) == pytest.approx((pairs.low[0], pairs.high[0]))
        wide = pairs.limits(1 - 0.05 / tests)
        assert (row["all_low"], row["all_high"]) == pytest.approx((wide[0][0], wide[1][0]))
        p_values.append(pairs.p_value[0])
    assert found["p_holm"].tolist() == pytest.approx(holm(p_values).tolist())
    assert found["decided"].tolist() == (holm(p_values) < 0.05).tolist()


def test_pair_effects_are_one_family_of_their_own():
    """Half of the difference that the other block makes, corrected by Benjamini and Hochberg."""
    frame, sets = asked(3, 60, pairs={("examples", "style"): 0.4}, base=0.3)
    found = pair_effects(gathered(frame, sets), level=0.95, watched=False)
    assert found["blocks"].tolist() == [
        (("examples", "style"),), (("examples", "policy"),), (("style", "policy"),),
    ]  # fmt: skip
    known = Factorial(tuple(sets[0].cells.values()))
    contrast = by_hand(frame, sets, known.strings[((0, 1),)])
    assert found["effect"].iloc[0] == pytest.approx(contrast.mean())
    assert found["p_bh"].tolist() == pytest.approx(benjamini_hochberg(found["p_value"]).tolist())
    assert found["decided"].tolist() == [True, False, False]


def test_of_pairs_a_few_chance_finds_are_let_through():
    """Two pairs of which Holm's correction would claim one are both told, as may be."""
    pairs = {("examples", "style"): 0.25, ("style", "policy"): 0.25}
    frame, sets = asked(3, 60, pairs=pairs, base=0.2, seed=17)
    found = pair_effects(gathered(frame, sets), level=0.95, watched=False)
    assert (holm(found["p_value"]) < 0.05).tolist() == [True, False, False]
    assert found["decided"].tolist() == [True, False, True]


def test_states_compare_neither_either_and_both():
    """Of a decided pair: six comparisons, corrected for all that there might have been."""
    frame, sets = asked(3, 60, pairs={("examples", "style"): 0.4}, base=0.3)
    answers = gathered(frame, sets)
    pairs = pair_effects(answers, level=0.95, watched=False)
    found = states(answers, pairs, level=0.95, watched=False)
    assert set(zip(found["better"], found["worse"], strict=True)) == {
        ((True, True), (False, True)), ((True, True), (True, False)), ((True, False), (False, False)),
        ((False, True), (False, False)), ((True, True), (False, False)), ((True, False), (False, True)),
    }  # fmt: skip
    known = Factorial(tuple(sets[0].cells.values()))
    beside = by_hand(frame, sets, known.given(0, 1, inside=True))
    row = found[(found["better"] == (True, True)) & (found["worse"] == (False, True))].iloc[0]
    assert row["effect"] == pytest.approx(beside.mean())
    few = paired_difference(beside, beside * 0, scale=Scale(0, 1, 0.5)).limits(1 - 0.05 / 18)
    assert (row["all_low"], row["all_high"]) == pytest.approx((few[0][0], few[1][0]))


def test_models_and_blocks_are_one_family():
    """Two models make twice as many tests."""
    one = effects(*asked(3, 40, effects={"style": 0.2}))
    two = effects(*asked(3, 40, effects={"style": 0.2}, models=("x/a", "x/b")))
    assert two[["model", "block"]].values.tolist() == [
        [model, block] for model in ("x/a", "x/b") for block in ("examples", "style", "policy")
    ]
    assert (two["all_high"] - two["all_low"]).iloc[1] > (one["all_high"] - one["all_low"]).iloc[1]


def test_lower_is_better_turns_effects_round():
    """What lowers the score is ahead."""
    frame, sets = asked(3, 60, effects={"style": -0.3})
    higher, lower = effects(frame, sets), effects(frame, sets, better="lower")
    assert lower["effect"].tolist() == pytest.approx((-higher["effect"]).tolist())
    assert lower["all_low"].tolist() == pytest.approx((-higher["all_high"]).tolist())


def test_a_sample_that_lacks_a_set_is_in_no_effect_and_in_the_worst_case_for_its_share():
    """One missing answer of eight moves its sample by a quarter at most, not by all of the scale."""
    frame, sets = asked(3, 40, seed=3)
    whole = effects(frame, sets)
    gone = (frame["prompt"] == "reply") & (frame["sample_id"] == "s0007")
    frame.loc[gone, ["status", "score.exact"]] = ["failed", None]
    found = effects(frame, sets)
    assert found["samples"].tolist() == [39] * 3
    assert found["missing"].tolist() == [1] * 3
    at_ends = []
    for value in (0.0, 1.0):
        filled = frame.copy()
        filled.attrs = frame.attrs
        filled.loc[gone, ["status", "score.exact"]] = ["done", value]
        at_ends.append(effects(filled, sets))
    for place in range(3):
        # All blocks are in where the answer is missing, so it counts for each of them.
        assert found["worst_low"].iloc[place] == pytest.approx(at_ends[0]["all_low"].iloc[place])
        assert found["worst_high"].iloc[place] == pytest.approx(at_ends[1]["all_high"].iloc[place])
    assert (whole["worst_low"] == whole["all_low"]).all()


def test_a_sample_that_was_not_asked_of_every_set_is_not_missing():
    """A plan that was cut lacks no answer; the sample is left out."""
    frame, sets = asked(3, 40)
    cut = frame[(frame["prompt"] != "reply") | (frame["sample_id"] > "s0009")].copy()
    cut.attrs = frame.attrs
    found = effects(cut, sets)
    assert found["samples"].tolist() == [30] * 3
    assert found["missing"].tolist() == [0] * 3


def test_without_bounds_the_worst_case_is_anything():
    """As in a verdict."""
    frame, sets = asked(2, 30, scale=None, missing=0.1)
    found = effects(frame, sets, margin=0.5)
    assert np.isinf(found["worst_low"]).all()
    assert not found["no_worse_without"].any()


def test_no_worse_without_needs_a_margin_and_the_worst_case():
    """The score without the block is worse by less than the margin, whatever is missing."""
    frame, sets = asked(3, 400)
    assert effects(frame, sets)["no_worse_without"].isna().all()
    near, far = effects(frame, sets, margin=0.2), effects(frame, sets, margin=0.001)
    assert near["no_worse_without"].all()
    assert not far["no_worse_without"].any()
    assert (near["no_worse_without"] == (near["all_high"] < 0.2)).all()


def test_tokens_prices_and_times_are_paired_too():
    """Added input is what the block has, to the token; price follows; longer and slower answers are seen."""
    frame, sets = asked(3, 80, longer={"style": 12}, slower={"policy": 1.5}, cached=["examples"])
    found = effects(frame, sets)
    assert found["input_tokens"].tolist() == pytest.approx(list(TOKENS[:3]))
    assert found["cache_read_tokens"].tolist() == pytest.approx([640, 0, 0])
    assert found["fresh_tokens"].tolist() == pytest.approx([0, 60, 1140])
    assert found["cost_per_1k_usd"].tolist() == pytest.approx([tokens * 2.5e-3 for tokens in TOKENS[:3]])
    assert found["output_tokens"].iloc[1] == pytest.approx(12, abs=0.5)
    assert found["output_tokens_low"].iloc[1] > 10
    assert found["latency_low"].iloc[2] < 1.5 < found["latency_high"].iloc[2]
    assert found["latency_low"].iloc[0] < 1 < found["latency_high"].iloc[0]


def test_an_unknown_price_is_not_known_and_tokens_are():
    """One answer without a price leaves none to its effects."""
    frame, sets = asked(2, 30)
    frame.loc[frame.index[3], "cost_usd"] = np.nan
    found = effects(frame, sets)
    assert found["cost_per_1k_usd"].isna().all()
    assert found["input_tokens"].notna().all()


def test_the_share_of_failures_is_that_of_the_whole_prompt():
    """Of the answers with all blocks."""
    frame, sets = asked(3, 50)
    lost = frame["sample_id"] < "s0013"
    frame.loc[(frame["prompt"] == "reply") & lost, ["status", "score.exact"]] = ["failed", None]
    assert effects(frame, sets)["failing"].tolist() == pytest.approx([0.26] * 3)


def test_repeats_are_averaged_first():
    """Twice the same answers change nothing of an effect."""
    frame, sets = asked(3, 30)
    twice = pd.concat([frame, frame.assign(repeat=1)], ignore_index=True)
    twice.attrs = frame.attrs
    pd.testing.assert_frame_equal(
        effects(frame, sets)[["effect", "low", "high"]], effects(twice, sets)[["effect", "low", "high"]]
    )


def test_clusters_are_the_units():
    """Samples of one author count together."""
    frame, sets = asked(3, 60, clusters=6, sway=0.2)
    found = effects(frame, sets, clusters="sample.author")
    assert found["units"].tolist() == [10] * 3
    assert found["samples"].tolist() == [60] * 3


def test_a_watched_study_has_intervals_for_any_moment():
    """They are wider, and decide without p values."""
    frame, sets = asked(3, 150, effects={"style": 0.4}, base=0.3, missing=0.02)
    plain, watched = effects(frame, sets), effects(frame, sets, watched=True)
    assert watched["p_value"].isna().all()
    assert (watched["all_high"] - watched["all_low"] > plain["all_high"] - plain["all_low"]).all()
    assert watched["decided"].tolist() == [False, True, False]
    assert 0 < watched["worst_low"].iloc[1] < watched["all_low"].iloc[1]


def test_a_model_that_was_asked_one_set_has_no_effects():
    """And a prompt of which a model has only some sets is told by those."""
    frame, sets = asked(2, 20, models=("x/a", "x/b"))
    alone = frame[(frame["model"] == "x/a") | (frame["prompt"] == "reply")].copy()
    alone.attrs = frame.attrs
    assert set(effects(alone, sets)["model"]) == {"x/a"}
    half = frame[(frame["model"] == "x/a") | frame["prompt"].isin(["reply", "reply 01"])].copy()
    half.attrs = frame.attrs
    found = effects(half, sets)
    assert found.loc[found["model"] == "x/b", "block"].tolist() == ["examples"]


def test_unbalanced_sets_move_a_side_by_more_than_one_answer():
    """Where weights add up to more than 1 the scale of both sides is as wide, so that nothing is cut off."""
    cells = ((True, True, True), (True, True, False), (True, False, True), (False, False, False))
    frame, sets = asked(3, 30, cells=cells)
    (one,) = gathered(frame, sets)
    weights = one.design.main(0)
    assert np.maximum(weights, 0).sum() == pytest.approx(2)
    table = one.contrast(weights).score
    assert (table.scale.high, table.means.max() > 1) == (pytest.approx(2), True)
    apart = table.means[:, 0] - table.means[:, 1]
    assert apart.mean() == pytest.approx(effects(frame, sets)["effect"].iloc[0])


def test_sets_that_others_beat_are_those_of_the_verdict():
    """By Holm's correction over all pairs of sets."""
    frame, sets = asked(2, 200, effects={"examples": 0.5}, base=0.2)
    (one,) = gathered(frame, sets)
    assert beaten(one, level=0.95) == {(False, True), (False, False)}
