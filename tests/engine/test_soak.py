"""Many requests in one process: memory and open files stay where they are."""

from __future__ import annotations

import gc
import os
import resource
from pathlib import Path
from typing import Any

import pytest

from labkit.engine import event_loop
from labkit.engine.executor import Executor
from labkit.providers.script import Script

pytestmark = pytest.mark.alone


class Forgetting:
    """A sink that counts and keeps nothing."""

    def __init__(self) -> None:
        self.done = 0

    def intent(self, intent: Any) -> None:
        """Forgotten."""

    def attempt(self, attempt: Any) -> None:
        """Forgotten."""

    def generation(self, generation: Any, stored: Any) -> None:
        self.done += generation.status == "done"
        stored()


def resident_mb() -> float:
    """The memory this process holds now."""
    gc.collect()
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def open_files() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


def asked(kit: Any, count: int) -> int:
    """Ask so many, in runs of a thousand; gives how many were done."""
    model = kit.Model("scripted/a", client=Script(lambda request: "one two three"))
    model.client.asked = Nothing()
    done = 0
    for _ in range(count // 1000):
        sink = Forgetting()
        executor = Executor({model.id: model}, {}, sink=sink)
        event_loop.run(executor.execute(kit.jobs_for([model], 1000))).result(60)
        done += sink.done
    return done


class Nothing(list[Any]):
    """A list that stays empty."""

    def append(self, one: Any) -> None:
        """Forgotten."""


def grows(kit: Any, count: int) -> float:
    """Megabytes that `count` requests leave behind, and no open files."""
    asked(kit, 2000)
    before, files = resident_mb(), open_files()
    assert asked(kit, count) == count
    assert open_files() <= files + 2
    return resident_mb() - before


def test_thousands_leave_nothing_behind(kit: Any) -> None:
    """Five thousand requests leave less than 20 MB and no open file behind."""
    assert grows(kit, 5000) < 20


@pytest.mark.soak
def test_fifty_thousand_leave_nothing_behind(kit: Any) -> None:
    """Fifty thousand requests leave less than 50 MB and no open file behind."""
    assert grows(kit, 50_000) < 50
