"""The file: what one run puts up another reads, and nothing in the file can break either."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.engine import shared_usage_file
from labkit.engine.shared_usage_file import PLACES, Notice, SharedUsageFile

SECRET = "sk-proj-ABCDEFGHIJKLMNOP0123456789"
MODEL = shared_usage_file.model_hash("gpt")


def notice(who: int = 1, *, model: bytes = MODEL, at: float = 100.0, here: bool = True) -> Notice:
    """A notice of a run."""
    buckets = {"requests": (60.0, 12.5, 1.0), "output": (8000.0, -3.0, 133.0)}
    return Notice(bytes([who]) * 16, model, 4711, here, True, at, 90.0, 1.5, 95.0, 42.0, buckets)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a file is."""
    return tmp_path / "limits" / "abc"


@pytest.fixture
def two(path: Path) -> Iterator[tuple[SharedUsageFile, SharedUsageFile]]:
    """A file, open twice."""
    files = SharedUsageFile(path), SharedUsageFile(path)
    yield files
    for one in files:
        one.close()


def test_what_one_puts_up_another_reads(two: tuple[SharedUsageFile, SharedUsageFile]) -> None:
    """A notice comes back as it was written, and is renewed in its place."""
    one, other = two
    one.read()
    one.write(notice())
    assert other.read() == [notice()]
    other.write(notice(2))
    one.write(notice(at=101.0))
    assert sorted(found.at for found in other.read()) == [100.0, 101.0]


def test_who_finds_another_in_its_place_moves(two: tuple[SharedUsageFile, SharedUsageFile]) -> None:
    """Two that picked one place at the same moment have two in the end."""
    one, other = two
    one._random.seed(1)
    other._random.seed(1)
    one.read()
    other.read()
    one.write(notice(1))
    other.write(notice(2))
    assert [found.who[0] for found in one.read()] == [2]
    one.write(notice(1))
    assert sorted(found.who[0] for found in other.read()) == [1, 2]


def test_places_of_those_who_are_gone_are_used_again(two: tuple[SharedUsageFile, SharedUsageFile]) -> None:
    """When all places are taken the oldest that is gone makes room; while all are here nobody does."""
    one, _ = two
    one.read()
    for who in range(PLACES):
        one.write(notice(who, at=100.0 + who / 1000))
    one.write(notice(200, at=100.5))
    assert 200 not in {found.who[0] for found in one.read()}
    one.write(notice(200, at=200.0))
    left = {found.who[0] for found in one.read()}
    assert 200 in left
    assert 0 not in left


def test_a_notice_that_is_not_renewed_is_not_believed() -> None:
    """After three seconds a run counts as gone, and at once when it says so, or its clock makes no sense."""
    assert notice().fresh(102.9)
    assert not notice().fresh(103.1)
    assert not notice(here=False).fresh(100.0)
    assert not notice(at=1e9).fresh(100.0)


@given(st.binary(max_size=2000), st.integers(0, 255))
def test_what_is_broken_is_not_read(tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int) -> None:
    """Whatever is in the file, reading it gives only whole notices, and writing goes on."""
    path = tmp_path_factory.mktemp("file") / "abc"
    made = SharedUsageFile(path)
    made.read()
    made.write(notice())
    whole = bytearray(path.read_bytes())
    place = (len(whole) // 256 - 1) * 256
    whole[place + at] ^= 0x55
    path.write_bytes(bytes(whole))
    assert all(found == notice() for found in made.read())
    path.write_bytes(junk)
    assert made.read() == []
    made.write(notice(3))
    assert [found.who[0] for found in made.read()] == [3]
    made.close()


def test_numbers_that_are_none_are_not_read(two: tuple[SharedUsageFile, SharedUsageFile]) -> None:
    """A notice with an infinite number in it is none."""
    one, other = two
    one.read()
    one.write(Notice(b"1" * 16, MODEL, 1, True, True, 100.0, limit_per_s=float("inf")))
    assert other.read() == []


def test_only_its_owner_may_read_it(path: Path) -> None:
    """The folder and the file are the user's alone, whatever the umask."""
    before = os.umask(0)
    try:
        SharedUsageFile(path).close()
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_link_or_a_folder_in_its_place_is_refused(path: Path, tmp_path: Path) -> None:
    """What is no plain file of its own is not opened, and not written through."""
    path.parent.mkdir()
    target = tmp_path / "precious"
    target.write_text("precious")
    path.symlink_to(target)
    with pytest.raises(OSError):
        SharedUsageFile(path)
    assert target.read_text() == "precious"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="no plain file"):
        SharedUsageFile(path)


def test_old_boards_are_swept(path: Path) -> None:
    """A file nobody used for a day goes when another is opened; one in use stays."""
    SharedUsageFile(path).close()
    old = path.with_name("old")
    old.write_bytes(b"x")
    os.utime(old, (time.time() - 90_000,) * 2)
    SharedUsageFile(path.with_name("new")).close()
    assert sorted(one.name for one in path.parent.iterdir()) == ["abc", "new"]


def test_its_name_is_one_of_endpoint_and_key() -> None:
    """Other endpoints and keys have other files, and the name holds no piece of a key."""
    names = {
        shared_usage_file.file_name("https://a/v1", SECRET),
        shared_usage_file.file_name("https://b/v1", SECRET),
        shared_usage_file.file_name("https://a/v1", SECRET + "x"),
        shared_usage_file.file_name("https://a/v1" + SECRET, ""),
    }
    assert len(names) == 4
    assert shared_usage_file.file_name("https://a/v1", SECRET) in names
    pieces = [SECRET[start : start + 8].lower() for start in range(len(SECRET) - 7)]
    assert not any(piece in name for piece in pieces for name in names)
    assert all(len(name) == 32 for name in names)


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is in the user's cache folder, which the platform names."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert shared_usage_file.folder() == tmp_path / "labkit" / "limits"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert shared_usage_file.folder() == tmp_path / "local" / "labkit" / "limits"
    monkeypatch.setattr("sys.platform", "darwin")
    assert shared_usage_file.folder().parts[-4:] == ("Library", "Caches", "labkit", "limits")
