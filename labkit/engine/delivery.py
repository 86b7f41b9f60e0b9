"""Brings rows to the sink, and hears on the loop when they are on disk.

The sink calls back from a thread of its own; the calls are gathered, so that one wake-up of the loop
serves a whole group commit. A watcher that fails is reported once and left out: looking on must never
stop the asking. It knows no store and no provider.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from labkit.records import Attempt, Cell, Generation, Intent, Sink, Watcher

log = logging.getLogger("labkit.engine")


class Delivery:
    """The way from the engine to the disk. `stored` is called on the loop with how many rows are there, and
    before that `follow` with each."""

    def __init__(
        self,
        sink: Sink,
        watcher: Watcher | None,
        loop: asyncio.AbstractEventLoop,
        stored: Callable[[int], None],
        follow: Callable[[Generation], None] | None = None,
    ) -> None:
        self.unstored = 0
        """Rows handed over and not yet on disk."""
        self.stopped = 0
        """Rows of cells that somebody or something stopped."""
        self._refused: BaseException | None = None
        self._sink = sink
        self._watcher = watcher
        self._loop = loop
        self._on_stored = stored
        self._follow = follow
        self._stored: deque[Generation] = deque()
        self._woken = False

    @property
    def trouble(self) -> BaseException | None:
        """Why nothing more can be written, if so: what the sink raised, or says of itself in `trouble`."""
        return self._refused or getattr(self._sink, "trouble", None)

    def intent(self, intent: Intent) -> None:
        """Say that a request is about to be sent. Raises what the sink raises: then it is not to be sent."""
        self._sink.intent(intent)

    def attempt(self, attempt: Attempt) -> None:
        """Say how a request went."""
        self._put(self._sink.attempt, attempt)

    def generation(self, generation: Generation) -> None:
        """Hand over a finished row. One that the sink refuses counts as stored: `trouble` says so."""
        self.unstored += 1
        self.stopped += generation.status == "stopped"
        if not self._put(self._sink.generation, generation, partial(self._on_disk, generation)):
            self._loop.call_soon(self._count_off, 1)

    @property
    def show(self) -> Callable[[Cell, str], None] | None:
        """What shows text while it comes; None where nobody watches, or nobody who keeps text."""
        return self._text if getattr(self._watcher, "keeps_text", self._watcher is not None) else None

    def tell(self, event: str, *what: Any) -> None:
        """Call the watcher's method `event`, if there is a watcher."""
        if self._watcher is None:
            return
        try:
            getattr(self._watcher, event)(*what)
        except Exception:
            self._watcher = None
            log.exception("the watcher of this run failed and is left out; the run goes on")

    def _text(self, cell: Cell, delta: str) -> None:
        self.tell("text", cell, delta)

    def _put(self, write: Callable[..., None], *what: Any) -> bool:
        if self._refused is None:
            try:
                write(*what)
            except Exception as error:  # noqa: BLE001 - kept, shown and raised when the run ends
                self._refused = error
        return self._refused is None

    def _on_disk(self, generation: Generation) -> None:
        # Called on the sink's thread.
        self._stored.append(generation)
        if not self._woken:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                log.debug("a row was stored after the loop ended")

    def _drain(self) -> None:
        self._woken = False
        count = 0
        while self._stored:
            generation = self._stored.popleft()
            count += 1
            self.tell("ended", generation)
            if self._follow is not None:
                self._follow(generation)
        if count:
            self._count_off(count)

    def _count_off(self, count: int) -> None:
        self.unstored -= count
        self._on_stored(count)
