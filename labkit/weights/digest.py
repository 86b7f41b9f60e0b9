"""A model file's SHA-256, computed once for each state of the file.

What was computed is kept in the weights folder under the file's path, with its size and time of
change; a file that has either changed is read again. It does not know what the file should be.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec

from labkit.weights.folder import folder

_BLOCK_BYTES = 1 << 20
_FOLDER = ".digests"


_Known = tuple[str, int, int, str]
"""Path, size, time of change in nanoseconds, digest."""


def sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of the file `path`, as 64 hex digits. Raises `OSError` where it cannot be read."""
    real = Path(path).resolve()
    status = real.stat()
    place = _place(real)
    known = _recall(place)
    if known is not None and known[:3] == (str(real), status.st_size, status.st_mtime_ns):
        return known[3]
    digest = compute(real)
    remember(real, digest, status)
    return digest


def compute(path: Path) -> str:
    """The same, read from the file now."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def remember(path: Path, digest: str, status: os.stat_result) -> None:
    """Keep the digest of a file whose state was `status`."""
    place = _place(path)
    known: _Known = (str(path), status.st_size, status.st_mtime_ns, digest)
    # A folder that cannot be written costs time, not correctness: the file is read again.
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=place.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(known))
            os.replace(name, place)
        except OSError:
            os.unlink(name)
            raise


def _recall(place: Path) -> _Known | None:
    try:
        known: _Known = msgspec.json.decode(place.read_bytes(), type=_Known)
    except (OSError, msgspec.MsgspecError):
        return None
    return known


def _place(real: Path) -> Path:
    key = hashlib.blake2b(str(real).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    return folder() / _FOLDER / f"{key}.json"
