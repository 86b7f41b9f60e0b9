"""notebooks/06_night_watch.ipynb: planted nights with each outcome, and one night of a real local model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

import labkit as lk
from labkit.cli.main import labkit
from tests.sentinel.hook_server import HookServer

ROOT = Path(__file__).parents[1]
NAME = "06_night_watch.ipynb"
FIGURE = "application/vnd.plotly.v1+json"


@pytest.fixture
def hook() -> Iterator[HookServer]:
    """A heartbeat monitor and a chat in one."""
    server = HookServer()
    yield server
    server.close()


@pytest.mark.alone
def test_the_notebook_runs_and_shows_each_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: HookServer
) -> None:
    """On 20 rows: worse with the resolved model named, cannot tell, dearer, not shown to be worse, a chart.
    Of the planted nights neither `labkit run` nor a chat hears; the real one gives the exit code and
    is told to the monitor."""
    for name in ("LABKIT_WEBHOOK", "LABKIT_HEARTBEAT"):
        monkeypatch.setenv(name, hook.address)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    (tmp_path / "data").symlink_to(ROOT / "data")
    out, at = tmp_path / "out.ipynb", tmp_path / "lab.duckdb"
    given = ["-p", "rows", "20", "-p", "lab_path", str(at), "--out", str(out), "--no-html", "--json"]
    done = CliRunner().invoke(labkit, ["run", str(tmp_path / "notebooks" / NAME), *given])
    written = json.loads(done.stdout)
    assert [one["sentinel"] for one in written["checks"]] == ["nightly"]
    assert written["exit_code"] == done.exit_code
    (check,) = written["checks"]
    assert check["outcome"] == "not shown to be worse" or check["again_run_id"] is not None
    assert [one.line.split()[0] for one in hook.arrived][-1] == "GET"
    assert len(hook.arrived) == 1 + (check["outcome"] != "not shown to be worse")

    lab = lk.Lab(at, workspace="night-watch")
    assert lab.runs()["cells"].tolist() == [60, 20]
    assert lab.generations()["status"].eq("done").all()
    assert set(lab.sql("select distinct workspace from checks")["workspace"]) == {"night-watch"}

    book = nbformat.read(out, as_version=4)
    outputs = [one for cell in book.cells for one in cell.get("outputs", ())]
    told = "".join(one.text for one in outputs if one.output_type == "stream")
    for words in (
        "planted: worse than baseline",
        "re-asked and confirmed). Changed: the resolved model (nimbus-2026-08 → nimbus-2026-11).",
        "planted: cannot tell (night 5).",
        "50 of 100 rows of the baseline have no fresh answer",
        "one more such night in a row ends it",
        "The price list did not change. Changed: the length of answers (60 % more tokens).",
        "could have gone unseen",
        "labkit: planted: not shown to be worse (it was: worse)",
    ):
        assert words in told, words
    (chart,) = [one.data[FIGURE] for one in outputs if FIGURE in one.get("data", {})]
    assert "n = 9 nights" in chart["layout"]["title"]["text"]
