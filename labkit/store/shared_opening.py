"""Several readings of one thread in one opening of the lab: what a block of readings has open.

The first reading in a block opens the lab, the others are given the same, and the end of the block closes it.
They show the lab of one moment. It does not know how a lab is opened.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

Reading = TypeVar("Reading")


class SharedOpening(Generic[Reading]):
    """The blocks of one lab; each thread has its own. `opened` opens the lab, waiting so many seconds."""

    def __init__(self, opened: Callable[[float], contextlib.AbstractContextManager[Reading]]) -> None:
        self._opened = opened
        self._own = _Own()

    @contextlib.contextmanager
    def block(self) -> Iterator[None]:
        """A block in which this thread's readings share an opening. One within another is part of it."""
        if self._own.stack is not None:
            yield
            return
        with contextlib.ExitStack() as stack:
            self._own.stack = stack
            try:
                yield
            finally:
                self._own.stack = self._own.reading = None

    @contextlib.contextmanager
    def reading(self, wait_s: float) -> Iterator[Reading]:
        """The open lab: the block's where this thread is in one, else for this reading alone."""
        own = self._own
        if own.stack is None:
            with self._opened(wait_s) as reading:
                yield reading
            return
        if own.reading is None:
            own.reading = own.stack.enter_context(self._opened(wait_s))
        yield own.reading

    @property
    def in_block(self) -> bool:
        """Whether this thread is in a block."""
        return self._own.stack is not None

    @property
    def there(self) -> Reading | None:
        """What this thread's block has open."""
        there: Reading | None = self._own.reading
        return there

    def give_back(self) -> None:
        """Close what this thread's block has open, since the lab is to be opened otherwise; its next reading
        opens it anew."""
        if self._own.stack is not None:
            self._own.reading = None
            self._own.stack.close()


class _Own(threading.local):
    stack: contextlib.ExitStack | None = None
    reading: Any = None
