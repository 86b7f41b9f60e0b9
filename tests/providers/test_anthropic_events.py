"""Counts of the anthropic dialect, as labkit's; how answers are read is in `test_anthropic`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labkit.providers.anthropic_events import AnthropicReading


@pytest.mark.parametrize(
    ("told", "total"),
    [
        ({"input_tokens": 10}, 10),
        ({"input_tokens": 10, "cache_read_input_tokens": 1000}, 1010),
        ({"input_tokens": 0, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 7}, 1007),
    ],
)
def test_the_total_is_the_sum(told: dict[str, int], total: int, listener: Any) -> None:
    """Anthropic counts its cache beside the input; labkit's input is all of it, so both dialects agree."""
    reading = AnthropicReading(listener, "acme")
    content = [{"type": "text", "text": "a"}]
    whole = {"content": content, "stop_reason": "end_turn", "usage": {**told, "output_tokens": 3}}
    reading.whole(json.dumps(whole).encode())
    usage = reading.answer().usage
    cached = (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)
    assert (usage.input_tokens, usage.output_tokens) == (total, 3)
    assert total - cached == told["input_tokens"]
