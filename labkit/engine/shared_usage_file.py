"""A file in which the runs of one machine and one user tell each other how they use an endpoint and a key.

A small file per endpoint and key, with places of a fixed size. Each run writes to places of its own and
reads all of them, so nothing has to be locked, and nobody who is killed or stopped can hold up another: a
notice that is not renewed is not believed for long. The file's name is a one-way hash of endpoint, key and
this boot of the machine; in it there are numbers and hashes, no key, address or name of a model.

Two runs may pick the same place at the same moment; the one that finds the other there moves. It does not
know what follows from the notices (see `limit_sharing`), and nothing of other machines, users and containers
with a cache folder of their own: what these use up only the provider can tell.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import struct
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from random import Random

from labkit.paths import user_cache

PLACES = 128
KINDS = ("requests", "tokens", "input", "output")
FRESH_S = 3.0
"""Who has not renewed a notice for so long is gone, or asleep."""
KNOWN_S = 600.0
"""What those who are gone have found out is worth knowing for so long."""
_SWEPT_S = 86400.0
_FORM = struct.Struct("<16s16sQB7x 17d")
_SUM = struct.Struct("<I4x")
_SIZE = 256
_FLAGS = os.O_CREAT | os.O_RDWR
for _flag in ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY", "O_NONBLOCK"):
    _FLAGS |= getattr(os, _flag, 0)


@dataclass(slots=True)
class Notice:
    """What one run says of its use of one model. Times are those of `time.monotonic`."""

    who: bytes
    """16 random bytes, of one run."""
    model: bytes
    """16 bytes, the hash of the model's name."""
    pid: int
    here: bool
    """False: the run is over; what it found out stays."""
    wants: bool
    """Whether requests wait to be sent."""
    at: float
    limited_at: float = -1.0
    """When it set its pace itself; negative: it did not."""
    limit_per_s: float = 0.0
    """Its pace, of all runs; 0: nothing holds it back."""
    since: float = -1.0
    taken: float = 0.0
    buckets: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    """Capacity, level of this run's share at `at`, and refill a second, by kind."""

    def fresh(self, now: float) -> bool:
        """Whether the run is going on."""
        return self.here and abs(now - self.at) < FRESH_S


class SharedUsageFile:
    """One such file, open. Raises `OSError` where the file cannot be made, read or written."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(path.parent)
        self._fd: int | None = os.open(path, _FLAGS, 0o600)
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            self.close()
            raise OSError(f"{path.name} is no plain file")
        self.path = path
        self._random = Random()  # noqa: S311 - a place, no secret
        self._notices: dict[int, Notice] = {}

    def __repr__(self) -> str:
        return f"SharedUsageFile({len(self._notices)} notices)"

    def __del__(self) -> None:
        self.close()

    def read(self) -> list[Notice]:
        """All notices that are whole."""
        content = self._read()
        self._notices = {}
        for place in range(len(content) // _SIZE):
            notice = _decoded(content[place * _SIZE : (place + 1) * _SIZE])
            if notice is not None:
                self._notices[place] = notice
        return list(self._notices.values())

    def write(self, notice: Notice) -> None:
        """Put up or renew the notice of its run and model; nothing is written where no place is left.

        Goes by the last `read`.
        """
        whose = (notice.who, notice.model)
        mine = [place for place, one in self._notices.items() if (one.who, one.model) == whose]
        place = mine[0] if mine else self._free(notice.at)
        if place is not None and self._fd is not None:
            self._notices[place] = notice
            os.lseek(self._fd, place * _SIZE, os.SEEK_SET)
            os.write(self._fd, _encoded(notice))

    def close(self) -> None:
        """Let go of the file."""
        fd, self._fd = getattr(self, "_fd", None), None
        if fd is not None:
            with contextlib.suppress(OSError):
                os.close(fd)

    def _read(self) -> bytes:
        if self._fd is None:
            return b""
        os.lseek(self._fd, 0, os.SEEK_SET)
        return os.read(self._fd, PLACES * _SIZE)

    def _free(self, now: float) -> int | None:
        never = [place for place in range(PLACES) if place not in self._notices]
        if never:
            return self._random.choice(never)
        gone = [place for place, one in self._notices.items() if not one.fresh(now)]
        return min(gone, key=lambda place: self._notices[place].at) if gone else None


def folder() -> Path:
    """Where such files are. It need not exist yet."""
    return user_cache() / "limits"


def file_name(endpoint: str, secret: str) -> str:
    """The name of the file of an endpoint and a key, on this machine until it is started anew."""
    parts = [endpoint, secret, socket.gethostname(), _boot()]
    hasher = hashlib.blake2b(digest_size=16, person=b"labkit-limits")
    for part in parts:
        # Lengths keep one part from running into the next.
        data = part.encode("utf-8", "surrogatepass")
        hasher.update(struct.pack("<Q", len(data)) + data)
    return hasher.hexdigest()


def model_hash(model: str) -> bytes:
    """The hash by which such a file names a model."""
    return hashlib.blake2b(model.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _boot() -> str:
    # Monotonic clocks begin anew with the machine. Where a boot has no name, old times are out of range.
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _encoded(notice: Notice) -> bytes:
    numbers = [notice.at, notice.limited_at, notice.limit_per_s, notice.since, notice.taken]
    for kind in KINDS:
        numbers.extend(notice.buckets.get(kind, (0.0, 0.0, 0.0)))
    state = 1 | notice.here << 1 | notice.wants << 2
    body = _FORM.pack(notice.who, notice.model, notice.pid, state, *numbers)
    return (_SUM.pack(zlib.crc32(body)) + body).ljust(_SIZE, b"\0")


def _decoded(block: bytes) -> Notice | None:
    """The notice in `block`; None where none is, or one that was being written."""
    body = block[_SUM.size : _SUM.size + _FORM.size]
    if not body.strip(b"\0") or len(block) < _SIZE or _SUM.unpack_from(block)[0] != zlib.crc32(body):
        return None
    who, model, pid, state, *numbers = _FORM.unpack(body)
    if not all(isfinite(number) for number in numbers):
        return None
    at, limited_at, limit_per_s, since, taken, *told = numbers
    buckets = {
        kind: (told[3 * n], told[3 * n + 1], told[3 * n + 2])
        for n, kind in enumerate(KINDS)
        if told[3 * n] > 0 and told[3 * n + 2] > 0
    }
    return Notice(
        who, model, pid, bool(state & 2), bool(state & 4), at, limited_at, limit_per_s, since, taken, buckets
    )


def _sweep(place: Path) -> None:
    """Remove files that nobody used for a day: they are of an earlier boot, or of a key no longer used."""
    with contextlib.suppress(OSError):
        for one in os.scandir(place):
            if time.time() - one.stat(follow_symlinks=False).st_mtime > _SWEPT_S:
                os.unlink(one.path)
