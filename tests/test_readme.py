"""README.md: its code runs, its links and commands exist, and so does what the manual's tree draws."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The README's code blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.alone
def test_the_code_runs(here: Path) -> None:
    """The Python blocks run, on the real local models, as a reader would paste them."""
    (here / "data").symlink_to(ROOT / "data")
    names: dict[str, Any] = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    assert set(names["run"].generations()["status"]) == {"done"}


def test_it_is_short_and_its_links_lead_somewhere() -> None:
    """The README has at most 130 lines, and each file that it names by a link is there."""
    assert len(README.splitlines()) <= 130
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) > 10
    assert not [link for link in links if not (ROOT / link).exists()]


def test_the_tree_is_the_disks() -> None:
    """Every path in the manual's tree exists, and every module and package of the first floor is in it."""
    page = (ROOT / "docs" / "explanation" / "where-things-are.md").read_text(encoding="utf-8")
    tree = re.findall(r"^```text\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)[0]
    drawn: set[str] = set()
    above: list[str] = []
    for line in filter(str.strip, tree.splitlines()):
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        above = [*above[:depth], name]
        drawn.add("".join(above).rstrip("/"))
    missing = [path for path in drawn if not (ROOT / path).exists()]
    assert not missing
    rooms = [
        path
        for path in (ROOT / "labkit").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    real = {f"labkit/{path.name}" for path in rooms}
    assert not real - drawn


def test_every_command_is_there() -> None:
    """Each `labkit` and each `make` that the README says can be typed."""
    from labkit.cli.main import labkit

    told = "\n".join(blocks("sh"))
    assert set(re.findall(r"^labkit (\w+)", told, flags=re.MULTILINE)) <= set(labkit.commands)
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", told, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


@pytest.mark.parametrize("name", ["pip install -c constraints.txt", "conda env create -f environment.yml"])
def test_the_plain_ways_are_shown(name: str) -> None:
    """The README's first screen shows the pip and the conda way."""
    assert name in README[:3000]
