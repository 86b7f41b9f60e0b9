"""How labkit fares where requests are refused, beside a plain loop over the SDK with the SDK's own retries.

    python benchmarks/refusals.py            the whole table, about 25 minutes
    python benchmarks/refusals.py --only chance-20 limit-600     some of its rows

A server of our own in a process of its own refuses by chance, by a limit a minute (a token bucket, with or
without headers that tell of it), by a number at once, all of it for half a minute, or by two of these. Each
contender asks it in a process of its own, in alternation (loop, labkit, labkit, loop), 32 in flight; an
answer takes 100 ms. Seconds are those of asking, without imports. `over` are refusals by a limit, not by
chance.
At the end stands what is asked and whether it holds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

ANSWER_S = 0.1
IN_FLIGHT = 32
BY_CHANCE = [(503, None), (429, None), (429, None), (429, "1")]
"""Of these a refusal by chance is one: its status, and its `Retry-After`."""


def limit(per_minute: float, left: float, *, tells: bool, **more: Any) -> dict[str, Any]:
    """A limit a minute, of which so much is left at first."""
    return {"per_minute": per_minute, "left": left, "tells": tells, **more}


WORLDS: dict[str, tuple[dict[str, Any], int, int]] = {
    "chance-0": ({}, 1000, 1),
    "chance-5": ({"chance": 0.05}, 1000, 1),
    "chance-20": ({"chance": 0.2}, 1000, 1),
    "chance-40": ({"chance": 0.4}, 600, 1),
    "limit-60-told": (limit(60, 20, tells=True), 80, 1),
    "limit-60": (limit(60, 20, tells=False), 80, 1),
    "limit-600-told": (limit(600, 60, tells=True), 500, 1),
    "limit-600": (limit(600, 60, tells=False), 500, 1),
    "limit-6000-told": (limit(6000, 300, tells=True), 3000, 1),
    "limit-6000": (limit(6000, 300, tells=False), 3000, 1),
    "8-at-once": ({"at_once": 8}, 1000, 1),
    "limit-600-chance-20": (limit(600, 60, tells=False, chance=0.2), 500, 1),
    "limit-600-told-chance-20": (limit(600, 60, tells=True, chance=0.2), 500, 1),
    "limit-6000-chance-20": (limit(6000, 300, tells=False, chance=0.2), 3000, 1),
    "8-at-once-chance-20": ({"at_once": 8, "chance": 0.2}, 1000, 1),
    "halves-and-doubles": (limit(1200, 40, tells=False, halved_s=[15, 35]), 900, 1),
    "storm": ({"storm_s": [2, 32]}, 2000, 1),
    "two-processes": (limit(600, 60, tells=False), 250, 2),
}
"""By name: what the server does, how many are asked by each process, and how many processes ask."""


class World:
    """What takes and refuses, and counts."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.random = Random(1)
        self.left = float(told.get("left", 0))
        self.began = self.at = 0.0
        self.out = 0
        self.seen = {"requests": 0, "chance": 0, "over": 0, "taken": 0}

    def refused(self, now: float) -> tuple[int, dict[str, str]] | None:
        """A request arrives: why it is refused, if it is."""
        self.began = self.began or now
        since = now - self.began
        self.seen["requests"] += 1
        begin, end = self.told.get("storm_s", (0, 0))
        if begin <= since < end or self.random.random() < self.told.get("chance", 0):
            self.seen["chance"] += 1
            status, asked = self.random.choice(BY_CHANCE)
            return status, {"retry-after": asked} if asked else {}
        if self.out >= self.told.get("at_once", 10**9):
            self.seen["over"] += 1
            return 429, {}
        if "per_minute" in self.told:
            self._flow(now)
            if self.left < 1:
                self.seen["over"] += 1
                return 429, {}
            self.left -= 1
        self.seen["taken"] += 1
        return None

    def per_s(self, now: float) -> float:
        """The limit now."""
        begin, end = self.told.get("halved_s", (0, 0))
        half = 0.5 if begin <= now - self.began < end else 1.0
        return float(self.told["per_minute"]) / 60 * half

    def headers(self, now: float) -> dict[str, str]:
        """What is told of the limit."""
        if not self.told.get("tells"):
            return {}
        self._flow(now)
        minute = self.per_s(now) * 60
        return {
            "x-ratelimit-limit-requests": f"{minute:.0f}",
            "x-ratelimit-remaining-requests": f"{int(self.left)}",
            "x-ratelimit-reset-requests": f"{(minute - self.left) / self.per_s(now):.3f}s",
        }

    def _flow(self, now: float) -> None:
        self.at = self.at or now
        self.left = min(float(self.told["per_minute"]), self.left + (now - self.at) * self.per_s(now))
        self.at = now


async def serve(told: dict[str, Any]) -> None:
    """Serve until killed; prints the port."""
    from aiohttp import web

    world = World(told)

    async def answer(request: web.Request) -> web.StreamResponse:
        streamed = (await request.json()).get("stream")
        now = time.monotonic()
        why = world.refused(now)
        if why is not None:
            status, headers = why
            body = {"error": {"message": "no", "type": "busy", "code": "busy"}}
            return web.json_response(body, status=status, headers={**world.headers(now), **headers})
        world.out += 1
        await asyncio.sleep(ANSWER_S)
        world.out -= 1
        head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
        usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
        if not streamed:
            choice = {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
            whole = {**head, "choices": [choice], "usage": usage}
            return web.json_response(whole, headers=world.headers(now))
        choice = {"index": 0, "delta": {"content": "yes"}, "finish_reason": "stop"}
        events = [{**head, "choices": [choice]}, {**head, "choices": [], "usage": usage}]
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        return web.Response(text=text, content_type="text/event-stream", headers=world.headers(now))

    async def seen(_: web.Request) -> web.Response:
        return web.json_response(world.seen)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    app.router.add_get("/seen", seen)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def ask(who: str, base: str, count: int) -> float:
    """Ask so many and give the seconds it took; waits for a line on stdin before it begins."""
    return _ask_with_labkit(base, count) if who == "labkit" else asyncio.run(_ask_in_a_loop(base, count))


def _ready() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def _ask_with_labkit(base: str, count: int) -> float:
    import openai  # noqa: F401 - imports are not what is measured
    import pandas as pd  # noqa: F401 - nor this, which DuckDB imports when it makes a lab

    import labkit as lk

    with tempfile.TemporaryDirectory() as folder:
        model = lk.Model("bench/m", base_url=f"{base}/v1", key_env="", prices={"input": 0, "output": 0})
        rows = [{"n": str(number)} for number in range(count)]
        plan = lk.Lab(f"{folder}/lab.duckdb").plan(prompts=["Say {{ n }}"], models=[model], dataset=rows)
        _ready()
        began = time.perf_counter()
        run = plan.run(progress="none")
        took_s = time.perf_counter() - began
        done = (run.generations()["status"] == "done").sum()
        if done < count:
            print(f"{count - done} of {count} failed", file=sys.stderr)
    return took_s


async def _ask_in_a_loop(base: str, count: int) -> float:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(api_key="no-key", base_url=f"{base}/v1", max_retries=60)
    places = asyncio.Semaphore(IN_FLIGHT)

    async def one(number: int) -> None:
        async with places:
            messages: Any = [{"role": "user", "content": f"Say {number}"}]
            await client.chat.completions.create(model="m", messages=messages)

    _ready()
    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(count)))
    return time.perf_counter() - began


@contextlib.contextmanager
def _process(*arguments: str, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(Path(__file__)), *arguments]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": env}
    with subprocess.Popen(command, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def measured(name: str, who: str) -> dict[str, float]:
    """One contender in one world: seconds, requests, and what was refused."""
    told, count, processes = WORLDS[name]
    with contextlib.ExitStack() as stack:
        # Each measurement is the first of its kind on this machine: nothing is known from the one before.
        cache = stack.enter_context(tempfile.TemporaryDirectory())
        env = {**os.environ, "XDG_CACHE_HOME": cache}
        server = stack.enter_context(_process("--serve", json.dumps(told), env=env))
        assert server.stdout is not None
        base = f"http://127.0.0.1:{int(server.stdout.readline())}"
        asking = [
            stack.enter_context(_process("--ask", who, base, str(count), env=env)) for _ in range(processes)
        ]
        for one in asking:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in asking:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        took_s = max(float(one.stdout.readline()) for one in asking if one.stdout is not None)
        with urllib.request.urlopen(f"{base}/seen", timeout=10) as response:
            seen = json.load(response)
    return {"took_s": took_s, **seen}


def allowed_s(name: str) -> float | None:
    """The seconds that the limit of that world needs for all answers at least."""
    told, count, processes = WORLDS[name]
    if "per_minute" not in told:
        return None
    begin, end = told.get("halved_s", (0, 0))
    return (count * processes - told["left"]) / (told["per_minute"] / 60) + (end - begin) / 2


def asked(name: str, loop: dict[str, float], ours: dict[str, float]) -> list[tuple[str, bool]]:
    """What is asked of labkit in that world, and whether it holds."""
    speed, over = loop["took_s"] / ours["took_s"], ours["over"] / ours["requests"]
    told = WORLDS[name][0]
    found = [(f"no slower than 1.5 × the loop: {1 / speed:.2f} ×", speed >= 1 / 1.5)]
    if name.startswith("chance-"):
        least = 0.6 if name == "chance-40" else 0.8
        found.append((f"≥ {least} of the loop's throughput: {speed:.2f}", speed >= least))
        if name != "chance-40":
            more = ours["requests"] / loop["requests"]
            found.append((f"≤ 1.1 × its requests: {more:.2f}", more <= 1.1))
    elif "chance" in told:
        found.append((f"≤ 10 % refused beyond chance: {over:.1%}", over <= 0.1))
        if (least_s := allowed_s(name)) is not None:
            used = least_s / ours["took_s"]
            found.append((f"≥ 0.7 of what the limit allows: {used:.2f}", used >= 0.7))
    elif name.startswith(("limit-", "8-", "two-")):
        most = 0.05 if told.get("tells") else 0.11
        found.append((f"≤ {most:.0%} refused: {over:.1%}", over <= most))
    return found


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=list(WORLDS), choices=list(WORLDS))
    parser.add_argument("--serve", metavar="WORLD")
    parser.add_argument("--ask", nargs=3, metavar=("WHO", "BASE", "COUNT"))
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(json.loads(options.serve)))
    if options.ask:
        who, base, count = options.ask
        print(ask(who, base, int(count)), flush=True)
        return
    print("| world | loop s | labkit s | throughput | requests | loop over | labkit over |")
    print("|---|---|---|---|---|---|---|", flush=True)
    held: list[str] = []
    for name in options.only:
        seen: dict[str, list[dict[str, float]]] = {"loop": [], "labkit": []}
        for who in ("loop", "labkit", "labkit", "loop"):
            seen[who].append(measured(name, who))
        loop, ours = (
            {key: statistics.mean(one[key] for one in seen[who]) for key in seen[who][0]}
            for who in ("loop", "labkit")
        )
        speed = loop["took_s"] / ours["took_s"]
        print(
            f"| {name} | {loop['took_s']:.1f} | {ours['took_s']:.1f} | {speed:.2f} |"
            f" {ours['requests']:,.0f} / {loop['requests']:,.0f} | {loop['over'] / loop['requests']:.1%} |"
            f" {ours['over'] / ours['requests']:.1%} |",
            flush=True,
        )
        held += [f"{'held' if holds else 'NOT '} {name}: {what}" for what, holds in asked(name, loop, ours)]
    print("\n" + "\n".join(held))


if __name__ == "__main__":
    main()
