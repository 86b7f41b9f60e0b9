"""Keeps a lab and the PostgreSQL that it is shared through alike, from a thread, one process for the whole lab.

About once a second it sends what the journals have beyond the server, and brings in what others sent. It never
stands in the way of asking or reading: where the server is away, slow or full, lines wait in the journals. It does
not know what the lines say.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING

from labkit.errors import StoreAway, StoreError, StoreLocked
from labkit.store import lab_identity, sharing_state
from labkit.store.exchange import earlier_rows, journal_lines, receiving
from labkit.store.exchange.address import Address
from labkit.store.exchange.receiving import Receiver
from labkit.store.exchange.share_database import Sender, SenderMoved, ShareDatabase
from labkit.store.file_locks import FileLock
from labkit.store.sharing_state import SharingState

if TYPE_CHECKING:
    from labkit.store.access import Access
    from labkit.store.writer import Writer

log = logging.getLogger("labkit.store")

EVERY_S = 1.0
MOST_WAIT_S = 15.0
"""Where the server is away, it is tried again after one second, and ever later up to this."""
EXIT_S = 5.0
"""So long the end of a process waits for what it wrote to be sent."""
OPEN_S = 2.0
REPAIR_S = 60.0


class Exchange:
    """The thread of one lab in this process. `start` may be called often. `workspaces` are those whose lines are
    brought in; more may be added at any time."""

    def __init__(self, address: Address, access: Access, writer: Writer, *, machine: str) -> None:
        self.address = address
        self.workspaces: set[str] = set()
        self.trouble: StoreError | None = None
        """Why it is not alike now; None: it is, or another process sees to it."""
        self._machine = machine
        self._access = weakref.ref(access)
        self._writer = writer
        self._folder = access.folder
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._hold: FileLock | None = None
        self._database: ShareDatabase | None = None
        self._sender: Sender | None = None
        self._state: SharingState | None = None
        self._receiver: Receiver | None = None
        self._repaired_s = 0.0
        self._told: str | None = None

    # -- from outside ----------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, if it is not begun yet."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._stop.clear()
                thread = threading.Thread(target=self._work, name="labkit-exchange", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    self._tell(StoreError(f"The lab is not shared now: {error}."))
                    return
                self._thread = thread

    def stop(self, timeout_s: float | None = None) -> None:
        """End the thread; another process of this machine may take over."""
        self._stop.set()
        self._wake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
            self._thread = None

    def catch_up(self, wait_s: float) -> bool:
        """Wait until all that is sent and there by now is on both sides; False if it is not by `wait_s`, or if
        the server is known to be away."""
        asked_ns = time.time_ns()
        self.start()
        self._wake.set()
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            if self._round_ns() >= asked_ns:
                return True
            if isinstance(self.trouble, StoreAway):
                return False
            self._stop.wait(0.01)
        return False

    def _round_ns(self) -> int:
        """When the last whole round began, in whatever process."""
        try:
            return os.stat(self._lock).st_mtime_ns
        except OSError:
            return 0

    @property
    def _lock(self) -> str:
        return str(self._folder.path / "exchange.lock")

    # -- in the thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        wait_s = EVERY_S
        while not self._stop.is_set():
            self._wake.wait(wait_s)
            self._wake.clear()
            try:
                if self._may():
                    began_ns = time.time_ns()
                    self._round()
                    os.utime(self._lock, ns=(began_ns, began_ns))
                    self.trouble = self._told = None
                wait_s = EVERY_S
            except StoreLocked as error:
                log.debug("Not shared in this round: %s", error)
            except (StoreError, OSError) as error:
                self._tell(error if isinstance(error, StoreError) else StoreError(f"{error.strerror}"))
                wait_s = min(MOST_WAIT_S, wait_s * 2)
            except Exception as error:
                log.exception("The exchange with the shared lab failed; the journals keep everything")
                self._tell(StoreError(f"The exchange with the shared lab failed: {error}"))
                wait_s = MOST_WAIT_S
        self._let_go()

    def _may(self) -> bool:
        """Whether this process is the one that sees to it."""
        if self._access() is None:
            self._stop.set()
            return False
        if self._hold is None or not self._hold.stands:
            self._let_go()
            self._folder.make()
            self._hold = FileLock.take(self._folder.path / "exchange.lock")
            if self._hold is not None:
                self._hold.sign()
        return self._hold is not None

    def _let_go(self) -> None:
        if self._database is not None:
            self._database.close()
        self._database = self._sender = self._state = self._receiver = None
        if self._hold is not None:
            self._hold.release()
            self._hold = None

    def _round(self) -> None:
        if self._state is None or self._receiver is None:
            self._read_lab()
        assert self._state is not None and self._receiver is not None
        if self._database is None:
            self._database = ShareDatabase(self.address, machine=self._machine)
        if self._sender is None:
            self._sender = self._database.sender(self._state.sender, lab=self._state.lab)
            self._keep_state()
        try:
            if self._database.writable:
                self._send(self._database, self._sender)
            self._receive(self._database, self._receiver)
        except BaseException:
            # What became of the last transaction is not known: the server tells.
            self._sender = None
            raise
        if not self._database.writable:
            raise StoreError(f"Nothing can be sent: {self._database.why_read_only}. It waits in the journals.")

    def _read_lab(self) -> None:
        """Who this lab is to the server, and how far it has the lines of others."""
        access = self._access()
        assert access is not None
        access.fold(wait_s=OPEN_S, force=True)
        with access.reading(wait_s=OPEN_S) as reading:
            reading.check_complete(access.path.name)
            lab = lab_identity.identity(reading.connection)
            at = receiving.cursors(reading.connection)
            state = sharing_state.read(self._folder)
            place = sharing_state.place_of(self._folder)
            if state is None or (state.lab, state.server, state.place) != (lab, self.address.key, place):
                state = SharingState(lab=lab, server=self.address.key, shown=self.address.shown, place=place)
                state.earlier = earlier_rows.counted(reading.connection)
                # From here on no journal goes that the server does not have.
                sharing_state.write(self._folder, state)
        self._state = state
        self._receiver = Receiver(self._writer.process, self._writer.received(), self._writer.stamp, at)

    def _keep_state(self) -> None:
        assert self._state is not None and self._sender is not None
        before = self._state.sent
        self._state.note(dict(self._sender.sent))
        if self._state.sent != before:
            sharing_state.write(self._folder, self._state)

    def _send(self, database: ShareDatabase, sender: Sender) -> None:
        assert self._state is not None
        sent = sender.sent
        for piece in journal_lines.pieces(self._folder, sender.sent, lab=self._state.lab):
            self._sender = sender = database.send(sender, piece.lines, piece.sent)
            if self._stop.is_set() and not _ending:
                break
        while earlier_rows.left(self._state.earlier, sender.sent):
            access = self._access()
            if access is None or self._stop.is_set():
                break
            with access.reading(wait_s=OPEN_S) as reading:
                rows = earlier_rows.next_piece(reading.connection, self._state.earlier, sender.sent)
            if rows is None:
                break
            self._sender = sender = database.send(sender, rows.lines, rows.sent)
        if sender.sent != sent:
            self._keep_state()

    def _receive(self, database: ShareDatabase, receiver: Receiver) -> None:
        assert self._sender is not None
        for other in database.news():
            if other.number != self._sender.number:
                for workspace in sorted(self.workspaces):
                    receiver.bring(database, other.number, other.identity, workspace, other.upto)
        if time.monotonic() - self._repaired_s >= REPAIR_S:
            receiver.repair(database)
            self._repaired_s = time.monotonic()

    def _tell(self, error: StoreError) -> None:
        if self._told != str(error):
            log.warning("%s", error)
        self._told = str(error)
        self.trouble = error
