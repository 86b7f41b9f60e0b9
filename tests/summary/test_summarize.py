"""labkit.summary.summarize: what a frame of generations says, one row per prompt and model."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.errors import DefinitionError
from labkit.stats import mean_interval, rate_interval
from labkit.summary import baseline, summarize

COLUMNS = [
    "prompt",
    "model",
    "n",
    "failed",
    "partial",
    "stopped",
    "replayed",
    "cut",
    "empty",
    "refused",
    "scorer",
    "score",
    "score_low",
    "score_high",
    "scored",
    "score_n",
    "latency_n",
    "latency_before_n",
    "latency_p50_s",
    "latency_p95_s",
    "ttft_p50_s",
    "ttft_p95_s",
    "tokens_per_s",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "spent_usd",
    "cost_known",
    "cost_per_1k_usd",
    "maybe_paid",
    "level",
]


def test_the_columns_are_the_documented_ones(rows):
    """Names and order of the columns are a contract, and each is in the docstring."""
    found = summarize(rows(prompts=("q", "p")))
    assert list(found.columns) == COLUMNS
    assert list(zip(found["prompt"], found["model"], strict=True)) == [
        ("p", "local/a"),
        ("p", "openai/b"),
        ("q", "local/a"),
        ("q", "openai/b"),
    ]
    for name in COLUMNS[2:]:
        assert f"`{name}`" in summarize.__doc__


def test_the_score_is_the_samples_mean_with_repeats_as_wholes(rows):
    """The score and its interval are those of labkit.stats over samples."""
    frame = rows(models=["m"], samples=12, repeats=3)
    found = summarize(frame).iloc[0]
    wanted = rate_interval(frame["score.exact"], samples=frame["sample_id"])
    told = (found.score, found.score_low, found.score_high)
    assert told == pytest.approx((wanted.estimate, wanted.low, wanted.high))
    assert (found.scored, found.score_n, found.n) == (36, 12, 36)


def test_scores_beyond_0_and_1_get_a_mean(rows):
    """A score on another scale gets Student's interval."""
    frame = rows(models=["m"])
    frame["score.length"] = np.arange(len(frame)) * 1.0
    found = summarize(frame, score="length").iloc[0]
    wanted = mean_interval(frame["score.length"], samples=frame["sample_id"])
    assert (found.scorer, found.score_low) == ("length", wanted.low)


def test_not_scored_is_left_out_and_counted(rows):
    """Answers without a score neither help nor harm, and `scored` says how many are in."""
    frame = rows(models=["m"], samples=4, repeats=1)
    frame["score.exact"] = [1.0, None, None, 0.0]
    found = summarize(frame).iloc[0]
    assert (found.n, found.scored, found.score_n, found.score) == (4, 2, 2, 0.5)


def test_replayed_rows_have_no_clocks_and_cost_nothing_now(rows):
    """Replayed answers count in n, score and cost, but not in latency nor in money spent."""
    frame = rows(models=["m"], samples=4, repeats=1)
    frame["replayed_from"] = [None, None, "g7", "g8"]
    frame.loc[2:, ["latency_s", "ttft_s"]] = [1000.0, 1000.0]
    found = summarize(frame).iloc[0]
    assert (found.n, found.replayed, found.latency_n) == (4, 2, 2)
    assert found.latency_p95_s < 1000
    assert (found.cost_usd, found.spent_usd) == pytest.approx((0.004, 0.002))


def test_only_done_answers_enter_the_clocks(rows):
    """A time-out's 600 s are no latency of an answer."""
    frame = rows(models=["m"], samples=3, repeats=1)
    frame["status"] = ["done", "failed", "partial"]
    frame["latency_s"] = [1.0, 600.0, 300.0]
    found = summarize(frame).iloc[0]
    assert (found.latency_n, found.latency_p50_s, found.failed, found.partial) == (1, 1.0, 1, 1)


def test_tokens_per_second_is_a_ratio_of_sums(rows):
    """All tokens over all seconds of the same rows."""
    frame = rows(models=["m"], samples=3, repeats=1)
    frame["latency_s"] = [1.0, 9.0, 5.0]
    frame["output_tokens"] = [100, 100, None]
    assert summarize(frame).iloc[0].tokens_per_s == 20


@pytest.mark.parametrize(
    ("cost", "maybe_paid", "known", "total"),
    [
        ([0.001, 0.002], [0, 0], True, 0.003),
        ([0.001, None], [0, 0], False, 0.001),
        ([0.001, 0.002], [0, 1], False, 0.003),
        ([None, None], [0, 0], False, math.nan),
        ([0.0, 0.0], [0, 0], True, 0.0),
    ],
)
def test_unknown_cost_is_never_0(rows, cost, maybe_paid, known, total):
    """A total says whether it is all; where nothing is known it is NaN."""
    frame = rows(models=["m"], samples=2, repeats=1, cost_usd=cost, maybe_paid=maybe_paid)
    found = summarize(frame).iloc[0]
    assert (found.cost_known, found.maybe_paid) == (known, sum(maybe_paid))
    assert found.cost_usd == pytest.approx(total, nan_ok=True)


def test_what_was_never_asked_cost_nothing(rows):
    """Stopped cells without an attempt are known to have cost nothing."""
    frame = rows(models=["m"], status="stopped", cost_usd=None, **{"score.exact": None})
    found = summarize(frame).iloc[0]
    assert (found.cost_usd, found.cost_known, found.stopped) == (0.0, True, 20)
    assert math.isnan(found.score)
    assert math.isnan(found.latency_p50_s)


def test_all_replayed_spends_nothing(rows):
    """A run that was replayed whole spent 0, and its cost is what the originals cost."""
    found = summarize(rows(models=["m"], replayed_from="g0", latency_s=None)).iloc[0]
    assert (found.spent_usd, found.latency_n) == (0.0, 0)
    assert found.cost_usd == pytest.approx(0.02)


def test_a_frame_without_scores_clocks_or_prices_still_counts(rows):
    """Only status, sample and the grouping columns are needed; the rest is NaN."""
    found = summarize(rows()[["model", "sample_id", "status"]], by="model")
    assert found["n"].tolist() == [20, 20]
    assert found[["score", "latency_p50_s", "cost_usd"]].isna().all(axis=None)


def test_an_empty_frame_gives_no_rows_and_all_columns(rows):
    """Nothing asked is an empty table, not a crash."""
    assert list(summarize(rows().iloc[:0]).columns) == COLUMNS
    assert len(summarize(rows().iloc[:0], baseline=0.5)) == 0


def test_grouping_by_any_column_and_missing_groups(rows):
    """Rows group by any columns; a missing name is a group of its own."""
    frame = rows(models=["m", None])
    assert summarize(frame, by=["model"])["n"].tolist() == [20, 20]
    frame["sample.topic"] = np.where(frame["repeat"] == 0, "x", "y")
    assert summarize(frame, by=("sample.topic", "prompt"))["n"].tolist() == [20, 20]


def test_the_index_of_the_frame_does_not_matter(rows):
    """A frame with a repeated index groups like any other."""
    frame = rows()
    pd.testing.assert_frame_equal(summarize(frame), summarize(frame.set_axis([0] * len(frame))))


def test_pandas_own_missing_values_and_types_are_read(rows):
    """Arrow, nullable and categorical columns give the same summary."""
    frame = rows()
    other = frame.assign(
        cost_usd=frame["cost_usd"].astype("Float64"),
        input_tokens=frame["input_tokens"].astype("Int64"),
        latency_s=frame["latency_s"].astype("double[pyarrow]"),
        model=frame["model"].astype("category"),
        status=frame["status"].astype("category"),
    )
    found = summarize(other)
    pd.testing.assert_frame_equal(found.astype({"model": str}), summarize(frame).astype({"model": str}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"by": "modell"}, "modell"),
        ({"by": []}, "empty"),
        ({"by": ["model", "model"]}, "twice"),
        ({"score": "bleu"}, "'exact'"),
    ],
)
def test_faults_are_named(rows, change, message):
    """A column or a scorer that is not there is a DefinitionError that says what is."""
    with pytest.raises(DefinitionError, match=message):
        summarize(rows(), **change)


def test_text_in_a_number_column_is_refused(rows):
    """A latency that is no number is named by its column."""
    with pytest.raises(DefinitionError, match="latency_s"):
        summarize(rows(latency_s="fast"))


def test_the_baseline_is_the_majority_class(rows):
    """The most frequent target and its share, missing ones left out."""
    assert baseline(["a", "b", "b", None, float("nan")]) == ("b", 2 / 3)
    with pytest.raises(DefinitionError, match="no target"):
        baseline([None])


def test_above_baseline_needs_the_whole_interval(rows):
    """Above means: even the lower limit; without a score there is neither a baseline nor a word of it."""
    frame = rows(models=["m"], samples=40, repeats=1)
    frame["score.exact"] = [1.0] * 36 + [0.0] * 4
    assert bool(summarize(frame, baseline=("a", 0.5)).iloc[0].above_baseline)
    assert not bool(summarize(frame, baseline=0.85).iloc[0].above_baseline)
    failing = frame.assign(**{"score.exact": np.nan})
    for unscored in (frame.drop(columns="score.exact"), failing):
        assert not {"baseline", "above_baseline"} & set(summarize(unscored, baseline=0.5).columns)
    half = pd.concat([frame, failing.assign(model="z")])
    assert summarize(half, baseline=0.5)["above_baseline"].isna().tolist() == [False, True]
    assert str(summarize(half, baseline=0.5)["above_baseline"].dtype) == "boolean"


def test_a_constant_answers_share_is_no_baseline_of_other_scores(rows):
    """The share of the most frequent target is held against scores from 0 to 1 only; a rate of one's own
    against any."""
    frame = rows(models=["m"]).rename(columns={"score.exact": "score.tone"})
    frame["score.tone"] = np.arange(len(frame)) % 5 + 1.0
    frame.attrs["scales"] = {"tone": (1, 5, 1)}
    assert "baseline" not in summarize(frame, baseline=("a", 0.5)).columns
    assert summarize(frame, baseline=0.5)["above_baseline"].all()


def test_several_scores_have_their_columns_each(rows):
    """Nothing is shown without a word: of two scorers both are there, each as if it were alone."""
    frame = rows()
    frame["score.tone"] = np.arange(len(frame)) % 5 + 1.0
    frame.attrs["scales"]["tone"] = (1, 5, 1)
    both = summarize(frame, baseline=("a", 0.5))
    assert not {"scorer", "score"} & set(both.columns)
    for name in ("exact", "tone"):
        alone = summarize(frame, score=name)
        for column in ("score", "score_low", "score_high", "scored", "score_n", "level"):
            pd.testing.assert_series_equal(both[f"{column}.{name}"], alone[column], check_names=False)
    assert "above_baseline.exact" in both.columns
    assert "above_baseline.tone" not in both.columns
    assert summarize(frame, score=["tone", "exact"]).columns.tolist().index("score.tone") < both.shape[1]
    assert summarize(frame.iloc[:0]).columns.tolist() == summarize(frame).columns.tolist()
    with pytest.raises(DefinitionError, match="the nearest: 'tone'"):
        summarize(frame, score="tine")


def test_the_score_that_a_plan_adds_by_itself_changes_no_table(rows):
    """`structure` stands back where a score was given, and is the score where it is the only one."""
    frame = rows().rename(columns={"score.exact": "score.tone"})
    frame["score.structure"] = 1.0
    found = summarize(frame)
    assert set(found["scorer"]) == {"tone"}
    assert found.attrs["others"] == ["structure"]
    assert set(summarize(frame.drop(columns="score.tone"))["scorer"]) == {"structure"}
    assert set(summarize(frame, score="structure")["scorer"]) == {"structure"}


def test_what_is_cut_empty_or_refused_is_counted_also_in_replays(rows):
    """Of what is done, and only of that; where the frame cannot tell it is NA, never 0."""
    frame = rows(models=["m"], samples=6, repeats=1)
    frame["status"] = ["done"] * 5 + ["failed"]
    frame["stop_reason"] = ["max_tokens", "max_tokens", "stop", "refusal", "content_filter", None]
    frame["text"] = ["long", " \n\u00a0", None, "no", "no", None]
    for replayed in (None, "g1"):
        row = summarize(frame.assign(replayed_from=replayed)).iloc[0]
        assert (row["cut"], row["empty"], row["refused"]) == (2, 2, 2)
    assert summarize(rows())[["cut", "empty", "refused"]].isna().all(axis=None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.sampled_from(["done", "failed", "partial", "stopped"]), min_size=1, max_size=30))
def test_counts_add_up(rows, statuses):
    """Every cell is counted once, whatever became of it."""
    frame = rows(models=["m"], samples=len(statuses), repeats=1, status=statuses)
    found = summarize(frame).iloc[0]
    assert found.n == len(statuses)
    assert found.failed + found.partial + found.stopped == sum(s != "done" for s in statuses)
