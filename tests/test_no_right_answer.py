"""notebooks/04_no_right_answer.ipynb: a judge, labels and an arena, on the real local models."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import labkit as lk

ROOT = Path(__file__).parents[1]
NAME = "04_no_right_answer.ipynb"


@pytest.mark.alone
def test_the_notebook_runs_and_says_what_it_teaches(tmp_path: Path) -> None:
    """Four rows: every cell runs, the judge's calls stand apart, the labels of these rows are kept, and the
    recorded rater has rated."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    (tmp_path / "data").symlink_to(ROOT / "data")
    path = tmp_path / "notebooks" / NAME
    book = nbformat.read(path, as_version=4)
    for cell in book.cells:
        cell.source = cell.source.replace("rows = 40", "rows = 4")
    nbformat.write(book, path)
    command = [sys.executable, "-m", "papermill", "--log-level", "ERROR", path.name, "done.ipynb"]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    lab = lk.Lab(tmp_path / "lab.duckdb")
    assert lab.generations()["status"].tolist() == ["done"] * 8
    assert set(lab.runs(kind="judge")["done"]) == {8, 12}
    assert lab.sql("select count(*) as n from labels")["n"][0] == 8
    assert lab.sql('select distinct "user" from ratings')["user"].tolist() == ["recorded"]
    written = nbformat.read(path.parent / "done.ipynb", as_version=4)
    told = [str(out) for cell in written.cells for out in cell.get("outputs", ())]
    assert any("By fits, uncorrected" in one for one in told)
    assert any("By fits, labels alone" in one for one in told)
    assert any("of 100 blind comparisons" in one or "Nothing is said before" in one for one in told)
