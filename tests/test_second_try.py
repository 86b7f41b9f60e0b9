"""What `make test` does with a test that fails: once more, and told, where it is not run with all others."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
TOGETHER, PAIRS, ALONE = 0, 1, 2
TEST = """
import pathlib
import pytest

{mark}
def test_it():
    with pathlib.Path(__file__).with_name("tries").open("a") as tries:
        tries.write("x")
        tries.flush()
        assert tries.tell() > {failures}, "the machine was busy"
"""
Try = Callable[[int, str, int], pytest.RunResult]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What follows `pytest` in each of the commands that `make test` would run."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    words = ["make", "--dry-run", "--always-make", "test"]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    lines = [shlex.split(line) for line in done.stdout.splitlines() if "-m pytest" in line]
    return [line[line.index("pytest") + 1 :] for line in lines]


@pytest.fixture
def tried(commands: list[list[str]], pytester: pytest.Pytester) -> Try:
    """Run a test that fails so often with one of the commands, under this project's settings."""
    shutil.copy(ROOT / "pyproject.toml", pytester.path)

    def run(command: int, mark: str, failures: int) -> pytest.RunResult:
        place = pytester.mkdir("tests")
        (place / "test_one.py").write_text(TEST.format(mark=mark, failures=failures))
        # Without other processes, which take seconds to begin.
        return pytester.runpytest_subprocess(*commands[command], "-n0")

    return run


def test_there_are_three_parts(commands: list[list[str]]) -> None:
    """Every test that is not for `make soak` is in one of three parts, and in one only."""
    chosen = [words[words.index("-m") + 1] for words in commands]
    assert chosen == [
        "not alone and not browser and not soak",
        "browser and not alone and not soak",
        "alone and not soak",
    ]


@pytest.mark.parametrize(
    ("command", "mark"), [(PAIRS, "@pytest.mark.browser"), (ALONE, "@pytest.mark.alone")]
)
def test_a_second_try_is_told(tried: Try, pytester: pytest.Pytester, command: int, mark: str) -> None:
    """Such a test that fails once passes, and the report names it with what went wrong at first."""
    result = tried(command, mark, 1)
    assert result.ret == 0
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["*rerun test summary info*", "RERUN tests/test_one.py::test_it", "*the machine was busy*"]
    )
    assert (pytester.path / "tests" / "tries").read_text() == "xx"


def test_there_is_no_third_try(tried: Try, pytester: pytest.Pytester) -> None:
    """What fails twice has failed."""
    result = tried(ALONE, "@pytest.mark.alone", 2)
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    assert (pytester.path / "tests" / "tries").read_text() == "xx"


def test_all_others_have_one_try(tried: Try, pytester: pytest.Pytester) -> None:
    """A test that runs together with others is never tried again."""
    result = tried(TOGETHER, "", 1)
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    assert (pytester.path / "tests" / "tries").read_text() == "x"
