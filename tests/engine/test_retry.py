"""Who is asked again, how often, and after how long."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.engine.retry import Policy, decide
from labkit.errors import (
    AuthenticationFailed,
    CertificateRefused,
    ConnectionFailed,
    ConnectionLost,
    InvalidRequest,
    MalformedAnswer,
    Overloaded,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    TimedOut,
)

POLICY = Policy()


def after(
    error: ProviderError, count: int = 1, elapsed_s: float = 0.0, policy: Policy = POLICY
) -> float | None:
    """The wait that follows the `count`-th failure of one class."""
    failures = Counter({type(error).__name__: count})
    return decide(policy, error, failures=failures, elapsed_s=elapsed_s, random=Random(1)).wait_s


@pytest.mark.parametrize("kind", [AuthenticationFailed, QuotaExceeded, InvalidRequest, CertificateRefused])
def test_some_are_never_asked_again(kind: type[ProviderError]) -> None:
    """A refusal that waiting does not mend is final, even where the provider says when to come back."""
    assert after(kind("no", retry_after_s=1)) is None


@pytest.mark.parametrize(
    ("kind", "attempts"),
    [(RateLimited, 16), (Overloaded, 16), (TimedOut, 2), (ConnectionLost, 2), (MalformedAnswer, 2)],
)
def test_each_class_has_its_number(kind: type[ProviderError], attempts: int) -> None:
    """Each class of failure has its own number of attempts; what may be paid twice has few."""
    asked = [after(kind("no"), count) is not None for count in range(1, 20)]
    assert asked == [count < attempts for count in range(1, 20)]


def test_what_is_refused_by_chance_is_asked_again_soon() -> None:
    """Where slower asking changes nothing, the fifteenth wait is no longer than the second may be."""
    waits = []
    for seed in range(200):
        failures = Counter({"RateLimited": 15})
        found = decide(
            POLICY,
            RateLimited("no"),
            failures=failures,
            elapsed_s=0.0,
            random=Random(seed),
            by_chance=True,
        )
        waits.append(found.wait_s)
    assert max(wait_s for wait_s in waits if wait_s is not None) <= 1.0
    assert None not in waits


def test_an_unmade_connection_is_free() -> None:
    """What never reached the provider is tried until the deadline, however often."""
    assert after(ConnectionFailed("no"), 500) is not None
    assert after(ConnectionFailed("no"), 500, elapsed_s=1800) is None


def test_credit_keys_and_certificates_stop_the_model() -> None:
    """What is wrong with the account or the address is wrong for every cell of the model."""
    plain = ConnectionFailed("plain http")
    plain.for_good = True
    for error in (
        AuthenticationFailed("bad key"),
        QuotaExceeded("empty"),
        CertificateRefused("whose"),
        plain,
    ):
        decision = decide(POLICY, error, failures={}, elapsed_s=0, random=Random(1))
        assert decision.stops_model is not None
        assert str(error) in decision.stops_model
    refused = decide(POLICY, InvalidRequest("no"), failures={}, elapsed_s=0, random=Random(1))
    assert refused.stops_model is None


def test_beyond_the_cap_the_model_is_put_aside_with_a_date() -> None:
    """Nobody sleeps longer than the cap; the reason says until when the provider wanted it."""
    for asked_s in (121, 86400, 1e300):
        error = RateLimited("slow", retry_after_s=asked_s)
        decision = decide(POLICY, error, failures={"RateLimited": 1}, elapsed_s=0, random=Random(1))
        assert decision.wait_s is None
        assert "UTC" in (decision.stops_model or "")


@given(st.floats(0, 120), st.integers(1, 9), st.randoms(use_true_random=False))
def test_a_hint_is_a_lower_bound(asked_s: float, count: int, random: Random) -> None:
    """The wait is never shorter than asked, and not much longer."""
    error = RateLimited("slow", retry_after_s=asked_s)
    wait_s = decide(POLICY, error, failures={"RateLimited": count}, elapsed_s=0, random=random).wait_s
    assert wait_s is not None
    assert asked_s <= wait_s <= asked_s * 1.1 + 0.05 + 1e-9


@given(st.integers(1, 7), st.randoms(use_true_random=False))
def test_backoff_is_bounded_and_spread(count: int, random: Random) -> None:
    """Without a hint the wait lies between nothing and a bound that doubles, up to its cap."""
    wait_s = decide(
        POLICY, Overloaded("x"), failures={"Overloaded": count}, elapsed_s=0, random=random
    ).wait_s
    assert wait_s is not None
    assert 0 <= wait_s <= min(30.0, 0.5 * 2 ** (count - 1))


def test_the_deadline_ends_it() -> None:
    """A wait that would end after the deadline is not begun."""
    assert after(RateLimited("x", retry_after_s=100), elapsed_s=1750) is None
    assert after(RateLimited("x", retry_after_s=100), elapsed_s=1600) is not None


def test_fail_fast() -> None:
    """Who asked for no second attempt gets none."""
    quick = Policy(fail_fast=True)
    assert [after(kind("x"), policy=quick) for kind in (RateLimited, ConnectionFailed, TimedOut)] == [
        None
    ] * 3


def test_numbers_are_merged_and_frozen() -> None:
    """A policy names the classes it changes; the others keep theirs, and nothing can be changed after."""
    policy = Policy(attempts={"TimedOut": 1})
    assert (policy.attempts["TimedOut"], policy.attempts["RateLimited"]) == (1, 16)
    with pytest.raises(TypeError):
        policy.attempts["TimedOut"] = 5  # type: ignore[index]
    assert after(TimedOut("x"), policy=policy) is None
