"""Checksums, computed once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from labkit.weights import digest, sha256


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read to compute a digest."""
    seen: list[Path] = []
    compute = digest.compute

    def counted(path: Path) -> str:
        seen.append(path)
        return compute(path)

    monkeypatch.setattr(digest, "compute", counted)
    return seen


def test_it_is_the_file_s_own(home: Path, tmp_path: Path) -> None:
    """The digest is SHA-256 over the bytes of the file."""
    (tmp_path / "m.gguf").write_bytes(b"x" * 3_000_000)
    assert sha256(tmp_path / "m.gguf") == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_a_file_is_read_once(home: Path, tmp_path: Path, reads: list[Path]) -> None:
    """A file that did not change is not read again, whatever path leads to it."""
    path = tmp_path / "m.gguf"
    path.write_bytes(b"one")
    (tmp_path / "link.gguf").symlink_to(path)
    assert sha256(path) == sha256(str(path)) == sha256(tmp_path / "link.gguf")
    assert len(reads) == 1


def test_a_changed_file_is_read_again(home: Path, tmp_path: Path, reads: list[Path]) -> None:
    """Another size, or another time of change, means another reading."""
    path = tmp_path / "m.gguf"
    path.write_bytes(b"one")
    before = sha256(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert sha256(path) == hashlib.sha256(b"two").hexdigest() != before
    assert len(reads) == 2


def test_a_damaged_memory_is_no_memory(home: Path, tmp_path: Path) -> None:
    """What is kept about digests may be deleted or damaged without harm."""
    path = tmp_path / "m.gguf"
    path.write_bytes(b"one")
    right = sha256(path)
    for kept in (home / ".digests").iterdir():
        kept.write_bytes(
            b'["',
        )
    assert sha256(path) == right


def test_a_folder_that_cannot_be_written_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[Path]
) -> None:
    """Where nothing can be kept, the digest is computed each time."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("LABKIT_WEIGHTS", str(tmp_path / "file" / "weights"))
    (tmp_path / "m.gguf").write_bytes(b"one")
    assert sha256(tmp_path / "m.gguf") == sha256(tmp_path / "m.gguf")
    assert len(reads) == 2


def test_a_missing_file_is_an_os_error(home: Path, tmp_path: Path) -> None:
    """What is not there has no digest."""
    with pytest.raises(FileNotFoundError):
        sha256(tmp_path / "none")
