"""F7: two processes with one key at a server that takes so many requests a minute."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
KEY = "sk-test-0123456789abcdef"

# A notebook with a lab of its own: it says that it is ready, waits for its turn, and asks its rows.
NOTEBOOK = """
import sys

import labkit as lk

name, base_url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
model = lk.Model("limited/m", base_url=base_url, key_env="LIMITED_API_KEY", prices={"input": 0, "output": 0})
rows = [{"n": str(number)} for number in range(count)]
plan = lk.Lab(name + ".duckdb").plan(prompts=[name + " {{ n }}"], models=[model], dataset=rows)
print("ready", flush=True)
sys.stdin.readline()
run = plan.run(progress="none")
print(run.generations()["status"].value_counts().to_dict(), run.limits.frame()["runs"].item(), flush=True)
"""


@dataclass
class Served:
    """What the server saw of one notebook or of all."""

    requests: list[dict[str, Any]]

    def of(self, name: str) -> list[float]:
        """When a notebook's requests were taken, in seconds since the first of all."""
        begun = self.requests[0]["at"]
        return [
            one["at"] - begun
            for one in self.requests
            if one["status"] == 200 and one["said"].startswith(name + " ")
        ]

    @property
    def refused(self) -> float:
        """The part of the requests that was refused."""
        return sum(one["status"] == 429 for one in self.requests) / len(self.requests)


class Limited:
    """A limiting server, and notebooks that ask it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[str]] = []
        self.address = ""

    def serve(self, **told: Any) -> None:
        """Start the server."""
        server = self._start([str(HERE / "limiting.py"), json.dumps(told)])
        assert server.stdout is not None
        self.address = f"http://127.0.0.1:{int(server.stdout.readline())}"

    def notebook(self, name: str, count: int, **more: str) -> subprocess.Popen[str]:
        """A notebook that is ready to ask so many rows."""
        return self._start(["-c", NOTEBOOK, name, f"{self.address}/v1", str(count)], **more)

    def seen(self) -> Served:
        """What the server saw so far."""
        with urllib.request.urlopen(f"{self.address}/seen", timeout=10) as response:
            return Served(json.load(response))

    def _start(self, command: list[str], **more: str) -> subprocess.Popen[str]:
        places = {"XDG_CACHE_HOME": str(self.folder / "cache"), "LIMITED_API_KEY": KEY}
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=self.folder,
            env={**os.environ, **places, **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process


def go(*notebooks: subprocess.Popen[str]) -> None:
    """Wait until all are ready, and let them ask."""
    for notebook in notebooks:
        assert notebook.stdout is not None
        assert notebook.stdout.readline() == "ready\n"
    for notebook in notebooks:
        assert notebook.stdin is not None
        notebook.stdin.write("go\n")
        notebook.stdin.flush()


@pytest.fixture
def limited(here: Path) -> Iterator[Limited]:
    """A place for a server and notebooks; all end with the test."""
    made = Limited(here)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


@pytest.fixture
def two(limited: Limited) -> Callable[..., Served]:
    """Two notebooks ask so many rows each, at once; gives what the server saw."""

    def run(count: int, timeout_s: float, **told: Any) -> Served:
        limited.serve(**told)
        notebooks = [limited.notebook(name, count) for name in ("A", "B")]
        go(*notebooks)
        for notebook in notebooks:
            said, _ = notebook.communicate(timeout=timeout_s)
            assert said.startswith(f"{{'done': {count}}}")
        return limited.seen()

    return run


def fair(served: Served, count: int) -> None:
    """Both got all their answers, and neither long after the other."""
    times = [served.of(name) for name in ("A", "B")]
    assert [len(one) for one in times] == [count, count]
    ends = [one[-1] for one in times]
    assert min(ends) > 0.6 * max(ends), ends


def test_two_processes_share_a_limit(two: Callable[..., Served]) -> None:
    """F7: 60 requests each from two processes at 600 a minute: less than 5 % refused, both end together."""
    served = two(60, 60, per_minute=600, left=30)
    print(served.refused, served.of("A")[-1], served.of("B")[-1])
    assert served.refused < 0.05
    fair(served, 60)
