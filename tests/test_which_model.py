"""notebooks/03_which_model.ipynb: from a question to a verdict to a report, on the real local models."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

import labkit as lk
from labkit.cli import kernel
from labkit.cli.execution import execute
from labkit.cli.main import labkit

ROOT = Path(__file__).parents[1]
NAME = "03_which_model.ipynb"


@pytest.mark.alone
@pytest.mark.parametrize("rows", [20, pytest.param(240, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_it_goes_from_question_to_report(tmp_path: Path, rows: int) -> None:
    """Headless, with few rows and with all: every cell runs, all is answered, page and card are written."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    (tmp_path / "data").symlink_to(ROOT / "data")
    notebook, out = tmp_path / "notebooks" / NAME, tmp_path / "out.ipynb"
    book, python = kernel.read(notebook), kernel.Kernel("python3", "python")
    ended = execute(book, notebook, out, {"rows": rows}, chosen=python, timeout_s=None, quiet=True)
    assert ended.code == 0, ended.details
    run = lk.Lab(tmp_path / "lab.duckdb").run("latest")
    frame = run.generations()
    assert frame["status"].tolist() == ["done"] * rows * 4
    verdict = run.verdict("contains", by=["prompt", "model"], margin=0.05)
    executed = nbformat.read(out, as_version=4)
    shown = [output for cell in executed.cells for output in cell.get("outputs", ())]
    assert not [output for output in shown if output.output_type == "error"]
    assert any(verdict.headline in str(output) for output in shown)
    (link,) = (output.data["text/html"] for output in shown if "which_model.html" in str(output.get("data")))
    assert "href='../build/which_model.html'" in link
    page = (tmp_path / "build" / "which_model.html").read_text(encoding="utf-8")
    assert "Which prompt on which model should sort the shop" in page
    card = tmp_path / "build" / "which_model.card.json"
    told = CliRunner().invoke(labkit, ["replay", str(card), "--lab", str(tmp_path / "lab.duckdb")])
    assert told.exit_code == 0, told.output


def test_its_rows_are_what_the_readme_says() -> None:
    """240 different texts, half positive, sixty of each kind, half of each kind positive."""
    from labkit.datasets import load

    frame = load(ROOT / "data" / "datasets" / "shop_messages.csv").frame()
    assert len(frame) == frame["text"].nunique() == 240
    assert frame.groupby(["kind", "target"]).size().tolist() == [30] * 8
    readme = (ROOT / "data" / "datasets" / "README.md").read_text(encoding="utf-8")
    assert "These 240 texts, too, were written by a language model" in readme
    assert "CC0-1.0" in readme
