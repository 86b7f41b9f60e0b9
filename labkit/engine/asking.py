"""One attempt: say so beforehand, ask, read the clock, keep whatever happened as a value.

It raises nothing of what a call can fail with, and decides nothing about what follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter

from labkit.engine.ear import Ear
from labkit.engine.errand import Attempted, Errand, Stopped
from labkit.engine.landing import Landing
from labkit.errors import MalformedAnswer, ProviderError, TimedOut
from labkit.providers.base import Provider
from labkit.records import Intent


async def ask(
    provider: Provider | None,
    errand: Errand,
    landing: Landing,
    in_flight: int,
    sent_number: int,
    accepted: Callable[[], None],
) -> Attempted:
    """Send the errand's request once and tell how it went."""
    assert provider is not None
    cell = errand.job.cell
    sent_at = datetime.now(UTC)
    landing.intent(
        Intent(
            run_id=cell.run_id,
            generation_id=cell.generation_id,
            attempt=errand.attempts,
            sent_at=sent_at,
            reserved_usd=errand.worst_usd,
        )
    )
    landing.tell("sent", cell, errand.attempts)
    ear = Ear(cell, landing.show, accepted)
    if errand.first_sent is None:
        errand.first_sent = ear.sent
    attempted = Attempted(ear=ear, sent_at=sent_at, sent_number=sent_number, in_flight=in_flight)
    # The ear hears for the watchdog too, so it must be known before the first byte.
    errand.last = attempted
    try:
        attempted.answer = await provider.ask(errand.job.request, ear)
    except ProviderError as error:
        attempted.error = _bare(error)
    except asyncio.CancelledError:
        if errand.timed_out is not None:
            attempted.error = TimedOut(errand.timed_out)
            errand.timed_out = None
        else:
            attempted.stopped = Stopped("RunAborted", "The run was aborted while this was being answered.")
    except Exception as error:  # noqa: BLE001 - one bad request never stops the others
        attempted.error = MalformedAnswer(f"an unforeseen {type(error).__name__} while asking: {error}"[:500])
    attempted.latency_s = perf_counter() - ear.sent
    return attempted


def _bare(error: ProviderError) -> ProviderError:
    # A traceback holds frames, and frames hold clients, which hold keys.
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error
