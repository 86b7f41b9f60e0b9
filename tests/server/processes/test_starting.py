"""A service that cannot start says why in one sentence, and ends with 1."""

from __future__ import annotations

import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
import uvicorn

from labkit.cli import main
from labkit.server.state import State
from tests.server.processes.serve_process import ServeProcess

pytestmark = pytest.mark.alone

Start = Callable[..., str]


@pytest.fixture
def start(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Start:
    """Starts a service of the lab here that must not start; gives what it says."""

    def begun(*_: object, **__: object) -> None:
        raise AssertionError("it starts")

    def run(*more: str) -> str:
        monkeypatch.setattr(uvicorn.Server, "run", begun)
        monkeypatch.setattr(sys, "argv", ["labkit", "serve", "--lab", "lab.duckdb", "--port", "0", *more])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert "fault of labkit" not in said
        return said

    return run


def test_a_second_start_says_who_holds_the_lab(
    serve: Callable[..., ServeProcess], start: Start, here: Path
) -> None:
    """On the same lab, and on the same port with another lab, it names what is taken and what to do."""
    service = serve()
    service.start()
    said = start()
    assert f"process {service.pid}" in said
    assert "--workers" in said
    port = service.url.rpartition(":")[2]
    said = start("--lab", "other.duckdb", "--port", port)
    assert f"Port {port} of 127.0.0.1 cannot be had" in said
    assert "--port" in said


def test_who_comes_at_once_waits(serve: Callable[..., ServeProcess], monkeypatch: pytest.MonkeyPatch) -> None:
    """From the moment the address is told a connection is taken, and answered once the service is ready."""
    monkeypatch.setattr(ServeProcess, "answers", lambda self: httpx2.get(self.url, timeout=60).status_code)
    service = serve()
    service.start()
    assert service.answers() == 200


def test_a_port_of_another_program(start: Start) -> None:
    """It is told that another program serves there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = start("--port", str(taken.getsockname()[1]))
    assert "Another program serves there" in said


def secret(content: bytes, mode: int = 0o600) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        file = folder / "lab.duckdb.serve.key"
        file.write_bytes(content)
        file.chmod(mode)

    return make


def newer(folder: Path) -> None:
    path = folder / "lab.duckdb.serve.sqlite"
    State(path).close()
    with sqlite3.connect(path) as rows:
        rows.execute("update alembic_version set version_num = '9999'")
    rows.close()


BROKEN = {
    "a secret of others": (secret(b"A" * 44, 0o644), "Others of this machine may read"),
    "a short secret": (secret(b"c2hvcnQ\n"), "32 are needed"),
    "no secret in it": (secret(b"\n"), "holds 0 keys"),
    "a secret that is no text": (secret(bytes(range(200, 250))), "not base64url"),
    "a folder for a secret": (
        lambda folder: (folder / "lab.duckdb.serve.key").mkdir(0o700),
        "Is a directory",
    ),
    "a newer state": (newer, "was written by a newer labkit (schema 9999)"),
    "a state that is none": (
        lambda folder: (folder / "lab.duckdb.serve.sqlite").write_bytes(b"no database" * 1000),
        "cannot be opened",
    ),
    "a folder for a state": (lambda folder: (folder / "lab.duckdb.serve.sqlite").mkdir(), "cannot be opened"),
    "a lab that is none": (
        lambda folder: (folder / "lab.duckdb").write_bytes(b"no lab" * 1000),
        "lab.duckdb",
    ),
    "models that are none": (lambda folder: (folder / "m.toml").write_text("no models"), "m.toml"),
}


@pytest.mark.parametrize(("make", "word"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_told_in_a_sentence(
    start: Start, here: Path, make: Callable[[Path], None], word: str
) -> None:
    """What cannot be used is named, before anybody is told that the service runs."""
    make(here)
    said = start(*(["--models", "m.toml"] if (here / "m.toml").exists() else []))
    assert word in said
