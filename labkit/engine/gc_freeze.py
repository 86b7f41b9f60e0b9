"""Spares a run the long pauses of Python's garbage collector.

A full collection walks every object of the process, of which a notebook has some hundred thousand, and
meanwhile no clock is read. While a run goes, the collector passes over what was there before it
(`gc.freeze`); what the run makes is collected as ever, and afterwards all is as before. It knows no run.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_runs = 0
_is_for_good = False


@contextmanager
def frozen() -> Iterator[None]:
    """In a `with` block what is there already is not walked. Blocks may overlap, in any threads.

    A process that has frozen objects itself is left as it is.

    >>> with frozen():
    ...     gc.get_freeze_count() > 0
    True
    """
    began = _begin()
    try:
        yield
    finally:
        if began:
            _end()


def freeze_more() -> None:
    """In a block of `frozen`: what came since it began is not walked either; elsewhere nothing.

    For what comes once and stays: an SDK's modules, imported by the first run that connects to its
    provider, are some 100,000 objects.
    """
    with _lock:
        if _runs:
            gc.freeze()


def freeze_for_good() -> None:
    """What is there now is never walked again, and blocks of `frozen` change nothing: for a process that only
    serves."""
    global _is_for_good
    with _lock:
        _is_for_good = True
        gc.freeze()


def _begin() -> bool:
    global _runs
    if _is_for_good:  # to count what is frozen takes 15 ms where that is much
        return False
    with _lock:
        if not _runs:
            if gc.get_freeze_count():
                return False
            gc.freeze()
        _runs += 1
        return True


def _end() -> None:
    global _runs
    with _lock:
        _runs -= 1
        if not _runs:
            gc.unfreeze()


def _forget() -> None:
    """The runs of its parent are none of a forked child's."""
    global _lock, _runs
    _lock = threading.Lock()
    if _runs:
        _runs = 1
        _end()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
