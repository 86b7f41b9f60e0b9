"""Sentinels in several processes, killed processes, clocks that jump: no state is lost, and it is told."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.sentinel import checking
from labkit.sentinel.night import examine
from tests.sentinel import checker
from tests.sentinel.hook_server import HookServer
from tests.sentinel.planted import Plant

ROOT = Path(__file__).parents[2]
FIRST = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)


def heads(hook: HookServer) -> list[str]:
    """The first line of each message."""
    return [json.loads(one.body)["text"].splitlines()[0] for one in hook.arrived]


class Process:
    """A checker, that begins when it is told to."""

    def __init__(self, folder: Path, **wanted: Any) -> None:
        words = [sys.executable, "-m", "tests.sentinel.checker", str(folder), json.dumps(wanted)]
        self.popen = subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def ready(self) -> Process:
        """Wait until it could begin."""
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line == "ready\n", self.popen.communicate()[1]
        return self

    def go(self) -> None:
        """Let it begin."""
        assert self.popen.stdin is not None
        self.popen.stdin.write("\n")
        self.popen.stdin.flush()

    def lines(self, count: int) -> list[dict[str, Any]]:
        """What its next checks came to."""
        assert self.popen.stdout is not None
        return [json.loads(self.popen.stdout.readline()) for _ in range(count)]

    def ended(self) -> list[dict[str, Any]]:
        """What its checks came to."""
        out, errors = self.popen.communicate()
        assert self.popen.returncode == 0, errors
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def together(*processes: Process) -> list[list[dict[str, Any]]]:
    """Let them run at once."""
    for one in processes:
        one.ready()
    for one in processes:
        one.go()
    return [one.ended() for one in processes]


@pytest.fixture
def lab(tmp_path: Path) -> lk.Lab:
    """A lab with a baseline that is all right, for the sentinels `nightly` and `other`."""
    made = checker.lab_of(tmp_path, right=0.3)
    run = checker.night(made, tmp_path / "asked", right=1.0, repeats=3)
    for name in ("nightly", "other"):
        made.sentinel(name).accept(run, why="the start")
    return made


def asked(folder: Path) -> Counter[str]:
    """How often each row was asked."""
    return Counter(line.split()[-1] for line in (folder / "asked").read_text().splitlines())


def views(lab: lk.Lab, name: str) -> list[tuple[int, str]]:
    """The nights that the lab knows of a sentinel."""
    rows = lab.sentinel(name).checks()
    return list(zip(rows["night"], rows["outcome"], strict=True))


def test_two_sentinels_in_two_processes_lose_nothing(lab: lk.Lab, tmp_path: Path, hook: HookServer) -> None:
    """One lab, three nights each: every night is numbered once, one message each."""
    found = together(*(Process(tmp_path, name=name, runs=3, right=0.3) for name in ("nightly", "other")))
    for name, told in zip(("nightly", "other"), found, strict=True):
        assert [(one["night"], one["outcome"]) for one in told] == [(n, "worse") for n in (1, 2, 3)]
        assert views(lab, name) == [(n, "worse") for n in (1, 2, 3)]
    assert sorted(heads(hook)) == ["labkit: nightly: worse", "labkit: other: worse"]


def test_one_sentinel_in_two_processes_numbers_its_nights_once(
    lab: lk.Lab, tmp_path: Path, hook: HookServer
) -> None:
    """Two runs at once: no gap, no double, one message."""
    found = together(*(Process(tmp_path, name="nightly", runs=2, right=0.3) for _ in range(2)))
    nights = [one["night"] for told in found for one in told]
    assert sorted(nights) == [1, 2, 3, 4]
    assert views(lab, "nightly") == [(n, "worse") for n in (1, 2, 3, 4)]
    by_run = lab.sentinel("nightly").checks().set_index("run_id")["night"].to_dict()
    assert by_run == {one["run"]: one["night"] for told in found for one in told}
    assert heads(hook) == ["labkit: nightly: worse"]


@pytest.mark.parametrize("names", [("nightly", "nightly"), ("nightly", "other")])
def test_one_run_checked_by_two_processes_at_once_is_asked_once_more_once(
    lab: lk.Lab, tmp_path: Path, hook: HookServer, names: tuple[str, str]
) -> None:
    """Both say worse, by one re-ask; it is one night and one message of each sentinel."""
    run = checker.night(lab, tmp_path / "asked", right=0.3)
    before = asked(tmp_path)
    found = together(
        *(Process(tmp_path, name=name, runs=[run.run_id], right=0.3, delay_s=0.3) for name in names)
    )
    told = [*found[0], *found[1]]
    assert [one["outcome"] for one in told] == ["worse", "worse"], told
    assert {one["night"] for one in told} == {1}
    assert len({one["again"] for one in told}) == 1
    assert set((asked(tmp_path) - before).values()) == {1}
    assert sorted(heads(hook)) == [f"labkit: {name}: worse" for name in sorted({*names})]


def test_an_alarm_that_another_process_raised_meanwhile_stands(plant: Plant) -> None:
    """A quiet night that was judged while a bad one was written down does not lift its alarm."""
    world = plant(rows=20)
    watch = world.watch(cost=None)
    quiet = world.night()
    world.right = 0.3
    bad = world.night()
    others = [bad]

    def examined(*given: Any) -> Any:
        seen = examine(*given)
        if others:  # another one is checked from beginning to end while this is not written down yet
            other = world.lab.sentinel("nightly", latency=None, cost=None)
            assert other.check(others.pop()).outcome == "worse"
        return seen

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checking, "examine", examined)
        check = watch.check(quiet)
    assert (check.night, check.outcome) == (2, "worse")
    assert watch.checks()["night"].tolist() == [1, 2]
    assert watch.check(world.night()).outcome == "worse"
    assert len(world.lab.runs(kind="reask")) == 1


def test_two_sentinels_that_doubt_different_prompts_of_one_run_share_its_re_ask(plant: Plant) -> None:
    """What one had asked once more is not asked a third time, what it had not is asked in the same run."""
    world = plant(rows=20, models=("m", "k"))
    one = world.watch("one", cost=None)
    base = world.lab.run(one.baselines()["run_ids"].iloc[0][0])
    two = world.lab.sentinel("two", latency=None, cost=None).accept(base)
    world.right, world.models = 0.3, ("m",)
    assert one.check(world.night()).outcome == "worse"  # from now on it doubts the other model only
    world.models = ("m", "k")
    run = world.night()
    before, found = world.asked, []
    for watch, total in ((one, 20), (two, 40), (one, 40), (two, 40)):
        found.append(watch.check(world.lab.run(run.run_id) if len(found) > 1 else run))
        assert (found[-1].outcome, world.asked - before) == ("worse", total), str(found[-1])
    assert len({one.again_run_id for one in found}) == 1
    again = world.lab.runs(kind="reask").iloc[-1]
    assert (again["run_id"], again["parent_run_id"]) == (found[0].again_run_id, run.run_id)
    assert (again["cells"], again["status"]) == (40, "finished")


@pytest.mark.alone
def test_killed_at_any_moment_a_check_is_done_again_with_the_same_end(
    lab: lk.Lab, tmp_path: Path, hook: HookServer
) -> None:
    """24 kills, before, during and after the re-ask, and around the record and the notice: the next check of
    the same run says the same, asks what was in flight once more at most, and tells at least once."""
    chance = random.Random(15)
    baseline = lab.run(lab.sentinel("nightly").baselines()["run_ids"].iloc[0][0])
    in_flight = checker.model(tmp_path / "asked", right=1.0).concurrency or checker.ROWS
    length_s, killed = 1.0, Counter[str]()
    for kill in range(25):
        name = f"kill {kill}"
        watch = lab.sentinel(name, latency=None, cost=None).accept(baseline)
        run = checker.night(lab, tmp_path / "asked", right=0.3)
        before = asked(tmp_path)
        process = Process(tmp_path, name=name, runs=[run.run_id], right=0.3, delay_s=0.02).ready()
        begun = time.monotonic()
        process.go()
        if kill:
            while kill % 3 and asked(tmp_path) == before:  # two of three not before the re-ask
                time.sleep(0.002)  # another process asks, and nobody tells
            # The fault itself: a kill at any moment.
            time.sleep(chance.uniform(0, length_s / 3 if kill % 3 else length_s))
            process.popen.kill()
            process.popen.communicate()
        else:
            (one,) = process.lines(1)
            assert one["outcome"] == "worse"
            length_s = time.monotonic() - begun
            process.ended()
        recorded = len(watch.checks())
        sent = sum(name in head for head in heads(hook))
        killed[f"asked {bool(asked(tmp_path) - before)}, recorded {recorded}, sent {sent}"] += 1
        check = watch.check(lab.run(run.run_id))
        assert (check.outcome, check.night) == ("worse", 1), f"{kill}: {check}"
        again = asked(tmp_path) - before
        assert set(again) == {str(n) for n in range(checker.ROWS)}
        assert max(again.values()) <= 2
        assert sum(again.values()) - checker.ROWS <= in_flight
        assert len(lab.runs(kind="reask").query("parent_run_id == @run.run_id")) == 1
        assert len(watch.checks()) == 1
        # Between what a chat took and what the lab knows of it lies a moment; then it hears it twice.
        assert 1 <= sum(f"{name}:" in head for head in heads(hook)) <= 2
        told = lab.sql(f"select count(*) as n from notices where sentinel = '{name}' and error is null")
        assert told["n"].tolist() == [1]
        third = watch.check(lab.run(run.run_id))
        assert (third.outcome, third.told) == ("worse", ())
        assert asked(tmp_path) - before == again
    assert len(killed) > 2, killed


At = Callable[[datetime], None]


def test_odd_hours_are_told_and_leave_alarms_as_they_are(plant: Plant, at: At) -> None:
    """A clock set back by a day, twice a night, a night missed: a note each, and nights are counted on."""
    world = plant(rows=20)
    at(FIRST)
    watch = world.watch(cost=None)
    world.right = 0.3
    hours = [
        (0, ""),
        (24, ""),
        (0, "the clock was set back"),
        (1, "more than one a day"),
        (73, "no check for 3 days"),
    ]
    for night, (hour, note) in enumerate(hours, 1):
        at(FIRST + timedelta(hours=hour))
        check = watch.check(world.night())
        assert (check.night, check.outcome) == (night, "worse")
        assert [note in one for one in check.notes] == ([True] if note else []), check.notes
    assert len(world.lab.runs(kind="reask")) == 1
    at(FIRST + timedelta(hours=71))  # back again
    world.right = 1.0
    assert watch.check(world.night()).outcome == "worse"
    at(FIRST + timedelta(hours=95))
    assert watch.check(world.night()).outcome == "not shown to be worse"
    frame = watch.checks()
    assert frame["night"].tolist() == list(range(1, 8))
    assert [len(one) for one in frame["alarms"]] == [1] * 6 + [0]
