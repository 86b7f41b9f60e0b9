"""README.md: its code runs, its file tree is the disk's, and its commands exist."""

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
    """The Python blocks run one after the other, on the real local models, as a reader would paste them."""
    (here / "data").symlink_to(ROOT / "data")
    names: dict[str, Any] = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    assert names["run"].generations()["status"].tolist() == ["done"]


def test_the_tree_is_the_disks() -> None:
    """Every path in the README's tree exists, and every module, package and top-level file is in it."""
    tree = next(block for block in blocks("text") if "labkit/" in block)
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


def test_every_command_is_listed() -> None:
    """Each subcommand of `labkit` stands in the README, and each make target named there exists."""
    from labkit.cli.main import labkit

    for name in labkit.commands:
        assert f"labkit {name}" in README, name
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


@pytest.mark.parametrize("name", ["pip install -c constraints.txt", "conda env create -f environment.yml"])
def test_the_plain_ways_are_shown(name: str) -> None:
    """The README's first screen shows the pip and the conda way."""
    assert name in README[:3000]
