"""One round of the exchange after the other: what the journals have beyond the server is sent, and what
others sent is brought in.

It does not know threads, nor which process of the machine does it.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from labkit.errors import StoreError
from labkit.store import lab_identity, sharing_state
from labkit.store.access import Access
from labkit.store.exchange import earlier_rows, journal_lines, receiving
from labkit.store.exchange.address import Address
from labkit.store.exchange.receiving import Receiver
from labkit.store.exchange.share_database import News, Sender, SenderMoved, ShareDatabase
from labkit.store.sharing_state import SharingState
from labkit.store.writer import Writer

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("labkit.store")

OPEN_S = 2.0
REPAIR_S = 60.0
_FOLDED = "select journal, max(upto) from log.journals group by journal"


class Rounds:
    """What a process knows of a lab and its server, from one round to the next. One thread uses it."""

    def __init__(self, address: Address, access: Access, writer: Writer) -> None:
        self.address = address
        self._access = access
        self._writer = writer
        self._folder = access.folder
        self._database = ShareDatabase(address, machine=socket.gethostname())
        self._sender: Sender | None = None
        self._state: SharingState | None = None
        self._receiver: Receiver | None = None
        self._folded: dict[str, int] = {}
        """How far the tables had each journal then."""
        self._file = (0, 0)
        """Which file the lab was when it was last read."""
        self._is_copied = False
        self._repaired_s = -REPAIR_S

    def lines_wait(self) -> bool:
        """Whether lines wait to be sent, as far as is known here, whoever sends them."""
        if self._sender is not None:
            sent = dict(self._sender.sent)
        else:
            state = sharing_state.read(self._folder)
            sent = {} if state is None else {journal: upto for journal, (upto, _) in state.sent.items()}
        return bool(journal_lines.waiting(self._folder, sent))

    def forget(self) -> None:
        """Close the connection, and know nothing: another process may do the next round."""
        self._database.close()
        self._sender = self._state = self._receiver = None

    def doubt(self) -> None:
        """Somebody else sends as this lab: a copy of it, on a machine and in a folder of the same names.
        Be another to the server from the next round on: each would pass over what the other wrote."""
        log.warning(
            "A copy of %s is shared as if it were the same: all is sent again.", self._folder.lab.name
        )
        self._is_copied = True

    def once(self, *, stop: Callable[[], bool]) -> None:
        """Send and receive; until `stop` says so, where rows from before sharing are sent. Raises
        `StoreError` and `OSError` where something stands in the way: what was done until then is done."""
        # First: what is noted of a lab's sharing is of a server that answers.
        self._database.open()
        if self._state is None or self._receiver is None or self._is_another(self._state):
            self._sender = self._state = self._receiver = None
            self._state, self._receiver = self._read_lab()
        try:
            if self._database.writable:
                self._sender = self._sender or self._registered(self._state)
                self._send(stop)
            self._receive(self._receiver)
        except BaseException:
            # What became of the last transaction is not known: the server tells.
            self._sender = None
            raise
        if not self._database.writable:
            why = str(self._database.why_read_only).removesuffix(".")
            raise StoreError(f"{why}. What is written here waits in the journals.")

    # -- who this lab is -------------------------------------------------------------------------

    def _is_another(self, state: SharingState) -> bool:
        """Whether another program put something else in place of the lab, or of what its folder says of
        sharing (without that, a fold lets journals go which the server lacks), or shares a copy of it."""
        noted = sharing_state.read(self._folder)
        if noted is None or noted.sender != state.sender:
            return True
        return self._is_copied or self._file_of_lab() != self._file

    def _file_of_lab(self) -> tuple[int, int]:
        status = self._access.path.stat()
        return status.st_dev, status.st_ino

    def _read_lab(self) -> tuple[SharingState, Receiver]:
        """Who this lab is to the server, and how far it has the lines of others."""
        self._access.fold(wait_s=OPEN_S, force=True, joinable=True)
        with self._access.reading(wait_s=OPEN_S) as reading:
            reading.check_complete(self._access.path.name)
            lab = lab_identity.identity(reading.connection)
            at = receiving.cursors(reading.connection)
            self._file = self._file_of_lab()
            self._folded = dict(reading.connection.execute(_FOLDED).fetchall())
            state = sharing_state.read(self._folder)
            place = sharing_state.place_of(self._folder)
            here = lab, self.address.key, place
            if state is None or self._is_copied or (state.lab, state.server, state.place) != here:
                state = self._begin_sharing(reading.connection)
            self._is_copied = False
        writer = self._writer
        return state, Receiver(writer.process, writer.received(), writer.stamp, at, self._folder.path)

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

    def _begun_anew(self) -> SharingState:
        with self._access.reading(wait_s=OPEN_S) as reading:
            return self._begin_sharing(reading.connection)

    def _registered(self, state: SharingState) -> Sender:
        sender = self._database.sender(state.sender, lab=state.lab)
        if sender.upto < state.lines or self._is_put_back(sender):
            # Journals of what one of the two lost may be gone: the tables, or the server, have it.
            log.warning(
                "%s or %s has lost lines; all are exchanged again.", self._folder.lab.name, self.address.shown
            )
            self._state = state = self._begun_anew()
            sender = self._database.sender(state.sender, lab=state.lab)
        self._note(state, sender)
        return sender

    def _is_put_back(self, sender: Sender) -> bool:
        """Whether an older copy of the lab is in its place: the server has what neither tables nor journals
        have. As another sender it gets that back."""
        here = {str(name) for name, _ in self._folder.journals()}
        return any(
            self._folded.get(journal, 0) < upto
            for journal, upto in sender.sent.items()
            if journal not in here and not earlier_rows.is_table(journal)
        )

    def _note(self, state: SharingState, sender: Sender) -> None:
        journals = [str(name) for name, _ in self._folder.journals()]
        state.note(sender.upto, sender.sent, [*journals, *map(earlier_rows.called, state.earlier)])
        sharing_state.write(self._folder, state)

    # -- lines -----------------------------------------------------------------------------------

    def _send(self, stop: Callable[[], bool]) -> None:
        state = self._state
        assert state is not None
        assert self._sender is not None
        before = self._sender.upto
        for piece in journal_lines.pieces(self._folder, self._sender.sent, lab=state.lab):
            self._sender = self._database.send(self._sender, piece.lines, piece.sent)
        while not stop() and earlier_rows.left(state.earlier, self._sender.sent):
            with self._access.reading(wait_s=OPEN_S) as reading:
                rows = earlier_rows.next_piece(reading.connection, state.earlier, self._sender.sent)
            if rows is None:
                break
            self._sender = self._database.send(self._sender, rows.lines, rows.sent)
        if self._sender.upto > before:
            self._note(state, self._sender)

    def _receive(self, receiver: Receiver) -> None:
        others = [one for one in self._database.news() if not self._is_own(one)]
        workspaces = sorted(sharing_state.workspaces(self._folder))
        for one in others:
            for workspace in workspaces:
                receiver.bring(self._database, one, workspace)
        if time.monotonic() - self._repaired_s >= REPAIR_S:
            receiver.repair(self._database)
            self._repaired_s = time.monotonic()
        receiver.look()

    def _is_own(self, one: News) -> bool:
        assert self._state is not None
        if one.identity != self._state.sender:
            return False
        if self._sender is not None and one.upto != self._sender.upto:
            raise SenderMoved(f"{self.address.shown} has lines of this sender that it did not send.")
        return True
