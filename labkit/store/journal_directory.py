"""The folder beside a lab, `lab.duckdb.journal`: journals, locks, the reserve; made, checked, listed.

JournalDirectory 0700, files 0600, whatever the umask. It does not know what the files say.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import StoreError
from labkit.paths import shown

RESERVE_BYTES = 16 * 2**20
SCHEMA = 3
"""The newest schema this labkit writes. It is part of a journal's name, so that an older labkit leaves
the journals of a newer one alone."""
NETWORK_FILE_SYSTEMS = frozenset(
    (
        "9p", "afs", "afpfs", "ceph", "cifs", "davfs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "gfs2",
        "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "webdav",
    )
)  # fmt: skip
AGAIN = "-again"
RECEIVED = "-received"
_PROCESS = r"[0-9a-f]{32}|[0-9]+-[0-9a-f]{8}"
"""16 random bytes; in older journals the process's number and 4."""
_NAME = re.compile(rf"s(\d{{3,}})-({_PROCESS})(-intents|-received)?(-again)?-(\d{{4,}})-(\d+)\.jsonl")


@dataclass(frozen=True, order=True)
class JournalName:
    """What a journal's name says: `s003-<process>[-intents|-received][-again]-<number>-<first stamp>.jsonl`.

    `process` is one process's identity; `stream` one sequence of journals in it. A stream's journals share
    out its stamps: each has those from its `first` stamp up to the next one's. One that is written `again`
    has any: its lines may be in others too. One of what was `received` has other machines' lines, each behind
    its process and a blank, as they came.
    """

    stream: str
    number: int
    first: int
    schema: int
    process: str

    @classmethod
    def parse(cls, name: str) -> JournalName | None:
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        schema, process, suffix, again, number, first = found.groups()
        return cls(process + (suffix or "") + (again or ""), int(number), int(first), int(schema), process)

    @property
    def again(self) -> bool:
        """Whether it holds what was written before, to a journal that another program changed or took."""
        return self.stream.endswith(AGAIN)

    @property
    def received(self) -> bool:
        """Whether it holds what processes of other machines wrote."""
        return self.stream.removesuffix(AGAIN).endswith(RECEIVED)

    def __str__(self) -> str:
        return f"s{self.schema:03d}-{self.stream}-{self.number:04d}-{self.first}.jsonl"


class JournalDirectory:
    """The folder beside the lab at `lab`. Making the value touches nothing."""

    def __init__(self, lab: Path) -> None:
        self.lab = lab
        self.path = lab.with_name(lab.name + ".journal")
        self.gate = self.path / "gate.lock"
        self.reserve = self.path / "reserve"

    def make(self) -> None:
        """Make the folder if it is not there, and the lab's own folder if only that is missing.

        Raises `StoreError` saying what stands in the way.
        """
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.lab.parent, 0o700)
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.path, 0o700)
                sync_folder(self.lab.parent)
        except FileNotFoundError:
            raise self._nowhere() from None
        except NotADirectoryError:
            raise StoreError(
                f"{self.lab.parent} is not a folder, so the lab cannot lie in it. Choose another path."
            ) from None
        except OSError as error:
            raise StoreError(
                f"The lab cannot be written: {error.strerror} at {error.filename}. "
                "Choose a folder that you may write to."
            ) from None
        if not self.path.is_dir():
            raise StoreError(
                f"{shown(self.path)} is in the way: labkit keeps its journals in a folder of that name."
            )

    def check_place(self) -> None:
        """Raises `StoreError` where no lab can be made: a misspelt path is no empty lab."""
        if not self.lab.parent.exists() and not self.lab.parent.parent.exists():
            raise self._nowhere()

    def _nowhere(self) -> StoreError:
        return StoreError(
            f"The folder {shown(self.lab.parent)} does not exist, nor does the folder above. "
            "Make it, or choose another path."
        )

    def stands(self) -> bool:
        """Whether the folder or its lab is there."""
        return self.path.exists() or self.lab.exists()

    def journals(self) -> Iterator[tuple[JournalName, os.stat_result]]:
        """Each journal that is an ordinary file of this user, in the order to fold them."""
        found = []
        for entry in self._entries():
            name = JournalName.parse(entry.name)
            if name is None:
                continue
            with contextlib.suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if not self._fault(status):
                    found.append((name, status))
        return iter(sorted(found, key=lambda pair: pair[0]))

    def strangers(self) -> dict[str, str]:
        """What has a journal's name and is none, by name: why it is left alone."""
        found = {}
        for entry in self._entries():
            if JournalName.parse(entry.name) is not None:
                with contextlib.suppress(FileNotFoundError):
                    if why := self._fault(entry.stat(follow_symlinks=False)):
                        found[entry.name] = why
        return found

    def process_lock(self, process: str) -> Path:
        """What a process holds while it may write its journals."""
        return self.path / f"{process}.lock"

    def of_processes(self, suffix: str) -> list[Path]:
        """The files that processes, by their name, left with this suffix: locks, notes."""
        return [path for path in self.path.glob(f"*{suffix}") if re.fullmatch(_PROCESS, path.stem)]

    def _entries(self) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.path) as entries:
                return list(entries)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return []  # where we may not look, the gate is closed to us too, and says so
        except OSError as error:
            raise StoreError(f"{self.path.name} cannot be read: {error.strerror}.") from None

    @staticmethod
    def _fault(status: os.stat_result) -> str | None:
        if not stat.S_ISREG(status.st_mode):
            return "it is not an ordinary file"
        if hasattr(os, "getuid") and status.st_uid != os.getuid() and os.getuid() != 0:
            return "it belongs to another user"
        return None

    # -- the reserve -----------------------------------------------------------------------------

    def keep_reserve(self) -> None:
        """Set disk space aside for the answers in flight when the disk fills up. Raises `OSError`."""
        with contextlib.suppress(FileNotFoundError):
            if self.reserve.stat().st_size >= RESERVE_BYTES:
                return
        fd = os.open(self.reserve, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(fd, 0, RESERVE_BYTES)
            else:
                os.write(fd, os.urandom(RESERVE_BYTES))
        except OSError:
            self.spend_reserve()
            raise
        finally:
            os.close(fd)

    def spend_reserve(self) -> bool:
        """Free that space; False if it was gone already."""
        try:
            self.reserve.unlink()
        except OSError:
            return False
        return True


def sync_folder(path: Path) -> None:
    """Make a new or removed name in the folder durable, where the system has that."""
    if sys.platform == "win32":
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def put_in_place(new: Path, path: Path) -> None:
    """Give a finished file its name. Raises `FileExistsError` if the name is taken."""
    try:
        os.link(new, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links. Nobody else makes this name: the caller holds the gate.
        if path.exists():
            raise FileExistsError(f"{path} is there already") from None
        os.rename(new, path)
    sync_folder(path.parent)


def network_file_system(path: Path) -> str | None:
    """The kind of network file system `path` lies on, or None if it is local or cannot be told.

    Locks fail or lie on network disks. Read from the kernel's list of mounts, which only Linux has.
    """
    place = f"{path.resolve()}/"
    best, kind = "", ""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    for line in mounts.splitlines():
        fields = line.split(" ")
        mount = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[1])
        if place.startswith(f"{mount.rstrip('/')}/") and len(mount) >= len(best):
            best, kind = mount, fields[2]
    return kind if kind in NETWORK_FILE_SYSTEMS else None
