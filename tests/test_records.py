"""labkit.records: usage arithmetic, and the columns of a generation."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.records import Generation, Usage

COUNTS = st.none() | st.integers(0, 10_000)


@given(COUNTS, COUNTS, COUNTS)
def test_cached_tokens_never_exceed_the_input(total: int | None, read: int | None, write: int | None) -> None:
    """Usage whose cached parts are larger than its input is refused; all other usage is taken as it is."""
    wrong = total is not None and (read or 0) + (write or 0) > total
    with pytest.raises(ValueError, match="input tokens") if wrong else nullcontext():
        usage = Usage(input_tokens=total, cache_read_tokens=read, cache_write_tokens=write)
        assert usage.input_tokens == total


@given(COUNTS, COUNTS)
def test_reasoning_is_a_part_of_output(total: int | None, reasoning: int | None) -> None:
    """Usage whose reasoning is larger than its output is refused."""
    wrong = total is not None and (reasoning or 0) > total
    with pytest.raises(ValueError, match="output tokens") if wrong else nullcontext():
        assert Usage(output_tokens=total, reasoning_tokens=reasoning).output_tokens == total


def test_a_negative_count_is_refused() -> None:
    """A provider that reports less than no tokens is not believed."""
    with pytest.raises(ValueError, match="negative"):
        Usage(input_tokens=-1)


def test_generation_has_the_designs_columns_first() -> None:
    """The fields of a generation are the documented columns, in their order, and four that follow."""
    # fmt: off
    documented = [
        "generation_id", "run_id", "experiment", "workspace", "prompt", "prompt_version", "model",
        "provider", "sample_id", "repeat", "status", "text", "stop_reason", "error_type",
        "error_message", "started_at", "queue_s", "first_event_s", "ttft_s", "latency_s", "retry_s",
        "attempts", "in_flight", "input_tokens", "cache_read_tokens", "cache_write_tokens",
        "output_tokens", "reasoning_tokens", "cost_usd", "price_id", "maybe_paid", "replayed_from",
        "response_model", "response_id", "request_id", "raw",
    ]
    # fmt: on
    assert list(Generation.__struct_fields__) == [*documented, "draw", "parent_id", "step", "user"]
