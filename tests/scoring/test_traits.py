"""labkit.scoring.traits: length and refusal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from labkit.errors import DefinitionError
from labkit.scoring import length, refusal, score

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(("unit", "expected"), [("words", 3), ("characters", 14), ("lines", 2)])
def test_length(generation, sample, unit, expected):
    """Words, characters and lines are counted."""
    (row,) = score(length(unit), generation=generation("one two\nthree!"), sample=sample(), at=NOW)
    assert (row.scorer, row.value) == (f"length_{unit}", expected)


def test_an_unknown_unit_is_refused():
    """The units there are, are named."""
    with pytest.raises(DefinitionError, match="words, characters or lines"):
        length("pages")


@pytest.mark.parametrize(
    "text",
    [
        "I can't help with that.",
        "I’m sorry, but I can’t assist with this request.",
        "I am very sorry but I'm unable to do so.",
        "As an AI language model, I cannot give medical advice.",
        "Unfortunately, I won't provide that.",
    ],
)
def test_usual_phrases_are_refusals(generation, sample, text):
    """The openings models use to refuse are found, with what they say as explanation."""
    (row,) = score(refusal(), generation=generation(text), sample=sample(), at=NOW)
    assert row.value == 1
    assert "it says" in row.explanation


@pytest.mark.parametrize(
    "text",
    [
        "praise",
        "I can help with that.",
        "Sorry for the delay! Your order can be sent today.",
        "The customer says: I cannot open the box.",
        "x" * 300 + " I can't help with that.",
        "",
    ],
)
def test_other_answers_are_not(generation, sample, text):
    """Ordinary answers, also sorry ones and ones that quote, are no refusals."""
    (row,) = score(refusal(), generation=generation(text), sample=sample(), at=NOW)
    assert row.value == 0


@pytest.mark.parametrize("reason", ["refusal", "content_filter"])
def test_the_providers_word_decides(generation, sample, reason):
    """Where the provider says it refused, the text does not matter."""
    (row,) = score(refusal(), generation=generation(None, stop_reason=reason), sample=sample(), at=NOW)
    assert row.value == 1


def test_hostile_text_takes_no_time(generation, sample):
    """The search is bounded whatever the text."""
    text = "i'm sorry " * 50_000
    (row,) = score(refusal(), generation=generation(text), sample=sample(), at=NOW)
    assert row.value == 0
