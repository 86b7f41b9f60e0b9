"""docs/how-to: each page's code runs from top to bottom, as a reader would paste it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "how-to"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "index.md")
ADDRESS = "http://127.0.0.1:8000/v1"
SERVICE = "http://127.0.0.1:8000"
SERVE = "labkit serve"
LONGEST_PAGE = 60


def blocks(page: Path) -> list[tuple[str, str]]:
    """The page's code blocks in order: language and text."""
    return re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


SERVING = [page for page in PAGES if f"\n{SERVE} " in page.read_text(encoding="utf-8")]


@pytest.mark.alone
@pytest.mark.parametrize("page", [one for one in PAGES if one not in SERVING], ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page: Path, here: Path, endpoint: str) -> None:
    """Python in one notebook's namespace, `labkit` commands in the same folder; on the real local models, and
    on a real server where the page names an endpoint."""
    from labkit.cli.main import labkit

    (here / "data").symlink_to(ROOT / "data")
    # Copied, since a notebook's lab lies beside its folder.
    shutil.copytree(ROOT / "notebooks", here / "notebooks")
    names: dict[str, Any] = {}
    for language, text in blocks(page):
        if language == "python":
            exec(compile(text.replace(ADDRESS, endpoint), page.name, "exec"), names)
        elif language == "sh":
            for line in text.splitlines():
                program, *arguments = shlex.split(line)
                assert program == "labkit", line
                told = CliRunner().invoke(labkit, arguments)
                assert told.exit_code == 0, told.output
    lab = names["lab"]
    assert lab.sql("from scores where error is not null").empty
    assert set(lab.generations()["status"]) <= {"done", "stopped"}


@pytest.mark.alone
@pytest.mark.parametrize("page", SERVING, ids=lambda page: page.stem)
def test_the_code_of_a_page_about_the_service_runs(
    page: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands in a shell that keeps its variables, its Python beside them; what `labkit serve` starts
    gets a free port and ends with the page, and answers no request with a problem."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    address = SERVICE
    with ExitStack() as services:
        for language, text in blocks(page):
            if text.strip() == SERVE:
                address = services.enter_context(serving())
            elif language == "sh":
                assert "about:blank" not in shell(text.replace(SERVICE, address), monkeypatch)
            elif language == "python":
                exec(compile(text.replace(SERVICE, address), page.name, "exec"), {})


@contextmanager
def serving() -> Iterator[str]:
    """The address of a service of the lab in this folder."""
    command = [*SERVE.split(), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout is not None
            yield service.stdout.readline().split()[-1]
        finally:
            service.terminate()


def shell(text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the commands print; the variables that they export are there for what comes after."""
    script = f"set -e\n{text}\nenv -0 >variables"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    for line in Path("variables").read_text().split("\0"):
        name, equals, value = line.partition("=")
        if equals:
            monkeypatch.setenv(name, value)
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_fits_a_screen(page: Path) -> None:
    """One question, at most a screen."""
    assert len(page.read_text(encoding="utf-8").splitlines()) <= LONGEST_PAGE


def test_each_page_is_listed() -> None:
    """The list of questions names every page, and nothing else."""
    listed = re.findall(r"\]\(([\w-]+\.md)\)", (FOLDER / "index.md").read_text(encoding="utf-8"))
    assert sorted(listed) == [page.name for page in PAGES]
