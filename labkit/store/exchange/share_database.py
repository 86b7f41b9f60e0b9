"""A shared lab's PostgreSQL: whole journal lines go in, in one transaction each time, and come out again.

It does not know journals, files or DuckDB, nor when to send: a background exchange does.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from labkit.errors import StoreError
from labkit.store.exchange import statements
from labkit.store.exchange.address import Address

if TYPE_CHECKING:
    from labkit.store.exchange.connection import Connection


class OutLine(NamedTuple):
    """A journal's line, to be sent."""

    kind: str
    """Its tag, as `generation`."""
    process: str
    stamp: int
    body: bytes
    """The whole line, without its newline."""


class InLine(NamedTuple):
    """A line that another process wrote."""

    process: str
    body: bytes
    """The whole line, without its newline, byte for byte as it was sent."""


class News(NamedTuple):
    """Who has sent how many lines."""

    number: int
    identity: str
    machine: str
    upto: int


class Fetched(NamedTuple):
    """What `fetch` brought."""

    lines: list[InLine]
    upto: int
    """What to fetch after the next time; where it is the sender's own `upto`, there is nothing more. It is
    less than what was fetched after where the server has lost lines, as one put in place of another has."""


@dataclass(frozen=True)
class Sender:
    """A lab file on a machine, as the shared lab knows it."""

    number: int
    upto: int
    """How many lines it has sent."""
    sent: Mapping[str, int] = field(default_factory=dict)
    """How far each of its journals was sent, in bytes."""


class SenderMoved(StoreError):
    """Lines of this sender arrived that the caller does not know of: the reply to an earlier `send` was lost,
    or another process sends for it. Ask `sender()` again and go on from there."""


class ShareDatabase:
    """The PostgreSQL at an address. Making one contacts nothing; each method connects where there is no
    connection, and after an error there is none. One thread uses it at a time.

    Each method raises `StoreAway` where the server is away, full or slow, which is worth trying again, and
    `StoreError` where it refuses. Neither names a password.

    >>> share = ShareDatabase(Address.parse("postgresql://ada@db.example/lab"), machine="lab-3")
    >>> share.writable, share
    (False, ShareDatabase('postgresql://ada@db.example/lab'))
    """

    def __init__(self, address: Address, *, machine: str) -> None:
        self.address = address
        self.machine = machine
        self.writable = False
        """Whether lines can be sent, as it was when it last connected."""
        self._connection: Connection | None = None
        self._not_writable: StoreError | None = None

    def __repr__(self) -> str:
        return f"ShareDatabase({self.address.shown!r})"

    @property
    def why_read_only(self) -> str | None:
        """Why no lines can be sent, where it was connected and they cannot."""
        return None if self._not_writable is None else str(self._not_writable)

    def open(self) -> None:
        """Connect where there is no connection, and make or migrate its tables where they lack or are older.
        Where they could not be written it connects again, and looks.

        A schema of a newer labkit, a server that only reads and a user who may not insert are no errors: then
        `writable` is False and `why_read_only` says why.
        """
        if not self.writable:
            self.close()
        with self._told():
            self._open()

    def close(self) -> None:
        """Close the connection, if there is one. What was not committed is not there."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def sender(self, identity: str, *, lab: str) -> Sender:
        """What is known of the sender of that `identity`; it is registered where it is not known.

        A transaction of an earlier connection of the same sender that the server still holds is ended. Raises
        the error that `why_read_only` tells where the lab is not writable and does not know the sender.
        """
        given = {"identity": _text(identity), "machine": _text(self.machine), "lab": _text(lab)}
        with self._transaction() as cursor:
            if self.writable:
                cursor.execute(statements.OLDER_BACKEND, given)
                cursor.execute(statements.REGISTER, given)
            else:
                cursor.execute(statements.KNOWN, given)
            found = cursor.fetchone()
            if found is None:
                self._refuse()
            number, upto = found
            return Sender(number, upto, dict(cursor.execute(statements.SENT, [number]).fetchall()))

    def send(self, sender: Sender, lines: Sequence[OutLine], sent: Mapping[str, int]) -> Sender:
        """Bring lines in, and note how far each journal is `sent` with them: all of it or nothing. Gives the
        sender as it then is. Lines that are there already stay as they are.

        Raises `SenderMoved` where the shared lab has more of this sender than `sender` says, and the error
        that `why_read_only` tells where it is not writable. After any other it may or may not have arrived:
        ask `sender()`.
        """
        from psycopg import ClientCursor

        with self._transaction() as cursor:
            if not self.writable:
                self._refuse()
            begun = ClientCursor(cursor.connection)  # takes several statements in one message
            moved = [len(lines), sender.number, sender.upto]
            noted = [sender.number, [*map(_text, sent)], [*sent.values()]]
            if begun.execute(statements.BEGIN, moved + noted).fetchone() is None:
                raise SenderMoved(
                    f"{self.address.shown} has other lines of sender {sender.number} than the"
                    f" {sender.upto:,} it was thought to have. They are counted again."
                )
            if lines:
                kinds = _copy(cursor, lines, sender.upto)
                _insert(cursor, kinds, sender.number, 0, len(lines) - 1)
        return Sender(sender.number, sender.upto + len(lines), {**sender.sent, **sent})

    def news(self) -> list[News]:
        """Who has sent how many lines."""
        with self._transaction() as cursor:
            return [News(*row) for row in cursor.execute(statements.NEWS).fetchall()]

    def sent(self, identity: str) -> dict[str, int]:
        """How far each journal of the sender of that identity was sent; none, where it is not known."""
        with self._transaction() as cursor:
            found = cursor.execute(statements.KNOWN, {"identity": _text(identity)}).fetchone()
            return {} if found is None else dict(cursor.execute(statements.SENT, [found[0]]).fetchall())

    def fetch(self, sender: int, workspace: str | None, after: int, *, most_bytes: int) -> Fetched:
        """A sender's lines after that many, in the order in which it sent them, but for requests and samples;
        of one workspace (and those that belong to none, or to none that is known), or of all (None).

        It ends after so many lines that `most_bytes` are reached, the last one whole; or sooner, where few of
        those it looked at are of the workspace. Go on from the `upto` it gives until that is the sender's.
        """
        given = {"sender": sender, "workspace": workspace, "after": after, "most_bytes": most_bytes}
        with self._transaction(binary=True) as cursor:
            rows = cursor.execute(statements.FETCH, given).fetchall()
        (_, _, upto), *lines = rows
        return Fetched([InLine(process, body) for process, body, _ in lines], after if upto is None else upto)

    def number(self, name: str, hash_: str, known: int) -> int:
        """The version of a prompt's text under that name: the one it has, or the next that is free, beyond
        those `known` here. It is given to nobody else."""
        given = {"name": _text(name), "hash": hash_, "known": known}
        while True:
            with self._transaction() as cursor:
                if not self.writable:
                    self._refuse()
                found = cursor.execute(statements.NUMBERED, given).fetchone()
                found = found or cursor.execute(statements.NUMBER, given).fetchone()
            if found is not None:
                return int(found[0])

    def requests(self, request_ids: Iterable[str]) -> list[InLine]:
        """The lines of these requests, one of each that is there."""
        return self._found(statements.REQUESTS, request_ids)

    def samples(self, datasets: Iterable[str]) -> list[InLine]:
        """The lines of the rows of these datasets (their hashes), one of each row that is there, in order."""
        return self._found(statements.SAMPLES, datasets)

    def _found(self, statement: str, ids: Iterable[str]) -> list[InLine]:
        with self._transaction(binary=True) as cursor:
            return [InLine(*row) for row in cursor.execute(statement, [[*map(_text, ids)]]).fetchall()]

    @contextlib.contextmanager
    def _transaction(self, *, binary: bool = False) -> Iterator[Any]:
        """A cursor whose work is committed at the end of the block. After any error the connection is closed:
        the server takes back what was not committed, and what a half-read answer leaves is gone."""
        with self._told():
            connection = self._open()
            yield connection.cursor(binary=binary)
            connection.commit()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        from labkit.store.exchange.failures import Told

        with Told(self.address):
            try:
                yield
            except BaseException:
                self.close()
                raise

    def _open(self) -> Connection:
        if self._connection is None:
            from labkit.store.exchange import connection, schema

            self._connection = connection.connect(self.address, machine=self.machine)
            self._not_writable = schema.made_ready(self._connection, self.address, machine=self.machine)
            self.writable = self._not_writable is None
        return self._connection

    def _refuse(self) -> NoReturn:
        why = self._not_writable
        assert why is not None, "it is writable"
        raise type(why)(*why.args)


def _text(value: str) -> str:
    """PostgreSQL's texts hold no NUL and no half characters."""
    return value.replace("\0", "␀").encode(errors="backslashreplace").decode()


def _copy(cursor: Any, lines: Sequence[OutLine], before: int) -> list[tuple[str, int, int]]:
    """Copy lines to the server, in the order in which they go in. Gives each kind's first and last place."""
    by_kind: dict[str, list[tuple[str, int, int, bytes]]] = defaultdict(list)
    for seq, (kind, process, stamp, body) in enumerate(lines, before + 1):
        by_kind[kind].append((process, stamp, seq, body))
    kinds: list[tuple[str, int, int]] = []
    place = 0
    with cursor.copy(statements.COPY) as copy:
        copy.set_types(statements.COPIED)
        for kind in sorted(by_kind, key=statements.PLACES.__getitem__):
            kinds.append((kind, place, place + len(by_kind[kind]) - 1))
            for line in sorted(by_kind[kind]):
                copy.write_row((place, *line))
                place += 1
    return kinds


def _insert(cursor: Any, kinds: list[tuple[str, int, int]], sender: int, first: int, last: int) -> None:
    """Move the lines from `first` to `last` place into their tables. Where a value does not fit its column,
    halve until the line is found, and keep that one without its columns. It goes in order all the same."""
    from psycopg import DataError
    from psycopg.errors import ProgramLimitExceeded, StatementTooComplex

    here = [
        (statements.IN_ORDER[statements.PLACES[kind]], max(begin, first), min(end, last))
        for kind, begin, end in kinds
        if begin <= last and end >= first
    ]
    inserts = [statements.insert(kind, sender=sender, first=begin, last=end) for kind, begin, end in here]
    try:
        cursor.execute(";".join(["savepoint lines", *inserts, "release savepoint lines"]))
        return
    except (DataError, ProgramLimitExceeded, StatementTooComplex):
        cursor.execute("rollback to savepoint lines; release savepoint lines")
    if first == last:
        cursor.execute(statements.insert_unread(here[0][0], sender=sender, place=first))
        return
    middle = (first + last) // 2
    _insert(cursor, kinds, sender, first, middle)
    _insert(cursor, kinds, sender, middle + 1, last)
