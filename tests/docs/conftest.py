"""The manual as `make docs` builds it, and a server for the address that its pages name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "tests" / "faults" / "server.py"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An endpoint that speaks the OpenAI dialect, on a port of its own."""
    with subprocess.Popen([sys.executable, SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/c/manual/v1"
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manual, built; its tutorials are the notebooks as they lie there, without outputs."""
    place = tmp_path_factory.mktemp("manual")
    command = [sys.executable, ROOT / "docs" / "build.py", place / "none", place / "site"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "site"
