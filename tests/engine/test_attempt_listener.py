"""The listener keeps the text and reads the clock at each arrival."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.engine import attempt_listener as module
from labkit.engine.attempt_listener import AttemptListener


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that is moved by hand: its last entry is the time."""
    now = [100.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[-1])
    return now


def test_what_it_hears_and_when(clock: list[float], kit: Any) -> None:
    """The first event, the first text and the last sign of life have their times since sending."""
    shown: list[str] = []
    accepted: list[bool] = []
    cell = kit.jobs_for([kit.Model("scripted/a")], 1)[0].cell
    listener = AttemptListener(cell, lambda cell, delta: shown.append(delta), lambda: accepted.append(True))
    clock.append(101.0)
    listener.opened({"a": "b"})
    assert (listener.heard, listener.first_event_s, accepted) == (101.0, None, [True])
    clock.append(102.0)
    listener.event()
    clock.append(103.0)
    listener.text("Hel")
    clock.append(104.0)
    listener.text("lo")
    listener.event()
    assert (listener.first_event_s, listener.ttft_s, listener.heard) == (2.0, 3.0, 104.0)
    assert listener.said() == "Hello"
    assert shown == ["Hel", "lo"]
    assert listener.headers == {"a": "b"}


def test_text_is_an_event_too(clock: list[float], kit: Any) -> None:
    """Where text comes first, it is the first event."""
    cell = kit.jobs_for([kit.Model("scripted/a")], 1)[0].cell
    listener = AttemptListener(cell, None, lambda: None)
    clock.append(100.5)
    listener.text("x")
    assert listener.first_event_s == listener.ttft_s == 0.5


def test_reasoning_is_no_text(clock: list[float], kit: Any) -> None:
    """Time to first text is that of the answer, not of the reasoning before it, also where the end of the
    reasoning shows only afterwards that it was such; what is shown is text."""
    cell = kit.jobs_for([kit.Model("scripted/a")], 1)[0].cell
    for begin in ("<think>", ""):
        shown: list[str] = []
        clock.append(100.0)
        listener = AttemptListener(
            cell, lambda cell, delta, shown=shown: shown.append(delta), lambda: None, think_tag="think"
        )
        for number, piece in enumerate((begin, "hm", "</th", "ink>", "\n", "yes", " and no"), 101):
            clock.append(float(number))
            if piece:
                listener.text(piece)
        assert (listener.said(), listener.reasoning()) == ("yes and no", "hm")
        assert (listener.ttft_s, listener.heard) == (6.0, 107.0)
        assert listener.first_event_s == (1.0 if begin else 2.0)
        assert shown[-2:] == ["yes", " and no"]
    listener.thought(" more")
    assert listener.reasoning() == "hm more"
