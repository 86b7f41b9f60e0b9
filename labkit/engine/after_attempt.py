"""What follows an attempt: its row, or another attempt, or the end of its whole model.

Limits, buckets and circuit of the queue learn from it here; acting on it is the runner's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from labkit.engine import retry
from labkit.engine.call import Attempted, Call, Stopped
from labkit.engine.circuit_breaker import TRIPS_AT
from labkit.engine.queues import ModelQueue
from labkit.engine.retry import Policy
from labkit.engine.token_buckets import Tokens
from labkit.errors import (
    ConnectionFailed,
    ConnectionLost,
    InvalidRequest,
    Overloaded,
    ProviderError,
    RateLimited,
    TimedOut,
)
from labkit.records import Generation

REFUSALS = (RateLimited, Overloaded)
_OF_THE_ENDPOINT = (*REFUSALS, TimedOut, ConnectionFailed, ConnectionLost)
"""Failures that tell of the endpoint, not of one request."""
_PLACE_S = 0.5
"""A refusal keeps its place for no longer: by then it is known why it was refused."""
_ALWAYS_SENT = ("model", "stream", "stream_options", "max_tokens", "max_completion_tokens")
"""Names that a request has although nobody wrote them, or under which it has what was written."""
_ENOUGH = 5
"""So many refusals and nothing else tell of an endpoint that refuses everything."""
_STARTING_S, _LOOK_S = 5.0, 1.0
"""How long a server of this machine that never answered has to begin to listen, and how often that is tried:
a closed port tells at once that there is none, and costs nobody anything."""


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
    overran: bool = False
    """It cost more than the most that was set aside for it, and more than any before."""
    keeps_place_s: float = 0.0
    """Its place at the endpoint stays taken for so long: another might be refused for the same reason."""


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
    queue.rate.ended(attempted.sent_number, now)
    return AfterAttempt(call.unanswered_row(attempted.stopped))


def _answered(queue: ModelQueue, call: Call, attempted: Attempted, now: float) -> AfterAttempt:
    queue.circuit.answered()
    queue.answered, queue.refused_alike = True, ("", 0)
    row = call.answered_row(attempted)
    if row.input_tokens is not None and row.output_tokens is not None:
        queue.buckets.settle(call.tokens, Tokens(row.input_tokens, row.output_tokens), now)
    known = row.cost_usd is not None and call.worst_usd is not None
    overran = known and queue.overrun.saw(call.worst_usd or 0.0, row.cost_usd or 0.0)
    return AfterAttempt(row, row.cost_usd, overran=overran)


def _failed(
    queue: ModelQueue,
    call: Call,
    attempted: Attempted,
    error: ProviderError,
    policy: Policy,
    random: Random,
    now: float,
) -> AfterAttempt:
    name, refused = type(error).__name__, isinstance(error, REFUSALS)
    pause_s = _learn(queue, attempted, error, now)
    queue.rate.ended(attempted.sent_number, now)
    decision = retry.decide(
        policy,
        error,
        failures=call.failed(f"{name} of a kept connection" if retry.was_kept(error) else name),
        elapsed_s=call.elapsed_s(now),
        random=random,
        by_chance=queue.rate.by_chance,
    )
    stops = decision.stops_model or _unreachable(queue, error, policy, now) or _whatever(queue, call, error)
    # A run that was stopped meanwhile asks nothing again, and is no reason to hide what went wrong here.
    wait_s = None if stops or queue.stopped else decision.wait_s
    if wait_s is not None and _nobody_here(queue, error):
        wait_s = min(wait_s, _LOOK_S)
    return AfterAttempt(
        row=call.unanswered_row(None, asked=decision.asked) if wait_s is None else None,
        cost_usd=None if attempted.maybe_paid else 0.0,
        wait_s=wait_s,
        why=str(error),
        stops_model=Stopped(name, f"{queue.model.id} is asked no more, since {stops}") if stops else None,
        pause_s=pause_s,
        keeps_place_s=min(wait_s, _PLACE_S) if wait_s and refused and queue.rate.in_doubt else 0.0,
    )


def _learn(queue: ModelQueue, attempted: Attempted, error: ProviderError, now: float) -> float | None:
    if isinstance(error, REFUSALS):
        queue.refused(attempted.sent_number, error, now)
    if isinstance(error, _OF_THE_ENDPOINT):
        return queue.circuit.failed(type(error).__name__, now)
    # Any answer, also a refusal of this one request, shows that the endpoint works.
    queue.circuit.answered()
    return None


def _whatever(queue: ModelQueue, call: Call, error: ProviderError) -> str | None:
    """Why no request of this model will be taken, if so: one was refused for what all have, or many alike."""
    if not isinstance(error, InvalidRequest):
        return None
    kind, count = queue.refused_alike
    count = count + 1 if error.alike == kind else 1
    queue.refused_alike = error.alike, count
    if (error.names & _of_all(call) and not queue.answered) or count >= TRIPS_AT:
        return f"it takes none of these requests: {error}"
    return None


def _of_all(call: Call) -> set[str]:
    """The names of what all requests of its model have, and not only its row."""
    params = call.job.request.params
    beside = params.get("extra_body")
    return {*_ALWAYS_SENT, *params, *(beside if isinstance(beside, Mapping) else ())}


def _unreachable(queue: ModelQueue, error: ProviderError, policy: Policy, now: float) -> str | None:
    circuit = queue.circuit
    if circuit.failing_since is not None and _nobody_here(queue, error):
        tried_s = now - circuit.failing_since
        if tried_s >= min(_STARTING_S, policy.unreachable_s, policy.deadline_s):
            then = "Then run again: only what has no answer is asked."
            return f"nobody answered for {tried_s:,.0f} s: {error} {then}"
    since, paused = circuit.failing_since, circuit.reopens_at is not None
    # What is refused at once is asked too rarely to pause.
    known = paused or (isinstance(error, REFUSALS) and circuit.failures >= _ENOUGH)
    # Whatever is asked now would be out of time as well.
    if since is None or not known or now - since <= min(policy.unreachable_s, policy.deadline_s):
        return None
    return f"nothing but {type(error).__name__} came for {now - since:,.0f} s: {error}"


def _nobody_here(queue: ModelQueue, error: ProviderError) -> bool:
    """Whether nothing listens where the model is asked on this machine, and nothing ever answered. A server
    that did answer may be starting anew, and is waited for as any other."""
    return isinstance(error, ConnectionFailed) and error.nobody_here and not queue.answered
