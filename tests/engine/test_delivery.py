"""Rows go to the sink; what it acknowledges, on whatever thread, is heard on the loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from labkit.engine.delivery import Delivery
from labkit.records import Generation


def rows(kit: Any, count: int) -> list[Generation]:
    """Rows to land."""
    from labkit.engine.call import Call, Stopped

    model = kit.Model("scripted/a")
    jobs = kit.jobs_for([model], count)
    return [Call(job, model, 0).unanswered_row(Stopped("X", "x")) for job in jobs]


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

        def stored(count: int) -> None:
            heard.append(count)
            threads.add(threading.get_ident())
            if sum(heard) == 1000:
                done.set()

        delivery = Delivery(Sink(), None, asyncio.get_running_loop(), stored)
        for row in rows(kit, 1000):
            delivery.generation(row)
        thread = threading.Thread(target=lambda: [stored() for stored in held])
        thread.start()
        thread.join()
        await asyncio.wait_for(done.wait(), 5)
        assert threads == {threading.get_ident()}

    asyncio.run(run())
    assert len(heard) < 10


def test_a_refused_row_counts_as_landed(kit: Any) -> None:
    """When the sink raises, the row is counted off, the reason is kept, and the sink is left alone."""

    async def run() -> tuple[list[int], Delivery, Any]:
        counted: list[int] = []
        sink = kit.MemorySink(fails_at=1)
        delivery = Delivery(sink, None, asyncio.get_running_loop(), counted.append)
        for row in rows(kit, 3):
            delivery.generation(row)
        assert delivery.unstored == 3
        await asyncio.sleep(0.05)
        assert delivery.unstored == 0
        return counted, delivery, sink

    counted, delivery, sink = asyncio.run(run())
    assert sum(counted) == 3
    assert isinstance(delivery.trouble, OSError)
    assert len(sink.generations) == 1


def test_a_sinks_own_trouble_is_seen(kit: Any) -> None:
    """A sink that says it is in trouble is believed, until it says otherwise."""

    class Sink(kit.MemorySink):
        trouble: Any = None

    async def run() -> None:
        sink = Sink()
        delivery = Delivery(sink, None, asyncio.get_running_loop(), lambda count: None)
        assert delivery.trouble is None
        sink.trouble = OSError("full")
        assert delivery.trouble is sink.trouble
        sink.trouble = None
        assert delivery.trouble is None

    asyncio.run(run())


def test_an_acknowledgement_after_the_end_is_harmless(kit: Any) -> None:
    """A row stored after the loop has ended raises nothing on the sink's thread."""

    async def make() -> Delivery:
        return Delivery(kit.MemorySink(), None, asyncio.get_running_loop(), lambda count: None)

    delivery = asyncio.run(make())
    delivery._on_disk(rows(kit, 1)[0])


def test_who_keeps_no_text_is_not_told_it(kit: Any) -> None:
    """Text is shown to a watcher, unless it says that it keeps none; without a watcher to nobody."""
    from labkit.widgets.live_run import LiveRun

    async def shown(watcher: Any) -> bool:
        return Delivery(kit.MemorySink(), watcher, asyncio.get_running_loop(), print).show is not None

    assert asyncio.run(shown(LiveRun()))
    assert not asyncio.run(shown(LiveRun(keep_text=False)))
    assert not asyncio.run(shown(None))
