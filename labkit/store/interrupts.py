"""Ctrl-C while the lab is open: it is heard at once, and raised when the lab is closed.

A `KeyboardInterrupt` in the middle of a DuckDB call leaves the file half open in this process, and the next
`duckdb.connect` then waits for ever (seen with 1.5.6, in up to one of six readings interrupted at random
under load). So the main thread, the only one that hears signals, notes it meanwhile. It knows no lab.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

_heard = threading.Event()


@contextlib.contextmanager
def deferred(end: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold Ctrl-C back until the block ends, then let it do what it did. `end` is called when it is heard,
    to end what takes long."""
    before: Any = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    heard: list[tuple[int, Any]] = []

    def note(number: int, frame: Any) -> None:
        heard.append((number, frame))
        _heard.set()
        end()

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if heard:
            _heard.clear()
            before(*heard[-1])


def raise_if_heard() -> None:
    """Give up waiting for somebody else if Ctrl-C was heard in this thread."""
    if _heard.is_set() and threading.current_thread() is threading.main_thread():
        raise KeyboardInterrupt
