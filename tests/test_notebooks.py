"""The notebooks run from top to bottom, on the real local models, with few rows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import labkit as lk

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
FEW_ROWS = "rows = 4"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what a notebook needs, so that running it leaves nothing behind."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    (tmp_path / "data").symlink_to(ROOT / "data")
    return tmp_path


@pytest.mark.alone
def test_the_quickstart_runs_and_its_table_is_real(project: Path) -> None:
    """nbval executes the quickstart on 4 rows; its 16 answers come from two models and none failed."""
    path = project / "notebooks" / "01_quickstart.ipynb"
    book = nbformat.read(path, as_version=4)
    parameters = next(cell for cell in book.cells if "parameters" in cell.metadata.get("tags", ()))
    assert "rows = 40" in parameters.source
    parameters.source = parameters.source.replace("rows = 40", FEW_ROWS)
    nbformat.write(book, path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", str(path)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    frame = lk.Lab(project / "lab.duckdb").generations()
    assert frame["status"].tolist() == ["done"] * 16
    assert frame["model"].nunique() == 2
    assert (frame["latency_s"] > 0).all()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_opens_without_questions(name: str) -> None:
    """Each notebook names its kernel, tags its parameters, and begins with prose."""
    book = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    assert book.metadata.kernelspec.name == "python3"
    assert book.cells[0].cell_type == "markdown"
    assert any("parameters" in cell.metadata.get("tags", ()) for cell in book.cells)
