"""How far a lab and the server that it is shared through are alike, for people.

It asks the server for a moment, over a connection of its own, and sends and brings in nothing.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from labkit.errors import StoreError
from labkit.store import sharing_state
from labkit.store.exchange import earlier_rows, journal_lines, receiving
from labkit.store.exchange.exchange import DONE, LOCK
from labkit.store.exchange.share_database import ShareDatabase
from labkit.store.file_locks import holder, is_held

if TYPE_CHECKING:
    from labkit.store.exchange.address import Address
    from labkit.store.process_resources import ProcessResources


_DOUBTFUL = """
select "name" || '@' || version from log.prompts
group by "name", version having count(distinct hash) > 1 order by all
"""
DOUBTFUL = "its answers are all listed under the first; ask again under another name"


@dataclass(frozen=True)
class Sharing:
    """How far a lab and its server are alike, now."""

    server: str
    """Its address, without a password."""
    trouble: str | None
    """Why it cannot be asked; None: it answers."""
    to_send: int
    """How many lines of this machine wait to be sent, as far as is known here."""
    to_receive: int | None
    """How many lines of others were not looked at; None: it is not known."""
    workspaces: tuple[str, ...]
    """Whose lines are brought in."""
    exchanged_at: datetime | None
    """When the two were last brought together (UTC)."""
    doubtful: tuple[str, ...]
    """Versions of prompts (`triage@2`) that two machines gave to different texts before they heard of each
    other: all answers under them are listed under the text that was saved first."""
    by: str | None
    """Which process of this machine sees to it; None: none does now."""

    def __str__(self) -> str:
        told = []
        if self.to_send:
            told.append(f"{_lines(self.to_send, 'wait', 'waits')} to be sent")
        if self.to_receive:
            told.append(f"{_lines(self.to_receive, 'are', 'is')} still to come")
        if self.trouble is not None:
            told.append(self.trouble.removesuffix("."))
        elif self.to_receive is None:
            told.append("what is still to come is not known: name the server by share= or LABKIT_SHARE")
        elif self.by is None and told:
            told.append("no process sees to it now: open the lab with share=")
        for name in self.doubtful:
            told.append(f"{name} was saved on two machines with different texts: {DOUBTFUL}")
        return f"{self.server}: {'; '.join(told) or 'nothing waits to be sent or to come'}"

    def __repr__(self) -> str:
        return f"Sharing({self})"

    def _repr_html_(self) -> str:
        return f"<div>{escape(str(self))}</div>"


def _lines(count: int, many: str, one: str) -> str:
    return f"1 line {one}" if count == 1 else f"{count:,} lines {many}"


def sharing(
    shared: ProcessResources, address: Address | None, wanted: Collection[str] = ()
) -> Sharing | None:
    """What is known of a lab's sharing: without an address what its folder says; None: it is not shared."""
    folder = shared.access.folder
    state = sharing_state.read(folder)
    if address is None and state is None:
        return None
    workspaces = tuple(sorted(sharing_state.workspaces(folder).union(wanted)))
    sent = {} if state is None else {journal: upto for journal, (upto, _) in state.sent.items()}
    to_receive: int | None = None
    trouble, doubtful = None, ()
    if address is not None:
        database = ShareDatabase(address, machine=socket.gethostname())
        try:
            news = database.news()
            if state is not None:
                sent = database.sent(state.sender)
            trouble = str(database.why_read_only) if database.why_read_only else None
        except StoreError as error:
            trouble = str(error)
        else:
            own = None if state is None else state.sender
            others = [one for one in news if one.identity != own]
            with contextlib.suppress(StoreError), shared.access.reading() as reading:
                to_receive = receiving.behind(receiving.cursors(reading.connection).upto, others, workspaces)
                doubtful = tuple(name for (name,) in reading.connection.execute(_DOUBTFUL).fetchall())
        finally:
            database.close()
    lock, done = folder.path / LOCK, folder.path / DONE
    return Sharing(
        server=state.shown if address is None and state is not None else address.shown if address else "",
        trouble=trouble,
        to_send=journal_lines.count(folder, sent) + (earlier_rows.left(state.earlier, sent) if state else 0),
        to_receive=to_receive,
        workspaces=workspaces,
        exchanged_at=_when(done.stat().st_mtime) if done.exists() else None,
        doubtful=doubtful,
        by=holder(lock) if is_held(lock) else None,
    )


def stop(shared: ProcessResources) -> int:
    """Forget that the lab is shared; how many lines were not sent. Raises `StoreError` while a process sees
    to it, or where it is not shared."""
    told = sharing(shared, None)
    if told is None:
        raise StoreError(f"{shared.access.path.name} is not shared.")
    if told.by is not None:
        raise StoreError(f"{told.by} shares this lab now. End it, then stop sharing.")
    sharing_state.remove(shared.access.folder)
    return told.to_send


def _when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=0)
