"""What all stores of one file share in this process: one access, one writer, one thread that folds.

While somebody else holds the lab, a run that is driven here is read from what this process has
journalled. It does not know what is asked of the tables.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import DefinitionError, StoreError, StoreLocked
from labkit.paths import shown
from labkit.store import database, memory_copy
from labkit.store.access import Access
from labkit.store.background_fold import BackgroundFold
from labkit.store.reading import Reading
from labkit.store.writer import Writer

if TYPE_CHECKING:
    from labkit.store.exchange.address import Address
    from labkit.store.exchange.exchange import Exchange

OWN_S = 2.0
"""How long a run that is driven here waits for the lab before it is read from this process's journal."""


class ProcessResources:
    """The shared of one lab in this process; `resources_of` gives it. `driven` are the runs driven here."""

    def __init__(self, path: Path) -> None:
        self.access = Access(path)
        self.writer = Writer(self.access.folder, settled=self.access.progress.settled_bytes)
        self.access.progress.writer = self.writer
        self.background = BackgroundFold(self.access)
        self.exchange: Exchange | None = None
        """What keeps the lab and its server alike, where it is shared."""
        self.driven: set[str] = set()

    def share(self, address: Address) -> Exchange:
        """Share the lab through that server, from now on. Raises `DefinitionError` where this process shares
        it through another."""
        with _all_lock:
            if self.exchange is None:
                from labkit.store.exchange.exchange import Exchange

                self.exchange = Exchange(address, self.access, self.writer)
            elif self.exchange.address != address:
                raise DefinitionError(
                    f"{self.access.path.name} is shared through {self.exchange.address.shown} in this kernel,"
                    f" so not through {address.shown}. Restart the kernel to change that."
                )
            return self.exchange

    @contextlib.contextmanager
    def reading(self, run_id: str | None, *, wait_s: float) -> Iterator[Reading]:
        """The folded lab; while somebody else holds it, for a run driven here, this process's journal.

        Raises `StoreLocked` after `wait_s`.
        """
        with contextlib.ExitStack() as stack:
            reading = (
                self._at_once_or_own(stack, wait_s)
                if run_id in self.driven
                else stack.enter_context(self.access.reading(wait_s=wait_s))
            )
            yield reading

    def _at_once_or_own(self, stack: contextlib.ExitStack, wait_s: float) -> Reading:
        with contextlib.ExitStack() as trying:
            try:
                reading = trying.enter_context(self.access.reading(wait_s=min(OWN_S, wait_s)))
            except StoreLocked:
                return stack.enter_context(self._own())
            if reading.is_complete:
                stack.enter_context(trying.pop_all())
                return reading
        return stack.enter_context(self._own())

    @contextlib.contextmanager
    def _own(self) -> Iterator[Reading]:
        """What this process has journalled since it began, in memory, without touching the lab's file."""
        with database.in_memory() as connection:
            memory_copy.fold(connection, self.access.folder, process=self.writer.process)
            why = "the lab is held by another, so this is what this process wrote"
            yield Reading(connection, why=why, in_memory=True)


_all: dict[Path, ProcessResources] = {}
_all_lock = threading.Lock()


def resources_of(place: Path) -> ProcessResources:
    """The shared of the lab at `place`, the same for all that ask. Raises `StoreError` where links lead from
    one to the other for ever."""
    # By the file itself, whatever links lead to it: two gates for one file would be none.
    try:
        place = place.resolve()
    except (OSError, RuntimeError):
        raise StoreError(
            f"{shown(place)} cannot be opened: its symbolic links lead in a circle. Choose another path."
        ) from None
    with _all_lock:
        shared = _all.get(place)
        if shared is None:
            shared = _all[place] = ProcessResources(place)
        return shared


def _forget_lock() -> None:
    global _all_lock
    _all_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lock)
