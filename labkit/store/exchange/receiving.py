"""Brings the lines of other machines into this lab's journals: those of the chosen workspaces, and the
requests and samples that they name.

They come into a journal of their own, each behind the process that wrote it, and in the same write a line
that says which of the sender's they are. So a piece that is lost with a file is missed, and comes again; what
came before comes in once. It does not know the fold, nor when to receive.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from labkit.errors import StoreError
from labkit.store import journal_line
from labkit.store.definition_records import ReceivedRecord
from labkit.store.exchange.share_database import InLine, News, ShareDatabase
from labkit.store.per_process_journal import KEEP_BYTES, PerProcessJournal, QueuedLine

if TYPE_CHECKING:
    import duckdb

PIECE_BYTES = 4 * 2**20
ROOM_BYTES = 64 * 2**20
"""So much of the disk is left to what is asked here."""
MOST_KNOWN = 200_000
"""So many requests that were brought in are remembered; what is forgotten comes again, and is folded once."""
_PIECES = 'select sender, workspace, "after", upto from log.received order by "after"'
_LACKING = """
select distinct request_id from log.generations
where exists (from log.received) and request_id not in (select request_id from log.requests)
"""


class _Names(msgspec.Struct):
    """What a line says of others that belong to it."""

    request_id: str | None = None
    dataset: str | None = None


class Cursors(NamedTuple):
    """How far the lab has the lines of others."""

    upto: dict[tuple[str, str], int]
    """By sender and workspace."""
    lacking: set[str]
    """The requests that answers name and that are not here."""


def cursors(connection: duckdb.DuckDBPyConnection) -> Cursors:
    """What an open lab says of it."""
    upto: dict[tuple[str, str], int] = {}
    for sender, workspace, after, to in connection.execute(_PIECES).fetchall():
        if after <= (reached := upto.get((sender, workspace), 0)):
            upto[sender, workspace] = max(reached, to)
    return Cursors(upto, {request for (request,) in connection.execute(_LACKING).fetchall()})


def behind(upto: Mapping[tuple[str, str], int], news: Iterable[News], workspaces: Collection[str]) -> int:
    """How many lines of others were not looked at."""
    return sum(
        max(0, one.upto - upto.get((one.identity, workspace), 0)) for one in news for workspace in workspaces
    )


class Receiver:
    """What one process brings into the lab whose journals lie in `folder`. `stamp` gives its next."""

    def __init__(
        self,
        process: str,
        journal: PerProcessJournal,
        stamp: Callable[[], int],
        at: Cursors,
        folder: Path,
    ) -> None:
        self._folder = folder
        self._process = process.encode()
        self._journal = journal
        self._stamp = stamp
        self._upto = at.upto
        self._lacking = at.lacking
        self._known: set[str] = set()
        self._unlooked_bytes = 0
        self._decoder = msgspec.json.Decoder(_Names)

    def look(self) -> None:
        """What another program changed or took of what was brought in is written again."""
        self._journal.look()
        self._unlooked_bytes = 0
        if self._journal.owed:
            self._write([], None)

    def bring(self, database: ShareDatabase, one: News, workspace: str) -> int:
        """Bring in a sender's lines of a workspace; how many came. Raises `StoreError` where the server
        fails or the disk has little room, and `OSError` where the journal cannot be written: then nothing of
        the last piece is in."""
        came = 0
        key = one.identity, workspace
        while (after := self._upto.get(key, 0)) < one.upto:
            self._see_room(database)
            fetched = database.fetch(one.number, workspace, after, most_bytes=PIECE_BYTES)
            if fetched.upto <= after:
                break
            lines = [*self._belonging(database, fetched.lines), *fetched.lines]
            upto = ReceivedRecord(sender=one.identity, workspace=workspace, after=after, upto=fetched.upto)
            self._write(lines, upto)
            self._upto[key] = fetched.upto
            came += len(lines)
        return came

    def _see_room(self, database: ShareDatabase) -> None:
        if shutil.disk_usage(self._folder).free < ROOM_BYTES:
            raise StoreError(
                f"The disk under {self._folder.name} has less than {ROOM_BYTES // 2**20} MB left, which are"
                f" kept for what is asked here: nothing is brought in from {database.address.shown} until"
                " there is more room."
            )

    def repair(self, database: ShareDatabase) -> None:
        """Look once more for requests that were not there when their answers came."""
        if self._lacking:
            lines = database.requests(sorted(self._lacking))
            if lines:
                self._write(lines, None)
            self._lacking -= {name for line in lines if (name := self._names(line).request_id)}

    def _belonging(self, database: ShareDatabase, lines: list[InLine]) -> list[InLine]:
        """The requests and samples that the lines name and that did not come before."""
        requests, datasets = set(), set()
        for line in lines:
            tag = line.body[9:].partition(b" ")[0]
            if tag == b"generation" and (request := self._names(line).request_id):
                requests.add(request)
            elif tag == b"run" and (dataset := self._names(line).dataset):
                datasets.add(dataset)
        requests -= self._known
        found = database.requests(sorted(requests)) if requests else []
        there = {name for line in found if (name := self._names(line).request_id)}
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        self._known |= there
        self._lacking |= requests - there
        return [*found, *(database.samples(sorted(datasets)) if datasets else [])]

    def _names(self, line: InLine) -> _Names:
        try:
            return self._decoder.decode(line.body[line.body.index(b"{") :])
        except (ValueError, msgspec.MsgspecError):
            return _Names()  # the fold puts it aside

    def _write(self, lines: list[InLine], upto: ReceivedRecord | None) -> None:
        frames = [b"%s %s\n" % (process.encode("ascii", "replace"), body) for process, body in lines]
        if upto is not None:
            line = journal_line.frame(ReceivedRecord, self._stamp(), journal_line.body(upto))
            frames.append(self._process + b" " + line)
        try:
            self._journal.write([QueuedLine(None, b"", frame=frame) for frame in frames])
            self._journal.sync()
            self._unlooked_bytes += sum(map(len, frames))
            if self._unlooked_bytes >= KEEP_BYTES:
                self.look()
        except BaseException:
            self._journal.abandon()
            self._known.clear()  # what of it is not in has to come again
            raise
