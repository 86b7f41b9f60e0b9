"""Hears a run while it goes and makes the events of its stream.

What is told on labkit's loop is only gathered there; the events are made where they are written. It does
not know how they are numbered or kept: see `event_writer`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from sqlalchemy.orm import Session

from labkit.records import Cell, Generation, Score
from labkit.server.streams.event_log import EventLog
from labkit.server.streams.stream_events import Outcome, Said, end, said, whole

log = logging.getLogger("labkit.server")

Stop = Callable[[str | None], None]
"""Has the model with this id stop; None: all of them."""
Also = Callable[[Session], None]
"""Writes rows of its own, in the transaction that keeps an event."""
Stir = Callable[["RunStream", bool], None]
"""Says that a stream has something to write, and whether at once. Called with the streams' lock held."""


@dataclass(frozen=True)
class _Begun:
    model: str
    also: Also | None


@dataclass(frozen=True)
class _Text:
    model: str
    pieces: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Ended:
    row: Generation
    also: Also | None


@dataclass(frozen=True)
class _Over:
    last: Said
    also: Also | None


Gathered = _Begun | _Text | _Ended | _Over


class _Spoken:
    """What readers have of one model's text since its last `start`: its hash, not itself."""

    def __init__(self) -> None:
        self.tokens = 0
        self._hash = blake2b()

    def add(self, text: str) -> int:
        """Gives which token of the model it is, from 0."""
        self._hash.update(_bytes(text))
        self.tokens += 1
        return self.tokens - 1

    def is_exactly(self, text: str) -> bool:
        return self._hash.digest() == blake2b(_bytes(text)).digest()


class RunStream:
    """The `Watcher` of one run that is driven in this process. `asked` maps a model's id to the name it was
    asked for; `sent` and `ended` give what else is written when a cell is asked for, and when its generation
    is on disk. No method blocks.
    """

    keeps_text = True

    def __init__(
        self,
        run_id: str,
        asked: Mapping[str, str],
        *,
        lock: threading.Condition,
        stir: Stir,
        sent: Callable[[Cell], Also] | None,
        ended: Callable[[Generation], Also] | None,
        stop: Stop | None,
    ) -> None:
        self.run_id = run_id
        self.log = EventLog(run_id, here=True)
        self.loaded = False
        """Whether the log has what others wrote of this run."""
        self.written_at = 0.0
        """When something of it was taken last, in seconds of the monotonic clock."""
        self.over = False
        """Whether nothing more is heard."""
        self.kept = threading.Event()
        """Set once its end is kept: whoever comes next finds the run ended."""
        self._stop = stop
        self._stopped: set[str | None] = set()
        self._with_sent = sent
        self._with_ended = ended
        self._asked = dict(asked)
        self._lock = lock
        self._stir = stir
        self._gathered: list[Gathered] = []
        self._texts: dict[str, _Text] = {}
        self._speaking: set[str] = set()
        self._spoken: dict[str, _Spoken] = {}

    # -- what the run tells ----------------------------------------------------------------------

    def planned(self, total: Mapping[str, int], settled: Mapping[str, int]) -> None: ...

    def queued(self, cell: Cell) -> None: ...

    def sent(self, cell: Cell, attempt: int) -> None:
        also = None if self._with_sent is None else self._with_sent(cell)
        with self._lock:
            self._speaking.discard(cell.model)
            self._gather(_Begun(cell.model, also), at_once=False)

    def text(self, cell: Cell, delta: str) -> None:
        with self._lock:
            text = self._texts.get(cell.model)
            if text is None:
                text = _Text(cell.model)
                self._gather(text, at_once=cell.model not in self._speaking)
                self._texts[cell.model] = text
                self._speaking.add(cell.model)
            text.pieces.append(delta)

    def waiting(self, cell: Cell, seconds: float, why: str) -> None: ...

    def ended(self, generation: Generation) -> None:
        also = None if self._with_ended is None else self._with_ended(generation)
        with self._lock:
            self._gather(_Ended(generation, also), at_once=True)

    def scored(self, score: Score) -> None: ...

    # -- what it is told -------------------------------------------------------------------------

    @property
    def may_stop(self) -> bool:
        """Whether there is something to stop that was not told so."""
        return self._stop is not None and None not in self._stopped

    def stop(self, model: str | None) -> None:
        """Somebody asks that it stops: one model by its id, or all. Passed on once. From one thread."""
        if self._stop is not None and not self._stopped & {model, None}:
            self._stopped.add(model)
            self._stop(model)

    # -- the end ---------------------------------------------------------------------------------

    def end(
        self,
        runs: Sequence[Mapping[str, Any]],
        reason: str | None = None,
        *,
        also: Also | None = None,
    ) -> None:
        """The run is over; `runs` are all its `PromptRun`s, in the order asked. Any later word is ignored.
        `also` is written in the transaction that keeps it."""
        last = end(self.run_id, runs, reason)
        with self._lock:
            self._gather(_Over(last, also), at_once=True)
            self.over = True

    # -- what is written -------------------------------------------------------------------------

    def take(self) -> list[Gathered]:
        """All that was gathered since the last time. To be called with the lock held."""
        taken, self._gathered = self._gathered, []
        self._texts.clear()
        return taken

    def events(self, gathered: Sequence[Gathered]) -> list[Said]:
        """What was taken, as events. From one thread. What cannot be told holds up no end."""
        told: list[Said] = []
        for one in gathered:
            try:
                told += self._events(one)
            except Exception:
                log.exception("An event of run %s was lost.", self.run_id)
        return told

    def also_written(self, gathered: Sequence[Gathered]) -> list[Also]:
        """What else is written with what was taken."""
        return [one.also for one in gathered if not isinstance(one, _Text) and one.also is not None]

    def _gather(self, what: Gathered, *, at_once: bool) -> None:
        if self.over:
            return
        if isinstance(what, _Begun):
            self._texts.pop(what.model, None)
        self._gathered.append(what)
        self._stir(self, at_once)

    def _events(self, one: Gathered) -> list[Said]:
        if isinstance(one, _Begun):
            self._spoken[one.model] = _Spoken()
            return [said("start", self.run_id, self._name(one.model))]
        if isinstance(one, _Text):
            text = "".join(one.pieces)
            index = self._spoken.setdefault(one.model, _Spoken()).add(text)
            return [said("token", self.run_id, self._name(one.model), token=text, index=index)]
        if isinstance(one, _Ended):
            return self._ending(one.row)
        return [one.last]

    def _ending(self, row: Generation) -> list[Said]:
        name, outcome = self._name(row.model), Outcome.of_generation(row)
        spoken = self._spoken.pop(row.model, None)
        # A replay was not heard, and a text can lose what turned out to be reasoning.
        as_heard = spoken is not None and spoken.is_exactly(outcome.text)
        anew = [] if as_heard else whole(self.run_id, name, outcome.text)
        return [*anew, *outcome.told(self.run_id, name)]

    def _name(self, model: str) -> str:
        return self._asked.get(model, model)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
