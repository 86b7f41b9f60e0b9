"""The folder beside the lab: made private, or refused in plain words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import labkit as lk
from labkit.errors import StoreError
from labkit.store import journal_directory as module
from labkit.store.journal_directory import JournalDirectory, JournalName, network_file_system

NAME = "s001-4711-0123abcd-0001-1700000000000000.jsonl"


def test_folder_is_private_whatever_the_umask(tmp_path: Path) -> None:
    """The journal's folder is 0700 and the reserve 0600 under a umask of 0."""
    before = os.umask(0)
    try:
        folder = JournalDirectory(tmp_path / "new" / "lab.duckdb")
        folder.make()
        folder.keep_reserve()
    finally:
        os.umask(before)
    assert [oct(p.stat().st_mode & 0o777) for p in (tmp_path / "new", folder.path, folder.reserve)] == [
        "0o700",
        "0o700",
        "0o600",
    ]


def test_only_one_missing_folder_is_made(tmp_path: Path) -> None:
    """A lab in a new folder makes it; a longer path that is not there is taken for a mistake."""
    JournalDirectory(tmp_path / "a" / "lab.duckdb").make()
    assert (tmp_path / "a" / "lab.duckdb.journal").is_dir()
    with pytest.raises(StoreError, match="does not exist, nor does the folder above"):
        JournalDirectory(tmp_path / "b" / "c" / "lab.duckdb").make()
    assert not (tmp_path / "b").exists()


def test_a_lab_in_a_folder_that_cannot_be_made_is_not_read_as_an_empty_one(tmp_path: Path) -> None:
    lab = lk.Lab(tmp_path / "no" / "such" / "lab.duckdb")
    for read in (lab.runs, lab.generations, lambda: lab.sql("from runs")):
        with pytest.raises(StoreError, match="does not exist, nor does the folder above"):
            read()
    assert not list(tmp_path.iterdir())


def test_a_lab_in_a_folder_that_labkit_would_make_reads_as_an_empty_one(tmp_path: Path) -> None:
    assert lk.Lab(tmp_path / "results" / "lab.duckdb").runs().empty
    assert not list(tmp_path.iterdir())


def test_what_stands_in_the_way_is_named(tmp_path: Path) -> None:
    """A file where a folder must be is refused, and left as it is."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="not a folder"):
        JournalDirectory(tmp_path / "file" / "lab.duckdb").make()
    (tmp_path / "lab.duckdb.journal").write_text("mine")
    with pytest.raises(StoreError, match="in the way"):
        JournalDirectory(tmp_path / "lab.duckdb").make()
    assert (tmp_path / "lab.duckdb.journal").read_text() == "mine"


def test_journal_names_say_who_wrote_them() -> None:
    """A name comes back as it was made; anything else is no journal."""
    name = JournalName.parse(NAME)
    assert name is not None
    assert str(name) == NAME
    assert (name.process, name.stream, name.number, name.schema) == ("4711-0123abcd", "4711-0123abcd", 1, 1)
    intents = JournalName.parse(NAME.replace("-0001", "-intents-0001"))
    assert intents is not None
    assert (intents.process, intents.stream) == ("4711-0123abcd", "4711-0123abcd-intents")
    for other in ("gate.lock", "x" + NAME, NAME + ".bad", "s001-4711-0123abcd-0001-17.json", "..", ""):
        assert JournalName.parse(other) is None


def test_only_ordinary_files_are_journals(tmp_path: Path) -> None:
    """A folder or a link with a journal's name is told of, and left alone."""
    folder = JournalDirectory(tmp_path / "lab.duckdb")
    folder.make()
    (folder.path / NAME).mkdir()
    link = NAME.replace("4711", "4712")
    (folder.path / link).symlink_to("/etc/hostname")
    real = NAME.replace("4711", "4713")
    (folder.path / real).touch()
    assert [str(name) for name, _ in folder.journals()] == [real]
    assert folder.strangers() == {NAME: "it is not an ordinary file", link: "it is not an ordinary file"}


def test_reserve_takes_real_room_and_gives_it_back(tmp_path: Path) -> None:
    """The reserve occupies its size on the disk until it is spent."""
    folder = JournalDirectory(tmp_path / "lab.duckdb")
    folder.make()
    folder.keep_reserve()
    assert folder.reserve.stat().st_blocks * 512 >= module.RESERVE_BYTES
    folder.keep_reserve()
    assert folder.spend_reserve()
    assert not folder.spend_reserve()
    assert not folder.reserve.exists()


def test_no_room_for_the_reserve_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reserve that could not be made whole is not left behind in part."""
    folder = JournalDirectory(tmp_path / "lab.duckdb")
    folder.make()

    def full(fd: int, *_: int) -> None:
        os.write(fd, b"x" * 1000)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        folder.keep_reserve()
    assert not folder.reserve.exists()


def test_network_file_systems_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mount that a path lies on decides, the longest one, also with a space in its name."""
    mounts = "\n".join(
        [
            "/dev/sda / ext4 rw 0 0",
            f"server:/x {tmp_path} nfs4 rw 0 0",
            rf"//nas/y {tmp_path}/a\040b cifs rw 0 0",
            f"/dev/sdb {tmp_path}/local xfs rw 0 0",
        ]
    )
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: mounts)
    assert network_file_system(tmp_path / "lab.duckdb") == "nfs4"
    assert network_file_system(tmp_path / "a b" / "lab.duckdb") == "cifs"
    assert network_file_system(tmp_path / "local" / "lab.duckdb") is None
    assert network_file_system(Path("/elsewhere/lab.duckdb")) is None


def test_names_are_made_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system has no hard links a finished file still gets its name, and never another's."""
    new, path = tmp_path / "new", tmp_path / "path"
    new.write_text("new")

    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    module.put_in_place(new, path)
    assert path.read_text() == "new"
    new.write_text("newer")
    with pytest.raises(FileExistsError):
        module.put_in_place(new, path)
    assert path.read_text() == "new"


def test_a_folder_that_cannot_be_listed_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No bare error of the system: with no file handle left there is a `StoreError`."""
    folder = JournalDirectory(path)
    folder.make()

    def none(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "scandir", none)
    with pytest.raises(StoreError, match=r"lab\.duckdb\.journal cannot be read: Too many open files"):
        folder.journals()
