"""Reasons for an answer's end, in the words of whoever made it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.providers.stops import meaning


@pytest.mark.parametrize(
    ("words", "means"),
    [
        (["stop", "STOP", "eos", "eos_token", "end_turn", "EndTurn", "FinishReason.STOP", " stop "], "stop"),
        (["length", "MAX_TOKENS", "maxTokens", "model_length", "FINISH_REASON_MAX_TOKENS"], "max_tokens"),
        (["stop_sequence"], "stop_sequence"),
        (["tool_calls", "tool_use", "function_call", "tool-calls"], "tool_calls"),
        (
            ["content_filter", "SAFETY", "RECITATION", "PROHIBITED_CONTENT", "content-filter"],
            "content_filter",
        ),
        (["refusal"], "refusal"),
        (["", "new", "pause_turn", "5"], "unknown"),
        (["abort", "ABORT", "error", "cancelled", "insufficient_system_resource"], None),
    ],
)
def test_words_and_what_they_mean(words: list[str], means: str | None) -> None:
    """Spelling says nothing; a word that is not known is `unknown`; one for giving up is no end."""
    assert {meaning(word) for word in words} == {means}


@given(st.text())
def test_any_word_means_something(word: str) -> None:
    """Whatever is said, reading it raises nothing."""
    assert meaning(word) is None or isinstance(meaning(word), str)
