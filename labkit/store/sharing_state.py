"""What a shared lab's folder says of its sharing: who it is to the server, and which journals that has.

It lies beside the journals as `shared.json`. A journal of a shared lab is kept until the server has shown,
for a day, that it has all of it: a server that lost its last commits gets them again. It does not know the
server.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import time
from collections.abc import Iterable, Mapping

import msgspec

from labkit.store.journal_directory import JournalDirectory, sync_folder

log = logging.getLogger("labkit.store")

KEEP_S = 86_400.0
_FILE = "shared.json"
_WORKSPACES = "shared.workspaces"


class SharingState(msgspec.Struct, kw_only=True):
    """One lab on one machine, as it shares with one server."""

    lab: str
    """The identity of the lab."""
    server: str
    """The server's key (`Address.key`), and how people call it, without a password."""
    shown: str
    place: str
    """The machine and the folder: what was copied elsewhere is somebody else to the server."""
    sender: str = msgspec.field(default_factory=lambda: secrets.token_hex(16))
    earlier: dict[str, int] = {}
    """How many rows each table had when sharing began: they are sent from the tables."""
    lines: int = 0
    """How many lines the server had of it when it was last noted."""
    sent: dict[str, tuple[int, float]] = {}
    """How far the server has each journal that is here, and since when it shows that (seconds since 1970)."""

    def has(self, journal: str, size: int) -> bool:
        """Whether the server has had all of a journal of that size for long enough that it may go."""
        upto, since_s = self.sent.get(journal, (0, 0.0))
        return upto >= size and abs(time.time() - since_s) >= KEEP_S

    def note(self, lines: int, sent: Mapping[str, int], here: Iterable[str]) -> None:
        """What the server shows now, of the journals and tables that are here."""
        now_s, before = time.time(), self.sent
        self.lines = lines
        self.sent = {}
        for journal in here:
            upto, since_s = before.get(journal, (0, now_s))
            if journal in sent:
                self.sent[journal] = (sent[journal], since_s if sent[journal] == upto else now_s)


def place_of(folder: JournalDirectory) -> str:
    """This machine and that folder."""
    return f"{socket.gethostname()}:{folder.path}"


def read(folder: JournalDirectory) -> SharingState | None:
    """What the folder says; None: the lab is not shared. What cannot be read is the state of nobody: all that
    the lab has is kept, and sent again."""
    try:
        return msgspec.json.decode((folder.path / _FILE).read_bytes(), type=SharingState)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.warning(
            "%s/%s cannot be read: %s. All that the lab has is sent again.", folder.path.name, _FILE, error
        )
        return SharingState(lab="", server="", shown="", place="")


def write(folder: JournalDirectory, state: SharingState) -> None:
    """Put it in place of what is there. Raises `OSError`."""
    new = folder.path / f".{_FILE}"
    fd = os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as out:  # a disk that is nearly full takes a part of one write
        out.write(msgspec.json.encode(state))
        out.flush()
        os.fsync(fd)
    os.replace(new, folder.path / _FILE)
    sync_folder(folder.path)


def remove(folder: JournalDirectory) -> None:
    """The lab is not shared any more: its journals may go as those of others."""
    for name in (_FILE, _WORKSPACES):
        (folder.path / name).unlink(missing_ok=True)


def include(folder: JournalDirectory, workspace: str) -> bool:
    """The lines of that workspace are wanted here, from now on; whether they were not before. Raises
    `OSError`."""
    if workspace in workspaces(folder):
        return False
    fd = os.open(folder.path / _WORKSPACES, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        os.write(fd, msgspec.json.encode(workspace) + b"\n")
    finally:
        os.close(fd)
    return True


def workspaces(folder: JournalDirectory) -> set[str]:
    """The workspaces whose lines are wanted here, by whichever process."""
    found = set()
    with contextlib.suppress(FileNotFoundError):
        for line in (folder.path / _WORKSPACES).read_bytes().splitlines():
            with contextlib.suppress(msgspec.MsgspecError):
                found.add(msgspec.json.decode(line, type=str))
    return found
