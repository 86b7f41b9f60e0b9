"""The alarm of an endpoint rings when it may send, also where that comes earlier than was thought."""

from __future__ import annotations

import asyncio
from time import perf_counter
from types import SimpleNamespace
from typing import Any, cast

import pytest

from labkit.engine.retry import Policy
from labkit.engine.timers import Timers


class Waiting:
    """An endpoint that may send after so many seconds, as it is told."""

    def __init__(self) -> None:
        self.alarm: asyncio.TimerHandle | None = None
        self.opens_s: float | None = None

    def opens_in_s(self, now: float) -> float | None:
        """Seconds from now, however late it is."""
        return self.opens_s


async def rung(*waits_s: float | None, for_s: float) -> list[float]:
    """When an endpoint was looked at that says each of `waits_s` at once one after the other."""
    began, rings = perf_counter(), list[float]()
    endpoint = cast("Any", Waiting())

    def ring(_: Any) -> None:
        rings.append(perf_counter() - began)

    nobody = cast("Any", SimpleNamespace(endpoints=[endpoint]))
    timers = Timers(nobody, nobody, Policy(), dispatch=ring, stop=cast("Any", None))
    for wait_s in waits_s:
        endpoint.opens_s = wait_s
        timers.see_to(endpoint)
    await asyncio.sleep(for_s)
    timers.forget()
    return rings


@pytest.mark.parametrize("waits_s", [(0.05,), (0.9, 0.05), (0.9, None, 0.05), (0.05, 0.9), (0.9, 0.05, 0.05)])
def test_an_alarm_rings_once_at_the_earliest_time(waits_s: tuple[float | None, ...]) -> None:
    """However the times change before it rings, the nearest of them is kept."""
    (rang,) = asyncio.run(rung(*waits_s, for_s=0.4))
    assert 0.05 <= rang < 0.4


@pytest.mark.parametrize("waits_s", [(None,), (5.0,), (None, 5.0)])
def test_what_is_far_off_needs_no_alarm(waits_s: tuple[float | None, ...]) -> None:
    """For what waits for something else, or for seconds, none rings."""
    assert asyncio.run(rung(*waits_s, for_s=0.1)) == []
