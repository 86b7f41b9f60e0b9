"""notebooks/05_chains_and_blocks.ipynb: a chain, models per step and three blocks, on the real local
models.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

import labkit as lk
from labkit.cli.main import labkit

ROOT = Path(__file__).parents[1]
NAME = "05_chains_and_blocks.ipynb"


@pytest.mark.alone
def test_the_notebook_runs_and_its_answers_are_real(tmp_path: Path) -> None:
    """On 3 rows: chains of both models crossed, each step asked once for all that follows it, and eight sets
    of blocks; no cell fails, and what it shows names each."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    (tmp_path / "data").symlink_to(ROOT / "data")
    path = tmp_path / "notebooks" / NAME
    out, at = tmp_path / "out.ipynb", tmp_path / "lab.duckdb"
    given = ["-p", "rows", "3", "-p", "lab_path", str(at), "--out", str(out), "--no-html"]
    done = CliRunner().invoke(labkit, ["run", str(path), *given])
    assert done.exit_code == 0, done.output
    lab = lk.Lab(at)
    chains = lab.run(lab.runs(experiment="gist-first")["run_id"].iloc[0])
    steps = chains.generations(steps=True)
    assert steps["status"].tolist() == ["done"] * 3 * (2 + 2 + 4)
    assert steps["latency_s"].gt(0).all()
    whole = chains.generations()
    assert len(whole) == 3 * (2 + 4)
    assert set(whole.loc[whole["prompt"] == "gist-first", "model"]) == {
        "local/smollm2-135m",
        "local/gemma-3-270m",
        "gist: local/smollm2-135m, tone: local/gemma-3-270m",
        "gist: local/gemma-3-270m, tone: local/smollm2-135m",
    }
    blocks = lab.run(lab.runs(experiment="blocks")["run_id"].iloc[0])
    assert len(blocks.generations()) == 3 * 8
    assert [row.block for row in blocks.ablation().frame().itertuples()] == ["examples", "manner", "company"]
    shown = nbformat.writes(nbformat.read(out, as_version=4))
    for words in ("For step tone:", "Cheapest set", "18 answers in 24 requests"):
        assert words in shown
