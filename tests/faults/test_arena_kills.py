"""Killed after any key press, an arena has each rating that it acknowledged, once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import labkit as lk
from tests.run.arena_runs import run

pytestmark = [pytest.mark.alone, pytest.mark.skipif(sys.platform != "linux", reason="it forks")]
RATER = Path(__file__).with_name("arena_rater.py")
PRESSES = 200


def test_every_acknowledged_rating_is_there_once(here: Path) -> None:
    """Of 200 key presses and more, with a kill -9 at a random moment after a few of them each time: what was
    acknowledged is in the lab once; what was not is there once or not at all; each rater goes on."""
    chance = random.Random(7)
    ran = run(lk.Lab(here / "lab.duckdb"), rows=40)
    root = str(RATER.parents[2])
    nursery = subprocess.Popen(
        [sys.executable, str(RATER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])},
    )
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    acknowledged, kills, in_doubt = 0, 0, 0
    try:
        while acknowledged < PRESSES:
            user = f"u{kills}"
            nursery.stdin.write(f"{user} {here / 'lab.duckdb'} {ran.run_id}\n")
            nursery.stdin.flush()
            child, wanted = int(nursery.stdout.readline()), chance.randint(1, 9)
            path, deadline = here / f"acknowledged-{user}", time.monotonic() + 60
            while not path.exists() or path.read_text().count("\n") < wanted:
                assert time.monotonic() < deadline
                time.sleep(0.0005)
            moment = time.perf_counter() + chance.random() * 0.02
            while time.perf_counter() < moment:
                pass
            os.kill(child, signal.SIGKILL)
            kills += 1
            acknowledged += path.read_text().count("\n")
    finally:
        nursery.kill()
        nursery.wait()
    lab = lk.Lab(here / "lab.duckdb")
    rows = lab.sql('select "user", "comment", rating_id from ratings')
    assert rows["rating_id"].is_unique
    assert rows["comment"].is_unique
    for number in range(kills):
        told = (here / f"acknowledged-u{number}").read_text().splitlines()
        found = rows[rows["user"] == f"u{number}"]["comment"].tolist()
        assert set(told) <= set(found), f"a rating of u{number} is lost"
        assert len(found) - len(told) in (0, 1)
        in_doubt += len(found) - len(told)
    assert len(ran.ratings()) == acknowledged + in_doubt
    print(
        f"{kills} kills after {acknowledged} presses: 0 lost, 0 twice; {in_doubt} not acknowledged but there"
    )
    assert kills >= 20
