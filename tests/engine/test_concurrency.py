"""Concurrency: it ramps, halves, grows again, and never leaves its bounds."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.engine.concurrency import ConcurrencyLimiter


@given(st.integers(1, 300), st.lists(st.sampled_from(["send", "accept", "refuse", "end"]), max_size=300))
def test_it_stays_in_its_bounds(ceiling: int, doings: list[str]) -> None:
    """Whatever happens, at least one and at most the ceiling may be out."""
    limiter = ConcurrencyLimiter(ceiling, random=Random(1))
    for doing in doings:
        if doing == "send" and limiter.free:
            limiter.acquire()
        elif doing == "end" and limiter.in_flight:
            limiter.release()
        elif doing == "accept":
            limiter.accepted()
        elif doing == "refuse":
            limiter.refused(limiter.sent)
        assert 1 <= limiter.limit <= ceiling
        assert 0 <= limiter.in_flight <= ceiling


def test_it_ramps_up_by_what_is_accepted() -> None:
    """It begins low and grows by a half to one with each answer that begins: at most doubled in a round."""
    limiter = ConcurrencyLimiter(256, random=Random(1))
    assert limiter.limit == 16
    for _ in range(16):
        limiter.accepted()
    assert 24 <= limiter.limit < 32
    for _ in range(1000):
        limiter.accepted()
    assert limiter.limit == 256
    assert not limiter.accepted()


def test_a_burst_of_refusals_counts_once() -> None:
    """Refusals of requests that left before the last decrease say nothing new."""
    limiter = ConcurrencyLimiter(64)
    for _ in range(100):
        limiter.accepted()
    numbers = [limiter.acquire() and limiter.sent for _ in range(64)]
    for number in numbers:
        limiter.refused(number)
    assert limiter.limit == 32
    limiter.acquire()
    limiter.refused(limiter.sent)
    assert limiter.limit == 16


def test_after_a_refusal_it_grows_slowly() -> None:
    """It grows by about one a round, not by one an answer."""
    limiter = ConcurrencyLimiter(64, random=Random(1))
    limiter.acquire()
    limiter.refused(limiter.sent)
    assert limiter.limit == 8
    for _ in range(8):
        limiter.accepted()
    assert limiter.limit in (8, 9)
    for _ in range(2000):
        limiter.accepted()
    assert limiter.limit > 30


def test_a_fixed_limit_is_fixed() -> None:
    """A server of known slots is used fully from the start, and no refusal changes that."""
    limiter = ConcurrencyLimiter(4, adaptive=False)
    limiter.acquire()
    limiter.refused(limiter.sent)
    assert limiter.limit == 4
    limiter.set_ceiling(6)
    assert limiter.limit == 6


def test_the_ceiling_can_move() -> None:
    """A lower ceiling holds at once; a higher one is grown into."""
    limiter = ConcurrencyLimiter(64)
    limiter.set_ceiling(5)
    assert limiter.limit == 5
    limiter.set_ceiling(10)
    assert limiter.limit == 5
    limiter.accepted()
    limiter.accepted()
    assert limiter.limit == 6


@pytest.mark.parametrize("ceiling", [0, -1])
def test_nothing_at_all_is_refused(ceiling: int) -> None:
    """A limit at which nothing could ever be sent is a mistake, not a limit."""
    with pytest.raises(ValueError, match="at least one"):
        ConcurrencyLimiter(ceiling)
    with pytest.raises(ValueError, match="at least one"):
        ConcurrencyLimiter(3).set_ceiling(ceiling)


def test_a_share_is_of_the_limit() -> None:
    """With a third of the places a third may be out, and always one."""
    limiter = ConcurrencyLimiter(64, adaptive=False)
    limiter.share = 1 / 3
    assert limiter.limit == 21
    limiter.share = 0.001
    assert limiter.limit == 1


def test_a_refusal_elsewhere_halves_it_too() -> None:
    """What another run was refused ends the ramp here; a fixed limit stays."""
    limiter, fixed = ConcurrencyLimiter(64), ConcurrencyLimiter(8, adaptive=False)
    for one in (limiter, fixed):
        one.decrease()
    assert (limiter.limit, fixed.limit) == (8, 8)
    limiter.accepted()
    assert limiter.limit == 8


def test_runs_that_begin_together_do_not_go_on_in_step() -> None:
    """The ramp has jitter: with other random numbers it is another."""
    levels = set()
    for seed in range(8):
        limiter = ConcurrencyLimiter(256, random=Random(seed))
        for _ in range(20):
            limiter.accepted()
        levels.add(limiter.limit)
    assert len(levels) > 1
