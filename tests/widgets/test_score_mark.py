"""A score in a symbol and a word."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from labkit.records import Score
from labkit.widgets.score_mark import Mark, mark

TRUE_OR_FALSE = {"low": 0.0, "high": 1.0, "step": 1.0}


def score(value: float | None, scorer: str = "ok", **declared: Any) -> Score:
    return Score(generation_id="g", scorer=scorer, value=value, scored_at=datetime.now(UTC), **declared)


@pytest.mark.parametrize(
    ("value", "declared", "kind", "words"),
    [
        (1.0, TRUE_OR_FALSE, "right", "right"),
        (0.0, TRUE_OR_FALSE, "wrong", "wrong"),
        (None, TRUE_OR_FALSE, "unscored", "not scored"),
        (None, {}, "unscored", "not scored"),
        (1.0, {}, "graded", "1"),
        (0.0, {"low": 0.0, "high": 1.0}, "graded", "0"),
        (0.43219, {"low": 0.0, "high": 1.0}, "graded", "0.4322"),
        (4.0, {"low": 1.0, "high": 5.0, "step": 1.0}, "graded", "4"),
    ],
)
def test_only_true_or_false_is_right_or_wrong(
    value: float | None, declared: Any, kind: str, words: str
) -> None:
    """What is declared to be 0 or 1 is right or wrong, any other value its number, none is not scored."""
    assert mark({"ok": score(value, **declared)}) == Mark(kind, words)


def test_several_scores_are_told_apart_by_name() -> None:
    """Each scorer's name stands beside what it says, as a symbol for the eye and as a word for the ear."""
    found = mark(
        {
            "exact": score(0.0, "exact", **TRUE_OR_FALSE),
            "contains": score(1.0, "contains", **TRUE_OR_FALSE),
            "length": score(37.0, "length"),
            "tone": score(None, "tone"),
        }
    )
    assert found.words == "✗ exact · ✓ contains · 37 length · ? tone"
    assert found.aloud == "exact wrong, contains right, length 37, tone not scored"


def test_without_a_score_nothing_is_said() -> None:
    """An answer that nobody scored has no mark."""
    assert mark({}) == Mark("", "")
