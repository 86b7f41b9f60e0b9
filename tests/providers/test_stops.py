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
        (["eosFound", "end_of_turn", "<|im_end|>", "<|eot_id|>", "matched_stop", "end_of_text"], "stop"),
        (["length", "MAX_TOKENS", "maxTokens", "model_length", "FINISH_REASON_MAX_TOKENS"], "max_tokens"),
        (["maxPredictedTokensReached", "contextLengthReached", "limit", "max_output"], "max_tokens"),
        (["time_limit", "cutoff", "truncated", "model_context_window_exceeded"], "max_tokens"),
        (["stop_sequence", "stopStringFound", "stop_word", "stop_str"], "stop_sequence"),
        (["tool_calls", "tool_use", "function_call", "tool-calls"], "tool_calls"),
        (
            ["content_filter", "SAFETY", "RECITATION", "PROHIBITED_CONTENT", "content-filter"],
            "content_filter",
        ),
        (["content_filter: PROHIBITED_CONTENT", "IMAGE_RECITATION", "moderation"], "content_filter"),
        (["content_policy", "guardrail", "ResponsibleAIPolicyViolation", "ERROR_TOXIC"], "content_filter"),
        (["refusal"], "refusal"),
        (["", "new", "pause_turn", "5"], "unknown"),
        (["abort", "ABORT", "error", "cancelled", "insufficient_system_resource"], None),
        (["in_progress", "incomplete", "unfinished", "not_finished", "FINISH_REASON_UNSPECIFIED"], None),
        (["user_cancel", "USER_CANCEL", "userStopped", "modelUnloaded", "client_disconnect"], None),
        (["server_error", "internal_error", "engine_error", "timed_out", "preempted", "oom"], None),
        (["rate_limit", "tool_error", "function_call_filter: MALFORMED_FUNCTION_CALL"], None),
    ],
)
def test_words_and_what_they_mean(words: list[str], means: str | None) -> None:
    """Spelling says nothing; words that are not known are `unknown`; those for giving up are no end."""
    assert {meaning(word) for word in words} == {means}


@given(st.text())
def test_any_word_means_something(word: str) -> None:
    """Whatever is said, reading it raises nothing."""
    assert meaning(word) is None or isinstance(meaning(word), str)
