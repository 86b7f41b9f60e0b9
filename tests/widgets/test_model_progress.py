"""What one model did so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labkit.widgets.model_progress import ModelProgress, cost_words


def test_replays_cost_nothing_now(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """A replayed answer counts as done, with neither cost nor clocks of this run."""
    tally = ModelProgress(total=2)
    tally.end(
        generation(cell(), replayed_from="g1:0", cost_usd=4.0, latency_s=None, attempts=0), waited=False
    )
    assert (tally.done, tally.cost_usd, tally.asked_s) == (1, 0.0, 0.0)


def test_unknown_cost_is_said(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """One answer without a price makes the total "at least"."""
    tally = ModelProgress(total=2)
    tally.end(generation(cell(), cost_usd=0.5), waited=False)
    assert cost_words([tally]) == "USD 0.50"
    tally.end(generation(cell(sample="s1"), cost_usd=None), waited=False)
    assert cost_words([tally]) == "at least USD 0.50"


def test_words_tell_speed(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """The words name the median time to first token, tokens per second, and cost."""
    tally = ModelProgress(total=1)
    tally.end(generation(cell(), ttft_s=0.25, latency_s=2.0, output_tokens=40, cost_usd=0.1), waited=False)
    assert tally.words == "TTFT 0.25 s · 20 tokens/s · USD 0.10"


def test_words_tell_waiting() -> None:
    """A model that waits says for what and for how long."""
    tally = ModelProgress(total=1)
    tally.left_queue(waited=False, first=True)
    tally.wait(30.0, "RateLimited: 429", was="asking")
    assert "waits" in tally.words
    assert "RateLimited: 429" in tally.words
    tally.left_queue(waited=True, first=False)
    assert (tally.in_flight, tally.waiting, tally.words) == (1, 0, "")
