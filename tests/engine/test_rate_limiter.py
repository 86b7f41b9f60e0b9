"""The limiter: nothing without refusals; after them a rate that is kept, tried again and forgotten."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.engine.rate_limiter import RateLimiter


class Provider:
    """A token bucket on the other side, and a run that sends as fast as the limiter lets it."""

    def __init__(self, limiter: RateLimiter, per_s: float, left: float, capacity: float = 1e9) -> None:
        self.rate, self.per_s, self.left, self.capacity = limiter, per_s, left, capacity
        self.now, self.number, self.refused, self.taken = 0.0, 0, 0, 0

    def go(self, until: float, latency_s: float = 0.05, asks: bool = True) -> None:
        """Send one after the other until then."""
        while self.now < until:
            wait_s = max(self.rate.wait_s(self.now), 0.0)
            self._pass(wait_s + 1e-6)
            self.number += 1
            self.rate.sent(self.number, self.now)
            if self.left >= 1:
                self.left -= 1
                self.taken += 1
                self._pass(latency_s)
                self.rate.taken(self.number, self.now)
            else:
                self.refused += 1
                asked_s = (1 - self.left) / self.per_s if asks else None
                self.rate.refused(self.number, self.number, asked_s, self.now)
            self.rate.ended(self.number)

    def _pass(self, seconds: float) -> None:
        self.now += seconds
        self.left = min(self.capacity, self.left + seconds * self.per_s)


def test_without_a_refusal_nothing_is_held_back() -> None:
    """However much is sent, the limiter is free until the provider refuses."""
    limiter = RateLimiter()
    for number in range(1000):
        assert limiter.wait_s(number / 1000) == 0
        limiter.sent(number, number / 1000)
        limiter.taken(number, number / 1000)
    assert limiter.per_s(1.0) == inf
    assert repr(limiter) == "RateLimiter(free)"


def test_a_slow_start_waits_for_the_first_answers() -> None:
    """Four leave at once, then one more for every two that are taken; after a second all may."""
    limiter = RateLimiter(slow_start=True)
    for number in range(4):
        assert limiter.wait_s(0.0) == 0
        limiter.sent(number, 0.0)
    assert limiter.wait_s(0.0) == pytest.approx(1.0)
    limiter.taken(0, 0.1)
    limiter.taken(1, 0.1)
    for number in range(4, 7):
        assert limiter.wait_s(0.1) == 0
        limiter.sent(number, 0.1)
    assert limiter.wait_s(0.1) > 0
    assert limiter.wait_s(1.01) == 0


def test_one_refusal_alone_slows_nobody_for_long() -> None:
    """After a refusal one goes ahead; where such are taken, all is as before."""
    limiter = RateLimiter()
    limiter.sent(1, 0.0)
    assert limiter.refused(1, 5, 1.0, 0.0)
    assert not limiter.refused(3, 5, 1.0, 0.1)
    assert limiter.wait_s(0.1) == 0
    limiter.sent(6, 0.1)
    assert limiter.careful(0.1)
    assert limiter.wait_s(0.1) == pytest.approx(0.9)
    limiter.taken(6, 0.2)
    assert limiter.wait_s(0.2) == 0
    limiter.sent(7, 1.2)
    assert limiter.per_s(1.2) == inf
    assert limiter.wait_s(1.2) == 0


def test_who_goes_ahead_and_fails_otherwise_is_followed_by_the_next() -> None:
    """A request that ended without being taken or refused tells nothing: another goes ahead."""
    limiter = RateLimiter()
    limiter.refused(1, 1, 1.0, 0.0)
    limiter.sent(2, 0.1)
    assert limiter.wait_s(0.1) > 0
    limiter.ended(2)
    assert limiter.wait_s(0.1) == 0


def test_a_second_refusal_teaches_the_rate_of_the_last_minute() -> None:
    """Sixty were taken in this minute: the limit is one a second, once the time asked for has passed."""
    limiter = RateLimiter()
    for number in range(60):
        limiter.sent(number, 0.0)
        limiter.taken(number, 0.5)
    limiter.refused(60, 60, 55.0, 0.6)
    limiter.sent(61, 0.7)
    limiter.refused(61, 61, 55.0, 0.7)
    assert limiter.wait_s(0.7) >= 55.0
    assert limiter.per_s(55.7) == pytest.approx(0.85)
    assert 0.99 < limiter.per_s(55.7 + 32) < 1.01


def test_what_others_took_counts_too() -> None:
    """The rate is that of all runs, of which this one has its share."""
    limiter = RateLimiter()
    limiter.taken_elsewhere = 59.0
    limiter.taken(0, 0.0)
    limiter.share = 0.5
    limiter.refused(1, 1, 10.0, 1.0)
    limiter.sent(2, 1.1)
    limiter.refused(2, 2, 10.0, 1.1)
    assert limiter.per_s(11.1) == pytest.approx(0.85)
    assert limiter.wait_s(11.1) == pytest.approx(1 / 0.425, rel=0.01)


@pytest.mark.parametrize("per_minute", [10, 60, 600])
def test_a_limit_is_kept_once_it_is_known(per_minute: int) -> None:
    """Of what is sent in the next ten minutes less than 5 % is refused, and 80 % of the limit is used."""
    per_s = per_minute / 60
    provider = Provider(RateLimiter(), per_s, left=per_minute)
    provider.go(60)
    refused, taken = provider.refused, provider.taken
    provider.go(660)
    refused, taken = provider.refused - refused, provider.taken - taken
    assert refused / (refused + taken) < 0.05
    assert taken > 0.8 * 600 * per_s


def test_without_a_time_to_come_back_it_learns_from_the_fifth() -> None:
    """Refusals that ask for no time are first answered by fewer at once; five in a row teach a rate."""
    provider = Provider(RateLimiter(), 1.0, left=5)
    for _ in range(5):
        provider.go(provider.now + 0.001, asks=False)
    while provider.rate.per_s(provider.now) == inf:
        provider.go(provider.now + 0.001, asks=False)
    assert 5 <= provider.refused < 10
    before = provider.refused, provider.taken
    provider.go(provider.now + 300, asks=False)
    refused, taken = provider.refused - before[0], provider.taken - before[1]
    assert refused / (refused + taken) < 0.1
    assert taken > 150


def test_a_limit_that_is_gone_is_forgotten() -> None:
    """Without a refusal the rate has grown tenfold in less than three minutes, and holds nobody after."""
    limiter = RateLimiter()
    limiter.refused(1, 1, 1.0, 0.0)
    limiter.sent(2, 0.1)
    limiter.refused(2, 2, 1.0, 0.1)
    assert limiter.per_s(2) < 1
    assert limiter.per_s(170) > 10 * limiter.top_per_s
    limiter.sent(3, 170)
    limiter.sent(4, 200)
    assert limiter.per_s(200) == inf
    assert limiter.wait_s(200) == 0


def test_a_refusal_elsewhere_is_heard_once() -> None:
    """The newest refusal counts, and what left before it was heard of tells nothing new."""
    limiter = RateLimiter()
    assert limiter.adopt(5.0, 2.0, 7.0, 10)
    assert not limiter.adopt(5.0, 2.0, 7.0, 10)
    assert limiter.wait_s(6.0) == pytest.approx(1 + 1 / 1.7)
    assert not limiter.refused(10, 11, 1.0, 6.5)
    assert limiter.adopt(6.0, 0.0, -1.0, 12)
    assert limiter.top_per_s == 2.0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["send", "take", "refuse", "end", "adopt"]),
            st.floats(0, 100),
            st.none() | st.floats(0, 1e6),
        ),
        max_size=60,
    ),
    st.booleans(),
)
def test_whatever_happens_a_wait_is_a_number_and_ends(
    doings: list[tuple[str, float, float | None]], slow: bool
) -> None:
    """Waits are finite and never negative, and after the last of them a request may leave."""
    limiter, now, number = RateLimiter(slow_start=slow), 0.0, 0
    for doing, later, asked_s in doings:
        now += later
        if doing == "send":
            number += 1
            limiter.sent(number, now)
        elif doing == "take":
            limiter.taken(number, now)
        elif doing == "refuse":
            limiter.refused(number, number, asked_s, now)
        elif doing == "end":
            limiter.ended(number)
        else:
            limiter.adopt(now, (asked_s or 0) / 1e4 + 0.02, now + later, number)
        wait_s = limiter.wait_s(now)
        assert 0 <= wait_s < inf
        assert limiter.wait_s(now + wait_s + 1e-3) <= 0.01 * wait_s
