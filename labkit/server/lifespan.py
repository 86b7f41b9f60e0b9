"""What happens beside requests, from the start of a process to the signal that ends it.

It does not know how the process was started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from types import FrameType

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from labkit.server.runs import broken_off
from labkit.server.service import LEAVE_S, Service
from labkit.server.settings import END_S
from labkit.server.upkeep import BROKEN_OFF_EVERY_S, OLD_EVERY_S, Upkeep


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """From the first request to the last: begins what runs beside them, and ends it."""
    service: Service = app.state.service
    upkeep = Upkeep(
        (service.settings.index_every_s, service.index.catch_up),
        (BROKEN_OFF_EVERY_S, partial(broken_off.end_all, service)),
        (OLD_EVERY_S, service.forget_old),
    )
    upkeep.begin()
    with leaving(service.leave):
        yield
    await run_in_threadpool(upkeep.end, LEAVE_S)
    await run_in_threadpool(service.close)


@contextlib.contextmanager
def leaving(leave: Callable[[], None]) -> Iterator[None]:
    """Call `leave` as soon as a signal asks the process to end: those who wait for answers are told then, and
    whoever asks meanwhile is refused; only after it does the server listen no more. A process that has not
    ended `END_S` later ends as if it were killed: what it acknowledged is on disk."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {sig: signal.getsignal(sig) for sig in (signal.SIGINT, signal.SIGTERM)}
    is_asked = False

    def asked(sig: int, frame: FrameType | None) -> None:
        nonlocal is_asked
        if is_asked:  # a terminal asks the supervisor too, which asks again
            return
        is_asked = True
        late = threading.Timer(END_S, os._exit, [0])
        late.daemon = True
        late.start()
        threading.Thread(target=end, args=(sig,), name="labkit-leaving", daemon=True).start()

    def end(sig: int) -> None:
        try:
            leave()
        finally:
            earlier = before[signal.Signals(sig)]
            if callable(earlier):
                earlier(sig, None)

    for sig in before:
        signal.signal(sig, asked)
    try:
        yield
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)
