"""What is installed, loaded and written: groups S15 and S23."""

from __future__ import annotations

import re
import site
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import distribution, distributions
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import labkit as lk

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTENSIONS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_unsigned_extensions": "false",
    "allow_community_extensions": "false",
    "enable_external_access": "false",
}


def normal(name: str) -> str:
    """A distribution's name as registries compare them."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", name)[0]).lower()  # type: ignore[index]


def needed() -> set[str]:
    """The distributions labkit needs, and those they need, as far as they are installed."""
    found: set[str] = set()
    waiting = ["labkit"]
    while waiting:
        name = waiting.pop()
        try:
            requires = distribution(name).requires or []
        except Exception:  # noqa: BLE001 - an extra that is not installed
            continue
        for one in requires:
            if "extra ==" not in one and normal(one) not in found:
                found.add(normal(one))
                waiting.append(normal(one))
    return found


def test_every_dependency_is_pinned() -> None:
    """S23: the constraints name one version for every distribution labkit needs, and no range."""
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert all(version for version in pinned.values())
    wanted = {normal(one) for one in PROJECT["dependencies"]}
    for extra in PROJECT["optional-dependencies"].values():
        wanted |= {normal(one) for one in extra}
    optional = {normal("keyring")}
    assert wanted - {normal(name) for name in pinned} <= optional


def test_nothing_refused_is_needed() -> None:
    """S23: neither litellm nor anything else that was refused is among what labkit needs."""
    assert not needed() & {"litellm", "nest-asyncio", "langchain", "langchain-core", "sqlalchemy", "alembic"}


def test_no_path_file_of_unknown_origin() -> None:
    """S23: every `.pth` file, which Python runs at its start, belongs to an installed distribution, and
    labkit's own holds a path and no code."""
    owned = {
        Path(str(distribution_.locate_file(file))).resolve()
        for distribution_ in distributions()
        for file in distribution_.files or ()
        if str(file).endswith(".pth")
    }
    for folder in {path for path in map(Path, [*site.getsitepackages(), *sys.path]) if path.is_dir()}:
        for path in folder.glob("*.pth"):
            assert path.resolve() in owned, f"{path.name} is nobody's"
    for file in distribution("labkit").files or ():
        if str(file).endswith(".pth"):
            assert not re.search(r"(?m)^\s*import\b", Path(str(file.locate())).read_text())


def test_the_package_ships_no_code_that_runs_by_itself() -> None:
    """S23: the package has no path file, no start-up file and no entry point but the command."""
    assert PROJECT["scripts"] == {"labkit": "labkit.cli:main"}
    assert "entry-points" not in PROJECT
    names = [path.name for path in (REPOSITORY / "labkit").rglob("*")]
    assert not [name for name in names if name.endswith(".pth") or name in ("sitecustomize.py", "setup.py")]


def test_no_extension_is_fetched_or_loaded(lab: lk.Lab, echo: Callable[..., Any]) -> None:
    """S23: a person's SQL runs with DuckDB's extensions off, and labkit's own work loads none."""
    lab.plan(prompts=["Say a."], models=[echo()]).run()
    for name, value in EXTENSIONS.items():
        got = lab.sql("select value from duckdb_settings() where name = ?", [name])["value"].item()
        assert got == value, name
    loaded = (
        "select extension_name from duckdb_extensions() where loaded and install_mode <> 'STATICALLY_LINKED'"
    )
    assert lab.store.table(loaded).num_rows == 0
    assert not list(Path.cwd().rglob("*.duckdb_extension"))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum(a1)", "\t=1", "\r=1", "=cmd|' /c calc'!a1"])
def test_no_spreadsheet_is_written(text: str, lab: lk.Lab) -> None:
    """S15: labkit itself writes no file that a spreadsheet would run: exports are Parquet, and hold answers
    as they came."""
    script = lk.Script([text], version="1")
    lab.plan(prompts=["Say a."], models=[lk.Model("scripted/m", client=script)]).run()
    folder = lab.export(Path.cwd() / "exported")
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".parquet", ".sql"}
    tables = [pd.read_parquet(path) for path in folder.rglob("*generations*.parquet")]
    assert [table["text"].item() for table in tables] == [text]
