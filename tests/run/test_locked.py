"""A run whose lab somebody else holds: answers go on landing, and what reads waits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import labkit as lk
from labkit.records import Request

HOLD = """
import duckdb, sys
for _ in range(500):
    try:
        connection = duckdb.connect(sys.argv[1])
        break
    except duckdb.IOException:
        import time
        time.sleep(0.02)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_run_ends_while_somebody_holds_the_lab(lab: lk.Lab, here: Path, echo: Callable[..., Any]) -> None:
    """F30: the file is taken in mid-run; every answer is kept, and scores come once it is free again."""
    lab.plan(prompts=["Say {{ n }}"], models=[echo("first")], dataset=[{"n": "0"}]).run()
    lab.store.wait_s = 0.3
    holders: list[subprocess.Popen[str]] = []

    def answer(request: Request) -> str:
        if not holders:
            words = [sys.executable, "-c", HOLD, str(here / "lab.duckdb")]
            holders.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            assert holders[0].stdout is not None
            assert holders[0].stdout.readline() == "held\n"
        return str(request.messages[-1]["content"])

    rows = [{"n": str(number), "target": f"Say {number}"} for number in range(5)]
    plan = lab.plan(
        prompts=["Say {{ n }}"], models=[echo("second", answers=answer)], dataset=rows, scorers=[lk.exact()]
    )
    run = plan.run()
    holders[0].communicate("")
    frame = run.generations()
    assert frame["status"].tolist() == ["done"] * 5
    assert run.status == "finished"
    assert "score.exact" not in frame.columns
    assert run.score(lk.exact())["score.exact"].tolist() == [1.0] * 5
