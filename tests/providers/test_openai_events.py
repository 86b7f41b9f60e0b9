"""Counts of the openai dialect, as labkit's; how answers are read is in `test_openai`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labkit.providers.counts import Counts, named

numbers = st.integers(1, 10**9)


@given(numbers, st.none() | numbers, numbers, st.none() | numbers)
def test_totals_hold_their_parts(plain: int, cached: int | None, out: int, thought: int | None) -> None:
    """OpenAI counts cached and reasoning tokens inside its totals, and so does labkit."""
    inside = plain + (cached or 0)
    told = Counts()
    told.add(
        named(
            {
                "prompt_tokens": inside,
                "completion_tokens": out + (thought or 0),
                "prompt_tokens_details": {"cached_tokens": cached},
                "completion_tokens_details": {"reasoning_tokens": thought},
            }
        )
    )
    found = told.usage(said=True)
    assert (found.input_tokens, found.cache_read_tokens) == (inside, cached)
    assert (found.output_tokens, found.reasoning_tokens) == (out + (thought or 0), thought)
