"""Rows go to the sink; what it acknowledges, on whatever thread, is heard on the loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from labkit.engine.landing import Landing
from labkit.records import Generation


def rows(kit: Any, count: int) -> list[Generation]:
    """Rows to land."""
    from labkit.engine.errand import Errand, Stopped

    model = kit.Model("scripted/a")
    jobs = kit.jobs_for([model], count)
    return [Errand(job, model, 0).unanswered_row(Stopped("X", "x")) for job in jobs]


def test_a_thousand_acknowledgements_are_few_wakings(kit: Any) -> None:
    """What is acknowledged in one go is heard in one go, on the loop's own thread."""
    heard: list[int] = []
    threads: set[int] = set()

    class Sink(kit.MemorySink):
        def generation(self, generation: Any, stored: Any) -> None:
            held.append(stored)

    held: list[Any] = []

    async def run() -> None:
        done = asyncio.Event()

        def landed(count: int) -> None:
            heard.append(count)
            threads.add(threading.get_ident())
            if sum(heard) == 1000:
                done.set()

        landing = Landing(Sink(), None, asyncio.get_running_loop(), landed)
        for row in rows(kit, 1000):
            landing.generation(row)
        thread = threading.Thread(target=lambda: [stored() for stored in held])
        thread.start()
        thread.join()
        await asyncio.wait_for(done.wait(), 5)
        assert threads == {threading.get_ident()}

    asyncio.run(run())
    assert len(heard) < 10


def test_a_refused_row_counts_as_landed(kit: Any) -> None:
    """When the sink raises, the row is counted off, the reason is kept, and the sink is left alone."""

    async def run() -> tuple[list[int], Landing, Any]:
        counted: list[int] = []
        sink = kit.MemorySink(fails_at=1)
        landing = Landing(sink, None, asyncio.get_running_loop(), counted.append)
        for row in rows(kit, 3):
            landing.generation(row)
        assert landing.unstored == 3
        await asyncio.sleep(0.05)
        assert landing.unstored == 0
        return counted, landing, sink

    counted, landing, sink = asyncio.run(run())
    assert sum(counted) == 3
    assert isinstance(landing.trouble, OSError)
    assert len(sink.generations) == 1


def test_a_sinks_own_trouble_is_seen(kit: Any) -> None:
    """A sink that says it is in trouble is believed, until it says otherwise."""

    class Sink(kit.MemorySink):
        trouble: Any = None

    async def run() -> None:
        sink = Sink()
        landing = Landing(sink, None, asyncio.get_running_loop(), lambda count: None)
        assert landing.trouble is None
        sink.trouble = OSError("full")
        assert landing.trouble is sink.trouble
        sink.trouble = None
        assert landing.trouble is None

    asyncio.run(run())


def test_an_acknowledgement_after_the_end_is_harmless(kit: Any) -> None:
    """A row stored after the loop has ended raises nothing on the sink's thread."""

    async def make() -> Landing:
        return Landing(kit.MemorySink(), None, asyncio.get_running_loop(), lambda count: None)

    landing = asyncio.run(make())
    landing._on_disk(rows(kit, 1)[0])
