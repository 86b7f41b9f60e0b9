"""labkit.charts.quality: scores with their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from labkit.charts.quality import scores
from labkit.errors import DefinitionError
from labkit.summary import summarize


def test_marks_and_bars_are_those_of_the_summary(rows):
    """Each mark is a row of the summary."""
    frame = rows(prompts=["p", "q"])
    found = scores(frame)
    table = summarize(frame)
    drawn = sorted(value for trace in found.data if trace.x[0] is not None for value in trace.x)
    assert drawn == pytest.approx(sorted(table["score"]))
    first = found.data[0]
    row = table[(table["prompt"] == "p") & (table["model"] == "local/a")].iloc[0]
    assert first.error_x.array[0] == pytest.approx(row.score_high - row.score)


def test_the_best_model_is_on_top(rows):
    """Models are sorted by their best prompt."""
    frame = rows(models=["openai/a", "openai/b"])
    frame["score.exact"] = np.where(frame["model"] == "openai/a", 1.0, 0.0)
    assert list(scores(frame).layout.yaxis.ticktext) == ["openai/b", "openai/a"]


def test_the_baseline_of_the_summary_is_drawn_without_a_word(rows):
    """The most frequent target and its share, where samples have targets; none where it is not wanted."""
    frame = rows(samples=12)
    frame["sample.target"] = np.where(frame["sample_id"].isin(["s0", "s1", "s2"]), "no", "yes")
    texts = [note.text for note in scores(frame).layout.annotations]
    assert texts == ["always “yes” 0.75"]
    assert not scores(frame, baseline=None).layout.annotations
    assert not scores(rows()).layout.annotations


def test_a_baseline_is_a_line_with_its_label(rows):
    """What a constant answer would score is drawn and named."""
    found = scores(rows(), baseline=("praise<b>", 0.55))
    assert found.layout.shapes[0].x0 == 0.55
    assert found.layout.annotations[0].text == "always “praise&lt;b&gt;” 0.55"


def test_prompts_are_told_apart_by_shape_in_the_legend(rows):
    """With several prompts the legend explains shapes, in neutral grey."""
    found = scores(rows(prompts=["p", "q"]))
    keys = [trace for trace in found.data if trace.showlegend is None]
    assert [(key.name, key.marker.symbol) for key in keys] == [("p", "circle"), ("q", "square")]
    assert not scores(rows()).layout.showlegend


def test_an_unknown_score_is_refused(rows):
    """A scorer that is not in the frame is named with those that are."""
    with pytest.raises(DefinitionError, match="'exact'"):
        scores(rows(), "bleu")


def test_scores_on_another_scale_choose_their_own_axis(rows):
    """Only shares are drawn from 0 to 1."""
    frame = rows()
    frame["score.length"] = np.arange(len(frame)) * 10.0
    assert scores(frame, "length").layout.xaxis.range is None
    assert scores(frame, "exact").layout.xaxis.range == (-0.02, 1.02)


def test_a_chart_without_scores_says_why(rows):
    """What the scorer said stands in the chart as text: escaped, and broken into lines."""
    frame = rows().assign(**{"score.exact": float("nan")})
    told = {"answers": 9, "failed": 9, "reason": "TypeError: <b>" + "x" * 90, "reasons": 1}
    frame.attrs["failures"] = {"exact": told}
    said = scores(frame).layout.annotations[0].text
    assert "Scorer 'exact' failed on 9 of 9 answers" in said
    assert "&lt;b&gt;" in said
    assert "<br>" in said
    assert "none of" not in said
