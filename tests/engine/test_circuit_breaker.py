"""The circuit: pauses after like failures, probes with one request, closes when it is answered."""

from __future__ import annotations

from random import Random

from labkit.engine.circuit_breaker import TRIPS_AT, CircuitBreaker


def tripped() -> CircuitBreaker:
    """A circuit that has just paused."""
    circuit = CircuitBreaker(Random(1))
    for _ in range(TRIPS_AT - 1):
        assert circuit.failed("Overloaded", 0) is None
    assert circuit.failed("Overloaded", 0) is not None
    return circuit


def test_twenty_like_failures_pause() -> None:
    """It pauses at the twentieth, not before, and lets nothing through until its time."""
    circuit = tripped()
    assert circuit.reopens_at is not None
    assert 0.7 < circuit.reopens_at < 1.3
    assert not circuit.permits(0.5)
    assert circuit.permits(1.3)


def test_failures_of_many_kinds_do_not() -> None:
    """Only the same failure again and again is a sign; an answer in between begins the count anew."""
    circuit = CircuitBreaker(Random(1))
    for number in range(200):
        assert circuit.failed(("Overloaded", "TimedOut")[number % 2], number) is None
    for number in range(200):
        if number % 10 == 0:
            circuit.answered()
        assert circuit.failed("Overloaded", number) is None


def test_one_probe_at_a_time() -> None:
    """After the pause one request may leave, and no second until it has ended."""
    circuit = tripped()
    circuit.sent()
    assert not circuit.permits(2)
    circuit.withdrawn()
    assert circuit.permits(2)
    circuit.sent()
    circuit.answered()
    assert circuit.permits(2)
    assert circuit.failing_since is None


def test_failed_probes_pause_longer() -> None:
    """Each probe that fails makes the next pause longer, up to a cap."""
    circuit, now, pauses = tripped(), 0.0, []
    for _ in range(10):
        now = circuit.reopens_at or 0
        circuit.sent()
        pause = circuit.failed("Overloaded", now)
        assert pause is not None
        pauses.append(pause)
    assert pauses[0] < 3
    assert pauses[3] > 6
    assert max(pauses) < 19
    assert circuit.failing_since == 0


def test_stragglers_say_nothing_new() -> None:
    """Requests that left before the pause and fail during it do not lengthen it."""
    circuit = tripped()
    until = circuit.reopens_at
    assert [circuit.failed("Overloaded", 0.1) for _ in range(50)] == [None] * 50
    assert circuit.reopens_at == until


def test_sleep_is_not_failing() -> None:
    """Time that the machine slept does not count as time of failing."""
    circuit = tripped()
    circuit.overslept(100)
    assert circuit.failing_since == 100
