"""A lab whose file can only be read: asking goes on beside a reader, and a killed run can be looked at."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

import labkit as lk
from labkit.errors import StoreLocked
from labkit.store import memory_copy

ROWS = [{"n": str(number), "target": f"Say {number}."} for number in range(5)]
HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=True)
connection.sql("from runs").fetchall()
print("held", flush=True)
sys.stdin.read()
"""
Held = Callable[[Path], AbstractContextManager[None]]


@contextmanager
def here_held(path: Path) -> Iterator[None]:
    with duckdb.connect(str(path), read_only=True):
        yield


@contextmanager
def elsewhere_held(path: Path) -> Iterator[None]:
    words = [sys.executable, "-c", HOLD, str(path)]
    person = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert person.stdout is not None
    assert person.stdout.readline() == "held\n"
    try:
        yield
    finally:
        person.communicate("")


@pytest.fixture(params=[here_held, elsewhere_held], ids=["this kernel", "another process"])
def reader(request: pytest.FixtureRequest) -> Held:
    """A person's `duckdb.connect(…, read_only=True)`, left open."""
    held: Held = request.param
    return held


def plan_at(lab: lk.Lab, channel: Any, text: str = "Say {{ n }}.", **more: Any) -> lk.Plan:
    """Five questions."""
    return lab.plan(prompts=[text], models=[channel.model()], dataset=ROWS, **more)


def test_a_reader_s_connection_stops_no_run(lab: lk.Lab, channel: Any, asked: Any, reader: Held) -> None:
    """A new prompt is numbered, asked, scored and read while the file can only be read; once it is free,
    everything is in its tables, once."""
    lab.plan(prompts=[lk.Prompt("first", "Say hello.")], models=[channel.model()]).run()
    with reader(lab.path):
        run = plan_at(lab, channel, scorers=[lk.contains("n")]).run()
        assert run.status == "finished"
        frame = run.generations()
        assert frame["status"].tolist() == ["done"] * 5
        assert frame["score.contains"].notna().all()
        assert sorted(frame["sample.n"]) == ["0", "1", "2", "3", "4"]
        assert frame.attrs["labkit"]["unfolded_bytes"] > 0
        assert "held by" in frame.attrs["labkit"]["why"]
        assert len(run.summary()) == 1
        assert lab.runs()["status"].tolist() == ["finished", "finished"]
        assert lab.sql("select count(*) as n from generations")["n"].item() == 6
        assert len(lab.generations()) == 6
    frame = lab.generations()
    assert len(frame) == 6 == len(asked(channel))
    assert "labkit" not in frame.attrs
    assert lab.sql("select count(*) as n from log.generations")["n"].item() == 6


def test_what_only_the_journals_have_is_not_asked_again(
    lab: lk.Lab, channel: Any, asked: Any, reader: Held
) -> None:
    """Beside the reader's connection the same plan again is answered from the journals: nothing is paid
    twice, and its prompt keeps its number."""
    lab.plan(prompts=["Say hello."], models=[channel.model()]).run()
    with reader(lab.path):
        plan_at(lab, channel).run()
        before = len(asked(channel))
        again = plan_at(lab, channel).run()
        assert again.generations()["replayed_from"].notna().all()
        other = plan_at(lab, channel, "Say {{ n }}!").run()
        assert len(asked(channel)) == before + 5
        numbers = [run.generations()["prompt_version"].unique().tolist() for run in (again, other)]
    assert numbers == [[1], [1]]
    assert lab.sql("select count(*) as n from log.prompts")["n"].item() == 3


def test_a_run_goes_on_when_a_reader_comes(lab: lk.Lab, channel: Any, asked: Any, until: Any) -> None:
    """The connection is opened in mid-run, in this kernel, and stays: all is asked once and can be read."""
    lab.plan(prompts=["Say hello."], models=[channel.model()]).run()
    channel.script(then={"first_s": 0.2})
    run = plan_at(lab, channel).start()
    until(lambda: len(asked(channel)) >= 3)
    with duckdb.connect(str(lab.path), read_only=True):
        run.wait()
        assert run.status == "finished"
        assert len(run.generations()) == 5
        assert len(asked(channel)) == 6


def test_a_lab_too_large_to_copy_is_not_asked_on_half_of_it(
    lab: lk.Lab, channel: Any, asked: Any, reader: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file is too large to be copied into memory, its folded rows are shown and announced; a run
    that would go by them alone is refused in words before any request."""
    lab.plan(prompts=["Say hello."], models=[channel.model()]).run()
    monkeypatch.setattr(memory_copy, "COPY_BYTES", 0)
    with reader(lab.path):
        first = plan_at(lab, channel).run()
        assert first.status == "finished"
        assert len(first.generations()) == 5
        frame = lab.generations()
        assert frame["text"].tolist() == ["Say hello."] or len(frame) == 1
        assert frame.attrs["labkit"]["shown"] == "what is folded"
        before = len(asked(channel))
        with pytest.raises(StoreLocked, match=r"cannot be read whole: held by.*They keep everything\. Close"):
            plan_at(lab, channel, "Say {{ n }}!").run()
        assert len(asked(channel)) == before
    assert len(lab.generations()) == 6


PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def like_anybody() -> None:
    """Give up what lets root pass over permissions."""
    if os.getuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


KILLED = """
import os, sys
import labkit as lk

lab = lk.Lab(sys.argv[1])
model = lk.Model("faulty/m", base_url=sys.argv[2], concurrency=1)
lab.plan(prompts=["Say hello."], models=[model]).run(progress="none")
lab.store.close()
lab.store._shared.background.start = lambda: None
rows = [{"n": str(number)} for number in range(40)]
plan = lab.plan(prompts=["Say {{ n }}."], models=[model], dataset=rows, experiment="killed")
from labkit.widgets.progress import Progress
told, stored = Progress.ended, []
def ended(self, generation):
    stored.append(generation)
    if len(stored) == 3:
        os.kill(os.getpid(), 9)
Progress.ended = ended
plan.run(progress="none")
"""
LOOK = """
import json, sys
import labkit as lk
lab = lk.Lab(sys.argv[1])
frame = lab.generations(experiment="killed")
(run_id,) = lab.runs(experiment="killed")["run_id"]
run = lab.run(run_id)
print(json.dumps({
    "texts": sorted(frame["text"]),
    "samples": sorted(map(str, frame["sample.n"])),
    "attrs": frame.attrs.get("labkit"),
    "status": run.status,
    "runs": len(lab.runs()),
    "own": len(run.generations()),
    "summary": len(run.summary()),
    "sql": lab.sql("select count(*) as n from generations")["n"].item(),
}, default=int))
"""


@pytest.fixture
def killed(here: Path, channel: Any, script: Callable[..., Any]) -> Path:
    """A folder with the lab of a run that was killed after its third answer, which nobody folded."""
    folder = here / "shared"
    folder.mkdir()
    channel.script(then={"first_s": 0.1})  # else all forty may be answered before the third is told of
    process = script(KILLED, str(folder / "lab.duckdb"), str(channel.model().base_url))
    process.communicate(timeout=120)
    assert process.returncode == -9
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check(seen: dict[str, Any], why: str) -> None:
    assert 3 <= len(seen["texts"]) == seen["own"] < 40
    assert len(set(seen["samples"])) == len(seen["texts"])
    assert why in seen["attrs"]["why"]
    assert seen["attrs"]["unfolded_bytes"] > 0
    assert seen["attrs"]["shown"] == "all"
    assert (seen["status"], seen["runs"]) == ("unfinished", 2)
    assert seen["sql"] == len(seen["texts"]) + 1
    assert seen["summary"] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="root's rights are given up as on Linux")
def test_a_killed_run_is_shown_to_one_who_may_not_write(killed: Path) -> None:
    """All the lab and its folder may only be read: frames, SQL and the run show what was journalled, say so,
    and change nothing."""
    before = contents(killed)
    paths = [killed, *killed.rglob("*")]
    for path in paths:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        done = subprocess.run(
            [sys.executable, "-c", LOOK, str(killed / "lab.duckdb")],
            preexec_fn=like_anybody,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        for path in paths:
            path.chmod(0o700)
    assert done.returncode == 0, done.stderr
    check(json.loads(done.stdout), "cannot be written (")
    assert done.stderr.count("shown from a copy in memory") == 1
    assert contents(killed) == before


@pytest.fixture
def read_only_mount(killed: Path) -> Iterator[Path]:
    """The killed run's lab on a file system that is mounted read-only, which stops root too."""
    if sys.platform != "linux":
        pytest.skip("file systems are mounted on Linux only")
    place = killed.with_name("mounted")
    place.mkdir()
    for words in (["mount", "--bind"], ["mount", "-o", "remount,ro,bind"]):
        if subprocess.run([*words, str(killed), str(place)], capture_output=True, check=False).returncode:
            pytest.skip("no file system can be mounted here, which takes root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_killed_run_is_shown_from_a_read_only_disk(killed: Path, read_only_mount: Path) -> None:
    """Frames, SQL and the run show what was journalled, and nothing is changed; what is shown is what will
    be folded once the disk can be written."""
    before = contents(killed)
    lab = lk.Lab(read_only_mount / "lab.duckdb")
    frame = lab.generations(experiment="killed")
    assert 3 <= len(frame) < 40
    assert "ead-only file system" in frame.attrs["labkit"]["why"]
    assert frame.attrs["labkit"]["shown"] == "all"
    (run_id,) = lab.runs(experiment="killed")["run_id"]
    run = lab.run(run_id)
    assert run.status == "unfinished"
    assert len(run.generations()) == len(frame)
    assert len(run.summary()) == 1
    assert lab.sql("select count(*) as n from generations")["n"].item() == len(frame) + 1
    assert contents(killed) == before
    free = lk.Lab(killed / "lab.duckdb")
    pd.testing.assert_frame_equal(free.generations(experiment="killed"), frame)
