"""What follows an attempt: its row, or another attempt, or the end of its whole model.

Limits, buckets and circuit of the lane learn from it here; acting on the verdict is the executor's.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from labkit.engine import retry
from labkit.engine.buckets import Tokens
from labkit.engine.errand import Attempted, Errand, Stopped
from labkit.engine.lane import Lane
from labkit.engine.retry import Policy
from labkit.errors import ConnectionFailed, ConnectionLost, Overloaded, ProviderError, RateLimited, TimedOut
from labkit.records import Generation

_OF_THE_ENDPOINT = (RateLimited, Overloaded, TimedOut, ConnectionFailed, ConnectionLost)
"""Failures that tell of the endpoint, not of one request."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`row`: this is the end, stored as such; None: ask again after `wait_s`."""

    row: Generation | None
    cost_usd: float | None = None
    """What to settle: None where it is not known."""
    wait_s: float | None = None
    why: str = ""
    stops_model: Stopped | None = None
    pause_s: float | None = None
    """The model is paused for so long."""


def judge(
    lane: Lane, errand: Errand, attempted: Attempted, *, policy: Policy, random: Random, now: float
) -> Verdict:
    """Learn from an attempt that ended, and say what follows."""
    errand.last, errand.task = attempted, None
    # What an answer tells of limits was heeded when it began: by its end that is old.
    if attempted.error is not None and attempted.error.headers and not attempted.ear.headers:
        lane.news |= lane.buckets.heed(attempted.error.headers, now)
    if attempted.maybe_paid:
        errand.maybe_paid += 1
    if attempted.answer is not None:
        return _answered(lane, errand, attempted, now)
    if attempted.error is not None:
        return _failed(lane, errand, attempted, attempted.error, policy, random, now)
    lane.circuit.withdrawn()
    lane.pace.ended(attempted.sent_number)
    return Verdict(errand.unanswered_row(attempted.stopped))


def _answered(lane: Lane, errand: Errand, attempted: Attempted, now: float) -> Verdict:
    lane.circuit.answered()
    row = errand.answered_row(attempted)
    if row.input_tokens is not None and row.output_tokens is not None:
        lane.buckets.settle(errand.tokens, Tokens(row.input_tokens, row.output_tokens), now)
    return Verdict(row, row.cost_usd)


def _failed(
    lane: Lane,
    errand: Errand,
    attempted: Attempted,
    error: ProviderError,
    policy: Policy,
    random: Random,
    now: float,
) -> Verdict:
    name = type(error).__name__
    pause_s = _learn(lane, attempted, error, now)
    lane.pace.ended(attempted.sent_number)
    decision = retry.decide(
        policy, error, failures=errand.failed(name), elapsed_s=errand.elapsed_s(now), random=random
    )
    stops = decision.stops_model or _unreachable(lane, error, policy, now)
    # A run that was stopped meanwhile asks nothing again, and is no reason to hide what went wrong here.
    wait_s = None if stops or lane.stopped else decision.wait_s
    return Verdict(
        row=errand.unanswered_row(None) if wait_s is None else None,
        cost_usd=None if attempted.maybe_paid else 0.0,
        wait_s=wait_s,
        why=str(error),
        stops_model=Stopped(name, f"{lane.model.id} was put aside: {stops}") if stops else None,
        pause_s=pause_s,
    )


def _learn(lane: Lane, attempted: Attempted, error: ProviderError, now: float) -> float | None:
    if isinstance(error, RateLimited):
        lane.refused(attempted.sent_number, error.retry_after_s, now)
    elif isinstance(error, Overloaded):
        lane.endpoint.limiter.refused(attempted.sent_number)
    if isinstance(error, _OF_THE_ENDPOINT):
        return lane.circuit.failed(type(error).__name__, now)
    # Any answer, also a refusal of this one request, shows that the endpoint works.
    lane.circuit.answered()
    return None


def _unreachable(lane: Lane, error: ProviderError, policy: Policy, now: float) -> str | None:
    since, paused = lane.circuit.failing_since, lane.circuit.reopens_at is not None
    if since is None or not paused or now - since <= policy.unreachable_s:
        return None
    return f"nothing but {type(error).__name__} for {now - since:,.0f} s: {error}"
