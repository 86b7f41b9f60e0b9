"""The worker processes of a service: started, replaced where they die, ended together.

It does not know what a worker does: that it serves, or why it cannot, a worker says through a pipe.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from time import monotonic
from types import FrameType

from labkit.errors import LabkitError
from labkit.server.settings import END_S

log = logging.getLogger("labkit.server")

TRIES = 3
"""So many workers in a row may end before they serve; what ended them would end the next."""
LATE_S = END_S + 0.5
"""A worker that has not ended so long after it was asked to is killed."""
LOOK_S = 0.5

Work = Callable[[Callable[[], None]], None]
"""What a worker does until a signal ends it; it calls what it is given as soon as it can serve."""


class Workers:
    """`count` processes that do `work`, which can be pickled."""

    def __init__(self, work: Work, count: int) -> None:
        self._work, self._count = work, count
        self._there: dict[int, _Worker] = {}
        """By what becomes ready when the process ends."""
        self._failed = 0
        self._fault: str | None = None
        self._killed_s: float | None = None
        """When those that are left are killed; None: nobody asked for the end yet."""

    def run(self) -> None:
        """Keep them going until SIGTERM or SIGINT. Raises `LabkitError` where they cannot start."""
        with _heeding(self.end):
            try:
                for _ in range(self._count):
                    self._start()
                while self._there:
                    self._look(wait(list(self._there), LOOK_S))
            finally:
                for worker in self._there.values():
                    worker.process.kill()
        if self._fault is not None:
            raise LabkitError(self._fault)

    def end(self) -> None:
        """Ask all of them to end, and start no other."""
        if self._killed_s is None:
            self._killed_s = monotonic() + LATE_S
        for worker in list(self._there.values()):
            worker.process.terminate()

    def _start(self) -> None:
        worker = _Worker(self._work)
        self._there[worker.process.sentinel] = worker
        if self._killed_s is not None:  # asked for while it was started
            worker.process.terminate()

    def _look(self, ended: Sequence[object]) -> None:
        began = [worker.began() for worker in self._there.values()]  # each is heard, also one that ended
        if any(began):
            self._failed = 0
        for sentinel in ended:
            assert isinstance(sentinel, int)
            worker = self._there.pop(sentinel)
            worker.process.join()
            if self._killed_s is None:
                self._replace(worker)
        if self._killed_s is not None and monotonic() > self._killed_s:
            for worker in self._there.values():
                worker.process.kill()

    def _replace(self, worker: _Worker) -> None:
        self._failed += worker.failed
        if self._failed >= TRIES:
            self._fault = (
                f"The service ends: {TRIES} of its processes in a row ended before they could serve. "
                f"{worker.fault or f'The last one {worker.end}; what it wrote is above.'}"
            )
            self.end()
            return
        log.warning("Process %s of the service %s; another takes its place.", worker.process.pid, worker.end)
        self._start()


class _Worker:
    """One process, begun."""

    def __init__(self, work: Work) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._heard, tell = spawning.Pipe(duplex=False)
        self.process = spawning.Process(target=_do, args=(work, tell), name="labkit worker")
        self.process.start()
        tell.close()
        self.serves = False
        self.fault: str | None = None
        """Why it cannot serve, in its own words."""

    def began(self) -> bool:
        """Whether it began to serve since this was last asked."""
        with contextlib.suppress(EOFError):
            if self._heard.poll():
                self.fault = self._heard.recv()
                self.serves = self.fault is None
                return self.serves
        return False

    @property
    def failed(self) -> bool:
        """Whether it ended before it served, and nobody killed it."""
        return not self.serves and self.process.exitcode not in (-signal.SIGKILL, -signal.SIGTERM)

    @property
    def end(self) -> str:
        """How its process ended, in words."""
        code = self.process.exitcode or 0
        return f"was ended by signal {-code}" if code < 0 else f"ended with {code}"


def _do(work: Work, tell: Connection) -> None:
    signal.signal(signal.SIGINT, lambda *_: None)  # a terminal sends it to all: who started us ends us
    threading.Thread(target=_end_with_supervisor, name="labkit supervisor", daemon=True).start()
    try:
        work(lambda: tell.send(None))
    except LabkitError as error:
        tell.send(str(error))
        sys.exit(1)


def _end_with_supervisor() -> None:
    """A worker that outlived its supervisor would hold the port, and nobody could end it by it."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def _heeding(end: Callable[[], None]) -> Iterator[None]:
    def asked(sig: int, frame: FrameType | None) -> None:
        end()

    before = {sig: signal.signal(sig, asked) for sig in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)
