"""The one thread of a process that numbers events, commits them, and only then shows them.

So what a reader has seen can be gone on from in any other process, also when this one was killed. What
cannot be committed is kept and tried again; whoever tells of the run never waits for it. It does not know
what the events say.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic

from sqlalchemy import insert, select, update
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from labkit.errors import StoreError
from labkit.server.state import State
from labkit.server.state.moments import now_us
from labkit.server.state.tables import Event, ServedRun
from labkit.server.streams.run_stream import Also, Gathered, RunStream
from labkit.server.streams.stream_events import Said, StreamEvent

log = logging.getLogger("labkit.server")

EVERY_S = 0.05
"""A run's text that goes on is written this often at most; the first of a model, and its end, at once."""
TOGETHER_S = 0.01
"""Runs whose turn comes within so long are written in one transaction."""
_EVENTS, _RUNS = (Event.metadata.tables[one.__tablename__] for one in (Event, ServedRun))
AGAIN_S = (0.05, 1.0)
"""The first and the longest wait before what could not be committed is tried again."""


@dataclass
class _Part:
    """What one stream has to write."""

    stream: RunStream
    said: Sequence[Said]
    also: Sequence[Also]

    @property
    def first(self) -> int:
        """The number of its first event."""
        return self.stream.log.last + 1

    @property
    def events(self) -> list[StreamEvent]:
        return [StreamEvent(number, *one) for number, one in enumerate(self.said, self.first)]

    @property
    def ends(self) -> bool:
        return bool(self.said) and self.said[-1].kind == "end"


class EventWriter:
    """Writes what all streams of this process gather. `ended` hears of a stream whose end is kept."""

    def __init__(self, state: State, ended: Callable[[RunStream], None]) -> None:
        self.lock = threading.Condition()
        """Held by streams while they gather."""
        self._state = state
        self._ended = ended
        self._due: dict[RunStream, float] = {}
        """When what a stream has gathered is to be written; 0: at once."""
        self._waits_until = 0.0
        self._turn = 0.0
        """When text that goes on was written last, of whichever run."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="labkit events", daemon=True)
        self._thread.start()

    def stir(self, stream: RunStream, at_once: bool) -> None:
        """The stream has something to write. To be called with the lock held."""
        due = 0.0 if at_once else stream.written_at + EVERY_S
        self._due[stream] = min(due, self._due.get(stream, due))
        if due < self._waits_until:
            self.lock.notify()

    def close(self, timeout_s: float) -> None:
        """Write what was gathered, and end; what cannot be written in that time is given up."""
        with self.lock:
            self._closing.set()
            self.lock.notify()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            log.error("The last events of running streams could not be written: their readers see a gap.")

    def _run(self) -> None:
        while True:
            with self.lock:
                taken = self._taken()
                if not taken and self._closing.is_set():
                    return
            try:
                parts = [_part(stream, gathered) for stream, gathered in taken]
                if self._write(parts):
                    for part in parts:
                        self._show(part)
            except Exception:  # one stream's fault must not end all others
                log.exception("Events of running streams were lost.")

    def _taken(self) -> list[tuple[RunStream, list[Gathered]]]:
        """Wait until something is to be written, and take it."""
        while not self._closing.is_set():
            due = min(self._due.values(), default=inf)
            self._waits_until = max(due, self._turn + TOGETHER_S) if due else due
            left_s = self._waits_until - monotonic()
            if left_s <= 0:
                break
            self.lock.wait(None if left_s == inf else left_s)
        now, closing = monotonic(), self._closing.is_set()
        streams = [one for one, due in self._due.items() if closing or due <= now]
        for stream in streams:
            if self._due.pop(stream):
                self._turn = now
            stream.written_at = now
        return [(stream, stream.take()) for stream in streams]

    def _write(self, parts: Sequence[_Part]) -> bool:
        """Commit it; whether that was possible before the end of this process."""
        wait_s, longest_s = AGAIN_S
        tried = False
        while True:
            last_try = self._closing.is_set()
            try:
                if not (tried and self._is_there(parts)):
                    self._commit(parts)
                return True
            except Exception as error:
                if last_try or not tried:
                    unforeseen = not isinstance(error, StoreError)
                    log.error(
                        "Events of running streams could not be written: %s", error, exc_info=unforeseen
                    )
                if last_try:
                    return False
            tried = True
            for part in parts:
                part.stream.loaded = False  # somebody else may have written of the run
            self._closing.wait(wait_s)
            wait_s = min(2 * wait_s, longest_s)

    def _is_there(self, parts: Sequence[_Part]) -> bool:
        """Whether it was committed although it did not look so, as when a connection broke at that moment."""
        with self._state.reading() as rows:
            for part in parts:
                if part.said:
                    kept = rows.get(Event, (part.stream.run_id, part.first))
                    return kept is not None and kept.data == part.said[0].data
        return False

    def _commit(self, parts: Sequence[_Part]) -> None:
        with self._state.writing(durable=False) as rows:
            for part in parts:
                if not part.stream.loaded:
                    kept = part.stream.log
                    kept.extend(stored(rows, kept.run_id, kept.last))
                    part.stream.loaded = True
            events = [
                {"run_id": part.stream.run_id, **event._asdict()} for part in parts for event in part.events
            ]
            if events:
                rows.execute(insert(_EVENTS), events)
            _also(rows, [also for part in parts for also in part.also])
            for part in parts:
                if part.ends:
                    now = now_us()
                    rows.execute(
                        update(_RUNS)
                        .where(_RUNS.c.id == part.stream.run_id)
                        .values(ended_us=now, kept_since_us=now, events=part.events[-1].number, asked=None)
                    )

    def _show(self, part: _Part) -> None:
        if part.ends:
            self._ended(part.stream)
        part.stream.log.extend(part.events)
        if part.ends:
            part.stream.kept.set()


def stored(rows: Session, run_id: str, after: int = 0) -> list[StreamEvent]:
    """The events of the run that are kept, after that number."""
    found = rows.execute(
        select(Event.number, Event.kind, Event.data)
        .where(Event.run_id == run_id, Event.number > after)
        .order_by(Event.number)
    )
    return [StreamEvent(*row) for row in found]


def _part(stream: RunStream, gathered: list[Gathered]) -> _Part:
    return _Part(stream, stream.events(gathered), stream.also_written(gathered))


def _also(rows: Session, wanted: Sequence[Also]) -> None:
    if not wanted:
        return
    try:
        with rows.begin_nested():
            for also in wanted:
                also(rows)
    except (OperationalError, InterfaceError):
        raise  # the database cannot write now: all of it is tried again
    except Exception:
        # What is wrong with some of these rows must hold up no stream; they come from the lab again.
        if len(wanted) == 1:
            log.exception("Rows of the history could not be written with a stream's event.")
        else:
            for also in wanted:
                _also(rows, [also])
