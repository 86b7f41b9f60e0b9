"""Killed at any moment while it asks, a run resumes with exactly what is missing, and hides nothing: F20."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import labkit as lk
from labkit.store import migrate

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
ASKER = Path(__file__).with_name("asker.py")
AT_LEAST = 5
STRIKES = ("asking", "migrating", "journaling", "folding", "asking", "checkpointing")
"""What each lab lives through; the first while its labkit is an older one."""


@pytest.fixture(scope="module")
def asker() -> ModuleType:
    """The victims' module, for its numbers."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("labkit_asker", ASKER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Nursery:
    """Starts victims quickly, by forking a process that has everything imported."""

    def __init__(self, folder: Path, phases: tuple[str, ...]) -> None:
        self.folder, self.phases = folder, phases
        (folder / "marks").write_bytes(bytes(16))
        self.marks = mmap.mmap(os.open(folder / "marks", os.O_RDWR), 0)
        self.process = subprocess.Popen(
            [sys.executable, str(ASKER), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def spawn(self, *command: Any) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.marks[:] = bytes(16)
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    @staticmethod
    def lives(pid: int) -> bool:
        with contextlib.suppress(ProcessLookupError):  # it went while this looked
            return Path(f"/proc/{pid}/stat").exists()
        return False

    def strike(self, pid: int, phase: str, chance: random.Random) -> list[str]:
        """Kill it at a random moment after it comes into a phase; in what it really died, as a process
        that is gone marks nothing more. Empty if it had ended before."""
        place = self.phases.index(phase)
        while self.lives(pid) and not self.marks[place]:
            time.sleep(0.0001)
        moment = time.perf_counter() + chance.random() * (0.2 if phase == "asking" else 0.002)
        while time.perf_counter() < moment:
            pass
        lived = self.kill(pid)
        found = [name for number, name in enumerate(self.phases) if self.marks[number]]
        return (found or ["elsewhere"]) if lived else []

    def kill(self, pid: int) -> bool:
        """Kill it; whether it had not ended before."""
        lived = self.lives(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self.gone(pid)
        return lived

    def in_flight(self) -> int:
        """Requests that were out when the last one ended, and those whose end it had not on disk."""
        handed, stored = self.marks[len(self.phases) : len(self.phases) + 2]
        return self.marks[self.phases.index("asking")] + (handed - stored) % 256

    def gone(self, pid: int) -> None:
        while self.lives(pid):
            time.sleep(0.001)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Story:
    """One lab, its place at the server, and what was found after each launch."""

    home: Path
    channel: Any
    asker: ModuleType
    launches: int = 0
    done: set[str] = field(default_factory=set)
    told: Counter[str] = field(default_factory=Counter)
    maybe: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    design: Any = None

    def command(self) -> tuple[Any, ...]:
        """The next launch."""
        self.launches += 1
        return f"launch-{self.launches}", str(self.home), self.address, self.launches > 1

    @property
    def address(self) -> str:
        return str(self.channel.model().base_url)

    def look(self, in_flight: int, *, ended: bool) -> None:
        """Compare what the server saw of the last launch with what the lab says after it."""
        assert [path.read_text() for path in self.home.parent.glob("error-*")] == []
        lab = lk.Lab(self.home / "lab.duckdb")
        asked = self.seen(f"sk-launch-{self.launches}")
        assert not self.done & set(asked), "what had an answer was asked again"
        with lab.store._reading() as reading:
            rows = reading.connection.sql("select generation_id, status from log.generations").fetchall()
            attempts = reading.connection.sql("select generation_id from attempts").fetchall()
            unsettled = reading.connection.sql("select generation_id from unsettled").fetchall()
            runs = reading.connection.sql("select run_id, unsettled, maybe_paid from runs").fetchall()
        acknowledged = (self.home / "acks").read_text().split() if rows else []
        assert set(acknowledged) <= {name for name, _ in rows}, "an acknowledged row is lost"
        of = self.cells(lab, [run for run, *_ in runs])
        answered = [name for name, status in rows if status == "done"]
        assert len(answered) == len(set(answered)), "an answer is there twice"
        if ended:
            missing = {row["n"] for row in self.asker.ROWS} - self.done
            assert set(asked) == missing, "it did not ask exactly what was missing"
        # What a person sees: every request that was sent is told of, or listed as maybe paid.
        told = Counter(of[name] for (name,) in attempts)
        maybe = Counter(of[name] for (name,) in unsettled)
        new, lost = told - self.told, maybe - self.maybe
        hidden = {n: count for n, count in asked.items() if count > new[n] + lost[n]}
        assert not hidden, "nothing tells of a request"
        assert lost.total() <= in_flight, "more may have been paid for than was in flight"
        assert sum(run[1] for run in runs) == maybe.total() <= sum(run[2] for run in runs)
        self.done, self.told, self.maybe = {of[name] for name in answered}, told, maybe
        self.in_flight += in_flight

    def finish(self) -> None:
        """After the last launch: all is answered, nothing was asked that the lab does not tell of, and what
        may have been paid for twice is counted and listed."""
        assert self.done == {row["n"] for row in self.asker.ROWS}
        twice = self.seen() - Counter(self.done)
        failed = Counter({n: self.told[n] - 1 for n in self.told})
        assert not twice - failed - self.maybe, "more was asked again than was listed"
        lab = lk.Lab(self.home / "lab.duckdb")
        runs = lab.runs()
        assert len(lab.sql("from unsettled")) == self.maybe.total()
        listed = [lab.run(run).maybe_paid() for run in runs["run_id"]]
        assert sum(map(len, listed)) == runs["maybe_paid"].sum() >= self.maybe.total()

    def cells(self, lab: lk.Lab, runs: list[str]) -> dict[str, str]:
        """Which row each generation is of."""
        if self.design is None:
            model = lk.Model("faulty/m", base_url=self.address)
            plan = lab.plan(prompts=["Say {{ n }}."], models=[model], dataset=self.asker.ROWS)
            self.design = plan.design
        rows = {sample.id: sample.fields["n"] for sample in self.design.dataset.samples}
        cells = [self.design.cell(place, run_id=run, versions={}, user=None)
                 for run in runs for place in self.design.places]  # fmt: skip
        return {cell.generation_id: rows[cell.sample_id] for cell in cells}

    def seen(self, key: str = "") -> Counter[str]:
        """How often each row was asked for (by one launch), once the server is done with all requests."""
        while True:
            seen = self.channel.seen()
            if all(one["ended"] is not None for one in seen):
                break
            time.sleep(0.005)
        return Counter(
            one["body"]["messages"][-1]["content"].split()[1].rstrip(".")
            for one in seen
            if one["headers"]["authorization"].endswith(key)
        )


def live_through(story: Story, nursery: Nursery, chance: random.Random) -> Counter[str]:
    """Let a lab live through all its strikes and then come to its end; gives the deaths by phase."""
    faults = [{"status": 500}, {"status": 429, "headers": {"retry-after": "0"}}, {"cut_after": 2}]
    script = [chance.choice(faults) if chance.random() < 0.1 else {"first_s": 0.04} for _ in range(100)]
    story.channel.script(*script, then={"first_s": 0.03})
    deaths: Counter[str] = Counter()
    later = list(STRIKES[2:-1])
    chance.shuffle(later)
    for phase in (*STRIKES[:2], *later, STRIKES[-1]):
        pid = nursery.spawn(*story.command())
        died_in = nursery.strike(pid, phase, chance)
        deaths.update(died_in)
        story.look(nursery.in_flight(), ended=not died_in)
    nursery.gone(nursery.spawn(*story.command()))
    story.look(nursery.in_flight(), ended=True)
    story.finish()
    return deaths


def kills(
    rounds: int,
    folder: Path,
    asker: ModuleType,
    channel_for: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seed = random.SystemRandom().randrange(2**30)
    chance, began, deaths = random.Random(seed), time.monotonic(), Counter()
    steps = migrate.steps()
    stories: list[Story] = []
    nursery = Nursery(folder, asker.PHASES)
    try:
        while len(stories) < rounds or (
            len(stories) < 4 * rounds and any(deaths[phase] < AT_LEAST for phase in asker.PHASES)
        ):
            home = folder / f"lab-{len(stories)}"
            home.mkdir()
            stories.append(Story(home, channel_for("openai"), asker))
            # The lab is looked at with the labkit that is the newest so far.
            monkeypatch.setattr(
                migrate, "steps", lambda: (*steps, *asker.NEWER) if stories[-1].launches > 1 else steps
            )
            deaths += live_through(stories[-1], nursery, chance)
    finally:
        nursery.close()
    with capsys.disabled():
        print(
            f"\nkills of asking processes (seed {seed}): "
            + ", ".join(f"{phase} {deaths[phase]}" for phase in (*asker.PHASES, "elsewhere"))
            + f"; {sum(len(story.done) for story in stories)} answers, 0 lost, 0 twice; "
            f"{sum(story.in_flight for story in stories)} in flight at the kills, "
            f"{sum(story.maybe.total() for story in stories)} listed as maybe paid, "
            f"{time.monotonic() - began:.0f} s"
        )
    for phase in asker.PHASES:
        assert deaths[phase] >= AT_LEAST, f"only {deaths[phase]} kills fell into {phase}"


def test_killed_runs_go_on(
    tmp_path: Path,
    asker: ModuleType,
    channel_for: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """F20: killed while asking, journaling, folding, checkpointing or migrating, a plan is resumed by the
    next process, which asks what is missing and nothing else, by the server's own account."""
    kills(5, tmp_path, asker, channel_for, monkeypatch, capsys)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_many_killed_runs_go_on(
    tmp_path: Path,
    asker: ModuleType,
    channel_for: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """F20: the same with hundreds of kills."""
    kills(60, tmp_path, asker, channel_for, monkeypatch, capsys)
