"""Where weights lie."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import DefinitionError
from labkit.weights import find, folder, pulled
from labkit.weights.folder import ABOUT, Pulled, is_name, read

RECORD = Pulled(
    name="m",
    label="M",
    file="m.gguf",
    bytes=4,
    sha256="0" * 64,
    source="a test",
    origin="a test",
    licence="None",
    terms="None",
    pulled_at="2026-11-23T00:00:00+00:00",
)


def put(home: Path, record: Pulled, data: bytes = b"GGUF", *, at: str = "m") -> None:
    (home / at).mkdir(parents=True)
    (home / at / ABOUT).write_bytes(msgspec.json.encode(record))
    (home / at / "m.gguf").write_bytes(data)


def test_the_folder_can_be_chosen(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LABKIT_WEIGHTS names the folder; in nobody's home there is none."""
    assert folder() == home
    monkeypatch.setenv("LABKIT_WEIGHTS", "~no-such/weights")
    with pytest.raises(DefinitionError, match="no home folder"):
        folder()


def test_the_folder_is_a_platform_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a choice the folder is where the platform keeps a user's data."""
    monkeypatch.delenv("LABKIT_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    monkeypatch.setenv("LOCALAPPDATA", "/windows")
    monkeypatch.setattr("sys.platform", "linux")
    assert folder() == Path("/somewhere/labkit/weights")
    monkeypatch.setattr("sys.platform", "win32")
    assert folder() == Path("/windows/labkit/weights")
    monkeypatch.setattr("sys.platform", "darwin")
    assert folder() == Path.home() / "Library/Application Support/labkit/weights"


def test_nothing_is_there_before_anything_was_pulled(home: Path) -> None:
    """Looking makes no folder."""
    assert pulled() == []
    assert find("m") is None
    assert not home.exists()


def test_what_is_recorded_and_has_its_size_is_found(home: Path) -> None:
    """A whole folder is found by its name."""
    put(home, RECORD)
    assert find("m") == home / "m" / "m.gguf"
    assert pulled() == [RECORD]


def test_a_cut_file_is_not_found(home: Path) -> None:
    """A file that is not of its recorded size counts as missing."""
    put(home, RECORD, b"GG")
    assert find("m") is None
    assert pulled() == []


@pytest.mark.parametrize("about", [b"", b"{", b"[]", b'{"name": "m"}', b"\xff\xfe"])
def test_a_damaged_record_counts_as_missing(home: Path, about: bytes) -> None:
    """A record that cannot be read is as good as none."""
    put(home, RECORD)
    (home / "m" / ABOUT).write_bytes(about)
    assert find("m") is None


def test_a_record_cannot_lead_out_of_its_folder(home: Path) -> None:
    """A record that names a file elsewhere, or another name, is not believed."""
    (home.parent / "out.gguf").write_bytes(b"GGUF")
    put(home, msgspec.structs.replace(RECORD, file="../../out.gguf"))
    assert find("m") is None
    put(home, RECORD, at="n")
    assert find("n") is None


@given(st.text())
def test_any_name_may_be_asked_for(name: str) -> None:
    """Whatever a model is called, looking for it reads nothing outside the folder and never raises."""
    found = read(name)
    assert found is None or is_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../m", "a/b", "/etc", "m\0", "-m", ".m", "m\n", "ü", "a" * 151]
)
def test_names_that_are_paths_are_no_names(name: str) -> None:
    """Nothing that could mean another folder is a name."""
    assert not is_name(name)
