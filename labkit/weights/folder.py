"""Where weights lie, and what is there.

    <folder>/<name>/<file>.gguf      the weights
    <folder>/<name>/about.json       source, licence, size, checksum
    <folder>/<name>/…                licence and terms, as they came

It does not fetch: what is in the folder was put there, whole, by one rename.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import msgspec

from labkit.paths import at_home

ABOUT = "about.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,149}")


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """Weights that are here."""

    name: str
    label: str
    file: str
    bytes: int
    sha256: str
    source: str
    """Where the file was fetched from: pinned packages, or a repository at a commit."""
    origin: str
    """Who made the model."""
    licence: str
    terms: str
    papers: tuple[str, ...] = ()
    """The files beside it that hold licence, terms and notices."""
    pulled_at: str
    """UTC, ISO 8601."""

    @property
    def path(self) -> Path:
        """The weights file."""
        return folder() / self.name / self.file


def folder() -> Path:
    """`$LABKIT_WEIGHTS`, or the platform's place for a user's data. It need not exist yet.

    >>> folder().name
    'weights'
    """
    chosen = os.environ.get("LABKIT_WEIGHTS")
    if chosen:
        return at_home(Path(chosen), what="folder $LABKIT_WEIGHTS").absolute()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "labkit" / "weights"


def find(name: str) -> Path | None:
    """The weights file called `name`, if it was pulled and still has its size; else None.

    >>> find("no-such-model") is None
    True
    """
    known = read(name)
    return None if known is None else known.path


def pulled() -> list[Pulled]:
    """All weights that are here, by name."""
    home = folder()
    names = sorted(entry.name for entry in home.iterdir()) if home.is_dir() else []
    return [known for known in map(read, names) if known is not None]


def read(name: str) -> Pulled | None:
    """What is recorded of the weights `name`; None where they are missing or not of their size."""
    if not is_name(name):
        return None
    try:
        known = msgspec.json.decode((folder() / name / ABOUT).read_bytes(), type=Pulled)
        # The record is a file like any other: it must not lead out of its folder.
        if known.name != name or not is_name(known.file) or known.path.stat().st_size != known.bytes:
            return None
    except (OSError, msgspec.MsgspecError, UnicodeError):
        return None
    return known


def is_name(text: str) -> bool:
    """Whether `text` can name weights: letters, digits, dots, dashes and underscores.

    >>> is_name("gemma-3-270m"), is_name("../secrets")
    (True, False)
    """
    return _NAME.fullmatch(text) is not None
