"""Where the streams of a process meet: those who tell of runs, and those who read them.

A run that is driven here is read from memory, any other from the state. It does not know HTTP: see
`streams`; what is numbered and kept stands in `event_writer`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from time import monotonic
from typing import Any

from sqlalchemy import delete, select, update

from labkit.records import Cell, Generation
from labkit.server.accounts.principal import Access
from labkit.server.problems import unavailable
from labkit.server.state import State
from labkit.server.state.tables import Event, ServedRun
from labkit.server.streams import sse
from labkit.server.streams.event_log import EventLog, Reader
from labkit.server.streams.event_writer import EventWriter
from labkit.server.streams.poller import Holding, Poller, Rebuilt
from labkit.server.streams.run_stream import Also, RunStream, Stop
from labkit.server.streams.stream_events import end

PING_S = 15.0
CLOSE_S = 1.0
FORGOTTEN_TOGETHER = 50
"""The events of so many runs are deleted in one transaction: who writes meanwhile waits for no more."""


class Board:
    """All streams of one process. `holding` says which accesses hold, `rebuilt` gives the `PromptRun`s of
    a run whose events were deleted.

    >>> stream = board.open(run_id, {"openai/gpt-4o": "gpt-4o"})               # doctest: +SKIP
    >>> async for frame in board.frames(run_id, 0): ...                        # doctest: +SKIP
    """

    def __init__(self, state: State, *, holding: Holding, rebuilt: Rebuilt) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._streams: dict[str, RunStream] = {}
        self._readers: set[Reader] = set()
        self._parting: str | None = None
        self._writer = EventWriter(state, self._ended)
        self._poller = Poller(
            state, readers=self._all_readers, streams=self._all_streams, holding=holding, rebuild=rebuilt
        )

    def open(
        self,
        run_id: str,
        asked: Mapping[str, str],
        *,
        sent: Callable[[Cell], Also] | None = None,
        ended: Callable[[Generation], Also] | None = None,
        stop: Stop | None = None,
    ) -> RunStream:
        """The watcher of a run that is driven in this process. `asked` maps each model's id to the name it
        was asked for. What `sent` gives for a cell, and `ended` for a generation, is called in the
        transaction that keeps its event. `stop` is called, from a thread of the board, with a model's id when
        somebody asks that it stops, with None when all are to; once for each.
        """
        stream = RunStream(
            run_id,
            asked,
            lock=self._writer.lock,
            stir=self._writer.stir,
            sent=sent,
            ended=ended,
            stop=stop,
        )
        with self._lock:
            self._streams[run_id] = stream
        self._poller.look()
        return stream

    async def frames(self, run_id: str, after: int, *, access: Access | None = None) -> AsyncGenerator[bytes]:
        """The run's events after that number as they come, until its end: server-sent events as bytes.

        An `after` that is none of its numbers begins at the beginning. It ends before the run does where
        `access` holds no more, or the board ends its readers; an `end` without id says why.
        """
        yield sse.RETRY
        reader = self._join(run_id, access)
        log = reader.log
        position: int | None = None
        try:
            while True:
                reader.woken.clear()
                if reader.dismissed is not None:
                    yield sse.frame(run_id, None, *end(run_id, None, reader.dismissed))
                    return
                if position is None and reader.ready:
                    position = log.position(after)
                if position is not None and position < len(log.events):
                    frames, position = sse.step(run_id, log.events, position)
                    yield frames
                elif position is not None and log.ended:
                    return
                elif not await _woken(reader):
                    yield sse.PING
        finally:
            self._leave(reader)

    async def ended(self, run_id: str) -> list[dict[str, Any]]:
        """The `PromptRun`s of the run, once it is over. Raises 503 where its readers are ended before."""
        reader = self._join(run_id, None)
        try:
            while not reader.log.ended:
                reader.woken.clear()
                if reader.dismissed is not None:
                    raise unavailable(
                        "The service is restarting. Look for the answers in /api/v1/executions."
                    )
                if not reader.log.ended:
                    await reader.woken.wait()
            runs: list[dict[str, Any]] = json.loads(reader.log.events[-1].data)["data"]["runs"]
            return runs
        finally:
            self._leave(reader)

    def end_readers(self, reason: str = "restarting") -> None:
        """End all connections at once, with an `end` event that says why; runs go on. From any thread."""
        self._parting = reason
        for reader in self._all_readers():
            reader.dismiss(reason)

    def close(self, reason: str = "restarting") -> None:
        """End all connections, and write what was told of runs so far. From any thread but the readers'."""
        self.end_readers(reason)
        begun = monotonic()
        self._writer.close(CLOSE_S)
        self._poller.close(max(0.0, begun + CLOSE_S - monotonic()))

    def forget(self, before_us: int) -> None:
        """Delete the events of runs that ended before that moment; their streams are made from their rows."""
        old = select(ServedRun.id).where(ServedRun.kept_since_us < before_us).limit(FORGOTTEN_TOGETHER)
        while True:
            with self._state.reading() as rows:  # others write meanwhile
                ids = rows.scalars(old).all()
            if not ids:
                return
            with self._state.writing(durable=False) as rows:
                rows.execute(delete(Event).where(Event.run_id.in_(ids)))
                rows.execute(update(ServedRun).where(ServedRun.id.in_(ids)).values(kept_since_us=None))

    def _join(self, run_id: str, access: Access | None) -> Reader:
        with self._lock:
            reader = Reader(self._log(run_id), access)
            self._readers.add(reader)
        if self._parting is not None:
            reader.dismiss(self._parting)
        self._poller.look()
        return reader

    def _log(self, run_id: str) -> EventLog:
        if run_id in self._streams:
            return self._streams[run_id].log
        read = (one.log for one in self._readers if one.log.run_id == run_id and not one.log.here)
        return next(read, None) or EventLog(run_id, here=False)

    def _leave(self, reader: Reader) -> None:
        reader.leave()
        with self._lock:
            self._readers.discard(reader)

    def _ended(self, stream: RunStream) -> None:
        with self._lock:
            if self._streams.get(stream.run_id) is stream:
                del self._streams[stream.run_id]

    def _all_readers(self) -> list[Reader]:
        with self._lock:
            return list(self._readers)

    def _all_streams(self) -> list[RunStream]:
        with self._lock:
            return list(self._streams.values())


async def _woken(reader: Reader) -> bool:
    """Wait until there may be something; False: nothing came for so long that the connection is tried."""
    try:
        async with asyncio.timeout(PING_S):
            await reader.woken.wait()
    except TimeoutError:
        return False
    return True
