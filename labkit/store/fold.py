"""Moves the whole lines of all journals into the tables, in bounded transactions.

Each transaction also records how far each journal was read and the stamp of its last line, so nothing
is lost and nothing comes in twice, wherever a kill falls. It opens no database and takes no gate: the
caller has both. It does not know what the rows mean, nor when a journal may go (see `journal_cleanup`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from labkit.store import journal_line, lab_identity, quarantine
from labkit.store.batch_insert import Found, insert, new, refused
from labkit.store.file_locks import is_held
from labkit.store.journal_directory import SCHEMA, JournalDirectory, JournalName
from labkit.store.journal_offsets import Offset
from labkit.store.quarantine import Bad

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("labkit.store")

BATCH_LINES = 10_000
BATCH_BYTES = 16 * 2**20
"""Of one transaction: each inserts into every table, and DuckDB writes its log and its file anew."""
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_NEVER = 1 << 62


@dataclass
class Report:
    """What a fold did."""

    rows: int = 0
    transactions: int = 0
    bad: list[Bad] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    """What was left alone, by name, and why."""
    foreign: set[str] = field(default_factory=set)
    """The processes whose journals were left alone because they are for another lab."""
    cut_short: bool = False
    """Whether `stop` ended it before all was read."""

    def add(self, later: Report) -> None:
        """Take in what a later fold did, as if it were one."""
        self.rows += later.rows
        self.transactions += later.transactions
        self.bad += later.bad
        self.left = later.left
        self.foreign = later.foreign
        self.cut_short = later.cut_short


class Fold:
    """One fold over one open database. `offsets` is what the tables said when it was opened; with
    `process`, only that process's journals are read, and with `lab` only those for the lab of that identity.
    Bad lines are put aside in files, or else stay where they are. `stop` is asked between transactions."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        folder: JournalDirectory,
        offsets: dict[JournalName, Offset],
        *,
        process: str | None = None,
        puts_aside: bool = True,
        lab: str | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._connection = connection
        self._folder = folder
        self._process = process
        self._puts_aside = puts_aside
        self._lab = lab
        self._stop = stop
        self._offsets = dict(offsets)
        self._report = Report()
        self._found: list[Found] = []
        self._bad: list[Bad] = []
        self._moved: dict[JournalName, Offset] = {}
        self._bytes = 0
        self._again: set[str] = set()
        """The processes some of whose lines lie in more than one journal, in any order."""

    @property
    def done(self) -> dict[JournalName, int]:
        """How far each journal is in the tables now."""
        return {name: offset.upto for name, offset in self._offsets.items()}

    def run(self) -> Report:
        """Fold everything there is, or until `stop` says so.

        Raises `duckdb.Error` or `OSError`; all that was committed before is in.
        """
        self._report.left.update(self._folder.strangers())
        journals = [name for name, _ in self._folder.journals() if self._process in (None, name.process)]
        streams: dict[str, set[JournalName]] = {}
        for name in (*journals, *self._offsets):
            streams.setdefault(name.stream, set()).add(name)
            if name.again:
                self._again.add(name.process)
        for name in journals:
            if name.schema > SCHEMA:
                self._report.left[str(name)] = "a newer labkit wrote it, and will fold it"
            elif self._lab is not None and not lab_identity.belongs(self._folder, name.process, self._lab):
                self._report.left[str(name)] = f"it is for another lab than this {self._folder.lab.name}"
                self._report.foreign.add(name.process)
            elif not self._report.cut_short:
                self._fold_journal(name, streams[name.stream])
        self._commit()
        if self._report.bad and self._puts_aside:
            first = self._report.bad[0]
            log.warning(
                "%d journal lines could not be taken in; .bad files keep them. The first: %s, byte %d: %s.",
                len(self._report.bad),
                first.journal,
                first.at_byte,
                first.why,
            )
        return self._report

    def _fold_journal(self, name: JournalName, stream: set[JournalName]) -> None:
        after, before, closed = self._stamps(name, stream)
        journal = str(name)
        stamp = self._offsets.get(name, Offset()).stamp
        upto = None
        for at_byte, raw in self._lines(name, closed=closed):
            upto = at_byte + len(raw)
            process, text = _received(raw) if name.received else (name.process, raw)
            try:
                parsed = _whole(text)
            except journal_line.BrokenLine as error:
                self._bad.append(Bad(journal, at_byte, raw, str(error)))
            else:
                if after < parsed.stamp < before:
                    stamp = max(stamp, parsed.stamp)
                    self._found.append(Found(journal, at_byte, raw, parsed, process))
                    if name.received:
                        self._again.add(process)
            self._bytes += len(raw)
            if len(self._found) >= BATCH_LINES or self._bytes >= BATCH_BYTES:
                self._move(name, Offset(upto, stamp))
                upto = None
                self._commit()
                if self._stop():
                    self._report.cut_short = True
                    return
        if upto is not None:
            self._move(name, Offset(upto, stamp))

    def _stamps(self, name: JournalName, stream: set[JournalName]) -> tuple[int, int, bool]:
        """Between which stamps its lines are taken, and whether it is written no more."""
        # Lines of a journal that was tampered with come again in any place: what is in the tables tells which
        # are new. Lines that failed to become durable come again in the stream's next journal, under the same
        # stamps. Those that were taken from an earlier journal nevertheless are passed over here, and
        # those that a later journal has are left to it.
        earlier = [self._offsets.get(other, Offset()).stamp for other in stream if other.number < name.number]
        after = max(earlier, default=0)
        before = min((other.first for other in stream if other.number > name.number), default=_NEVER)
        closed = before < _NEVER
        if name.received:
            after, before = 0, _NEVER
        elif name.process in self._again:
            after, before = 0, _NEVER
            closed = closed or not name.again
        return after, before, closed

    def _move(self, name: JournalName, offset: Offset) -> None:
        self._moved[name] = self._offsets[name] = offset

    def _lines(self, name: JournalName, *, closed: bool) -> Iterator[tuple[int, bytes]]:
        """The journal's lines from its offset on, each with its place. The last may lack its newline, if
        nobody will write it any more."""
        offset = self._offsets.get(name, Offset()).upto
        # Asked before the end is looked for: a process that lives now may still write after that.
        closed = closed or not is_held(self._folder.process_lock(name.process))
        try:
            fd = os.open(self._folder.path / str(name), _READ)
        except OSError as error:
            self._report.left[str(name)] = error.strerror or str(error)
            return
        try:
            tail = b""
            while piece := _read_at(fd, offset + len(tail)):
                *whole, tail = (tail + piece).split(b"\n")
                for text in whole:
                    yield offset, text + b"\n"
                    offset += len(text) + 1
            if tail and closed:
                yield offset, tail
        finally:
            os.close(fd)

    # -- writing ---------------------------------------------------------------------------------

    def _commit(self) -> None:
        import duckdb
        import pyarrow as pa

        if not self._moved:
            return
        try:
            self._transact()
        except (duckdb.DataError, duckdb.ProgrammingError, pa.ArrowException, ValueError):
            whys = refused(self._found)
            if not whys:
                raise
            for place, why in whys.items():
                found = self._found[place]
                self._bad.append(Bad(found.journal, found.at_byte, found.raw, why))
            self._found = [found for place, found in enumerate(self._found) if place not in whys]
            self._transact()
        self._report.rows += len(self._found)
        self._report.transactions += 1
        self._found, self._bad, self._moved, self._bytes = [], [], {}, 0

    def _transact(self) -> None:
        bad = (
            quarantine.keep(self._folder, self._bad)
            if self._puts_aside
            else [replace(one, kept_in=one.journal) for one in self._bad]
        )
        self._connection.execute("begin")
        try:
            if self._again:
                self._found = new(self._connection, self._found, self._again)
            insert(self._connection, self._found)
            if bad:
                self._insert("damage", [(one.journal, one.at_byte, one.why, one.kept_in) for one in bad])
            moved = [(str(n), n.process, offset.upto, offset.stamp) for n, offset in self._moved.items()]
            # The only rows that ever go: how far the journal was read before.
            self._connection.execute(
                "delete from log.journals where journal in (select unnest(?))", [[row[0] for row in moved]]
            )
            self._insert("journals", moved)
            self._connection.execute("commit")
        except BaseException:
            self._roll_back()
            raise
        self._report.bad += bad

    def _insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)]
        values = ", ".join("unnest(?)" for _ in columns)
        self._connection.execute(
            f"insert into log.{table} select {values}, now()::timestamptz at time zone 'UTC'",
            columns,
        )

    def _roll_back(self) -> None:
        import duckdb

        try:
            self._connection.execute("rollback")
        except duckdb.Error as error:
            log.debug("Nothing to roll back: %s", error)


def _received(raw: bytes) -> tuple[str, bytes]:
    process, _, line = raw.partition(b" ")
    return process.decode("ascii", "replace"), line


def _whole(raw: bytes) -> journal_line.Line:
    if not raw.endswith(b"\n"):
        raise journal_line.BrokenLine("it has no end: its process died while it was written")
    return journal_line.parse(raw[:-1])


def _read_at(fd: int, offset: int) -> bytes:
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, BATCH_BYTES)
