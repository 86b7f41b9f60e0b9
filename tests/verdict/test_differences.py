"""labkit.verdict.differences: the rows that decide."""

from __future__ import annotations

import pandas as pd
import pytest

from labkit.errors import DefinitionError
from labkit.verdict.differences import differences


def _frame(rows):
    """Rows of (model, sample, repeat, status, text, score, cost, stop_reason)."""
    columns = ["model", "sample_id", "repeat", "status", "text", "score.ok", "cost_usd", "stop_reason"]
    frame = pd.DataFrame(rows, columns=columns).assign(prompt="p")
    frame["sample.kind"] = frame["sample_id"].map(lambda one: "odd" if int(one) % 2 else "even")
    return frame


def _alike(samples, models=("a", "b"), **change):
    rows = []
    for sample in range(samples):
        for model in models:
            row = {"status": "done", "text": "yes", "score": 1.0, "cost": 0.001, "stop": "stop"}
            row |= change.get(f"{model}{sample}", {})
            rows.append((model, str(sample), 0, *row.values()))
    return _frame(rows)


def test_disagreements_come_first_and_furthest_apart_on_top():
    """Of twenty alike rows and two apart, the two are picked, the wider gap first."""
    frame = _alike(20, a3={"text": "no", "score": 0.4}, b7={"text": "no", "score": 0.0})
    found = differences(frame)
    assert found.frame()["sample_id"].tolist() == ["7", "3"]
    assert found.frame()["why"].tolist() == ["disagreement"] * 2
    assert found.frame()[["text.a", "text.b", "score.b"]].iloc[0].tolist() == ["yes", "no", 0.0]
    assert found.counts["disagreement"] == 2


def test_flips_failures_and_refusals_are_found():
    """A repeat that scores otherwise, an answer that failed for one only, a refusal: each has a reason."""
    failed = {"status": "failed", "text": None, "score": None}
    frame = _alike(10, a1=failed, b2={"stop": "refusal"})
    again = frame[(frame["model"] == "a") & (frame["sample_id"] == "5")]
    flipped = again.assign(repeat=1, text="no", **{"score.ok": 0.0})
    found = differences(pd.concat([frame, flipped], ignore_index=True))
    why = dict(zip(found.frame()["sample_id"], found.frame()["why"], strict=True))
    assert why["5"] == "disagreement, flip"
    assert why["1"] == "failure"
    assert why["2"] == "refusal"


def test_longest_and_dearest_must_stand_out():
    """One answer ten times as long and dear is picked; where all are alike none is."""
    frame = _alike(12, a4={"text": "yes" * 50, "cost": 0.1})
    assert differences(frame).frame()["why"].tolist() == ["longest, dearest"]
    assert differences(_alike(12)).frame().empty


def test_without_a_score_texts_decide():
    """Rows whose answers differ are disagreements where nothing was scored."""
    frame = _alike(5, b2={"text": "no"}).drop(columns="score.ok")
    assert differences(frame).frame()["sample_id"].tolist() == ["2"]


def test_grouped_by_a_sample_column():
    """Counts per reason and mean scores stand beside each value of a column; an unknown one is named."""
    found = differences(_alike(10, a1={"score": 0.0}, a3={"score": 0.0}))
    table = found.by("kind").set_index("sample.kind")
    assert table.loc["odd", "disagreement"] == 2
    assert table.loc["even", "disagreement"] == 0
    assert table.loc["odd", "score.a"] == pytest.approx(0.6)
    assert found.groupings() == ["kind"]
    with pytest.raises(DefinitionError, match="there are: kind"):
        found.by("colour")


def test_the_limit_holds_per_reason():
    """At most so many rows are picked for one reason; the counts tell of all."""
    frame = _alike(30, **{f"a{i}": {"score": 0.0} for i in range(30)})
    found = differences(frame, rows=4)
    assert len(found.frame()) == 4
    assert found.counts["disagreement"] == 30
    assert repr(found) == "Differences(4 of 30 rows: 30 disagreement)"


def test_answers_are_text_and_nothing_else():
    """Hostile answers and columns make no element in the HTML."""
    evil = "<img src=x onerror=alert(1)><script>alert(1)</script>\u202e"
    frame = _alike(3, a1={"text": evil, "score": 0.0}).rename(columns={"sample.kind": "sample.<b>"})
    page = differences(frame)._repr_html_()
    assert "<img" not in page
    assert "<script" not in page
    assert "<b>" not in page
    assert "\u202e" not in page
    assert "&lt;img" in page


def test_wrong_frames_are_refused():
    """No rows, no text column and another `by` are DefinitionErrors."""
    for frame, by in (
        (_alike(2).iloc[:0], "model"),
        (_alike(2).drop(columns="text"), "model"),
        (_alike(2), "x"),
    ):
        with pytest.raises(DefinitionError):
            differences(frame, by=by)
