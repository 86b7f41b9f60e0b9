"""A disk that fills up under a run: it stops asking, saves what is in flight, says so, and goes on: F28."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

import labkit as lk
from labkit.errors import StoreError
from labkit.store import fold, group_commit, journal_directory

Asked = Callable[[Any], list[str]]
Until = Callable[..., None]
MB = 2**20
ROWS = [{"n": str(number)} for number in range(40)]
ALL = sorted(f"Say {number}." for number in range(40))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small reserve, and no long pauses."""
    monkeypatch.setattr(journal_directory, "RESERVE_BYTES", 2 * MB)
    monkeypatch.setattr(group_commit, "RETRY_S", 0.05)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MB."""
    if sys.platform != "linux":
        pytest.skip("file systems are mounted on Linux only")
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(place)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here, which takes root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, left: int) -> Path:
    """Fill a file system up to the last `left` bytes."""
    room = os.statvfs(place)
    ballast = place / "ballast"
    ballast.write_bytes(b"x" * (room.f_bavail * room.f_frsize - left))
    return ballast


def plan_at(lab: lk.Lab, channel: Any, concurrency: int = 8) -> lk.Plan:
    """Forty questions."""
    model = channel.model(concurrency=concurrency)
    return lab.plan(prompts=["Say {{ n }}."], models=[model], dataset=ROWS, scorers=[lk.contains("n")])


def done(lab: lk.Lab) -> set[str]:
    """What the lab has answers to."""
    frame = lab.generations(status="done")
    return set() if frame.empty else {f"Say {n}." for n in frame["sample.n"]}


def goes_on(lab: lk.Lab, channel: Any, asked: Asked) -> None:
    """With room again the same plan asks exactly what is missing, and everything is there once."""
    before, had = len(channel.seen()), done(lab)
    channel.script(then={})
    run = plan_at(lab, channel).run()
    assert sorted(asked(channel)[before:]) == sorted(set(ALL) - had)
    assert run.status == "finished"
    assert len(run.generations()) == 40
    assert done(lab) == set(ALL)
    assert run.generations()["score.contains"].notna().all()
    names = lab.store.table(
        "select generation_id from log.generations where status = 'done' and replayed_from is null"
    )
    assert len(names) == 40 == len(set(names["generation_id"].to_pylist()))


@pytest.mark.alone
def test_a_disk_full_for_the_journal(
    small_disk: Path, channel: Any, asked: Asked, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F28: the disk is full while eight requests are out: soon no more are sent, by the server's account,
    the answers go into the reserve's room, and the error says what to do; with room again the run goes on."""
    lab = lk.Lab(small_disk / "lab.duckdb")
    channel.script(then={"first_s": 0.8, "text": "long " * 8_000})
    run = plan_at(lab, channel).start()
    until(lambda: len(channel.seen()) == 8)
    ballast = fill(small_disk, 10_000)
    with pytest.raises(StoreError, match=r"The disk is full.*used its reserve.*Make room"):
        run.wait()
    ended = [one["ended"] for one in channel.seen()]
    late = [one["at"] - min(ended) for one in channel.seen()[8:]]
    assert all(after < 1.0 for after in late), late
    assert len(ended) < 24
    assert not (small_disk / "lab.duckdb.journal" / "reserve").exists()
    with pytest.raises(StoreError, match=r"cannot be written: No space left on device\. Make room"):
        plan_at(lab, channel).run()
    assert len(channel.seen()) == len(ended)
    ballast.unlink()
    assert done(lab) == set(asked(channel)), "an answer in flight was lost"
    goes_on(lab, channel, asked)


def test_a_quota_used_up_anywhere(
    lab: lk.Lab, channel: Any, asked: Asked, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F28: the same where no file system can be mounted: writing fails with EDQUOT until the reserve is given
    up, and then has its room."""
    channel.script(then={"first_s": 0.8})
    run = plan_at(lab, channel).start()
    until(lambda: len(channel.seen()) == 8)
    real, reserve = os.write, lab.path.with_name("lab.duckdb.journal") / "reserve"

    def write(fd: int, data: Any) -> int:
        if reserve.exists() and ".jsonl" in os.readlink(f"/proc/self/fd/{fd}"):
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        return real(fd, data)

    if not Path("/proc/self/fd").exists():
        pytest.skip("it looks into /proc")
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(StoreError, match="used its reserve"):
        run.wait()
    monkeypatch.undo()
    assert done(lab) == set(asked(channel))
    assert len(channel.seen()) < 24
    goes_on(lab, channel, asked)


def test_a_disk_full_beyond_the_reserve(
    small_disk: Path, channel: Any, asked: Asked, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F28: where even the reserve has not room for all that is in flight, nothing is acknowledged that is not
    there; what waits in memory is written when there is room, as long as the process lives."""
    lab = lk.Lab(small_disk / "lab.duckdb")
    channel.script(then={"first_s": 2.5, "text": "long " * 120_000})
    run = plan_at(lab, channel).start()
    until(lambda: len(channel.seen()) == 8)
    ballast = fill(small_disk, 10_000)
    # Which of them is too much depends on when each comes.
    with pytest.raises(StoreError, match="Make room on the disk"):
        run.wait()
    assert len(channel.seen()) < 24
    ballast.unlink()
    until(lambda: done(lab) == set(asked(channel)))
    goes_on(lab, channel, asked)


@pytest.mark.parametrize("left_mb", [4, 5], ids=["the fold", "the checkpoint"])
def test_a_disk_full_for_the_fold_or_the_checkpoint(
    left_mb: int, small_disk: Path, channel: Any, asked: Asked, until: Until, caplog: Any
) -> None:
    """F28: there is room for the journals, but not for the fold, or not for the checkpoint: every answer is
    kept, nobody is told otherwise, and with room again everything is in the tables, once, and scored."""
    lab = lk.Lab(small_disk / "lab.duckdb")
    channel.script(*[{"first_s": 0.8, "text": "long " * 15_000}] * 8, then={"text": "long " * 15_000})
    run = plan_at(lab, channel).start()
    until(lambda: len(channel.seen()) == 8)
    ballast = fill(small_disk, left_mb * MB)
    run.wait()
    assert sorted(asked(channel)) == ALL
    if left_mb == 4:
        assert "No space left" in run.generations().attrs["labkit"]["why"]
        assert "is not scored yet" not in caplog.text
    else:
        until(lambda: "No space left" in str(lab.store._shared.background.trouble))
    ballast.unlink()
    assert done(lab) == set(ALL)
    assert run.generations()["score.contains"].notna().all()
    assert lab.runs()["status"].item() == "finished"
    goes_on(lab, channel, asked)


def test_a_fold_that_fails_leaves_the_scores_for_later(
    lab: lk.Lab, channel: Any, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F28: a fold that finds no room stops nobody who asks: the run ends, says that it is not scored yet and
    how to score it, and never scores only what happens to be in the tables."""

    def full(*_: Any) -> None:
        raise duckdb.IOException("IO Error: Could not write file: No space left on device")

    real, begun = fold.insert, []

    def once_begun(*what: Any) -> None:
        if channel.seen():
            begun.append(1)
            full()
        real(*what)

    monkeypatch.setattr(fold, "insert", once_begun)
    run = plan_at(lab, channel).run()
    assert begun
    assert len(asked(channel)) == 40
    monkeypatch.setattr(fold, "insert", real)
    assert done(lab) == set(ALL)
    assert "score.contains" not in run.generations()
    told = lab.sql("select detail->>'unscored' as words from log.run_events where event = 'finished'")
    assert "No space left" in told["words"].item()
    assert f"lab.run('{run.run_id}').score(" in told["words"].item()
    assert run.score(lk.contains("n"))["score.contains"].notna().all()
    goes_on(lab, channel, asked)
