"""Looks what others wrote into the state: events of runs driven elsewhere, runs and models that are to stop,
credentials that hold no more where they read.

One thread and one query each, however many streams there are. It does not know how events are made or sent.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from queue import SimpleQueue
from time import monotonic
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from labkit.errors import StoreError
from labkit.server.accounts.principal import Access
from labkit.server.state import State
from labkit.server.state.tables import Event, ServedRun
from labkit.server.streams.event_log import EventLog, Reader
from labkit.server.streams.run_stream import RunStream
from labkit.server.streams.stream_events import StreamEvent, rebuilt

log = logging.getLogger("labkit.server")

EVENTS_S = 0.1
STOPS_S = 0.2
CREDENTIALS_S = 0.5
RUNS_A_QUERY = 100
"""SQLite takes no condition of more than 1,000 parts."""

NOT_ALLOWED = "your log-in or your membership ended"
Holding = Callable[[Session, Collection[Access]], Collection[Access]]
"""Which of them hold now."""
Rebuilt = Callable[[str], Sequence[Mapping[str, Any]]]
"""The `PromptRun`s of a run that is over, in the order asked."""


class Poller:
    """Fills the logs that `readers` of runs driven elsewhere read, dismisses those who may read no more, and
    stops the `streams` that are to stop. Both are asked for at each look.
    """

    def __init__(
        self,
        state: State,
        *,
        readers: Callable[[], Collection[Reader]],
        streams: Callable[[], Collection[RunStream]],
        holding: Holding,
        rebuild: Rebuilt,
    ) -> None:
        self._state = state
        self._readers = readers
        self._streams = streams
        self._holding = holding
        self._rebuild = rebuild
        self._look = threading.Event()
        self._closing = False
        self._in_trouble = False
        self._due = {self._events: 0.0, self._stops: 0.0, self._credentials: 0.0}
        self._every_s = {self._events: EVENTS_S, self._stops: STOPS_S, self._credentials: CREDENTIALS_S}
        self._thread = threading.Thread(target=self._run, name="labkit polls", daemon=True)
        self._thread.start()
        # Whole texts come from the lab, for which one may have to wait: nobody else waits with them.
        self._to_rebuild: SimpleQueue[tuple[EventLog, int] | None] = SimpleQueue()
        threading.Thread(target=self._rebuild_all, name="labkit old streams", daemon=True).start()

    def look(self) -> None:
        """Somebody came: look for events at once."""
        self._look.set()

    def close(self, timeout_s: float) -> None:
        """End."""
        self._closing = True
        self._look.set()
        self._to_rebuild.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._closing:
            idle = not self._readers() and not self._streams()
            came = self._look.wait(None if idle else max(0.0, min(self._due.values()) - monotonic()))
            self._look.clear()
            for what, due in list(self._due.items()):
                if self._closing:
                    return
                if monotonic() >= due or (came and what == self._events):
                    self._due[what] = monotonic() + self._every_s[what]
                    self._do(what)

    def _do(self, what: Callable[[], None]) -> None:
        try:
            what()
            self._in_trouble = False
        except Exception as error:
            if not self._in_trouble:
                unforeseen = not isinstance(error, StoreError)
                log.error(
                    "The streams cannot be followed now; it is tried again: %s", error, exc_info=unforeseen
                )
            self._in_trouble = True

    # -- events of runs driven elsewhere ---------------------------------------------------------

    def _events(self) -> None:
        readers = self._readers()
        logs = [*{reader.log for reader in readers if reader.log.is_followed}]
        for begin in range(0, len(logs), RUNS_A_QUERY):
            self._follow(logs[begin : begin + RUNS_A_QUERY])
        for reader in readers:
            if not reader.ready:
                reader.ready = True
                reader.wake()

    def _follow(self, logs: Sequence[EventLog]) -> None:
        newer = or_(*(and_(Event.run_id == one.run_id, Event.number > one.last) for one in logs))
        found: dict[str, list[StreamEvent]] = {}
        with self._state.reading() as rows:
            # Before its events: a run that ends in between has not lost any.
            over = _over(rows, [one.run_id for one in logs if not one.last])
            for run_id, number, kind, data in rows.execute(
                select(Event.run_id, Event.number, Event.kind, Event.data)
                .where(newer)
                .order_by(Event.run_id, Event.number)
            ):
                found.setdefault(run_id, []).append(StreamEvent(number, kind, data))
        for one in logs:
            if one.run_id in found:
                one.extend(found[one.run_id])
            elif one.run_id in over:
                one.anew = True
                self._to_rebuild.put((one, over[one.run_id]))

    def _rebuild_all(self) -> None:
        while (asked := self._to_rebuild.get()) is not None:
            one, last = asked
            try:
                one.extend(rebuilt(one.run_id, self._rebuild(one.run_id), last))
            except Exception:
                one.anew = False  # asked for again
                log.exception("The stream of run %s could not be made from its rows.", one.run_id)

    # -- runs that are to stop -------------------------------------------------------------------

    def _stops(self) -> None:
        stoppable = {one.run_id: one for one in self._streams() if one.may_stop}
        if not stoppable:
            return
        with self._state.reading() as rows:
            asked = rows.execute(
                select(ServedRun.id, ServedRun.stop_asked_us, ServedRun.stop_models).where(
                    ServedRun.id.in_(stoppable),
                    or_(ServedRun.stop_asked_us.is_not(None), ServedRun.stop_models.is_not(None)),
                )
            ).all()
        for run_id, whole_us, models in asked:
            for model in [None] if whole_us is not None else models:
                stoppable[run_id].stop(model)

    # -- credentials that hold no more -----------------------------------------------------------

    def _credentials(self) -> None:
        readers = [(reader, reader.access) for reader in self._readers() if reader.access is not None]
        if not readers:
            return
        with self._state.reading() as rows:
            hold = self._holding(rows, {access for _, access in readers})
        for reader, access in readers:
            if access not in hold:
                reader.dismiss(NOT_ALLOWED)


def _over(rows: Session, run_ids: Sequence[str]) -> Mapping[str, int]:
    """Those that are over, and how many events they had: where none is kept, they were deleted."""
    if not run_ids:
        return {}
    found = rows.execute(
        select(ServedRun.id, ServedRun.events).where(
            ServedRun.id.in_(run_ids), ServedRun.ended_us.is_not(None)
        )
    )
    return {row.id: row.events for row in found}
