"""One attempt: say so beforehand, ask, read the clock, keep whatever happened as a value.

It raises nothing of what a call can fail with, and decides nothing about what follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter

from labkit.engine.attempt_listener import AttemptListener
from labkit.engine.call import Attempted, Call, Stopped
from labkit.engine.delivery import Delivery
from labkit.errors import MalformedAnswer, ProviderError, TimedOut
from labkit.providers.base import Provider
from labkit.records import Intent


async def send(
    provider: Provider | None,
    call: Call,
    delivery: Delivery,
    in_flight: int,
    sent_number: int,
    accepted: Callable[[], None],
) -> Attempted:
    """Send the call's request once and tell how it went."""
    assert provider is not None
    cell = call.job.cell
    sent_at = datetime.now(UTC)
    delivery.intent(
        Intent(
            run_id=cell.run_id,
            generation_id=cell.generation_id,
            attempt=call.attempts,
            sent_at=sent_at,
            reserved_usd=None if call.worst_usd is None else call.reserved_usd,
            call_id=call.call_id,
        )
    )
    delivery.tell("sent", cell, call.attempts)
    listener = AttemptListener(cell, delivery.show, accepted, think_tag=call.think_tag)
    if call.first_sent is None:
        call.first_sent = listener.sent
    attempted = Attempted(listener=listener, sent_at=sent_at, sent_number=sent_number, in_flight=in_flight)
    # The listener hears for the watchdog too, so it must be known before the first byte.
    call.last = attempted
    try:
        attempted.answer = await provider.ask(call.job.request, listener)
    except ProviderError as error:
        attempted.error = _bare(error)
    except asyncio.CancelledError:
        if call.timed_out is not None:
            attempted.error = TimedOut(call.timed_out)
            call.timed_out = None
        else:
            aborted = Stopped("RunAborted", "The run was aborted while this was being answered.")
            attempted.stopped = call.cut_off or aborted
    except Exception as error:  # noqa: BLE001 - one bad request never stops the others
        attempted.error = MalformedAnswer(f"an unforeseen {type(error).__name__} while asking: {error}"[:500])
    attempted.latency_s = perf_counter() - listener.sent
    return attempted


def _bare(error: ProviderError) -> ProviderError:
    # A traceback holds frames, and frames hold clients, which hold keys.
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error
