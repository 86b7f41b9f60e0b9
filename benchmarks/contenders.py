"""Who is compared: hand-written loops over a bare HTTP client and over the SDKs, and labkit's engine.

Each asks the loopback server so many times and gives the CPU and wall seconds of its timed section; the
process is its own. `executor.py` starts them and makes the tables.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PROMPT = "Classify this in one word. " * 18
WARM = 32
MAX_TOKENS = 512

Ask = Callable[[int], Awaitable[None]]


def cpu_s() -> float:
    """The CPU time of this process so far, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def messages(number: int) -> list[dict[str, Any]]:
    """A prompt of 500 characters, another for each request."""
    return [{"role": "user", "content": f"{number} {PROMPT}"}]


async def gathered(ask: Ask, level: int, count: int) -> tuple[float, float]:
    """The hand-written loop: gather and a semaphore. Gives CPU and wall seconds."""
    places = asyncio.Semaphore(level)

    async def one(number: int) -> None:
        async with places:
            await ask(number)

    await asyncio.gather(*(one(number) for number in range(max(WARM, level))))
    cpu, wall = cpu_s(), time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(count)))
    return cpu_s() - cpu, time.perf_counter() - wall


def bare(stream: bool, level: int, count: int, address: str) -> tuple[float, float]:
    """aiohttp on uvloop; the JSON is parsed and dropped."""
    import aiohttp
    import msgspec
    import uvloop

    decode = msgspec.json.decode
    url = f"{address}/v1/chat/completions"

    async def run() -> tuple[float, float]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def ask(number: int) -> None:
                body = {"model": "bench", "messages": messages(number), "stream": stream}
                async with session.post(url, json=body) as response:
                    if not stream:
                        decode(await response.read())
                        return
                    held = b""
                    async for chunk in response.content.iter_any():
                        *events, held = (held + chunk).split(b"\n\n")
                        for event in events:
                            if event != b"data: [DONE]":
                                decode(event[6:])

            return await gathered(ask, level, count)

    found: tuple[float, float] = uvloop.run(run())
    return found


def openai_sdk(stream: bool, level: int, count: int, address: str) -> tuple[float, float]:
    """The OpenAI SDK as it comes, but patient: its 5 s to connect are not enough at 1,000 in flight."""
    from openai import AsyncOpenAI

    async def run() -> tuple[float, float]:
        client = AsyncOpenAI(api_key="sk-bench-000000", base_url=f"{address}/v1", max_retries=0, timeout=600)

        async def ask(number: int) -> None:
            if not stream:
                # Plain dicts, as a user writes them: the SDK types them more narrowly.
                await client.chat.completions.create(model="bench", messages=messages(number))  # type: ignore[arg-type]
                return
            chunks = await client.chat.completions.create(
                model="bench",
                messages=messages(number),  # type: ignore[arg-type]
                stream=True,
                stream_options={"include_usage": True},
            )
            async for chunk in chunks:
                for choice in chunk.choices:
                    _ = choice.delta.content

        return await gathered(ask, level, count)

    return asyncio.run(run())


def anthropic_sdk(stream: bool, level: int, count: int, address: str) -> tuple[float, float]:
    """The Anthropic SDK as it comes."""
    from anthropic import AsyncAnthropic

    async def run() -> tuple[float, float]:
        client = AsyncAnthropic(api_key="sk-bench-000000", base_url=address, max_retries=0, timeout=600)

        async def ask(number: int) -> None:
            given: dict[str, Any] = {"model": "bench", "messages": messages(number), "max_tokens": MAX_TOKENS}
            if not stream:
                await client.messages.create(**given)
                return
            async for event in await client.messages.create(**given, stream=True):
                _ = event.type

        return await gathered(ask, level, count)

    return asyncio.run(run())


def labkit(
    dialect: str, stream: bool, level: int, count: int, address: str, profile: str | None = None
) -> tuple[float, float]:
    """The executor, landing every generation in a journal."""
    done = 0
    fault: str | None = None

    def heard(generation: Any) -> None:
        nonlocal done, fault
        if generation.status == "done":
            done += 1
        else:
            fault = f"{generation.error_type}: {generation.error_message}"

    with engine(dialect, level, address, heard) as go:
        go(count, max(WARM, level), stream)
        if profile is not None:
            profiled(lambda: go(0, count, stream), profile)
        done = 0
        cpu, wall = cpu_s(), time.perf_counter()
        go(0, count, stream)
        spent = cpu_s() - cpu, time.perf_counter() - wall
    if done != count:
        raise SystemExit(f"{done} of {count} generations are done: {fault}")
    return spent


@contextmanager
def engine(
    dialect: str, level: int, address: str, heard: Callable[[Any], None]
) -> Iterator[Callable[[int, int, bool], None]]:
    """A function that has labkit ask: from which number, how many, as a stream; every row goes to `heard`
    and into a journal on disk."""
    from labkit.catalog import pricer as pricer_for
    from labkit.catalog.model import Model
    from labkit.engine import event_loop
    from labkit.engine.executor import Executor
    from labkit.keys import Key
    from labkit.store.journal_directory import JournalDirectory
    from labkit.store.writer import Writer

    model = Model(
        "bench/bench",
        dialect=dialect,
        base_url=address + ("/v1" if dialect == "openai" else ""),
        concurrency=level,
        prices={"input": 3.0, "output": 15.0},
    )
    pricer = pricer_for(model, datetime.now(UTC))
    key = Key("sk-bench-000000", source="the benchmark")

    class Heard(Writer):
        """The store's writer; somebody else hears each row too."""

        def generation(self, generation: Any, stored: Callable[[], None]) -> None:
            heard(generation)
            super().generation(generation, stored)

    with tempfile.TemporaryDirectory(dir=os.environ.get("LABKIT_BENCH_DIR")) as folder:
        place = JournalDirectory(Path(folder) / "lab.duckdb")
        place.make()
        writer = Heard(place)

        def go(first: int, number: int, stream: bool) -> None:
            executor = Executor({model.id: model}, {model.id: key}, sink=writer, seed=1)
            event_loop.run(executor.execute(jobs_for(model, pricer, first, number, stream=stream))).result()

        yield go
        writer.close()


def jobs_for(model: Any, pricer: Any, first: int, count: int, *, stream: bool) -> Iterator[Any]:
    """`count` jobs, made as they are taken, as a plan makes them."""
    from labkit.engine.executor import Job
    from labkit.identity import RequestHasher
    from labkit.records import Cell, Request

    params = {"max_tokens": MAX_TOKENS} if stream else {"max_tokens": MAX_TOKENS, "stream": False}
    hasher = RequestHasher(model.provider, model.dialect, "bench", model.name, params)
    for number in range(first, first + count):
        turns = messages(number)
        request_id = hasher.request_id(turns)
        cell = Cell(
            generation_id=f"g1:{number:032x}",
            run_id="01JBENCH000000000000000000",
            experiment="bench",
            workspace="bench",
            prompt="classify",
            prompt_version=1,
            model=model.id,
            provider=model.provider,
            sample_id=str(number),
            repeat=0,
            request_id=request_id,
            draw=0,
        )
        request = Request(
            request_id=request_id,
            provider=model.provider,
            dialect=model.dialect,
            endpoint="bench",
            model=model.id,
            name=model.name,
            messages=tuple(turns),
            params=params,
        )
        yield Job(cell=cell, request=request, pricer=pricer, input_bound_tokens=600)


def profiled(go: Callable[[], None], path: str) -> None:
    """Run `go` once under cProfile on labkit's loop thread and keep the profile in `path`."""
    import cProfile

    from labkit.engine import event_loop

    profile = cProfile.Profile()
    event_loop.get().call_soon_threadsafe(profile.enable)
    go()
    event_loop.get().call_soon_threadsafe(profile.disable)
    event_loop.run(asyncio.sleep(0)).result()  # what was called before it has run
    profile.dump_stats(path)


def alone(command: list[str], who: str) -> dict[str, float]:
    """Run one measurement, a script and its arguments, in a process of its own on the first core; gives
    the figures it prints."""
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, preexec_fn=_first_core
    )
    if done.returncode != 0:
        raise SystemExit(f"{who} failed:\n{done.stderr[-3000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def pin_server_away() -> None:
    """Keep the server that this process started off the first core, where there are two."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        for pid in _children():
            os.sched_setaffinity(pid, {1})


def _children() -> list[int]:
    path = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def _first_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
