"""The watchdog ends what is silent or too long, and forgives what the clock did while nobody ran."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from typing import Any

import pytest

from labkit.engine.attempt_listener import AttemptListener
from labkit.engine.call import Attempted, Call
from labkit.engine.retry import Policy
from labkit.engine.watchdog import Watchdog


class Task:
    """Remembers that it was cancelled."""

    cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


def sent(kit: Any, at: float, heard: float, **more: Any) -> Call:
    """A call in flight, sent and last heard of then."""
    model = kit.Model("scripted/a", **more)
    call = Call(kit.jobs_for([model], 1)[0], model, entered=at)
    listener = AttemptListener(call.job.cell, None, lambda: None)
    listener.sent, listener.heard = at, heard
    call.first_sent = at
    call.last = Attempted(listener=listener, sent_at=None, sent_number=1, in_flight=1)  # type: ignore[arg-type]
    call.task = Task()  # type: ignore[assignment]
    return call


def look(call: Call, now: float, overslept_s: float = 0.0) -> str | None:
    """What the watchdog finds at that time."""
    policy = Policy(timeout_s=10, deadline_s=100)
    Watchdog(policy, lambda: [call], lambda seconds: None)._look(now, overslept_s)
    assert (call.timed_out is not None) == call.task.cancelled  # type: ignore[union-attr]
    return call.timed_out


def test_silence_and_length(kit: Any) -> None:
    """Ten seconds without a byte end it, and so do a hundred with bytes all the time."""
    assert look(sent(kit, 0, 5), 14) is None
    assert "nothing came for 11.0 s" in (look(sent(kit, 0, 5), 16) or "")
    assert look(sent(kit, 0, 95), 99) is None
    assert "not done after 101.0 s" in (look(sent(kit, 0, 95), 101) or "")


def test_an_answer_that_does_not_stream_may_be_silent(kit: Any) -> None:
    """Nothing comes of it before it is whole: its deadline ends it, and no silence."""
    assert look(sent(kit, 0, 0, stream=False), 99) is None
    assert "not done" in (look(sent(kit, 0, 0, stream=False), 101) or "")


def test_overslept_time_is_forgiven(kit: Any) -> None:
    """After a minute of sleep nobody is late for that minute."""
    call = sent(kit, 0, 5)
    assert look(call, 70, overslept_s=60) is None
    assert look(call, 74) is None
    assert look(call, 76) is not None


def test_what_is_not_yet_sent_is_left_alone(kit: Any) -> None:
    """A request that has a task but not left yet has nothing to be silent about."""
    call = sent(kit, 0, 0)
    call.last = None
    assert look(call, 1000) is None


def test_it_looks_until_it_is_cancelled(kit: Any) -> None:
    """It looks again and again, and tells each time whether it overslept."""
    ticks: list[float] = []

    async def watch() -> None:
        thrice = asyncio.Event()

        def tick(overslept_s: float) -> None:
            ticks.append(overslept_s)
            if len(ticks) == 3:
                thrice.set()

        task = asyncio.create_task(Watchdog(Policy(timeout_s=0.1), list, tick).watch())
        await asyncio.wait_for(thrice.wait(), 60)
        task.cancel()

    asyncio.run(watch())
    assert ticks[:3] == [0.0, 0.0, 0.0]


@pytest.mark.alone
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP here")
def test_a_stopped_process_goes_on_where_it_was() -> None:
    """A process that is stopped for longer than its time-out ends with all answers and no false time-out."""
    code = """
        from collections import Counter
        import time
        from labkit.catalog.model import Model
        from labkit.engine import event_loop
        from labkit.engine.executor import Executor
        from labkit.engine.retry import Policy
        from labkit.providers.script import Script
        import importlib.util, sys
        spec = importlib.util.spec_from_file_location("kit", sys.argv[1])
        kit = importlib.util.module_from_spec(spec); sys.modules["kit"] = kit; spec.loader.exec_module(kit)
        model = Model("scripted/a", client=Script(["one two"], first_token_s=0.5), concurrency=2)
        sink = kit.MemorySink()
        policy = Policy(timeout_s=1.5, deadline_s=2.5)
        executor = Executor({model.id: model}, {}, sink=sink, policy=policy)
        future = event_loop.run(executor.execute(kit.jobs_for([model], 4)))
        print("begun", flush=True)
        future.result()
        print(dict(sink.statuses()), max(row.attempts for row in sink.generations))
    """
    kit = os.path.join(os.path.dirname(__file__), "conftest.py")
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), kit], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "begun"
    time.sleep(0.3)
    process.send_signal(signal.SIGSTOP)
    time.sleep(3.5)
    process.send_signal(signal.SIGCONT)
    said, _ = process.communicate(timeout=30)
    assert said.strip() == "{'done': 4} 1"
