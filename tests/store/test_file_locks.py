"""A hold excludes everybody else, and goes with its process."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit.store.file_locks import FileLock, held, holder, is_held

TAKE = """
import sys
from pathlib import Path
from typing import Any
from labkit.store.file_locks import FileLock
hold = FileLock.take(Path(sys.argv[1]))
hold.sign()
print("held", flush=True)
sys.stdin.readline()
"""
Start = Callable[..., subprocess.Popen[str]]


def taken(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"


def test_only_one_holds(tmp_path: Path) -> None:
    """Neither this thread nor another can take what is held; after release both can."""
    path = tmp_path / "lock"
    others: list[FileLock | None] = []
    with held(path) as first:
        assert first is not None
        assert FileLock.take(path) is None
        thread = threading.Thread(target=lambda: others.append(FileLock.take(path)))
        thread.start()
        thread.join()
        assert others == [None]
        assert is_held(path)
    assert not is_held(path)
    with held(path) as again:
        assert again is not None


def test_a_killed_process_holds_nothing(tmp_path: Path, python: Start) -> None:
    """A lock of a process that was killed, even while suspended, is free at once."""
    path = tmp_path / "lock"
    process = python(TAKE, path)
    taken(process)
    assert FileLock.take(path) is None
    process.send_signal(signal.SIGSTOP)
    assert FileLock.take(path) is None
    process.kill()
    process.wait()
    with held(path) as hold:
        assert hold is not None


def test_a_wait_ends_when_the_other_lets_go(tmp_path: Path, python: Start) -> None:
    """Who waits gets the lock when its holder ends."""
    path = tmp_path / "lock"
    process = python(TAKE, path)
    taken(process)
    threading.Timer(0.05, process.kill).start()
    with held(path, wait_s=30) as hold:
        assert hold is not None


def test_the_holder_is_named(tmp_path: Path, python: Start) -> None:
    """The file says who holds it: process, program and host; nonsense in it names nobody."""
    path = tmp_path / "lock"
    process = python(TAKE, path)
    taken(process)
    assert f"process {process.pid} (python" in holder(path)
    process.kill()
    process.wait()
    with held(path) as hold:
        assert hold is not None
        hold.sign()
        assert holder(path) == f"this kernel (process {os.getpid()})"
    path.write_text("[1]")
    assert holder(path) == "another process"
    path.unlink()
    assert holder(path) == "another process"


def test_a_removed_file_is_no_hold(tmp_path: Path) -> None:
    """If somebody removes the file, the hold says so, and another can be taken."""
    path = tmp_path / "lock"
    first = FileLock.take(path)
    assert first is not None
    assert first.stands
    path.unlink()
    assert not first.stands
    second = FileLock.take(path)
    assert second is not None
    assert second.stands
    first.release()
    assert is_held(path)
    second.release(remove=True)
    assert not path.exists()


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A symbolic link in place of the file is refused, so that nothing outside is written."""
    (tmp_path / "target").touch()
    (tmp_path / "lock").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic links"):
        FileLock.take(tmp_path / "lock")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_no_share_in_it(tmp_path: Path, python: Start) -> None:
    """A child keeps no lock of its parent alive, and cannot release it either."""
    path = tmp_path / "lock"
    code = """
import os, sys, time
from pathlib import Path
from typing import Any
from labkit.store.file_locks import FileLock
hold = FileLock.take(Path(sys.argv[1]))
if os.fork() == 0:
    hold.release()
    assert FileLock.take(Path(sys.argv[1])) is None
    print("child", os.getpid(), flush=True)
    time.sleep(60)
time.sleep(60)
"""
    process = python(code, path)
    assert process.stdout is not None
    child = int(process.stdout.readline().split()[1])
    try:
        assert is_held(path)
        process.kill()
        process.wait()
        assert not is_held(path)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_lost_hold_is_let_go(tmp_path: Path) -> None:
    """A hold that nobody has any more does not shut everybody out for ever."""
    path = tmp_path / "lock"
    assert FileLock.take(path) is not None
    assert not is_held(path)


@pytest.mark.skipif(sys.platform == "win32", reason="opening is refused as on POSIX")
def test_a_lock_that_can_only_be_read_tells_who_lives(
    tmp_path: Path, python: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that is now read-only a dead process's lock is free, and a living one's is held."""
    path, real = tmp_path / "lock", os.open

    def read_only(target: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(target))
        return real(target, flags, *rest, **more)

    process = python(TAKE, path)
    taken(process)
    monkeypatch.setattr(os, "open", read_only)
    assert is_held(path)
    process.kill()
    process.wait()
    assert not is_held(path)
