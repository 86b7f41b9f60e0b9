"""One job on its way: what was tried, what it cost, how it ended; and the rows that tell of it.

Facts in, records out. It sends nothing and decides nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from labkit import served
from labkit.catalog.model import Model
from labkit.engine.attempt_listener import AttemptListener
from labkit.engine.job import Job, output_bound_tokens, worst_usd
from labkit.engine.token_buckets import Tokens
from labkit.errors import ProviderError
from labkit.json_bytes import json_bytes
from labkit.providers.base import REQUEST_IDS
from labkit.records import Answer, Attempt, Cell, Generation, Status

_CELL_FIELDS = Cell.__struct_fields__


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why a cell is not asked, or not asked again."""

    error_type: str
    message: str


@dataclass(slots=True)
class Attempted:
    """How one attempt went."""

    listener: AttemptListener
    sent_at: datetime
    sent_number: int
    in_flight: int
    latency_s: float = 0.0
    answer: Answer | None = None
    error: ProviderError | None = None
    stopped: Stopped | None = None

    @property
    def maybe_paid(self) -> bool:
        """Whether it may have been charged for without giving an answer."""
        if self.answer is not None:
            return False
        return self.error is None or self.error.maybe_paid or self.listener.ttft_s is not None


class Call:
    """A job with its history. Belongs to one queue; touched only on the loop."""

    __slots__ = (
        "attempts", "call_id", "cut_off", "entered", "failures", "first_sent", "holds_usd", "job", "last",
        "maybe_paid", "reserved_usd", "slept_s", "streams", "task", "think_tag", "timed_out", "timer",
        "tokens", "worst_usd",
    )  # fmt: skip

    def __init__(self, job: Job, model: Model, entered: float) -> None:
        self.job = job
        # It only has to differ among the askings of one cell, and to stay whole where numbers are floats.
        self.call_id = int.from_bytes(os.urandom(6))
        self.entered = entered
        self.worst_usd = worst_usd(job, model)
        self.tokens = Tokens(job.input_bound_tokens, output_bound_tokens(job.request, model) or 0)
        self.attempts = 0
        self.maybe_paid = 0
        self.failures: Counter[str] | None = None
        self.first_sent: float | None = None
        self.last: Attempted | None = None
        self.reserved_usd = 0.0
        self.holds_usd: tuple[float, ...] | None = None
        """What is set aside for the requests that follow its answer; None: not yet."""
        self.slept_s = 0.0
        self.streams = model.streams
        self.think_tag = model.think_tag
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.timed_out: str | None = None
        self.cut_off: Stopped | None = None
        """Why its task was cancelled, where it alone was."""

    @property
    def is_free(self) -> bool:
        """Whether neither it nor what follows it can cost anything that is not set aside already."""
        return self.worst_usd == 0 and (self.holds_usd is not None or not any(self.job.later_usd))

    @property
    def has_money(self) -> bool:
        """Whether it needs none that is not set aside already."""
        return bool(self.reserved_usd) or self.is_free

    def elapsed_s(self, now: float) -> float:
        """Seconds since the first sending, without those this machine slept."""
        return 0.0 if self.first_sent is None else now - self.first_sent - self.slept_s

    def failed(self, error_type: str) -> Counter[str]:
        """Count a failure; gives all failures so far, by class."""
        if self.failures is None:
            self.failures = Counter()
        self.failures[error_type] += 1
        return self.failures

    def attempt_row(self, attempted: Attempted, wait_s: float | None) -> Attempt:
        """The row of one attempt; `wait_s` until the next, None after the last."""
        cell, error = self.job.cell, attempted.error
        headers = attempted.listener.headers or (error.headers if error is not None else {})
        return Attempt(
            run_id=cell.run_id,
            generation_id=cell.generation_id,
            attempt=self.attempts,
            sent_at=attempted.sent_at,
            latency_s=attempted.latency_s,
            status_code=error.status if error is not None else (200 if attempted.answer else None),
            error_type=_error_type(attempted),
            error_message=_error_message(attempted),
            retry_after_s=error.retry_after_s if error is not None else None,
            wait_s=wait_s,
            maybe_paid=attempted.maybe_paid,
            provider_request_id=next((headers[name] for name in REQUEST_IDS if name in headers), None),
            call_id=self.call_id,
        )

    def answered_row(self, attempted: Attempted) -> Generation:
        """The row of a finished answer."""
        answer = attempted.answer
        assert answer is not None
        usage = answer.usage
        price = self.job.pricer.price(usage, served.of(answer.raw))
        return self._row(
            "done",
            attempted,
            stop_reason=answer.stop_reason,
            input_tokens=usage.input_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cost_usd=price.cost_usd,
            price_id=price.price_id,
            response_model=answer.response_model,
            response_id=answer.response_id,
            raw=_with_reasoning(answer.raw, attempted.listener.reasoning()),
        )

    def unanswered_row(self, stopped: Stopped | None, *, asked: str = "") -> Generation:
        """The row of a cell without a finished answer: failed, partial or stopped; `asked`: until when to
        wait, where the provider asked for too much of that."""
        attempted = self.last
        status: Status = "stopped" if stopped is not None else "failed"
        if attempted is not None and attempted.listener.ttft_s is not None:
            status = "partial"
        error_type = message = raw = None
        if stopped is not None:
            error_type, message = stopped.error_type, stopped.message
            failure = "" if attempted is None or attempted.error is None else str(attempted.error)
            if failure and failure not in message:
                message = f"{message} Last failure: {failure}"
        elif attempted is not None:
            error_type, message = _error_type(attempted), _error_message(attempted)
            message = f"{message} ({asked})" if asked else message
        if attempted is not None and attempted.error is not None:
            raw = attempted.error.raw
        return self._row(status, attempted, error_type=error_type, error_message=message, raw=raw)

    def _row(self, status: Status, attempted: Attempted | None, **more: Any) -> Generation:
        cell = self.job.cell
        known = {name: getattr(cell, name) for name in _CELL_FIELDS}
        if attempted is None:
            return Generation(**known, status=status, call_id=self.call_id, **more)
        listener = attempted.listener
        first_sent = self.first_sent if self.first_sent is not None else listener.sent
        return Generation(
            **known,
            status=status,
            text=listener.said() if listener.ttft_s is not None or status == "done" else None,
            started_at=attempted.sent_at,
            queue_s=first_sent - self.entered,
            first_event_s=listener.first_event_s,
            ttft_s=listener.ttft_s,
            latency_s=attempted.latency_s,
            retry_s=listener.sent - first_sent,
            attempts=self.attempts,
            in_flight=attempted.in_flight,
            maybe_paid=self.maybe_paid,
            call_id=self.call_id,
            **more,
        )


def _with_reasoning(raw: str | None, reasoning: str) -> str | None:
    """The payload, with the reasoning that is no part of the text: it is kept nowhere else."""
    if not reasoning:
        return raw
    try:
        payload = msgspec.json.decode(raw or "{}")
    except (msgspec.DecodeError, UnicodeError):
        payload = None
    payload = payload if isinstance(payload, dict) else {"payload": raw}
    return json_bytes({**payload, "reasoning": reasoning}).decode()


def _error_type(attempted: Attempted) -> str | None:
    if attempted.error is not None:
        return type(attempted.error).__name__
    return None if attempted.stopped is None else attempted.stopped.error_type


def _error_message(attempted: Attempted) -> str | None:
    if attempted.error is not None:
        return str(attempted.error)
    return None if attempted.stopped is None else attempted.stopped.message
