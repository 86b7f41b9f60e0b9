"""Concurrency: it ramps up, and never leaves its bounds."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.engine.concurrency import ConcurrencyLimiter


@given(st.integers(1, 300), st.lists(st.sampled_from(["send", "accept", "end"]), max_size=300))
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


def test_a_fixed_limit_is_fixed() -> None:
    """A server of known slots is used fully from the start."""
    limiter = ConcurrencyLimiter(4, adaptive=False)
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


def test_runs_that_begin_together_do_not_go_on_in_step() -> None:
    """The ramp has jitter: with other random numbers it is another."""
    levels = set()
    for seed in range(8):
        limiter = ConcurrencyLimiter(256, random=Random(seed))
        for _ in range(20):
            limiter.accepted()
        levels.add(limiter.limit)
    assert len(levels) > 1
