"""labkit's own event loop: one, in one daemon thread, begun at first use.

A notebook's loop stands still while a cell computes and cannot be waited for from inside itself; this
one runs on, in Jupyter, marimo, a script, a thread or under a running loop alike. It uses uvloop where
that exists. It survives Ctrl-C (signals go to the main thread), begins anew in a forked child, and at
exit closes what was left open. It knows nothing of what runs on it.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from labkit.errors import LabkitError

T = TypeVar("T")
Closer = Callable[[], Awaitable[None]]

_CLOSING_S = 3.0
_HANDLES = 16
"""So many files a loop and its first connections have open. uvloop ends the process if it gets too few."""
_lock = threading.Lock()
_running: _Running | None = None


class _Running:
    """A loop and its thread, and what is to be closed before they end."""

    def __init__(self) -> None:
        _check_handles()
        self.loop = _new_loop()
        self.closers: list[Closer] = []
        self.thread = threading.Thread(target=self._run, name="labkit", daemon=True)
        try:
            self.thread.start()
        except RuntimeError as error:
            self.loop.close()
            raise LabkitError(
                f"Nothing can be asked: {error}. End what else runs here, or allow this process more threads."
            ) from None

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        # Only now, in its own thread, can the loop be closed without pulling it from under a callback.
        self.loop.close()

    def end(self) -> None:
        """Close what is open, cancel what still runs, stop."""
        done = asyncio.run_coroutine_threadsafe(self._wind_up(), self.loop)
        with suppress(Exception):
            done.result(_CLOSING_S)
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(_CLOSING_S)

    async def _wind_up(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.gather(*(closer() for closer in self.closers), return_exceptions=True)
        await self.loop.shutdown_asyncgens()


def get() -> asyncio.AbstractEventLoop:
    """The loop; started if it does not run yet. Raises `LabkitError` if there is no room for it: too few
    file handles, or no thread."""
    return _get().loop


def current() -> asyncio.AbstractEventLoop | None:
    """The loop, if it runs already."""
    return None if _running is None else _running.loop


def run(coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """Run `coroutine` on labkit's loop and give a future that any thread may wait for.

    Cancelling the future cancels the coroutine.

    >>> async def answer():
    ...     return 42
    >>> run(answer()).result()
    42
    """
    return asyncio.run_coroutine_threadsafe(coroutine, get())


def on_close(closer: Closer) -> None:
    """Have `closer` awaited on the loop before it ends: sockets and servers are closed there."""
    _get().closers.append(closer)


def close() -> None:
    """End the loop, if it runs; the next use begins a new one. Called at the interpreter's exit."""
    global _running
    with _lock:
        ending, _running = _running, None
    if ending is not None and threading.current_thread() is not ending.thread:
        ending.end()


def _get() -> _Running:
    global _running
    with _lock:
        if _running is None or not _running.thread.is_alive():
            _running = _Running()
        return _running


def _forget() -> None:
    """After a fork the child has the loop's memory but not its thread: nothing of it may be used."""
    global _running, _lock
    _lock = threading.Lock()
    _running = None


def _check_handles() -> None:
    taken: list[int] = []
    try:
        while len(taken) < _HANDLES:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        raise LabkitError(
            f"Nothing can be asked: {error.strerror}, and a run needs {_HANDLES} more. Close what is open, or"
            " allow this process more: `ulimit -n 1024` in the shell it is started from."
        ) from None
    finally:
        for handle in taken:
            os.close(handle)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


atexit.register(close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
