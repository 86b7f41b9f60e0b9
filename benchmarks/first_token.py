"""How much later than the server sent it a first token is seen, while 256 streams come in.

    python benchmarks/first_token.py         a minute or two; part of `benchmarks/executor.py`

256 streams of 50 tokens a second each, 2 to 6 s long, so that one ends and another begins 60 times a
second. Each answer begins with the server's own time to first token, measured from the whole request to
the write; what the client measured is later by what client, kernel and socket add. Only what began after
the ramp is counted. `bare` is aiohttp on uvloop that looks for that token and parses every event; labkit
also writes every generation to disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import contenders
import loopback

STREAMS, TOKENS_PER_S, EVENTS = 256, 50, 200
RAMP_S = 8.0
"""Until all streams are open, and no longer in the step in which they were opened."""
COUNT = 2000
WHO = ("bare", "labkit", "labkit-anthropic")


def measure(who: str, count: int, base: str, profile: str | None = None) -> dict[str, float]:
    """Median and p99 of the added seconds in steady state, in ms, of one contender in this process."""
    address = f"{base}/p{TOKENS_PER_S}/e{EVENTS}"
    begun = time.time()
    cpu = contenders.cpu_s()
    rows = bare(count, address) if who == "bare" else labkit(who, count, address, profile)
    share = (contenders.cpu_s() - cpu) / (time.time() - begun)
    added = sorted(ttft - told for at, ttft, told in rows if at > begun + RAMP_S)
    if len(added) < count // 3:
        raise SystemExit(f"{who}: only {len(added)} of {count} answers began after the ramp of {RAMP_S:g} s")
    return {
        "p50_ms": added[len(added) // 2] * 1000,
        "p99_ms": added[int(len(added) * 0.99)] * 1000,
        "cpu_share": share,
        "counted": float(len(added)),
    }


def labkit(who: str, count: int, address: str, profile: str | None) -> list[tuple[float, float, float]]:
    """When each began, its `ttft_s`, and what the server said of it."""
    rows: list[tuple[float, float, float]] = []

    def heard(row: Any) -> None:
        told = loopback.TOLD.match(row.text or "")
        if told is None:
            raise SystemExit(f"an answer without its time: {row.error_message or row.text[:80]}")
        rows.append((row.started_at.timestamp(), row.ttft_s, int(told[1]) / 1e6))

    dialect = "anthropic" if who.endswith("anthropic") else "openai"
    with contenders.engine(dialect, STREAMS, address, heard) as go:
        if profile is not None:
            contenders.profiled(lambda: go(0, count, True), profile)
        else:
            go(0, count, True)
    return rows


def bare(count: int, address: str) -> list[tuple[float, float, float]]:
    """The same of aiohttp alone."""
    import aiohttp
    import msgspec
    import uvloop

    rows = []

    async def run() -> None:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def ask(number: int) -> None:
                body = {"model": "bench", "messages": contenders.messages(number), "stream": True}
                at, sent = time.time(), time.perf_counter()
                told, held = None, b""
                async with session.post(f"{address}/v1/chat/completions", json=body) as response:
                    async for chunk in response.content.iter_any():
                        *events, held = (held + chunk).split(b"\n\n")
                        for event in events:
                            if event != b"data: [DONE]":
                                msgspec.json.decode(event[6:])
                            if told is None and (told := loopback.TOLD.search(event.decode())):
                                rows.append((at, time.perf_counter() - sent, int(told[1]) / 1e6))

            places = asyncio.Semaphore(STREAMS)

            async def one(number: int) -> None:
                async with places:
                    await ask(number)

            await asyncio.gather(*map(one, range(count)))

    uvloop.run(run())
    return rows


def table(base: str, count: int, repeats: int) -> float:
    """Every contender in turn, there and back; prints medians and gives labkit's p99 in ms."""
    found: dict[str, list[dict[str, float]]] = {who: [] for who in WHO}
    for _ in range(repeats):
        for who in [*WHO, *reversed(WHO)]:
            command = [__file__, "--count", str(count), "--one", who, base]
            found[who].append(contenders.alone(command, who))
    print(f"\nadded time to first token, {STREAMS} streams of {TOKENS_PER_S} tokens/s each, steady state")
    print(f"{'':18}{'p50 ms':>9}{'p99 ms':>9}{'range of p99':>16}{'of a core':>11}{'answers':>9}")
    for who, figures in found.items():
        one = {name: statistics.median(each[name] for each in figures) for name in figures[0]}
        p99 = [each["p99_ms"] for each in figures]
        print(
            f"{who:18}{one['p50_ms']:9.2f}{one['p99_ms']:9.2f}{f'{min(p99):.1f}-{max(p99):.1f}':>16}"
            f"{one['cpu_share']:11.0%}{one['counted']:9,.0f}",
            flush=True,
        )
    return statistics.median(each["p99_ms"] for each in found["labkit"])


def main() -> None:
    """Measure one contender, or all in alternation."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--repeats", type=int, default=1, help="rounds there and back")
    parser.add_argument("--one", nargs=2, metavar=("WHO", "BASE"))
    parser.add_argument("--profile", metavar="FILE", help="with --one: a cProfile of the whole")
    options = parser.parse_args()
    if options.one:
        who, base = options.one
        print(json.dumps(measure(who, options.count, base, options.profile)))
        return
    with loopback.running() as base:
        contenders.pin_server_away()
        table(base, options.count, options.repeats)


if __name__ == "__main__":
    main()
