"""The network goes, or the machine sleeps: a run goes on by itself, and counts what that may have cost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.alone

KIT = Path(__file__).parents[1] / "engine" / "conftest.py"
PATIENT = {"timeout_s": 600.0, "deadline_s": 1800.0, "unreachable_s": 180.0}
ASKER = """
    import importlib.util, json, sys
    from labkit.catalog.model import Model
    from labkit.engine import event_loop
    from labkit.engine.executor import Executor
    from labkit.engine.retry import Policy
    from labkit.keys import Key
    spec = importlib.util.spec_from_file_location("kit", sys.argv[1])
    kit = importlib.util.module_from_spec(spec); sys.modules["kit"] = kit; spec.loader.exec_module(kit)
    base, dialect, count, timeout_s = sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
    model = Model("faulty/m", dialect=dialect, base_url=base, concurrency=4)
    sink = kit.MemorySink()
    policy = Policy(timeout_s=timeout_s, deadline_s=2 * timeout_s, backoff_s=0.05)
    executor = Executor({model.id: model}, {model.id: Key("sk-test-0123456789", source="the test")},
                        sink=sink, policy=policy)
    future = event_loop.run(executor.execute(kit.jobs_for([model], count)))
    print("begun", flush=True)
    future.result()
    rows = [{name: getattr(row, name) for name in ("generation_id", "sample_id", "model", "status",
             "attempts", "maybe_paid", "error_type")} for row in sink.generations]
    print(json.dumps([rows, [[a.generation_id, a.error_type] for a in sink.attempts]]))
"""


def _gone(
    own_channel: Callable[[str], Any],
    put: Callable[..., Any],
    kit: Any,
    conserved: Callable[..., None],
    for_s: float,
) -> Any:
    """Take the server off the network in the middle of a run; checks what must hold however long it lasts."""
    channels = [own_channel(dialect) for dialect in ("openai", "anthropic")]
    for channel in channels:
        channel.script(then={"first_s": [0.1, 0.3]})
    off: list[datetime] = []
    answered: list[Any] = []

    def ended(row: Any) -> None:
        answered.append(row)
        if len(answered) == 20:
            threading.Thread(target=lambda: (channels[0].down(for_s), off.append(datetime.now(UTC)))).start()

    models = [channel.model(f"m{number}", concurrency=8) for number, channel in enumerate(channels)]
    ran = put(*models, count=60, memory=kit.Memory(on={"ended": ended}), policy=PATIENT, timeout_s=250)
    assert ran.sink.statuses() == {"done": 120}
    conserved(ran, *channels, exact=False)
    assert {a.error_type for a in ran.sink.attempts} == {None, "ConnectionFailed", "ConnectionLost"}
    for attempt in ran.sink.attempts:
        assert attempt.maybe_paid == (attempt.error_type == "ConnectionLost")
        assert not attempt.maybe_paid or (attempt.sent_at - off[0]).total_seconds() < 0.5
    assert sum(row.maybe_paid for row in ran.sink.generations) <= 16
    times = sorted(seen["at"] for channel in channels for seen in channel.seen())
    pause_s = max(after - before for before, after in pairwise(times))
    assert for_s - 1 < pause_s < for_s + 25
    waits = [why for _, _, why in ran.memory.named("waiting")]
    assert any("could not be reached" in why or "ConnectionFailed" in why for why in waits), waits[:3]
    return ran


def test_a_network_that_goes_comes_back(
    own_channel: Callable[[str], Any], put: Callable[..., Any], kit: Any, conserved: Callable[..., None]
) -> None:
    """When the server's connections break and nobody listens for some seconds, the run waits, says so, and
    goes on by itself; only what was out at that moment may have been paid for."""
    _gone(own_channel, put, kit, conserved, 3.0)


@pytest.mark.soak
def test_a_network_that_is_gone_for_a_minute_comes_back(
    own_channel: Callable[[str], Any], put: Callable[..., Any], kit: Any, conserved: Callable[..., None]
) -> None:
    """The same for a minute: each endpoint is tried now and then, not by every request."""
    ran = _gone(own_channel, put, kit, conserved, 60.0)
    free = sum(attempt.error_type == "ConnectionFailed" for attempt in ran.sink.attempts)
    assert free < 400


def _slept(
    channel: Any, conserved: Callable[..., None], *, asleep_s: float, timeout_s: float, lost: bool
) -> tuple[Counter[str], Counter[Any]]:
    """Stop a process that asks for so long, its connections `lost` meanwhile or not; gives how its rows ended
    and what its attempts met."""
    channel.script(then={"first_s": [0.2, 0.4], "gap_s": 0.05})
    model, count = channel.model("m"), 20
    command = [sys.executable, "-c", textwrap.dedent(ASKER), str(KIT)]
    told = [model.base_url, channel.dialect, str(count), str(timeout_s)]
    process = subprocess.Popen([*command, *told], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "begun"
    while len(channel.seen()) < 8:
        time.sleep(0.05)
    process.send_signal(signal.SIGSTOP)
    if lost:
        channel.down(asleep_s / 2)
    time.sleep(asleep_s)
    process.send_signal(signal.SIGCONT)
    said, _ = process.communicate(timeout=60)
    rows, attempts = json.loads(said)
    sink = SimpleNamespace(
        generations=[SimpleNamespace(**row) for row in rows],
        attempts=[SimpleNamespace(generation_id=one, error_type=error) for one, error in attempts],
    )
    conserved(SimpleNamespace(sink=sink), channel, exact=not lost)
    assert len(rows) == count
    return Counter(row["status"] for row in rows), Counter(error for _, error in attempts)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP here")
@pytest.mark.parametrize(("dialect", "lost"), [("openai", False), ("anthropic", True)])
def test_a_machine_that_slept_goes_on(
    dialect: str, lost: bool, own_channel: Callable[[str], Any], conserved: Callable[..., None]
) -> None:
    """A process stopped for longer than its time-out ends with every answer and no false time-out; what came
    while it slept is heard, and where the connections went meanwhile, only what was out is asked again."""
    statuses, met = _slept(own_channel(dialect), conserved, asleep_s=2.8, timeout_s=1.5, lost=lost)
    assert statuses == {"done": 20}
    assert met[None] == 20
    assert set(met) <= ({None, "ConnectionLost", "ConnectionFailed"} if lost else {None})
    assert met["ConnectionLost"] <= 4


@pytest.mark.soak
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP here")
@pytest.mark.parametrize("lost", [False, True])
def test_a_machine_that_slept_a_minute_goes_on(
    lost: bool, own_channel: Callable[[str], Any], conserved: Callable[..., None]
) -> None:
    """The same after a minute."""
    statuses, met = _slept(own_channel("openai"), conserved, asleep_s=60, timeout_s=10, lost=lost)
    assert statuses == {"done": 20}
    assert set(met) <= ({None, "ConnectionLost", "ConnectionFailed"} if lost else {None})
    assert met["ConnectionLost"] <= 4


@pytest.mark.soak
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_server_that_comes_up_after_ten_seconds_answers_all(
    dialect: str, late_server: tuple[int, Callable[[], None]], put: Callable[..., Any]
) -> None:
    """While nobody listens for ten seconds, nothing is paid and nothing given up; then all are answered."""
    from labkit.catalog.model import Model

    port, start = late_server
    tail = "/v1" if dialect == "openai" else ""
    model = Model("late/m", dialect=dialect, base_url=f"http://127.0.0.1:{port}/c/late{tail}")
    threading.Timer(10, start).start()
    ran = put(model, count=50, policy=PATIENT)
    assert ran.sink.statuses() == {"done": 50}
    assert not any(attempt.maybe_paid for attempt in ran.sink.attempts)
