"""What follows an attempt: its row, or another attempt, or the end of its whole model.

Limits, buckets and circuit of the queue learn from it here; acting on it is the runner's.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from labkit.engine import retry
from labkit.engine.call import Attempted, Call, Stopped
from labkit.engine.queues import ModelQueue
from labkit.engine.retry import Policy
from labkit.engine.token_buckets import Tokens
from labkit.errors import ConnectionFailed, ConnectionLost, Overloaded, ProviderError, RateLimited, TimedOut
from labkit.records import Generation

_OF_THE_ENDPOINT = (RateLimited, Overloaded, TimedOut, ConnectionFailed, ConnectionLost)
"""Failures that tell of the endpoint, not of one request."""


@dataclass(frozen=True, slots=True)
class AfterAttempt:
    """`row`: this is the end, stored as such; None: ask again after `wait_s`."""

    row: Generation | None
    cost_usd: float | None = None
    """What to settle: None where it is not known."""
    wait_s: float | None = None
    why: str = ""
    stops_model: Stopped | None = None
    pause_s: float | None = None
    """The model is paused for so long."""


def decide(
    queue: ModelQueue, call: Call, attempted: Attempted, *, policy: Policy, random: Random, now: float
) -> AfterAttempt:
    """Learn from an attempt that ended, and say what follows."""
    call.last, call.task = attempted, None
    # What an answer tells of limits was heeded when it began: by its end that is old.
    if attempted.error is not None and attempted.error.headers and not attempted.listener.headers:
        queue.news |= queue.buckets.heed(attempted.error.headers, now)
    if attempted.maybe_paid:
        call.maybe_paid += 1
    if attempted.answer is not None:
        return _answered(queue, call, attempted, now)
    if attempted.error is not None:
        return _failed(queue, call, attempted, attempted.error, policy, random, now)
    queue.circuit.withdrawn()
    queue.rate.ended(attempted.sent_number)
    return AfterAttempt(call.unanswered_row(attempted.stopped))


def _answered(queue: ModelQueue, call: Call, attempted: Attempted, now: float) -> AfterAttempt:
    queue.circuit.answered()
    row = call.answered_row(attempted)
    if row.input_tokens is not None and row.output_tokens is not None:
        queue.buckets.settle(call.tokens, Tokens(row.input_tokens, row.output_tokens), now)
    return AfterAttempt(row, row.cost_usd)


def _failed(
    queue: ModelQueue,
    call: Call,
    attempted: Attempted,
    error: ProviderError,
    policy: Policy,
    random: Random,
    now: float,
) -> AfterAttempt:
    name = type(error).__name__
    pause_s = _learn(queue, attempted, error, now)
    queue.rate.ended(attempted.sent_number)
    decision = retry.decide(
        policy, error, failures=call.failed(name), elapsed_s=call.elapsed_s(now), random=random
    )
    stops = decision.stops_model or _unreachable(queue, error, policy, now)
    # A run that was stopped meanwhile asks nothing again, and is no reason to hide what went wrong here.
    wait_s = None if stops or queue.stopped else decision.wait_s
    return AfterAttempt(
        row=call.unanswered_row(None) if wait_s is None else None,
        cost_usd=None if attempted.maybe_paid else 0.0,
        wait_s=wait_s,
        why=str(error),
        stops_model=Stopped(name, f"{queue.model.id} was put aside: {stops}") if stops else None,
        pause_s=pause_s,
    )


def _learn(queue: ModelQueue, attempted: Attempted, error: ProviderError, now: float) -> float | None:
    if isinstance(error, RateLimited):
        queue.refused(attempted.sent_number, error.retry_after_s, now)
    elif isinstance(error, Overloaded):
        queue.endpoint.limiter.refused(attempted.sent_number)
    if isinstance(error, _OF_THE_ENDPOINT):
        return queue.circuit.failed(type(error).__name__, now)
    # Any answer, also a refusal of this one request, shows that the endpoint works.
    queue.circuit.answered()
    return None


def _unreachable(queue: ModelQueue, error: ProviderError, policy: Policy, now: float) -> str | None:
    since, paused = queue.circuit.failing_since, queue.circuit.reopens_at is not None
    if since is None or not paused or now - since <= policy.unreachable_s:
        return None
    return f"nothing but {type(error).__name__} for {now - since:,.0f} s: {error}"
