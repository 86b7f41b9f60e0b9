"""The limiter: nothing without refusals; after them the rate that is likely, tried, kept and forgotten."""

from __future__ import annotations

from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.engine.rate_limiter import RateLimiter


class Provider:
    """A token bucket on the other side, and a run that sends as fast as the limiter lets it."""

    def __init__(self, per_s: float, left: float, capacity: float = 1e9, by_chance: float = 0.0) -> None:
        self.rate = RateLimiter(random=Random(1))
        self.per_s, self.left, self.capacity, self.by_chance = per_s, left, capacity, by_chance
        self.random = Random(2)
        self.now, self.number, self.refused, self.taken = 0.0, 0, 0, 0

    def go(self, until: float, latency_s: float = 0.05, asks: bool = True) -> None:
        """Send one after the other until then."""
        while self.now < until:
            self._pass(self.rate.wait_s(self.now) + 1e-6)
            self.number += 1
            self.rate.sent(self.number, self.now)
            if self.left >= 1 and self.random.random() >= self.by_chance:
                self.left -= 1
                self.taken += 1
                self._pass(latency_s)
                self.rate.taken(self.number, self.now)
            else:
                self.refused += 1
                asked_s = (1 - self.left) / self.per_s if asks and self.left < 1 else None
                self.rate.refused(self.number, asked_s, self.now)
            self.rate.ended(self.number, self.now)

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
    assert limiter.pace_per_s == inf
    assert repr(limiter) == "RateLimiter(free)"


def test_a_slow_start_waits_for_the_first_answers() -> None:
    """Four leave, a millisecond apart, then one more for every two that are taken, spread over half the time
    of an answer, and one less for every two that are refused, 50 ms after a refusal at most; after a second
    all may."""
    limiter = RateLimiter(slow_start=True)
    assert sent(limiter, 0, 4, at=0.0) == pytest.approx(0.003)
    assert limiter.wait_s(0.01) == pytest.approx(0.99)
    assert limiter.careful(0.5)
    limiter.taken(0, 0.1)
    limiter.taken(1, 0.1)
    assert sent(limiter, 4, 7, at=0.1) == pytest.approx(0.1 + 2 * 0.099 / (2 * 5))
    for number in (2, 3):
        limiter.refused(number, None, 0.13)
        limiter.ended(number, 0.13)
    assert sent(limiter, 7, 8, at=0.13) == pytest.approx(0.18)
    assert limiter.wait_s(0.3) > 0
    assert limiter.wait_s(1.01) == 0


def sent(limiter: RateLimiter, first: int, end: int, *, at: float) -> float:
    """Requests that leave as soon as they may; when the last did."""
    for number in range(first, end):
        at += limiter.wait_s(at)
        limiter.sent(number, at)
    return at


def test_one_refusal_alone_slows_nobody() -> None:
    """After a hundred answers one refusal, also one that says when to come back, holds back nothing."""
    provider = Provider(1.0, left=100)
    provider.go(5.0)
    limiter = provider.rate
    limiter.sent(1000, 5.0)
    limiter.refused(1000, 30.0, 5.0)
    assert limiter.wait_s(5.0) == 0


@pytest.mark.parametrize("by_chance", [0.05, 0.2, 0.4])
def test_refusals_by_chance_slow_nobody_for_long(by_chance: float) -> None:
    """Where as much is refused however slowly is asked, most of what could leave does."""
    provider = Provider(1e9, left=1e9, by_chance=by_chance)
    provider.go(60.0)
    assert provider.taken * 0.05 > 0.8 * 60
    assert provider.rate.by_chance
    assert not provider.rate.in_doubt


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("per_minute", [10, 60, 600])
def test_a_limit_is_kept_once_it_is_known(per_minute: int, asks: bool) -> None:
    """Of what is sent in the next ten minutes less than 11 % is refused, and 80 % of the limit is used."""
    per_s = per_minute / 60
    provider = Provider(per_s, left=per_minute)
    provider.go(60, asks=asks)
    refused, taken = provider.refused, provider.taken
    provider.go(660, asks=asks)
    refused, taken = provider.refused - refused, provider.taken - taken
    assert refused / (refused + taken) < 0.11
    assert taken > 0.8 * 600 * per_s


def test_a_limit_beneath_refusals_by_chance_is_kept() -> None:
    """One in five refused by chance, ten a second at most: 70 % of the limit is used, few are too many."""
    provider = Provider(10.0, left=20, by_chance=0.2)
    provider.go(300, asks=False)
    assert provider.taken > 0.7 * 3000
    assert provider.refused < 0.2 / 0.8 * provider.taken + 0.1 * (provider.taken + provider.refused)


def test_a_limit_that_is_gone_is_forgotten() -> None:
    """After some hundred requests without a refusal nothing is held back."""
    provider = Provider(2.0, left=10)
    provider.go(60)
    assert provider.rate.pace_per_s < 5
    provider.per_s = provider.left = 1e9
    provider.go(180)
    assert provider.rate.pace_per_s == inf


def test_nothing_leaves_before_the_time_that_refusals_tell() -> None:
    """Where everything is refused, the time they tell is waited for by all."""
    limiter, now = RateLimiter(random=Random(1)), 0.0
    for number in range(60):
        now += limiter.wait_s(now) + 0.01
        if limiter.since > now - 1:
            break
        limiter.sent(number, now)
        if number < 20:
            limiter.taken(number, now)
        else:
            limiter.refused(number, 30.0, now)
    assert limiter.since > 29
    assert number < 40


def test_refusals_that_come_before_answers_are_not_taken_for_all() -> None:
    """Of thirty that left together one in five is refused at once, the others are answered after a second."""
    limiter, random = RateLimiter(random=Random(1)), Random(3)
    for round_ in range(12):
        numbers = range(30 * round_, 30 * round_ + 30)
        for number in numbers:
            limiter.sent(number, round_ + number / 1e6)
        fates = {number: random.random() < 0.2 for number in numbers}
        for number in numbers:
            if fates[number]:
                limiter.refused(number, None, round_ + 0.01)
        for number in numbers:
            if not fates[number]:
                limiter.taken(number, round_ + 0.9)
    assert limiter.pace_per_s > 20


def test_refusals_are_held_against_how_fast_all_ask() -> None:
    """Of two runs each is refused what both are too fast for: one that asks at 4 of 40 a second, where 10 are
    taken, does not take its own four for too many."""
    limiter, random = RateLimiter(random=Random(1)), Random(2)
    limiter.share, limiter.elsewhere_per_s = 0.5, 36.0
    for number in range(60):
        limiter.sent(number, number / 4)
        if random.random() < 0.25:
            limiter.taken(number, number / 4 + 0.1)
        else:
            limiter.refused(number, None, number / 4 + 0.01)
    causes = limiter._causes
    assert causes is not None
    assert causes.limit_below(40.0) > 0.8
    assert causes.limit_below(4.0) < 0.2


def test_a_limit_elsewhere_is_heard_once() -> None:
    """The newest counts; the rate is that of all runs, of which this one has its share."""
    limiter = RateLimiter()
    limiter.share = 0.5
    assert limiter.adopt(5.0, 2.0, 7.0)
    assert not limiter.adopt(5.0, 2.0, 7.0)
    assert limiter.wait_s(6.0) == pytest.approx(1 + 1 / (2.0 * 0.5))


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
            limiter.refused(number, asked_s, now)
        elif doing == "end":
            limiter.ended(number, now)
        else:
            limiter.adopt(now, (asked_s or 0) / 1e4 + 0.02, now + later)
        wait_s = limiter.wait_s(now)
        assert 0 <= wait_s < inf
        assert limiter.wait_s(now + wait_s + 1e-3) <= 0.01 * wait_s
