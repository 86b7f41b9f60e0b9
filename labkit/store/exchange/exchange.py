"""Keeps a lab and the PostgreSQL that it is shared through alike, from a thread, one process for the whole lab.

About once a second it sends what the journals have beyond the server, and brings in what others sent. It never
stands in the way of asking or reading: where the server is away, slow or full, lines wait in the journals. It does
not know what the lines say.
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
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import StoreDamaged, StoreError, StoreLocked
from labkit.store import lab_identity, sharing_state
from labkit.store.access import Access
from labkit.store.exchange import earlier_rows, journal_lines, receiving
from labkit.store.exchange.address import Address
from labkit.store.exchange.receiving import Receiver
from labkit.store.exchange.share_database import Sender, SenderMoved, ShareDatabase
from labkit.store.file_locks import FileLock, holder_is_stopped
from labkit.store.sharing_state import SharingState
from labkit.store.writer import Writer

if TYPE_CHECKING:
    import duckdb

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
OPEN_S = 2.0
REPAIR_S = 60.0


class Exchange:
    """The thread of one lab in this process. `start` may be called often."""

    def __init__(self, address: Address, access: Access, writer: Writer) -> None:
        self.address = address
        self.trouble: StoreError | None = None
        """Why the two are not alike now; None: they are, or another process sees to it."""
        self._wanted: set[str] = set()
        self._met = True
        """Whether the lines of all workspaces that this process wants came once."""
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
        self._database = ShareDatabase(self.address, machine=socket.gethostname())
        self._hold: FileLock | None = None
        self._looked = False
        """Whether this process ever looked if another is the one."""
        self._sender: Sender | None = None
        self._state: SharingState | None = None
        self._receiver: Receiver | None = None
        self._file = (0, 0)
        self._repaired_s = -REPAIR_S
        self._told = ""

    # -- from outside ----------------------------------------------------------------------------

    def start(self, workspaces: Collection[str]) -> None:
        """Begin, if it is not begun yet; bring in the lines of these workspaces too. Raises `StoreError` where that
        cannot be noted."""
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
        self._folder.make()
        try:
            for workspace in workspaces:
                self._met = not sharing_state.include(self._folder, workspace) and self._met
        except OSError as error:
            raise StoreError(f"{self._folder.path.name} cannot be written: {error.strerror}.") from None
        self._wanted.update(workspaces)

    def stop(self, timeout_s: float | None = None) -> None:
        """Send what waits, if that can be done within `timeout_s`, and end the thread: another process of this
        machine may take over."""
        thread = self._thread
        if thread is None:
            return
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        if timeout_s is not None and self.trouble is None and self._waits():
            self.catch_up(timeout_s - LET_GO_S)
        self._stop.set()
        self._wake.set()
        thread.join(None if until_s is None else max(0.0, until_s - time.monotonic()))

    def meet(self, wait_s: float) -> None:
        """Where a workspace was never brought in before, wait for what others wrote in it."""
        if not self._met:
            self._met = True
            if not self.catch_up(wait_s) and self.trouble is None:
                log.warning("%s is still bringing in what others wrote.", self._access.path.name)

    def catch_up(self, wait_s: float) -> bool:
        """Wait until what was on either side when this was called is on both; False if it is not by `wait_s`, or
        the server is known to be away."""
        asked_ns = time.time_ns()
        self._wake.set()
        deadline = time.monotonic() + wait_s
        while self._round_ns() < asked_ns:
            if time.monotonic() >= deadline or self.trouble is not None:
                return False
            time.sleep(0.01)  # another process may be the one that does it, which tells by a file's time
        return True

    def _waits(self) -> bool:
        """Whether there is something to send, and this process does that, or may come to it."""
        if self._hold is None and self._looked:
            return False
        sender = self._sender
        return sender is None or bool(journal_lines.waiting(self._folder, sender.sent))

    def _round_ns(self) -> int:
        """When the last whole round began, in whatever process."""
        try:
            return self._done.stat().st_mtime_ns
        except OSError:
            return 0

    # -- in the thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        wait_s = 0.0
        while not self._ended():
            self._wake.wait(wait_s)
            self._wake.clear()
            wait_s = EVERY_S if self._once() else min(MOST_WAIT_S, max(EVERY_S, 2 * wait_s))

    def _ended(self) -> bool:
        """Whether the thread ends now. Who begins it meanwhile begins another, or keeps this one: never two."""
        with self._starting:
            if not self._stop.is_set():
                return False
            self._let_go()
            self._thread = None
            return True

    def _once(self) -> bool:
        """One round, if this process is the one that does them; False if something stands in the way."""
        try:
            if self._may():
                began_ns = time.time_ns()
                self._round()
                self._done.touch(0o600)
                os.utime(self._done, ns=(began_ns, began_ns))
            self.trouble, self._told = None, ""
        except (StoreLocked, SenderMoved) as error:
            log.debug("Not exchanged in this round: %s", error)
        except StoreDamaged as error:
            # The lab is another than this process wrote for: one that begins now may share it.
            self._let_go()
            self._tell(error)
            return False
        except (StoreError, OSError) as error:
            self._tell(error if isinstance(error, StoreError) else StoreError(f"{error.strerror}"))
            return False
        except Exception as error:
            log.exception("The exchange with the shared lab failed; the journals keep everything")
            self._tell(StoreError(f"The exchange with the shared lab failed: {error}"))
            return False
        return True

    def _may(self) -> bool:
        """Whether this process is the one."""
        if self._hold is None or not self._hold.stands:
            self._let_go()
            self._folder.make()
            self._hold = FileLock.take(self._lock)
            if self._hold is None and holder_is_stopped(self._lock):
                # Should it go on, it finds its lock gone. Until then two may do the same, which doubles nothing:
                # the server takes a sender's lines in one order, and the fold each line once.
                self._lock.unlink(missing_ok=True)
                self._hold = FileLock.take(self._lock)
            self._looked = True
            if self._hold is None:
                return False
            self._hold.sign()
        return True

    def _let_go(self) -> None:
        self._database.close()
        self._sender = self._state = self._receiver = None
        if self._hold is not None:
            self._hold.release()
            self._hold = None

    def _round(self) -> None:
        if self._state is None or self._receiver is None or self._is_replaced(self._state):
            self._sender = self._state = None
            self._state, receiver = self._read_lab()
            self._receiver = self._receiver or receiver
        try:
            self._database.open()
            if self._database.writable:
                self._sender = self._sender or self._registered(self._state)
                self._send()
            self._receive(self._state.sender, self._receiver)
        except BaseException:
            # What became of the last transaction is not known: the server tells.
            self._sender = None
            raise
        if not self._database.writable:
            raise StoreError(
                f"Nothing can be sent to {self.address.shown}: {self._database.why_read_only}. It waits in the"
                " journals."
            )

    def _is_replaced(self, state: SharingState) -> bool:
        """Whether another program put something else in place of the lab, or of what its folder says of sharing:
        without that, a fold lets journals go which the server lacks."""
        noted = sharing_state.read(self._folder)
        return noted is None or noted.sender != state.sender or self._file_of_lab() != self._file

    def _file_of_lab(self) -> tuple[int, int]:
        status = self._access.path.stat()
        return status.st_dev, status.st_ino

    def _read_lab(self) -> tuple[SharingState, Receiver]:
        """Who this lab is to the server, and how far it has the lines of others."""
        self._access.fold(wait_s=OPEN_S, force=True)
        with self._access.reading(wait_s=OPEN_S) as reading:
            reading.check_complete(self._access.path.name)
            lab = lab_identity.identity(reading.connection)
            at = receiving.cursors(reading.connection)
            self._file = self._file_of_lab()
            state = sharing_state.read(self._folder)
            place = sharing_state.place_of(self._folder)
            if state is None or (state.lab, state.server, state.place) != (lab, self.address.key, place):
                state = self._begin_sharing(reading.connection)
        return state, Receiver(self._writer.process, self._writer.received(), self._writer.stamp, at)

    def _begin_sharing(self, connection: duckdb.DuckDBPyConnection) -> SharingState:
        """As a sender that the server does not know: all that the lab has is sent."""
        state = SharingState(
            lab=lab_identity.identity(connection),
            server=self.address.key,
            shown=self.address.shown,
            place=sharing_state.place_of(self._folder),
            earlier=earlier_rows.counted(connection),
        )
        # From here on no journal goes that the server does not have.
        sharing_state.write(self._folder, state)
        return state

    def _registered(self, state: SharingState) -> Sender:
        sender = self._database.sender(state.sender, lab=state.lab)
        if sender.upto < state.lines:
            # Journals of what it lost may be gone: the tables have it.
            log.warning("%s has lost lines of this lab; all are sent again.", self.address.shown)
            with self._access.reading(wait_s=OPEN_S) as reading:
                self._state = state = self._begin_sharing(reading.connection)
            sender = self._database.sender(state.sender, lab=state.lab)
        self._note(state, sender)
        return sender

    def _note(self, state: SharingState, sender: Sender) -> None:
        journals = [str(name) for name, _ in self._folder.journals()]
        state.note(sender.upto, sender.sent, [*journals, *map(earlier_rows.called, state.earlier)])
        sharing_state.write(self._folder, state)

    def _send(self) -> None:
        state = self._state
        assert state is not None and self._sender is not None
        before = self._sender.upto
        for piece in journal_lines.pieces(self._folder, self._sender.sent, lab=state.lab):
            self._sender = self._database.send(self._sender, piece.lines, piece.sent)
        while not self._stop.is_set() and earlier_rows.left(state.earlier, self._sender.sent):
            with self._access.reading(wait_s=OPEN_S) as reading:
                rows = earlier_rows.next_piece(reading.connection, state.earlier, self._sender.sent)
            if rows is None:
                break
            self._sender = self._database.send(self._sender, rows.lines, rows.sent)
        if self._sender.upto > before:
            self._note(state, self._sender)

    def _receive(self, own: str, receiver: Receiver) -> None:
        others = [one for one in self._database.news() if one.identity != own]
        workspaces = sorted(sharing_state.workspaces(self._folder))
        for one in others:
            for workspace in workspaces:
                receiver.bring(self._database, one, workspace)
        if time.monotonic() - self._repaired_s >= REPAIR_S:
            receiver.repair(self._database)
            self._repaired_s = time.monotonic()
        receiver.look()

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
