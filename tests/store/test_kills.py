"""Killed at any moment, nothing acknowledged is lost and nothing is there twice."""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from labkit.store import Store, migrate

PHASES = ("journal", "fold", "checkpoint", "migration")
WRITERS, READERS = 4, 2
AT_LEAST = 5
VICTIM = Path(__file__).with_name("victim.py")


class Nursery:
    """Starts victims quickly, by forking a process that has everything imported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "marks").write_bytes(bytes(len(PHASES) * 16))
        self.marks = mmap.mmap(os.open(folder / "marks", os.O_RDWR), 0)
        self._process = subprocess.Popen(
            [sys.executable, str(VICTIM), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._alive: set[int] = set()

    def spawn(self, role: str, slot: int, seed: int) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.marks[slot * len(PHASES) : (slot + 1) * len(PHASES)] = bytes(len(PHASES))
        self._process.stdin.write(f"spawn {role} {slot} {seed}\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        self._alive.add(pid)
        return pid

    def lives(self, pid: int) -> bool:
        return Path(f"/proc/{pid}/stat").exists()

    def kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        while self.lives(pid):
            time.sleep(0.0005)
        self._alive.discard(pid)

    def in_phase(self, slot: int, phase: str) -> bool:
        return self.marks[slot * len(PHASES) + PHASES.index(phase)] == 1

    def phases(self, slot: int) -> list[str]:
        return [phase for phase in PHASES if self.in_phase(slot, phase)]

    def close(self) -> None:
        for pid in list(self._alive):
            self.kill(pid)
        self._process.kill()
        self._process.wait()


def strike(
    nursery: Nursery, victims: dict[int, int], phase: str, chance: random.Random
) -> tuple[int, list[str]]:
    """Kill the first victim that comes into a phase, a random moment later; gives its slot, and in what it
    really died: a process that is gone marks nothing more."""
    slot = chance.choice(list(victims))
    deadline = time.monotonic() + 2.0
    while time.monotonic() < deadline and nursery.lives(victims[slot]):
        ready = [slot for slot in victims if nursery.in_phase(slot, phase)]
        if ready:
            slot = chance.choice(ready)
            break
        time.sleep(0.0001)
    moment = time.perf_counter() + chance.choice([0, 0, 0.0002, 0.001, 0.004]) * chance.random()
    while time.perf_counter() < moment:
        pass
    nursery.kill(victims[slot])
    return slot, nursery.phases(slot)


def drive(folder: Path, seconds: float, seed: int) -> Counter[str]:
    """Let writers and readers work on one lab and kill the writers, one after the other."""
    chance = random.Random(seed)
    deaths: Counter[str] = Counter()
    nursery = Nursery(folder)
    try:
        victims = {slot: nursery.spawn("write", slot, chance.randrange(2**30)) for slot in range(WRITERS)}
        readers = [nursery.spawn("read", WRITERS + slot, slot) for slot in range(READERS)]
        began = time.monotonic()

        def missing() -> bool:
            return any(deaths[phase] < AT_LEAST for phase in PHASES[:3])

        while time.monotonic() < began + seconds or (missing() and time.monotonic() < began + 6 * seconds):
            phase = min(PHASES[:3], key=lambda phase: (deaths[phase], chance.random()))
            slot, died_in = strike(nursery, victims, phase, chance)
            deaths.update(died_in or ["elsewhere"])
            victims[slot] = nursery.spawn("write", slot, chance.randrange(2**30))
        assert all(nursery.lives(pid) for pid in readers), errors(folder)
    finally:
        nursery.close()
    return deaths


def drive_upgrades(folder: Path, make: Any, seed: int, most: int) -> Counter[str]:
    """Kill processes while they upgrade an old lab, each in a new lab, and let the next finish it."""
    chance = random.Random(seed)
    deaths: Counter[str] = Counter()
    nursery = Nursery(folder)
    from labkit.store import backup

    template = Store(folder / "template" / "lab.duckdb")
    writer = template.writer()
    for number in range(400):
        writer.put(make.generation(f"g{number}", text="x" * 2_000))
    template.close()
    template.checkpoint()
    try:
        for round_ in range(most):
            home = folder / f"old-{round_}"
            home.mkdir(mode=0o700)
            with template._reading() as reading:
                backup.copy(reading.connection, home / "lab.duckdb")
            for _ in range(chance.choice([1, 1, 2])):
                pid = nursery.spawn("upgrade", 8, round_)
                _, died_in = strike(nursery, {8: pid}, "migration", chance)
                deaths.update(died_in or ["elsewhere"])
            finisher = nursery.spawn("upgrade", 8, round_)
            while nursery.lives(finisher):
                time.sleep(0.002)
            check_upgraded(home)
            if deaths["migration"] >= AT_LEAST:
                break
    finally:
        nursery.close()
    return deaths


def check_upgraded(home: Path) -> None:
    import duckdb

    assert not errors(home.parent), errors(home.parent)
    with duckdb.connect(str(home / "lab.duckdb")) as plain:
        assert plain.sql("select list(version order by version) from log.schema_version").fetchone() == (
            [*range(1, len(migrate.steps()) + 3)],
        )
        assert plain.sql(
            "select count(*), count(distinct generation_id), min(mood) from log.generations"
        ).fetchone() == (400, 400, "calm")
        assert plain.sql("select count(*) from log.twins").fetchone() == (800,)
    newest = len(migrate.steps())
    backups = list(home.glob(f"lab.before-{newest + 1:03}-*.duckdb"))
    assert backups
    with duckdb.connect(str(backups[0])) as plain:
        assert plain.sql("select count(*) from generations").fetchone() == (400,)
        assert plain.sql("select max(version) from log.schema_version").fetchone() == (newest,)


def errors(folder: Path) -> list[str]:
    return [path.read_text() for path in folder.glob("error-*")]


def check(folder: Path) -> tuple[int, int]:
    """Every acknowledged row is there, no row is there twice, and no reader saw anything else."""
    assert not errors(folder), errors(folder)
    acknowledged = [name for path in folder.glob("acks-*") for name in path.read_text().split()]
    store = Store(folder / "lab.duckdb", wait_s=60.0)
    found = Counter(store.table("select generation_id from log.generations")["generation_id"].to_pylist())
    lost = [name for name in acknowledged if name not in found]
    twice = [name for name, count in found.items() if count > 1]
    assert (lost, twice) == ([], [])
    assert len(acknowledged) == len(set(acknowledged)) > 0
    damage = store.damage()
    assert damage["why"].str.startswith("it has no end").all()
    for reader in folder.glob("reader-*"):
        words = reader.read_text().split("\n")
        assert len(words) > 1
        assert not [line for line in words if line.startswith("WRONG")]
    store.close()
    return len(acknowledged), len(found)


def kills(folder: Path, make: Any, seconds: float, capsys: pytest.CaptureFixture[str]) -> None:
    seed = random.SystemRandom().randrange(2**30)
    began = time.monotonic()
    deaths = drive(folder, seconds, seed)
    acknowledged, found = check(folder)
    deaths += drive_upgrades(folder, make, seed, most=60)
    with capsys.disabled():
        told = ", ".join(f"{phase} {deaths[phase]}" for phase in (*PHASES, "elsewhere"))
        print(
            f"\nkills by phase (seed {seed}): {told}; {acknowledged} rows acknowledged, {found} found, "
            f"0 lost, 0 twice, {time.monotonic() - began:.0f} s"
        )
    for phase in PHASES:
        assert deaths[phase] >= AT_LEAST, f"only {deaths[phase]} kills fell into {phase}"


@pytest.mark.alone
@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_kills_lose_nothing(tmp_path: Path, make: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Four writers and two readers, the writers killed while they journal, fold, checkpoint and migrate:
    all that was acknowledged is there, once."""
    kills(tmp_path, make, 8.0, capsys)


@pytest.mark.alone
@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_many_kills_lose_nothing(tmp_path: Path, make: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for two minutes."""
    kills(tmp_path, make, 120.0, capsys)
