"""docs/how-to: each page's code runs from top to bottom, as a reader would paste it."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "how-to"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "index.md")
ADDRESS = "http://127.0.0.1:8000/v1"
LONGEST_PAGE = 60


def blocks(page: Path) -> list[tuple[str, str]]:
    """The page's code blocks in order: language and text."""
    return re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.alone
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_fits_a_screen(page: Path) -> None:
    """One question, at most a screen."""
    assert len(page.read_text(encoding="utf-8").splitlines()) <= LONGEST_PAGE


def test_each_page_is_listed() -> None:
    """The list of questions names every page, and nothing else."""
    listed = re.findall(r"\]\(([\w-]+\.md)\)", (FOLDER / "index.md").read_text(encoding="utf-8"))
    assert sorted(listed) == [page.name for page in PAGES]
