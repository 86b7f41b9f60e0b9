"""What labkit's engine costs, beside hand-written loops over the same SDKs and a bare HTTP client.

    python benchmarks/executor.py            everything, some minutes
    python benchmarks/executor.py --quick    256 in flight only, fewer requests, once

One loopback server in a process of its own; every contender asks it in a process of its own, in
alternation (A B C … C B A), one core for the client. The CPU is that of the whole client process, all its
threads, in the timed section: imports, clients and the first requests come before it.

- `bare`       aiohttp on uvloop, the JSON of every answer or event parsed, nothing kept
- `openai`     the OpenAI SDK, typed, its default transport, gather and a semaphore
- `anthropic`  the Anthropic SDK, the same
- `labkit`     the executor and the store's journal: every generation on disk (fdatasync) before it counts
- `labkit-anthropic`  the same in the other dialect
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import loopback

PROMPT = "Classify this in one word. " * 18
MODES = {"plain": 0, "stream-32": 32, "stream-300": 300}
WHO = ("bare", "openai", "anthropic", "labkit", "labkit-anthropic")
WARM = 64
MAX_TOKENS = 512
LATENCY_S = {"plain": 0.05, "stream-32": 0.5, "stream-300": 3.0}
"""Of the server, up to 256 in flight; beyond that longer in proportion, or the server would be what is
measured. Streams have a provider's pace, an event every 10 to 15 ms, so that events arrive one by one."""

Ask = Callable[[int], Awaitable[None]]


def cpu_s() -> float:
    """The CPU time of this process so far, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def messages(number: int) -> list[dict[str, Any]]:
    """A prompt of 500 characters, another for each request."""
    return [{"role": "user", "content": f"{number} {PROMPT}"}]


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument(
        "--count", type=int, default=0, help="requests a measurement; default 3,000 (quick: 1,000)"
    )
    parser.add_argument("--repeats", type=int, default=0, help="rounds there and back; default 2 (quick: 1)")
    parser.add_argument("--in-flight", type=int, nargs="*", default=None)
    parser.add_argument("--modes", nargs="*", default=list(MODES), choices=list(MODES))
    parser.add_argument("--who", nargs="*", default=list(WHO), choices=WHO)
    parser.add_argument("--no-memory", action="store_true", help="leave out the memory of 10,000 generations")
    parser.add_argument("--one", nargs=5, metavar=("WHO", "MODE", "IN_FLIGHT", "COUNT", "BASE"))
    parser.add_argument("--profile", metavar="FILE", help="with --one: a cProfile of the timed section")
    options = parser.parse_args()
    if options.one:
        who, mode, in_flight, count, base = options.one
        print(json.dumps(measure(who, mode, int(in_flight), int(count), base, options.profile)))
        return
    quick = options.quick
    count = options.count or (1000 if quick else 3000)
    repeats = options.repeats or (1 if quick else 2)
    levels = options.in_flight or ([256] if quick else [32, 256, 1000])
    with loopback.running() as base:
        pin_server_away()
        for mode in options.modes:
            for level in levels:
                table(mode, level, rounds(options.who, mode, level, count, repeats, base))
        if not options.no_memory and "labkit" in options.who:
            memory(base, [10_000] if quick else [10_000, 50_000])


def rounds(
    who: list[str], mode: str, level: int, count: int, repeats: int, base: str
) -> dict[str, list[dict[str, float]]]:
    """Every contender in turn, there and back again."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in who}
    for _ in range(repeats):
        for name in [*who, *reversed(who)]:
            slow = name in ("openai", "anthropic") and mode != "plain"
            fewer = count // 4 if slow else count // 2 if mode == "stream-300" else count
            found[name].append(run_one(name, mode, level, max(fewer, level), base))
    return found


def run_one(who: str, mode: str, level: int, count: int, base: str) -> dict[str, float]:
    """One contender, measured in a process of its own on the first core."""
    command = [sys.executable, __file__, "--one", who, mode, str(level), str(count), base]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=_first_core)
    if done.returncode != 0:
        raise SystemExit(f"{who} {mode} failed:\n{done.stderr[-3000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def table(mode: str, level: int, found: dict[str, list[dict[str, float]]]) -> None:
    """Print one comparison: medians, and ratios to the bare client and to the OpenAI SDK."""
    medians = {
        who: {name: statistics.median(one[name] for one in figures) for name in figures[0]}
        for who, figures in found.items()
    }
    print(f"\n{mode}, {level:,} in flight (medians of {len(next(iter(found.values())))})")
    print(f"{'':18}{'CPU ms':>9}{'per s':>9}{'x bare':>9}{'x openai':>10}{'RSS MB':>9}")
    for who, one in medians.items():
        ratios = [
            f"{one['cpu_ms'] / medians[other]['cpu_ms']:.2f}" if other in medians else "-"
            for other in ("bare", "openai")
        ]
        print(
            f"{who:18}{one['cpu_ms']:9.3f}{one['per_s']:9,.0f}{ratios[0]:>9}{ratios[1]:>10}{one['rss_mb']:9.0f}",
            flush=True,
        )


def memory(base: str, counts: list[int]) -> None:
    """Print the peak memory of labkit at so many generations."""
    peaks = [run_one("labkit", "plain", 256, count, base)["rss_mb"] for count in counts]
    print(
        "\nlabkit, peak RSS: "
        + ", ".join(f"{n:,} generations {p:.0f} MB" for n, p in zip(counts, peaks, strict=True))
    )


def measure(who: str, mode: str, level: int, count: int, base: str, profile: str | None) -> dict[str, float]:
    """One contender's figures, in this process."""
    ms = int(LATENCY_S[mode] * max(1.0, level / 256) * 1000)
    address = f"{base}/l{ms}/e{MODES[mode] or 1}"
    if who.startswith("labkit"):
        cpu, wall = labkit(who, mode, level, count, address, profile)
    else:
        asks = {"bare": bare, "openai": openai_sdk, "anthropic": anthropic_sdk}
        cpu, wall = asks[who](mode, level, count, address)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_ms": cpu / count * 1000, "per_s": count / wall, "rss_mb": rss}


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


def bare(mode: str, level: int, count: int, address: str) -> tuple[float, float]:
    """aiohttp on uvloop; the JSON is parsed and dropped."""
    import aiohttp
    import msgspec
    import uvloop

    decode = msgspec.json.decode
    url = f"{address}/v1/chat/completions"
    stream = bool(MODES[mode])

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


def openai_sdk(mode: str, level: int, count: int, address: str) -> tuple[float, float]:
    """The OpenAI SDK as it comes, but patient: its 5 s to connect are not enough at 1,000 in flight."""
    from openai import AsyncOpenAI

    async def run() -> tuple[float, float]:
        client = AsyncOpenAI(api_key="sk-bench-000000", base_url=f"{address}/v1", max_retries=0, timeout=600)

        async def ask(number: int) -> None:
            if not MODES[mode]:
                await client.chat.completions.create(model="bench", messages=messages(number))  # type: ignore[arg-type]
                return
            stream = await client.chat.completions.create(
                model="bench",
                messages=messages(number),  # type: ignore[arg-type]
                stream=True,
                stream_options={"include_usage": True},
            )
            async for chunk in stream:
                for choice in chunk.choices:
                    _ = choice.delta.content

        return await gathered(ask, level, count)

    return asyncio.run(run())


def anthropic_sdk(mode: str, level: int, count: int, address: str) -> tuple[float, float]:
    """The Anthropic SDK as it comes."""
    from anthropic import AsyncAnthropic

    async def run() -> tuple[float, float]:
        client = AsyncAnthropic(api_key="sk-bench-000000", base_url=address, max_retries=0, timeout=600)

        async def ask(number: int) -> None:
            given: dict[str, Any] = {"model": "bench", "messages": messages(number), "max_tokens": MAX_TOKENS}
            if not MODES[mode]:
                await client.messages.create(**given)
                return
            async for event in await client.messages.create(**given, stream=True):
                _ = event.type

        return await gathered(ask, level, count)

    return asyncio.run(run())


def labkit(
    who: str, mode: str, level: int, count: int, address: str, profile: str | None
) -> tuple[float, float]:
    """The executor, landing every generation in a journal."""
    from labkit.catalog import pricer as pricer_for
    from labkit.catalog.model import Model
    from labkit.engine import loop
    from labkit.engine.executor import Executor
    from labkit.keys import Key
    from labkit.store.folder import Folder
    from labkit.store.writer import Writer

    dialect = "anthropic" if who.endswith("anthropic") else "openai"
    model = Model(
        "bench/bench",
        dialect=dialect,
        base_url=address + ("/v1" if dialect == "openai" else ""),
        concurrency=level,
        prices={"input": 3.0, "output": 15.0},
    )
    pricer = pricer_for(model, datetime.now(UTC))
    key = Key("sk-bench-000000", source="the benchmark")

    class Counting(Writer):
        """The store's writer, which also counts what is done."""

        done = 0
        fault: str | None = None

        def generation(self, generation: Any, stored: Callable[[], None]) -> None:
            if generation.status == "done":
                self.done += 1
            else:
                self.fault = f"{generation.error_type}: {generation.error_message}"
            super().generation(generation, stored)

    with tempfile.TemporaryDirectory(dir=os.environ.get("LABKIT_BENCH_DIR")) as folder:
        place = Folder(Path(folder) / "lab.duckdb")
        place.make()
        writer = Counting(place)

        def go(first: int, number: int) -> None:
            executor = Executor({model.id: model}, {model.id: key}, sink=writer, seed=1)
            jobs = jobs_for(model, pricer, first, number, stream=bool(MODES[mode]))
            loop.run(executor.execute(jobs)).result()

        go(count, max(WARM, level))
        if profile is not None:
            profiled(lambda: go(0, count), profile)
        writer.done = 0
        cpu, wall = cpu_s(), time.perf_counter()
        go(0, count)
        spent = cpu_s() - cpu, time.perf_counter() - wall
        writer.close()
        if writer.done != count:
            raise SystemExit(f"{writer.done} of {count} generations are done: {writer.fault}")
        return spent


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

    from labkit.engine import loop

    profile = cProfile.Profile()
    loop.get().call_soon_threadsafe(profile.enable)
    go()
    loop.get().call_soon_threadsafe(profile.disable)
    time.sleep(0.1)
    profile.dump_stats(path)


def pin_server_away() -> None:
    """Keep this process, and so the server it started, off the first core, where there are two."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        for pid in _children():
            os.sched_setaffinity(pid, {1})


def _children() -> list[int]:
    path = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def _first_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


if __name__ == "__main__":
    main()
