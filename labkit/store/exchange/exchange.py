"""Keeps a lab and the PostgreSQL that it is shared through alike, from a thread, one process for the whole
lab.

About once a second it sends what the journals have beyond the server, and brings in what others sent. It
never stands in the way of asking or reading: where the server is away, slow or full, lines wait in the
journals. It does not know what the lines say.
"""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401 - at the end of a process pandas cannot import it any more
import contextlib
import logging
import os
import socket
import threading
import time
import weakref
from collections.abc import Collection

from labkit.errors import StoreDamaged, StoreError, StoreLocked
from labkit.store import sharing_state
from labkit.store.access import Access
from labkit.store.exchange.address import Address
from labkit.store.exchange.rounds import Rounds
from labkit.store.exchange.share_database import SenderMoved, ShareDatabase
from labkit.store.file_locks import FileLock, holder_is_stopped
from labkit.store.writer import Writer
from labkit.visible import visible

log = logging.getLogger("labkit.store")

LOCK, DONE = "exchange.lock", "exchange.done"
"""Files beside the journals: who holds the first does it, the second was written when it was last done."""
EVERY_S = 1.0
MOST_WAIT_S = 15.0
"""Where the server is away, it is tried again after a second, and ever later up to this."""
EXIT_S = 5.0
"""So long the end of a process waits for what it wrote to be sent."""
LET_GO_S = 0.5
"""So much of it is kept for what is under way then."""


class Exchange:
    """The thread of one lab in this process. `start` may be called often."""

    def __init__(self, address: Address, access: Access, writer: Writer) -> None:
        self.address = address
        self.trouble: StoreError | None = None
        """Why the two are not alike now; None: they are, or another process sees to it."""
        self._wanted: set[str] = set()
        self._met = False
        """Whether this process has seen what others wrote before it began, in all workspaces it wants."""
        self._access = access
        self._writer = writer
        self._folder = access.folder
        self._lock = self._folder.path / LOCK
        self._done = self._folder.path / DONE
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._rounds = Rounds(self.address, self._access, self._writer)
        self._hold: FileLock | None = None
        self._told = ""
        self._tried_ns = 0
        """When the last round that this process tried began."""

    # -- from outside ----------------------------------------------------------------------------

    def start(self, workspaces: Collection[str]) -> None:
        """Begin, if it is not begun yet; bring in the lines of these workspaces too."""
        if not self._wanted.issuperset(workspaces):
            self._include(workspaces)
        with self._starting:
            self._stop.clear()
            if self._thread is None or not self._thread.is_alive():
                self._wake.set()
                thread = threading.Thread(target=self._work, name="labkit-exchange", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    self._tell(StoreError(f"The lab is not shared now: {error}."))
                    return
                self._thread = thread

    def _include(self, workspaces: Collection[str]) -> None:
        try:
            self._folder.make()
            for workspace in workspaces:
                self._met = not sharing_state.include(self._folder, workspace) and self._met
        except (OSError, StoreError) as error:
            self._tell(self._unwritable(error))
        else:
            self._wanted.update(workspaces)

    def _unwritable(self, error: OSError | StoreError) -> StoreError:
        if isinstance(error, StoreError):
            return error
        return StoreError(
            f"{self._folder.path.name} cannot be written: {error.strerror}. So nothing is brought in from"
            f" {self.address.shown}; what is written here stays where it is."
        )

    def stop(self, timeout_s: float | None = None) -> None:
        """Send what waits, if that can be done within `timeout_s`, and end the thread: another process of
        this machine may take over."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        if timeout_s is not None and self._rounds.lines_wait():
            self.trouble = None  # the server may be back: it is tried once more
            self.catch_up(timeout_s - LET_GO_S)
        self._stop.set()
        self._wake.set()
        thread.join(None if until_s is None else max(0.0, until_s - time.monotonic()))

    def meet(self, wait_s: float) -> None:
        """Once in a process, and once more where a workspace is new here: wait for what others wrote by
        now."""
        if not self._met:
            self._met = True
            if not self.catch_up(wait_s) and self.trouble is None:
                log.warning("%s has not all yet that others wrote; it comes later.", self._access.path.name)

    def catch_up(self, wait_s: float) -> bool:
        """Wait until what was on either side when this was called is on both; False if it is not by `wait_s`,
        or this process tried and could not."""
        asked_ns = time.time_ns()
        self._wake.set()
        deadline = time.monotonic() + wait_s
        while self._round_ns() < asked_ns:
            tried = self._tried_ns >= asked_ns and self.trouble is not None
            if tried or time.monotonic() >= deadline:
                return False
            time.sleep(0.01)  # another process may be the one that does it, which tells by a file's time
        return True

    def number(self, name: str, hash_: str, known: int) -> int:
        """The version of a prompt's text, given by the server so that no other machine gives it to another
        text; where it cannot be asked now, the next that is free here."""
        if self.trouble is None:
            database = ShareDatabase(self.address, machine=socket.gethostname())
            try:
                return database.number(name, hash_, known)
            except StoreError as error:
                log.warning("%s@%d is numbered by this machine alone: %s", visible(name), known + 1, error)
            finally:
                database.close()
        return known + 1

    def _round_ns(self) -> int:
        """When the last whole round began, in whatever process; 0, where the clock was set back since."""
        try:
            began_ns = self._done.stat().st_mtime_ns
        except OSError:
            return 0
        return began_ns if began_ns <= time.time_ns() else 0

    # -- in the thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        wait_s = 0.0
        while not self._ended():
            self._wake.wait(wait_s)
            self._wake.clear()
            wait_s = EVERY_S if self._once() else min(MOST_WAIT_S, max(EVERY_S, 2 * wait_s))

    def _ended(self) -> bool:
        """Whether the thread ends now. Who begins it meanwhile begins another, or keeps this: never two."""
        with self._starting:
            if not self._stop.is_set():
                return False
            self._let_go()
            self._thread = None
            return True

    def _once(self) -> bool:
        """One round, if this process is the one that does them; False if something stands in the way."""
        began_ns = time.time_ns()
        try:
            if self._may():
                self._rounds.once(stop=self._stop.is_set)
                self._done.touch(0o600)
                os.utime(self._done, ns=(began_ns, began_ns))
            self.trouble, self._told = None, ""
        except StoreLocked as error:
            log.debug("Not exchanged in this round: %s", error)
        except SenderMoved as error:
            log.debug("Not exchanged in this round: %s", error)
            if self._hold is not None and self._hold.stands:
                self._rounds.doubt()
        except StoreDamaged as error:
            # The lab is another than this process wrote for: one that begins now may share it.
            self._let_go()
            self._tell(error)
        except (StoreError, OSError) as error:
            self._tell(self._unwritable(error))
        except Exception as error:
            log.exception("The exchange with the shared lab failed; the journals keep everything")
            self._tell(StoreError(f"The exchange with the shared lab failed: {error}"))
        self._tried_ns = began_ns
        return self.trouble is None

    def _may(self) -> bool:
        """Whether this process is the one."""
        if self._hold is None or not self._hold.stands:
            self._let_go()
            self._folder.make()
            self._hold = FileLock.take(self._lock)
            if self._hold is None and holder_is_stopped(self._lock):
                # Should it go on, it finds its lock gone. Until then two may do the same, which doubles
                # nothing: the server takes a sender's lines in one order, and the fold each line once.
                self._lock.unlink(missing_ok=True)
                self._hold = FileLock.take(self._lock)
            if self._hold is None:
                return False
            self._hold.sign()
        return True

    def _let_go(self) -> None:
        self._rounds.forget()
        if self._hold is not None:
            self._hold.release()
            self._hold = None

    def _tell(self, error: StoreError) -> None:
        if self._told != str(error):
            log.warning("%s", error)
        self.trouble, self._told = error, str(error)


_all: weakref.WeakSet[Exchange] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    for exchange in list(_all):
        with contextlib.suppress(StoreError):  # who writes tells of it
            exchange._writer.flush(timeout_s=EXIT_S)
        exchange.stop(EXIT_S)


def _begin_anew_in_child() -> None:
    for exchange in list(_all):
        exchange._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_in_child)
