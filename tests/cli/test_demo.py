"""`labkit demo` and `labkit new`: what they put where, and that it runs as it stands."""

from __future__ import annotations

import errno
import importlib.util
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

import labkit as lk
from labkit.cli import examples
from labkit.cli.demo import _need, _next
from labkit.cli.main import labkit
from labkit.errors import DefinitionError, MissingPackage
from labkit.keys import resembles_key

ROOT = Path(__file__).parents[2]


def files(folder: Path) -> set[str]:
    """The files in a folder, by their paths in it."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def call(*words: str) -> str:
    """Calls `labkit …` as one types it; gives what it printed."""
    command = Path(sys.executable).parent / "labkit"
    return subprocess.run([command, *words], capture_output=True, text=True, check=True).stdout


def test_a_new_study_has_all_it_needs(here: Path) -> None:
    """A notebook, a table, prompts, a page that tells of them, and where keys go, which git leaves alone."""
    told = CliRunner().invoke(labkit, ["new", "study one"])
    assert told.exit_code == 0
    assert "cd 'study one'" in told.output
    study = here / "study one"
    assert files(study) == {
        *("study.ipynb", "README.md", ".env.example", ".gitignore"),
        *("data/prompts/ask.md", "data/prompts/examples.md"),
        *("data/datasets/tickets.csv", "data/datasets/README.md"),
    }
    assert ".env" in (study / ".gitignore").read_text().splitlines()
    lines = (study / ".env.example").read_text().splitlines()
    assert all(line.startswith("#") and not resembles_key(line) for line in lines)
    assert any(line.endswith("OPENAI_API_KEY=") for line in lines)
    named = {word.strip("`") for word in (study / "README.md").read_text().split() if word.startswith("`")}
    assert {"study.ipynb", "data/datasets/tickets.csv", "data/prompts/", ".env.example"} <= named
    book = nbformat.read(study / "study.ipynb", as_version=4)
    assert book.metadata.kernelspec.name == "python3"
    assert book.cells[1].metadata.tags == ["parameters"]


def test_a_study_is_put_over_nothing(here: Path) -> None:
    """A folder with something in it and a file are refused and stay as they are; an empty folder is taken."""
    (here / "full").mkdir()
    (here / "full" / "mine.txt").write_text("mine")
    (here / "file").write_text("mine")
    for name in ("full", "file", "file/below"):
        told = CliRunner().invoke(labkit, ["new", name])
        assert isinstance(told.exception, DefinitionError), told.output
    assert files(here) == {"full/mine.txt", "file"}
    (here / "empty").mkdir()
    assert CliRunner().invoke(labkit, ["new", "empty"]).exit_code == 0
    assert "study.ipynb" in files(here / "empty")


@pytest.mark.alone
def test_a_new_study_runs_as_it_stands(here: Path) -> None:
    """On the real local models, with few rows: answers, a verdict and a report."""
    call("new", "study")
    call("run", "study/study.ipynb", "-p", "rows", "3", "--no-html")
    frame = lk.Lab(here / "study" / "lab.duckdb").generations()
    assert frame["status"].tolist() == ["done"] * 12
    assert "Which prompt, on which model?" in (here / "study" / "report.html").read_text(encoding="utf-8")


@pytest.mark.alone
def test_the_demo_runs_in_any_folder_and_ends_in_the_answer(here: Path) -> None:
    """It brings its notebooks and data, leaves what is there, says what it found and what to type next."""
    mine = here / "labkit-demo" / "data" / "prompts" / "ask.md"
    mine.parent.mkdir(parents=True)
    mine.write_text((ROOT / "data" / "prompts" / "ask.md").read_text() + "Reply now.\n")
    told = call("demo", "--rows", "2")
    assert mine.read_text().endswith("Reply now.\n")
    lab = lk.Lab(here / "labkit-demo" / "lab.duckdb")
    assert lab.generations()["status"].tolist() == ["done"] * 8
    assert lab.run("latest").verdict(by=["prompt", "model"]).headline in " ".join(told.split())
    assert "what a thousand such answers cost" in told
    assert "lab --ServerApp.root_dir=labkit-demo" in told
    assert "make lab" not in told
    assert (here / "labkit-demo" / "build" / "01_quickstart.html").exists()


def test_in_a_clone_the_next_command_is_make_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only there: `make demo` asks in the repository itself, where the target is; no other folder has it."""
    monkeypatch.chdir(ROOT)
    assert any("make lab" in line for line in _next(lk.Lab("lab.duckdb"), Path()))
    assert not any("make lab" in line for line in _next(lk.Lab("lab.duckdb"), Path("labkit-demo")))
    makefile = (ROOT / "Makefile").read_text()
    assert "labkit demo ." in makefile
    # The file browser begins at the root, so that data and reports can be reached.
    assert "--ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks/01_quickstart.ipynb" in makefile


def test_the_demo_says_first_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 330 MB are fetched: which packages, and how to get them."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"pip install 'labkit\[local,notebook\]'"):
        _need()


def test_what_comes_with_labkit_is_found_installed_and_in_a_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel takes notebooks and data into the package; a clone has them beside it; else one is told."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["sources"] == {part: f"labkit/examples/{part}" for part in examples.PARTS}
    assert set(wheel["only-include"]) == {"labkit", *examples.PARTS}
    assert examples.shipped() == ROOT
    package = tmp_path / "site" / "labkit"
    monkeypatch.setattr(examples, "_PACKAGE", package)
    with pytest.raises(DefinitionError, match="Install it anew"):
        examples.shipped()
    for part in examples.PARTS:
        examples.put(ROOT / part, package / "examples" / part)
    assert examples.shipped() == package / "examples"
    assert "notebooks/01_quickstart.ipynb" in files(package / "examples")


def test_half_a_file_is_not_taken_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is full the copy is told to have failed, and made whole at the next try."""

    def fills(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    source, target = ROOT / "data" / "prompts", tmp_path / "prompts"
    with monkeypatch.context() as patched:
        patched.setattr("shutil.copyfile", fills)
        with pytest.raises(DefinitionError, match=r"ask\.md cannot be written: No space left"):
            examples.put(source, target)
    examples.put(source, target)
    assert (target / "ask.md").read_bytes() == (source / "ask.md").read_bytes()
    assert not list(target.glob("*.part"))


@pytest.mark.parametrize("name", ["study", "there", "a/b/study"])
def test_a_new_study_is_there_as_a_whole_or_not_at_all(
    here: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Where the disk is full in the middle, no half study is left, and the next try makes a whole one."""
    (here / "there").mkdir()
    copy, copied = shutil.copyfile, []

    def fills(source: Path, target: Path) -> None:
        if len(copied) == 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        copied.append(copy(source, target))

    with monkeypatch.context() as patched:
        patched.setattr("shutil.copyfile", fills)
        told = CliRunner().invoke(labkit, ["new", name])
    assert isinstance(told.exception, DefinitionError)
    assert len(copied) == 6
    assert list(here.rglob("*")) == [here / "there"]
    assert CliRunner().invoke(labkit, ["new", name]).exit_code == 0
    assert len(files(here / name)) == 8


def test_without_nbconvert_there_is_no_page_and_it_says_so(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notebook is run all the same."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")])
    nbformat.write(book, here / "n.ipynb")
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *more: None if name == "nbconvert" else found(name, *more)
    )
    told = CliRunner().invoke(labkit, ["run", "n.ipynb"])
    assert told.exit_code == 0, told.output
    assert "There will be no HTML page: it needs pip install 'labkit[notebook]'." in told.output
    assert files(here / "build") == {"n.ipynb"}


def test_the_study_is_a_notebook_without_outputs() -> None:
    """What was printed while it was written is nobody's result."""
    book = json.loads((ROOT / "labkit" / "cli" / "study" / "study.ipynb").read_text())
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in book["cells"])
