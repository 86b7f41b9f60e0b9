"""Spares a run the pauses of Python's garbage collector.

A full collection walks every object of the process, of which a notebook has some hundred thousand, and
meanwhile no clock is read. While a run goes, the collector passes over what was there before it
(`gc.freeze`), and looks for young garbage less often, since answers on their way live longer than it
would wait. Nothing is lost to it: afterwards all is as before. It knows no run.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 50_000
"""So many new objects are there before the youngest are looked at: more than are in flight."""

_lock = threading.Lock()
_runs = 0
_threshold = gc.get_threshold()


@contextmanager
def spared() -> Iterator[None]:
    """In a `with` block what is there already is not walked. Blocks may overlap, in any threads.

    A process that has frozen objects itself, or that looks for garbage less often, is left as it is.

    >>> with spared():
    ...     gc.get_threshold()[0]
    50000
    """
    began = _begin()
    try:
        yield
    finally:
        if began:
            _end()


def _begin() -> bool:
    global _runs, _threshold
    with _lock:
        if not _runs and (gc.get_freeze_count() or gc.get_threshold()[0] >= YOUNG):
            return False
        _runs += 1
        if _runs == 1:
            _threshold = gc.get_threshold()
            gc.set_threshold(YOUNG, *_threshold[1:])
            gc.freeze()
        return True


def _end() -> None:
    global _runs
    with _lock:
        _runs -= 1
        if not _runs:
            gc.unfreeze()
            if gc.get_threshold()[0] == YOUNG:
                gc.set_threshold(*_threshold)


def _forget() -> None:
    """The runs of its parent are none of a forked child's."""
    global _lock, _runs
    _lock = threading.Lock()
    if _runs:
        _runs = 1
        _end()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
