"""A notebook executed without anybody there, whose cell takes too long: F25."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

import labkit as lk

CELL = """
import labkit as lk
lab = lk.Lab("lab.duckdb")
model = lk.Model("faulty/m", base_url={url!r}, concurrency=4)
rows = [{{"n": str(number)}} for number in range(12)]
run = lab.plan(prompts=["Say {{{{ n }}}}."], models=[model], dataset=rows).run()
"""
NBCLIENT = """
import sys
import nbformat
from nbclient import NotebookClient
book = nbformat.read("book.ipynb", as_version=4)
NotebookClient(book, timeout=float(sys.argv[1]), kernel_name="python3").execute()
"""


def schedule(how: str, seconds: float, here: Path) -> int:
    """Execute the notebook as a scheduled job does, and give the exit code."""
    labkit = str(Path(sys.executable).with_name("labkit"))
    words = {
        "labkit run": [labkit, "run", "book.ipynb", "--no-html", "--out", "out.ipynb", "--timeout"],
        "nbclient": [sys.executable, "-c", NBCLIENT],
    }[how]
    return subprocess.run(
        [*words, f"{seconds:g}"],
        cwd=here,
        env={**os.environ, "LABKIT_PROGRESS": "none"},
        capture_output=True,
        timeout=180,
        check=False,
    ).returncode


@pytest.mark.parametrize("how", ["labkit run", pytest.param("nbclient", marks=pytest.mark.soak)])
def test_a_time_out_loses_nothing(how: str, channel: Any, here: Path, asked: Callable[..., Any]) -> None:
    """F25: a cell that takes too long ends the job with an exit code that is not 0, every answer before is
    kept, and the next schedule asks exactly what is missing."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cell = nbformat.v4.new_code_cell(CELL.format(url=channel.model().base_url))
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), here / "book.ipynb")
    channel.script(*[{}] * 5, then={"hang": True})
    seconds = 4.0
    while True:  # a busy machine may not even have begun to ask when the time is up
        code = schedule(how, seconds, here)
        assert code == (124 if how == "labkit run" else 1)
        if len(channel.seen()) >= 9:
            break
        seconds *= 2
    lab = lk.Lab(here / "lab.duckdb")
    kept = lab.generations(status="done")
    assert len(kept) == 5
    before = len(channel.seen())
    maybe = lab.runs()["maybe_paid"].item()
    assert maybe == before - 5
    channel.script(then={})
    assert schedule(how, 120.0, here) == 0
    again = asked(channel)[before:]
    assert sorted(again) == sorted({f"Say {n}." for n in range(12)} - {f"Say {n}." for n in kept["sample.n"]})
    runs = lab.runs()
    assert runs["status"].tolist() == ["finished"]
    assert runs["done"].tolist() == [12]
    assert runs["maybe_paid"].item() == maybe
