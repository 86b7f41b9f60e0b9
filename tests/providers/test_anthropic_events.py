"""Counts of the anthropic dialect, as labkit's; how answers are read is in `test_anthropic`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labkit.providers import anthropic_events as dialect

parts = st.none() | st.integers(0, 10**9)


@given(st.integers(0, 10**9), parts, parts, st.integers(0, 10**9))
def test_the_total_is_the_sum(plain: int, read: int | None, written: int | None, out: int) -> None:
    """Anthropic counts its cache beside the input; labkit's input is all of it, so both dialects agree."""
    given_counts = {"input_tokens": plain, "output_tokens": out}
    given_counts |= {} if read is None else {"cache_read_input_tokens": read}
    given_counts |= {} if written is None else {"cache_creation_input_tokens": written}
    found = dialect.usage(given_counts)
    assert found.input_tokens == plain + (read or 0) + (written or 0)
    assert found.input_tokens - (found.cache_read_tokens or 0) - (found.cache_write_tokens or 0) == plain
    assert found.output_tokens == out
