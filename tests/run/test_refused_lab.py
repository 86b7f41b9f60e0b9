"""A lab that may not be written is refused before the first request: F29."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import LabkitError, StoreError

ASK = """
import sys
import labkit as lk
from labkit.errors import LabkitError

model = lk.Model("faulty/m", base_url=sys.argv[2])
rows = [{"n": str(number)} for number in range(4)]
try:
    run = lk.Lab(sys.argv[1]).plan(prompts=["Say {{ n }}."], models=[model], dataset=rows).run()
except LabkitError as error:
    print("refused:", error)
else:
    print("ran", run.status)
"""
posix = pytest.mark.skipif(sys.platform != "linux", reason="root's rights are given up as on Linux")
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def like_anybody() -> None:
    """Give up what lets root pass over permissions."""
    if os.getuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


@pytest.fixture
def shared(here: Path) -> Iterator[Path]:
    """A folder with a lab in it; what is taken from it is given back at the end."""
    folder = here / "shared"
    folder.mkdir()
    script = lk.Script(lambda request: "x", version="1")
    lab = lk.Lab(folder / "lab.duckdb")
    lab.plan(prompts=["Say x."], models=[lk.Model("scripted/x", client=script)]).run()
    lab.store.close()
    yield folder
    folder.chmod(0o700)
    for path in folder.rglob("*"):
        path.chmod(0o700)


def asked_from(path: Path, channel: Any) -> str:
    """What a person without root's rights is told who runs a plan there."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(path), str(channel.model().base_url)],
        preexec_fn=like_anybody,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@posix
@pytest.mark.parametrize(
    ("what", "mode", "says"),
    [
        (".", 0o555, "refused: The lab"),
        ("lab.duckdb", 0o400, "permission denied"),
        ("lab.duckdb", 0o000, "cannot be opened"),
        ("lab.duckdb.journal", 0o500, "Permission denied"),
        ("lab.duckdb.journal", 0o000, "Permission denied"),
        (".", 0o000, "Permission denied"),
    ],
    ids=[
        "folder read-only",
        "file read-only",
        "file closed",
        "journals read-only",
        "journals closed",
        "folder closed",
    ],
)
def test_no_permission_is_no_request(what: str, mode: int, says: str, shared: Path, channel: Any) -> None:
    """F29: whatever may not be written, the plan is refused in words, and the server saw nothing."""
    if what == ".":
        for path in (shared / "lab.duckdb.journal").iterdir():
            path.unlink()
        (shared / "lab.duckdb.journal").rmdir()
    (shared / what).chmod(mode)
    said = asked_from(shared / "lab.duckdb", channel)
    assert "refused: " in said, said
    assert says in said
    assert channel.seen() == []


@posix
def test_with_permission_it_is_asked(shared: Path, channel: Any) -> None:
    """F29: the same person with rights is served, so the refusals are for the rights' sake."""
    assert asked_from(shared / "lab.duckdb", channel) == "ran finished\n"
    assert len(channel.seen()) == 4


@pytest.fixture
def read_only_mount(shared: Path) -> Iterator[Path]:
    """The lab's folder on a file system that is mounted read-only, which stops root too."""
    if sys.platform != "linux":
        pytest.skip("file systems are mounted on Linux only")
    place = shared.with_name("mounted")
    place.mkdir()
    for words in (["mount", "--bind"], ["mount", "-o", "remount,ro,bind"]):
        if subprocess.run([*words, str(shared), str(place)], capture_output=True, check=False).returncode:
            pytest.skip("no file system can be mounted here, which takes root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def ask(path: Path, channel: Any) -> lk.Run:
    """Run a plan there."""
    return lk.Lab(path).plan(prompts=["Say hi."], models=[channel.model()]).run()


def test_a_read_only_file_system_is_no_request(read_only_mount: Path, channel: Any) -> None:
    """F29: a lab on a read-only file system can be read, and is refused for asking before any request."""
    with pytest.raises(StoreError, match=r"[Rr]ead-only file system"):
        ask(read_only_mount / "lab.duckdb", channel)
    assert channel.seen() == []
    assert lk.Lab(read_only_mount / "lab.duckdb").generations()["text"].tolist() == ["x"]


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_no_room_is_no_request(
    number: int, channel: Any, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F29: where no reserve can be set aside, by a quota or a full disk, nothing is asked."""

    def refused(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", refused)
    with pytest.raises(StoreError, match=os.strerror(number)):
        ask(here / "lab.duckdb", channel)
    assert channel.seen() == []


@pytest.mark.parametrize("what", ["folder", "text", "sqlite", "empty", "foreign", "fifo", "nul", "missing"])
def test_what_is_no_lab_is_no_request(what: str, channel: Any, here: Path) -> None:
    """B16: a path that is something else, or nowhere, is refused in words before any request."""
    import sqlite3

    import duckdb

    path = here / "it"
    if what == "folder":
        path.mkdir()
    elif what == "text":
        path.write_text("not a lab at all, but a text")
    elif what == "sqlite":
        with sqlite3.connect(path) as connection:
            connection.execute("create table a (b)")
    elif what == "empty":
        path.touch()
    elif what == "foreign":
        with duckdb.connect(str(path)) as other:
            other.execute("create table mine (a int)")
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "nul":
        path = here / "a\0b"
    else:
        path = here / "no" / "such" / "lab.duckdb"
    with pytest.raises(LabkitError) as caught:
        ask(path, channel)
    assert len(str(caught.value)) > 30
    assert channel.seen() == []
