"""Counts of tokens: never less than was billed, whatever way they are told, and unknown with the reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.providers.counts import MOST, Counts, named


def usage(*reports: dict[str, Any], said: bool = True, beside: bool = False) -> Any:
    """What several reports come to."""
    told = Counts()
    for report in reports:
        told.add(report)
    return told.usage(said=said, beside=beside)


@pytest.mark.parametrize(
    ("told", "entered", "left"),
    [
        ({"input": 10, "output": 5, "reasoning": 3, "total": 15}, 10, 5),
        ({"input": 10, "output": 5, "reasoning": 30, "total": 45}, 10, 35),
        ({"input": 10, "output": 50, "reasoning": 30, "total": 90}, 10, 80),
        ({"input": 10, "output": 5, "total": 45}, 10, 35),
        ({"input": 10, "output": 5, "reasoning": 30}, 10, 35),
        ({"input": 10, "output": 5, "total": 0}, 10, 5),
        ({"input": 10, "total": 17}, 10, 7),
        ({"input": 10, "output": 5, "cache_read": 100, "total": 115}, 110, 5),
        ({"input": 10, "output": 5, "cache_read": 100}, 110, 5),
        ({"input": 100, "output": 5, "cache_read": 50, "total": 155}, 150, 5),
        ({"input": 100, "output": 5, "cache_read": 50, "reasoning": 50, "total": 155}, 100, 55),
        ({"input": "10", "output": 5.0, "total": "15"}, 10, 5),
    ],
)
def test_the_larger_reading(told: dict[str, Any], entered: int, left: int) -> None:
    """Reasoning and cache beside a count, or in the total alone, are part of what is billed."""
    found = usage(told)
    assert (found.input_tokens, found.output_tokens, found.doubt) == (entered, left, None)


@pytest.mark.parametrize(
    ("report", "found"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 2}, {"input": 9, "output": 2}),
        ({"input_tokens": 9, "output_tokens": 2, "cost": 0.5}, {"input": 9, "output": 2}),
        ({"promptTokens": 9, "totalTokens": 11}, {"input": 9, "total": 11}),
        ({"inputTokenCount": 9, "outputTokenCount": 2}, {"input": 9, "output": 2}),
        (
            {"cache_creation_input_tokens": 7, "cache_read_input_tokens": 3},
            {"cache_write": 7, "cache_read": 3},
        ),
        (
            {"prompt_tokens_details": {"cached_tokens": 3, "cache_creation_tokens": 7}},
            {"cache_write": 7, "cache_read": 3},
        ),
        ({"output_tokens_details": {"thinking_tokens": 4}, "prompt_tokens": None}, {"reasoning": 4}),
        ([], {}),
        ("none", {}),
        ({"deep": {"deep": {"prompt_tokens": 4}}, "prompt": 3, "audio_tokens": 3}, {}),
    ],
)
def test_counts_by_any_name(report: Any, found: dict[str, int]) -> None:
    """Whichever dialect's names an endpoint has for its counts, they are counts; other numbers are none."""
    assert dict(named(report)) == found


def test_of_one_count_under_two_names_the_larger() -> None:
    """A gateway repeats a count in its own way, and leaves the other at zero."""
    told = Counts()
    told.add(named({"prompt_tokens": 9, "input_tokens": 0, "cached_tokens": 0, "cache_read_input_tokens": 5}))
    assert (told.get("input"), told.get("cache_read")) == (9, 5)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"input": 10, "output": 14417.92}, "counts 14417.92 output tokens"),
        ({"input": -3, "output": 2}, "counts -3 input tokens"),
        ({"input": 10, "output": float("inf")}, "counts inf output tokens"),
        ({"input": 10, "output": MOST + 1}, "output tokens"),
        ({"input": 10, "output": True}, "counts True output tokens"),
        ({"input": 10, "output": [2]}, "counts [2] output tokens"),
        ({"input": 10, "output": 0}, "0 output tokens beside an answer"),
        ({"input": 0, "output": 4}, "0 input tokens"),
        ({"input": 0, "output": 0, "total": 0}, "0 input tokens; the endpoint counts 0 output tokens"),
        ({"input": 10, "output": 5, "reasoning": 30, "total": 15}, "30 reasoning tokens"),
        ({"input": 10, "output": 5, "cache_read": 100, "total": 15}, "100 cached tokens"),
    ],
)
def test_what_cannot_be_is_unknown(told: dict[str, Any], why: str) -> None:
    """A count that cannot be is None, and the usage says why."""
    found = usage(told)
    assert None in (found.input_tokens, found.output_tokens)
    assert why in found.doubt


def test_what_was_not_told_is_no_doubt() -> None:
    """Who tells nothing has not told anything odd."""
    found = usage({"input": None, "output": None})
    assert (found.input_tokens, found.output_tokens, found.doubt) == (None, None, None)


def test_of_two_reports_the_larger() -> None:
    """Counts grow while an answer comes; a report of zeros after the real one takes nothing back."""
    real = {"input": 10, "output": 5, "total": 15}
    for reports in ([{"input": 10, "output": 1}, real], [real, dict.fromkeys(real, 0)]):
        found = usage(*reports)
        assert (found.input_tokens, found.output_tokens) == (10, 5)


def test_an_answer_without_text_may_have_no_tokens() -> None:
    """Where nothing was said, 0 is a count like another."""
    assert usage({"input": 10, "output": 0}, said=False).output_tokens == 0


numbers = st.integers(0, 10**6)
positive = st.integers(1, 10**6)


@given(positive, numbers, numbers, positive, numbers, st.booleans(), st.booleans())
def test_never_less_than_was_billed(
    plain: int, read: int, written: int, out: int, thought: int, inside: bool, totals: bool
) -> None:
    """However an endpoint adds up the same answer, its cost is not counted below what it was."""
    entered, left = plain + read + written, out + thought
    told: dict[str, Any] = {"cache_read": read, "cache_write": written, "reasoning": thought}
    told |= {"input": entered, "output": left} if inside else {"input": plain, "output": out}
    if totals:
        told["total"] = entered + left
    found = usage(told)
    if inside or totals:
        assert (found.input_tokens or entered) + (found.output_tokens or left) >= entered + left
        assert found.output_tokens is None or found.output_tokens >= left or found.input_tokens >= entered
    assert usage({**told, "total": None}, beside=True).input_tokens >= plain


odd = st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.booleans() | st.lists(st.integers())
names = st.sampled_from(["input", "output", "cache_read", "cache_write", "reasoning", "total"])


@given(st.lists(st.dictionaries(names, odd | numbers), max_size=3), st.booleans(), st.booleans())
def test_no_report_breaks_anything(reports: list[dict[str, Any]], said: bool, beside: bool) -> None:
    """Whatever is told, there is a usage, and its parts lie in their wholes."""
    found = usage(*reports, said=said, beside=beside)
    assert all(count is None or 0 <= count <= 3 * MOST for count in (found.input_tokens, found.output_tokens))
