"""A fork waits until no other thread of this process has a lab open, so that its child can open labs too.

Of a DuckDB that is open at that moment a child has the memory and none of the threads: it would wait for them
for ever, and hold the gate. Where the wait is too long the child is told so whenever it opens a lab. It does
not know how a lab is opened.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Iterator

from labkit.errors import StoreError
from labkit.store import duckdb_instance
from labkit.store import file_locks as _later  # noqa: F401 - what it does before a fork comes after this

FORK_S = 5.0
"""How long a fork waits for other threads' openings. A fold takes a second at most; a person's query may
take longer."""


class _Openings:
    """Who of this process has a lab open, by thread, and how many wait to fork."""

    def __init__(self, *, spoilt: bool = False) -> None:
        self.changed = threading.Condition()
        self.inside: Counter[int] = Counter()
        self.forks = 0
        self.spoilt = spoilt

    def others(self) -> bool:
        return any(thread != threading.get_ident() for thread in self.inside)


_openings = _Openings()


def check() -> None:
    """Raise `StoreError` in a child that was forked while a lab was open."""
    if _openings.spoilt:
        raise StoreError(
            "This process was forked while a lab was open in it, so it can open none: DuckDB has no threads"
            " here. Fork when no lab is being read, or start it anew (multiprocessing: spawn)."
        )


@contextlib.contextmanager
def opening() -> Iterator[None]:
    """A block in which this thread may have a lab open. It begins when no fork is under way."""
    openings, thread = _openings, threading.get_ident()
    with openings.changed:
        openings.changed.wait_for(lambda: not openings.forks or thread in openings.inside)
        openings.inside[thread] += 1
    try:
        yield
    finally:
        with openings.changed:
            openings.inside[thread] -= 1
            openings.inside += Counter()  # without those at zero
            openings.changed.notify_all()


def _before() -> None:
    with _openings.changed:
        _openings.forks += 1
        _openings.changed.wait_for(lambda: not _openings.others(), FORK_S)
    duckdb_instance.close_all()


def _in_parent() -> None:
    with _openings.changed:
        _openings.forks -= 1
        _openings.changed.notify_all()


def _in_child() -> None:
    global _openings
    _openings = _Openings(spoilt=_openings.spoilt or bool(_openings.inside))
    duckdb_instance.forget_all()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
