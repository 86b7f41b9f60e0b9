"""The whole lines of this machine's journals that the server lacks, a piece at a time.

A line that is broken is passed over: the fold puts it aside. It does not know the server.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from labkit.store import lab_identity
from labkit.store.exchange.share_database import OutLine
from labkit.store.exchange.statements import PLACES
from labkit.store.journal_directory import JournalDirectory, JournalName

PIECE_BYTES = 4 * 2**20
PIECE_LINES = 10_000
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_TAGS = {tag.encode(): tag for tag in PLACES}


class Piece(NamedTuple):
    """Lines to send, and how far their journals are sent with them."""

    lines: list[OutLine]
    sent: dict[str, int]


def waiting(
    folder: JournalDirectory, sent: Mapping[str, int], *, lab: str | None = None
) -> list[tuple[JournalName, int, int]]:
    """The journals that hold more than was sent: from which byte on, and their size. With `lab`, only those
    for the lab of that identity."""
    return [
        (name, sent.get(str(name), 0), status.st_size)
        for name, status in folder.journals()
        if not name.received
        and status.st_size > sent.get(str(name), 0)
        and (lab is None or lab_identity.belongs(folder, name.process, lab))
    ]


def pieces(folder: JournalDirectory, sent: Mapping[str, int], *, lab: str) -> Iterator[Piece]:
    """All that waits, in the order in which it was written in each journal."""
    lines: list[OutLine] = []
    upto: dict[str, int] = {}
    size = 0
    for name, offset, _ in waiting(folder, sent, lab=lab):
        for block in _blocks(folder, name, offset):
            offset += len(block)
            lines += _parsed(name.process, block)
            upto[str(name)] = offset
            size += len(block)
            if size >= PIECE_BYTES or len(lines) >= PIECE_LINES:
                yield Piece(lines, upto)
                lines, upto, size = [], {}, 0
    if upto:
        yield Piece(lines, upto)


def count(folder: JournalDirectory, sent: Mapping[str, int]) -> int:
    """How many lines wait."""
    return sum(
        block.count(b"\n")
        for name, offset, _ in waiting(folder, sent)
        for block in _blocks(folder, name, offset)
    )


def _blocks(folder: JournalDirectory, name: JournalName, offset: int) -> Iterator[bytes]:
    """What the journal has from there on, in blocks of whole lines."""
    try:
        fd = os.open(folder.path / str(name), _READ)
    except OSError:
        return  # it went meanwhile, or the fold tells of it
    try:
        tail = b""
        os.lseek(fd, offset, os.SEEK_SET)
        while piece := os.read(fd, PIECE_BYTES):
            tail += piece
            end = tail.rfind(b"\n") + 1
            if end:
                yield tail[:end]
                tail = tail[end:]
    finally:
        os.close(fd)


def _parsed(process: str, block: bytes) -> Iterator[OutLine]:
    for line in block.split(b"\n")[:-1]:
        rest = line[9:]
        tag, _, behind = rest.partition(b" ")
        stamp = behind[: behind.find(b" ")]
        kind = _TAGS.get(tag)
        if kind and stamp.isdigit() and line[:9] == b"%08x " % zlib.crc32(rest):
            yield OutLine(kind, process, int(stamp), line)
