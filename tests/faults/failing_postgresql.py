"""A PostgreSQL that is stopped at once and started again, and whose disk fills up.

Where it can, it lies on a small disk of its own: a file, mounted. It does not know who uses it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from tests.postgresql import owner, programs, started

DISK_BYTES = 400 * 2**20
START_S = 60
SETTINGS = (
    "-cfsync=on",
    "-clisten_addresses=*",
    "-cshared_buffers=16MB",
    "-cmax_wal_size=64MB",
    "-cmin_wal_size=32MB",
)


class FailingServer:
    """The server in that folder; `started_failing` gives one."""

    def __init__(self, folder: Path, port: int, disk: Path | None) -> None:
        self.folder, self.port = folder, port
        self.has_own_disk = disk is not None
        self._ballast = None if disk is None else disk / "ballast"

    @property
    def url(self) -> str:
        """Its address, by its socket."""
        return f"postgresql://postgres@/postgres?host={self.folder}&port={self.port}"

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Ask as a person does."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def log(self) -> str:
        """All that it said."""
        return (self.folder / "log").read_text(errors="replace")

    def restart(self) -> None:
        """Stop it at once, as by a power cut, and start it again: it recovers."""
        self.stop()
        self.start()

    def stop(self) -> None:
        self._control("stop", "--mode=immediate", "--no-wait", check=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._control("stop", "--mode=immediate", f"--timeout={START_S}", check=False)

    def start(self) -> None:
        # What it was started with before stands in its folder; it reads that itself with `restart` alone.
        given = (self.folder / "data" / "postmaster.opts").read_text().split(" ", 1)[1].strip()
        options = given.replace('"', "'")
        log = f"--log={self.folder}/log"
        self._control("start", "--wait", f"--timeout={START_S}", log, f"--options={options}")

    def fill_disk(self) -> None:
        """Nothing can be written to its disk any more."""
        assert self._ballast is not None
        with self._ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(2**16))

    def make_room(self) -> None:
        """There is room again, and it runs."""
        assert self._ballast is not None
        self._ballast.unlink()
        if self._control("status", check=False):
            self.start()

    def _control(self, do: str, *more: str, check: bool = True) -> int:
        command = [f"{programs()}/pg_ctl", do, "-D", str(self.folder / "data"), *more]
        done = subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **owner(),
        )
        assert not check or not done.returncode, f"pg_ctl {do} failed:\n{self.log()[-2_000:]}"
        return done.returncode


@contextlib.contextmanager
def started_failing(*settings: str) -> Iterator[FailingServer]:
    """A PostgreSQL with fsync, at a free port of this machine and every address of it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        small_disk(DISK_BYTES) as disk,
        started(*SETTINGS, f"-cport={port}", *settings, under=disk, port=port) as address,
    ):
        server = FailingServer(Path(str(address.query["host"])), port, disk)
        with (server.folder / "data" / "pg_hba.conf").open("a") as hba:
            hba.write("host all all 10.0.0.0/8 trust\n")
        server.sql("select pg_reload_conf()")
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def small_disk(size_bytes: int) -> Iterator[Path | None]:
    """A disk of that size, in a file; None where the system does not allow it."""
    folder = Path(tempfile.mkdtemp(prefix="labkit-disk-"))
    image, place = folder / "image", folder / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(size_bytes)
    made = bool(os.geteuid() == 0 and shutil.which("mkfs.ext4")) and all(
        subprocess.run(command, check=False, capture_output=True).returncode == 0
        for command in (["mkfs.ext4", "-q", "-m", "0", image], ["mount", "-o", "loop", image, place])
    )
    try:
        folder.chmod(0o755)
        place.chmod(0o1777)
        yield place if made else None
    finally:
        if made:
            subprocess.run(["umount", "--lazy", place], check=True)
        shutil.rmtree(folder)
