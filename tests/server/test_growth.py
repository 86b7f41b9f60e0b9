"""A process that runs for long keeps nothing of the executions that are over."""

from __future__ import annotations

import gc
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.server.running import Running, running

FIRST = 40
LATE_OBJECTS = 500
"""A module that is first needed late brings so many of one type."""


@pytest.mark.parametrize(
    "executions", [120, pytest.param(2_000, marks=[pytest.mark.soak, pytest.mark.alone])]
)
def test_executions_leave_nothing_behind(tmp_path: Path, echo: Callable[..., Any], executions: int) -> None:
    """After so many executions there are as many threads, lock files and objects as after the first."""
    with running(tmp_path, [echo("echo")]) as served:
        served.bearer("ada")
        ask(served, range(FIRST))
        before = left(served)
        ask(served, range(FIRST, FIRST + executions))
        after = left(served)
    grown = {name: count - before[name] for name, count in after.items()}
    assert not {name: count for name, count in grown.items() if count >= executions / 2 + LATE_OBJECTS}
    locks = {name for name in after if name.startswith("run-")}
    assert locks <= {"run-service-index.lock"}  # the index may be read at this moment


def ask(served: Running, numbers: range) -> None:
    """Ask that many different things, some at once."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: served.execute(f"question {number}", "scripted/echo"), numbers))


def left(served: Running) -> Counter[str]:
    """Objects by type; of what is no object to the collector, how many there are in each place."""
    service = served.service
    shared = service.lab.store._shared
    service.lab.models["scripted/echo"].client.asked.clear()  # the script's own account
    gc.collect()
    found = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())
    found["threads"] = threading.active_count()
    found["asked"] = len(service.asked)
    found.update(path.name for path in shared.access.folder.path.glob("run-*.lock"))
    return found
