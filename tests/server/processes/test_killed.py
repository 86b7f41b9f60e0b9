"""Killed at any moment, the service has every execution that it acknowledged, once, and leaves none open."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from tests.faults.channel import Channel
from tests.server.processes.index_made_anew import rebuilt
from tests.server.processes.serve_process import ServeProcess, ended, until
from tests.server.processes.streamed import Caller

pytestmark = [pytest.mark.alone, pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")]

CALLERS = 4
SETTLED_S = 240
"""On a busy machine the end of what was broken off takes a second or more a run."""


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_killed_at_random_moments(serve: Callable[..., ServeProcess], channel: Channel, kills: int) -> None:
    """One worker or all are killed under load: what was acknowledged is in the history once, with its text;
    what was broken off ends `failed`, `maybePaid` where it had been sent, for its readers too; and an index
    made anew from the lab is what was there."""
    service = serve(workers=2)
    channel.script(
        then={
            "text": "so many words that they come one by one",
            "events": 8,
            "first_s": [0, 0.3],
            "gap_s": 0.03,
        }
    )
    service.start()
    port = int(service.url.rpartition(":")[2])
    service.bearer()
    chance = random.Random(kills)
    callers = [Caller(service, f"caller {number}", number) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    for number in range(kills):
        asked = sum(caller.asked for caller in callers)
        until(lambda before=asked: sum(one.asked for one in callers) >= before + CALLERS, SETTLED_S)
        time.sleep(chance.random())  # a random moment
        if number % 3 == 2:
            service.kill()
            service.start(port)
        else:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(service.worker_pids()), signal.SIGKILL)
    for caller in callers:
        caller.stop()
    for caller in callers:
        caller.join(SETTLED_S)
        assert not caller.is_alive()
        assert caller.trouble is None, repr(caller.trouble)
    until(lambda: ended(service.executions()), SETTLED_S, service.log)
    look(service, callers, channel)
    service.end()
    rebuilt(service)


def look(service: ServeProcess, callers: Sequence[Caller], channel: Channel) -> None:
    """Compare what callers were told, and what the provider saw, with the history."""
    history = service.executions()
    times = Counter(one["id"] for one in history)
    assert set(times.values()) == {1}
    assert {one.status_code for caller in callers for one in caller.refused} <= {503}
    for caller in callers:
        assert not set(caller.accepted) - set(times)
        for told in caller.answered.values():
            assert whole(service, told) == told
        for stream in caller.streams:
            for told in stream.runs or ():
                assert whole(service, told) == told
                model = told["modelId"]
                assert stream.texts[model] == told.get("output", ""), stream.kinds
                assert stream.kinds[model][-1] == ("complete" if told["status"] == "completed" else "error")
            assert stream.numbers == list(range(1, len(stream.numbers) + 1))
    asked = {
        (one["body"]["messages"][-1]["content"], f"faulty/{one['body']['model']}") for one in channel.seen()
    }
    broken = [one for one in history if one["status"] != "completed"]
    assert {one["status"] for one in broken} <= {"failed"}
    for one in broken:
        assert one["metadata"].get("maybePaid") or (one["promptSnapshot"], one["modelId"]) not in asked, one


def whole(service: ServeProcess, told: dict[str, Any]) -> dict[str, Any]:
    """What the history has of an execution that was told."""
    found: dict[str, Any] = service.ask("GET", f"/executions/{told['id']}").json()
    return found
