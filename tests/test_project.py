"""The project's own files: one list of packages, pins that name no place, and no leftovers."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!; ]", line)[0].lower().replace("_", "-") for line in requirements}


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def test_every_dependency_is_pinned() -> None:
    """Each package that pyproject.toml names has one tested version in constraints.txt."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = _names(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        named |= _names(extra)
    assert not named - _pins().keys()


def test_constraints_hold_versions_only() -> None:
    """constraints.txt has `name==version` lines: no address, path or option."""
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"(#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.+!-]+)?", line), line


def test_duckdb_stays_below_two() -> None:
    """The pinned DuckDB is a 1.5: 2.0 loses what other processes committed."""
    assert _pins()["duckdb"].startswith("1.5.")


def test_conda_installs_what_pip_does() -> None:
    """environment.yml lists Python and pip, and leaves all packages to pyproject.toml."""
    lines = [line.strip("- ") for line in (ROOT / "environment.yml").read_text().splitlines()]
    listed = [line for line in lines if line and not line.startswith("#") and ":" not in line]
    assert listed == [
        "conda-forge",
        "python>=3.11,<3.14",
        "pip",
        "constraint constraints.txt",
        "editable .[local,notebook,keyring,server,postgres,docs,dev]",
    ]


def test_ci_runs_the_readmes_command() -> None:
    """`.ci/run` calls `make test`, which the README names, and nothing else."""
    script = (ROOT / ".ci" / "run").read_text()
    commands = [line for line in script.splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["make test"]
    assert "make test" in (ROOT / "README.md").read_text()
