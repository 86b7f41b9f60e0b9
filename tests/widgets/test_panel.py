"""One cell while it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labkit.widgets.panel import SHOWN_CHARS, Panel


def test_a_life(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """Queued, asked, streaming, done: each state follows what was told."""
    panel = Panel(0, "m/one")
    seen = [panel.state]
    panel.sent(1)
    seen.append(panel.state)
    panel.add("he")
    panel.add("llo")
    seen.append(panel.state)
    panel.end(generation(cell(), "hello"))
    assert [*seen, panel.state] == ["queued", "asking", "streaming", "done"]
    assert panel.text == "hello"
    assert panel.over


def test_the_same_text_is_not_begun_anew(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """When the stored text is what streamed, views need not be told it again."""
    panel = Panel(0, "m/one")
    panel.sent(1)
    panel.add("a")
    panel.add("b")
    take = panel.take
    panel.end(generation(cell(), "ab"))
    assert panel.take == take


def test_another_text_is_begun_anew(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """When the stored text differs from what streamed, views are told to begin again."""
    panel = Panel(0, "m/one")
    panel.sent(1)
    panel.add("a secret")
    take = panel.take
    panel.end(generation(cell(), "a ***"))
    assert panel.take > take
    assert panel.text == "a ***"


def test_a_second_attempt_forgets_the_first() -> None:
    """What an attempt that failed had said does not stay in front of the next one's text."""
    panel = Panel(0, "m/one")
    panel.sent(1)
    panel.add("half an ans")
    panel.wait("429")
    panel.sent(2)
    panel.add("whole")
    assert (panel.text, panel.attempt, panel.length) == ("whole", 2, 5)


def test_long_text_is_bounded(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """A panel keeps no more than it shows, while streaming and after, and knows the whole length."""
    panel = Panel(0, "m/one")
    panel.sent(1)
    for _ in range(100):
        panel.add("x" * 1000)
    assert (len(panel.text), panel.length) == (SHOWN_CHARS, 100_000)
    panel.end(generation(cell(), "x" * 100_000))
    assert (len(panel.text), panel.length) == (SHOWN_CHARS, 100_000)


@pytest.mark.parametrize(
    ("given", "state", "note"),
    [
        ({"replayed_from": "g1:0"}, "known", ""),
        (
            {"status": "failed", "error_type": "RateLimited", "error_message": "429"},
            "failed",
            "RateLimited: 429",
        ),
        (
            {"status": "stopped", "error_type": "RunStopped", "error_message": "you"},
            "stopped",
            "RunStopped: you",
        ),
        ({"status": "partial", "error_type": "TimedOut"}, "partial", "TimedOut"),
    ],
)
def test_ends_say_why(
    cell: Callable[..., Any], generation: Callable[..., Any], given: dict[str, Any], state: str, note: str
) -> None:
    """However a cell ends, its state is a word of its own and the reason stands beside it."""
    panel = Panel(0, "m/one")
    panel.end(generation(cell(), None, **given))
    assert (panel.state, panel.note) == (state, note)
