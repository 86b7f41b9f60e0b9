"""A disk that fails under a run, and a thread that dies: asking stops, and nothing is said that is not so."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import StoreError
from labkit.records import Generation
from labkit.store import group_commit, journal_line
from labkit.store.journal_directory import JournalDirectory
from labkit.widgets.progress import Progress

Asked = Callable[[Any], list[str]]
Until = Callable[..., None]
CONCURRENCY = 8
ROWS = [{"n": str(number)} for number in range(60)]

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="it looks into /proc")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """No long pauses."""
    monkeypatch.setattr(group_commit, "RETRY_S", 0.05)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The samples that were acknowledged as done, as a grid sees them."""
    heard: list[str] = []
    real = Progress.ended

    def ended(self: Progress, generation: Generation) -> None:
        if generation.status == "done":
            heard.append(generation.generation_id)
        real(self, generation)

    monkeypatch.setattr(Progress, "ended", ended)
    return heard


def plan_at(lab: lk.Lab, channel: Any) -> lk.Plan:
    """Sixty questions, eight at a time."""
    model = channel.model(concurrency=CONCURRENCY)
    return lab.plan(prompts=["Say {{ n }}."], models=[model], dataset=ROWS)


def fail(monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException, *, of: str = ".jsonl") -> None:
    """From now on that system call fails for journals."""
    real = getattr(os, call)

    def failing(fd: int, *rest: Any) -> Any:
        if of in os.readlink(f"/proc/self/fd/{fd}"):
            raise error
        return real(fd, *rest)

    monkeypatch.setattr(os, call, failing)


def noted(lab: lk.Lab) -> set[str]:
    """The generations whose asking is written down in the journals."""
    folder, found = JournalDirectory(lab.path), set()
    for name, _ in folder.journals():
        for raw in (folder.path / str(name)).read_bytes().split(b"\n")[:-1]:
            line = journal_line.parse(raw)
            if line.kind.tag == "intent":
                found.add(str(line.row.generation_id))
    return found


def goes_on(lab: lk.Lab, channel: Any, asked: Asked, told: list[str]) -> list[str]:
    """On a sound disk the same plan finishes; gives what it asked again. All that was told of is there."""
    before = len(channel.seen())
    assert set(told) <= set(lab.generations(status="done")["generation_id"])
    channel.script(then={})
    run = plan_at(lab, channel).run()
    assert run.status == "finished"
    assert run.generations()["status"].tolist() == ["done"] * len(ROWS)
    again = asked(channel)
    return [one for one in again[before:] if one in again[:before]]


@pytest.mark.parametrize("of", [".jsonl", "-intents"], ids=["every journal", "the intents"])
def test_nothing_leaves_without_its_intent(
    of: str,
    lab: lk.Lab,
    channel: Any,
    asked: Asked,
    told: list[str],
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a disk on which nothing more can be written, what the server sees is what the lab has noted."""
    channel.script(then={"first_s": 0.3})
    run = plan_at(lab, channel).start(progress="none")
    until(lambda: len(channel.seen()) == CONCURRENCY)
    fail(monkeypatch, "write", OSError(errno.EIO, "Input/output error"), of=of)
    with pytest.raises(StoreError, match="Input/output error"):
        run.wait()
    monkeypatch.undo()
    seen = asked(channel)
    assert len(seen) == len(noted(lab)) == CONCURRENCY
    if of == "-intents":
        # What was in flight is kept, and what was not sent says so.
        frame = lab.generations(run=run.run_id)
        assert len(frame) == len(ROWS)
        assert frame["status"].value_counts().to_dict() == {"stopped": 52, "done": 8}
        stopped = frame[frame["status"] == "stopped"]
        assert stopped["attempts"].tolist() == [0] * 52
        assert stopped["maybe_paid"].sum() == 0
    assert goes_on(lab, channel, asked, []) == []  # what could not be written waited in memory


def test_a_disk_that_never_syncs_is_asked_for_nothing(
    lab: lk.Lab, channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no sync succeeds from the beginning the run is refused, and the server sees nothing."""
    fail(monkeypatch, "fdatasync", OSError(errno.EIO, "Input/output error"))
    for _ in range(2):
        with pytest.raises(StoreError, match="cannot be written: Input/output error"):
            plan_at(lab, channel).run()
    assert channel.seen() == []


def test_a_disk_that_syncs_no_more(
    lab: lk.Lab,
    channel: Any,
    asked: Asked,
    told: list[str],
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the first refused sync on nothing is acknowledged and soon nothing asked, however often the plan
    is run; and at most what was in flight is asked again."""
    channel.script(then={"first_s": 0.1})
    run = plan_at(lab, channel).start()
    until(lambda: len(told) >= 20)
    fail(monkeypatch, "fdatasync", OSError(errno.EIO, "Input/output error"))
    before = len(told)
    with pytest.raises(StoreError, match="cannot be written: Input/output error"):
        run.wait()
    assert len(told) <= before + CONCURRENCY  # a commit that was under way
    seen = len(channel.seen())
    assert seen <= len(told) + 2 * CONCURRENCY
    for _ in range(2):
        with pytest.raises(StoreError, match="cannot be written"):
            plan_at(lab, channel).run()
    assert len(channel.seen()) == seen
    monkeypatch.undo()
    assert goes_on(lab, channel, asked, told) == []  # this process still had them, and could write them


@pytest.mark.parametrize("error", [SystemExit("killed"), MemoryError("no memory")], ids=repr)
def test_a_thread_that_dies_stops_the_run(
    error: BaseException,
    lab: lk.Lab,
    channel: Any,
    asked: Asked,
    told: list[str],
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the thread that writes dies the run asks nothing more and says so; what was in flight is kept by
    another, and the plan run again asks only the rest."""
    real, deaths = group_commit.GroupCommit._take, [error]

    def deadly(self: group_commit.GroupCommit) -> None:
        real(self)
        # The threads of labs that other tests left look after their journals now and then.
        if self is lab.store.writer()._lines and len(told) >= 10 and deaths:
            raise deaths.pop()

    monkeypatch.setattr(group_commit.GroupCommit, "_take", deadly)
    channel.script(then={"first_s": 0.1})
    run = plan_at(lab, channel).start()
    with pytest.raises(StoreError, match=rf"thread that writes .* ended by {type(error).__name__}"):
        run.wait()
    assert not deaths
    assert len(channel.seen()) <= len(told) + 2 * CONCURRENCY
    assert len(channel.seen()) < len(ROWS)
    assert goes_on(lab, channel, asked, told) == []
