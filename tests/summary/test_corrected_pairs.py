"""Pairs that labels correct: the same numbers as the statistic gives, whatever else stands in the table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labkit.stats import corrected_difference
from labkit.stats.scale import Scale
from labkit.summary import summarize
from labkit.summary.contender_table import contender_table
from labkit.summary.pairwise import COLUMNS, compare_pairs
from tests.verdict import judged

RIGHT = Scale(0, 1, 1)


def pairs(frame: pd.DataFrame, **more: object) -> pd.DataFrame:
    return compare_pairs(contender_table(frame), **more)


def by_sample(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame.pivot_table(index="sample_id", columns="model", values=column, dropna=False)


@pytest.mark.parametrize("seed", range(5))
def test_a_corrected_pair_is_what_the_statistic_says(seed: int) -> None:
    """Estimate, interval and p value, with repeats averaged first."""
    frame = judged.asked(120, 40, seed=seed, repeats=2)
    (row,) = pairs(frame).to_dict("records")
    judge, labels = (by_sample(frame, f"{kind}.polite") for kind in ("score", "label"))
    apart = [table["x/a"] - table["x/b"] for table in (labels, judge)]
    found = corrected_difference(*apart, scale=RIGHT)
    sign = 1 if row["first"] == "x/a" else -1
    assert row["difference"] == pytest.approx(sign * found.estimate[0], abs=1e-12)
    ends = sorted((sign * found.low[0], sign * found.high[0]))
    assert (row["low"], row["high"]) == pytest.approx(tuple(ends), abs=1e-12)
    assert row["p_value"] == pytest.approx(found.p_value[0])
    assert (row["basis"], row["labelled"], row["units"]) == ("corrected", 40, 40)
    assert row["judge_difference"] == pytest.approx(sign * float(apart[1].mean()))


@pytest.mark.parametrize(
    ("labelled", "basis"), [(0, None), (1, "judge"), (2, "labels"), (19, "labels"), (20, "corrected")]
)
def test_what_a_pair_goes_by_depends_on_how_many_are_labelled(labelled: int, basis: str | None) -> None:
    """Twenty are the least; without any there are no such columns."""
    found = pairs(judged.asked(100, labelled))
    assert list(found.columns)[: len(COLUMNS)] == list(COLUMNS)
    assert ("basis" in found.columns) == (basis is not None)
    if basis is not None:
        assert found["basis"].tolist() == [basis]


def test_labels_alone_are_the_labelled_samples_and_nothing_else() -> None:
    """The judge's values do not enter."""
    frame = judged.asked(100, 15)
    turned = frame.assign(**{"score.polite": 1 - frame["score.polite"]})
    turned.attrs = frame.attrs
    one, other = (pairs(of)[["first", "difference", "low", "high", "p_value"]] for of in (frame, turned))
    pd.testing.assert_frame_equal(one, other)


def test_turning_the_score_round_turns_the_pair_round() -> None:
    """First and second are exchanged, the numbers stay."""
    given = contender_table(judged.asked(200, 50))
    (row,), (turned,) = (compare_pairs(of).to_dict("records") for of in (given, given.turned()))
    assert (turned["first"], turned["second"]) == (row["second"], row["first"])
    for name in ("difference", "low", "high", "judge_difference", "label_worth"):
        assert turned[name] == pytest.approx(row[name], abs=1e-9)


def test_the_summary_gives_the_means_that_the_verdict_compares() -> None:
    """Corrected means, ordered as the pair is."""
    frame = judged.asked(300, 60, kinder=0.9, right=0.95)
    means = summarize(frame, by="model").set_index("model")["score"]
    plain = frame.groupby("model")["score.polite"].mean()
    (row,) = pairs(frame).to_dict("records")
    assert plain["x/b"] > plain["x/a"]
    assert (means["x/a"] > means["x/b"], row["first"]) == (True, "x/a")
    assert means["x/a"] - means["x/b"] == pytest.approx(row["difference"], abs=0.05)


def test_where_everything_is_labelled_the_judge_does_not_matter() -> None:
    """Its worth is nothing, and the difference that of the labels."""
    frame = judged.asked(80, 80)
    (row,) = pairs(frame).to_dict("records")
    labels = by_sample(frame, "label.polite")
    assert abs(row["difference"]) == pytest.approx(abs(float((labels["x/a"] - labels["x/b"]).mean())))
    assert np.isnan(row["judged_worth"])


def test_answers_that_are_missing_widen_the_worst_case_alone() -> None:
    """A verdict that was not read is none of them."""
    unread, failed = judged.asked(200, 60, unread=(0.2, 0.2)), judged.asked(200, 60, failed=0.1)
    (row,) = pairs(unread).to_dict("records")
    assert (row["missing"], row["worst_low"], row["samples"]) == (0, row["all_low"], 200)
    (row,) = pairs(failed).to_dict("records")
    assert row["missing"] > 0
    assert row["worst_low"] < row["all_low"] < row["all_high"] < row["worst_high"]


def test_a_study_that_was_watched_is_not_corrected() -> None:
    """Nobody knows how, at any moment of stopping."""
    assert "basis" not in pairs(judged.asked(100, 40), watched=True).columns


def test_false_differences_are_rare_whatever_the_judge_says() -> None:
    """Of 400 studies of two equal models before a judge who is kinder to one, at most 8 % decide; the judge
    alone decides most of them."""
    corrected, alone = 0, 0
    for seed in range(400):
        frame = judged.asked(120, 30, rates=(0.6, 0.6), kinder=0.5, seed=seed)
        corrected += bool(pairs(frame)["decided"].iloc[0])
        alone += bool(pairs(frame.drop(columns="label.polite"))["decided"].iloc[0])
    assert corrected <= 32
    assert alone >= 300
