"""Too few file handles, too few threads: a run says so before it asks, or does with what there is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

Script = Callable[..., subprocess.Popen[str]]

ASK = """
import sys
import labkit as lk
from labkit.errors import LabkitError

model = lk.Model("faulty/m", base_url=sys.argv[2], concurrency=64)
rows = [{"n": str(number)} for number in range(100)]
try:
    plan = lk.Lab("lab.duckdb").plan(prompts=["Say {{ n }}."], models=[model], dataset=rows)
    run = plan.run(progress="none")
except LabkitError as error:
    print("told:", error)
else:
    print("ran", run.status, len(run.generations()), set(run.generations()["status"]))
"""
FEW_FILES = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)
"""
FEW_THREADS = """
import sys, threading
real, left = threading.Thread.start, [int(sys.argv[1])]

def start(self):
    left[0] -= 1
    if left[0] < 0:
        raise RuntimeError("can't start new thread")
    real(self)

threading.Thread.start = start
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits here")
@pytest.mark.parametrize(("handles", "asks"), [(9, False), (12, False), (16, False), (30, True), (40, True)])
def test_few_file_handles(handles: int, asks: bool, script: Script, channel: Any) -> None:
    """A process that may open few files ends no run in silence: it is told before the first request what to
    do, or fewer requests are out at a time, and every one is answered."""
    channel.script(then={"first_s": 0.05})
    process = script(FEW_FILES + ASK, str(handles), channel.model().base_url)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    if asks:
        assert out == "ran finished 100 {'done'}\n", err
    else:
        assert "Too many open files" in out
        assert "ulimit -n" in out
        assert channel.seen() == []


@pytest.mark.parametrize("threads", range(5))
def test_few_threads(threads: int, script: Script, channel: Any) -> None:
    """Where no more threads can be begun, that is what is told, and nothing was asked."""
    process = script(FEW_THREADS + ASK, str(threads), channel.model().base_url)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.startswith("told: ")
    assert "can't start new thread" in out
    assert channel.seen() == []
