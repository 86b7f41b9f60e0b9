"""The committed events of one run in this process, and those who read them.

Readers share one list and hold only how far they are: what one has not read yet costs nothing. It does not
know the state; see `event_writer` and `poller`, which fill it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress

from labkit.server.accounts.principal import Access
from labkit.server.streams.stream_events import StreamEvent


class Reader:
    """One connection, on the loop on which it was made."""

    def __init__(self, log: EventLog, access: Access | None) -> None:
        self.log = log
        self.access = access
        self.ready = log.here
        """Whether the log has all that was committed before it came."""
        self.dismissed: str | None = None
        """Why it has to end."""
        self.woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        log.add(self)

    def leave(self) -> None:
        """It reads no more."""
        self.log.remove(self)

    def wake(self) -> None:
        """Have it look again; from any thread."""
        with suppress(RuntimeError):  # its loop was closed: it reads no more
            self._loop.call_soon_threadsafe(self.woken.set)

    def dismiss(self, reason: str) -> None:
        """Have it end; from any thread."""
        self.dismissed = self.dismissed or reason
        self.wake()


class EventLog:
    """The events of one run. `here`: the run is driven in this process."""

    def __init__(self, run_id: str, *, here: bool) -> None:
        self.run_id = run_id
        self.here = here
        self.anew = False
        """Whether they were made from rows: then a number seen before says nothing of these."""
        self.events: list[StreamEvent] = []
        self._readers: set[Reader] = set()
        self._lock = threading.Lock()

    @property
    def last(self) -> int:
        """The number of the last event; 0: there is none."""
        events = self.events
        return events[-1].number if events else 0

    @property
    def ended(self) -> bool:
        """Whether nothing can come any more."""
        events = self.events
        return bool(events) and events[-1].kind == "end"

    @property
    def is_followed(self) -> bool:
        """Whether more of it is to be looked for in the state."""
        return not (self.here or self.anew or self.ended)

    @property
    def readers(self) -> Sequence[Reader]:
        """Those who read it now."""
        with self._lock:
            return list(self._readers)

    def extend(self, events: Sequence[StreamEvent]) -> None:
        """More was committed. From one thread."""
        self.events.extend(events)
        for reader in self.readers:
            reader.wake()

    def add(self, reader: Reader) -> None:
        """Wake it from now on."""
        with self._lock:
            self._readers.add(reader)

    def remove(self, reader: Reader) -> None:
        """Wake it no more."""
        with self._lock:
            self._readers.discard(reader)

    def position(self, after: int) -> int:
        """How many of the events a reader has that has seen number `after`; 0 for one that is not there."""
        events = self.events
        return after if not self.anew and 0 <= after <= len(events) else 0
