"""How long the service takes to answer, beside a bare Starlette route, over a lab of 100,000 generations.

    python benchmarks/serve.py [--quick]

Requests leave at planned moments, whatever became of earlier ones, over 64 connections, and each latency
counts from its planned moment: a server that stands still is not let off. Server, bare server and generator
are processes of their own. Every request is by a JWT, whose session is looked up. Executions are asked of a
scripted model that answers after 500 ms; what is printed of them is what the service adds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).parents[1]))

CLIENTS = 64
PROVIDER_S = 0.5
SAMPLES, REPEATS = 5_000, 10
"""On two models: 100,000 generations."""


@dataclass(frozen=True)
class Point:
    """What is asked, how often a second, how many times, and the p99 that is wanted."""

    name: str
    method: str
    path: str
    per_s: float
    requests: int
    wanted_ms: float
    body: Any = None
    less_ms: float = 0.0
    """What the provider takes of it."""


POINTS = (
    Point("GET /models", "GET", "/models", 200, 2_000, 25),
    Point("GET /models/{id}", "GET", "/models/scripted/fast", 200, 2_000, 10),
    Point("GET /executions?limit=50", "GET", "/executions?limit=50", 40, 1_000, 50),
    Point(
        "POST /execute, one model", "POST", "/execute", 20, 400, 40,
        {"prompt": "Say hello", "model_ids": ["scripted/slow"]}, PROVIDER_S * 1000,
    ),
    Point(
        "POST /execute, two models", "POST", "/execute", 10, 200, 50,
        {"prompt": "Say hello", "model_ids": ["scripted/slow", "scripted/fast"]}, PROVIDER_S * 1000,
    ),
)  # fmt: skip


def fill(path: Path, samples: int, repeats: int) -> None:
    """A lab with many generations, and a service's state that has them."""
    import labkit as lk
    from labkit.server.service import Service
    from labkit.server.settings import Settings
    from tests.server.running import people

    models = [lk.Model(f"scripted/{name}", client=lk.Script(["an answer"], version="1")) for name in "ab"]
    lab = lk.Lab(path, models=models)
    rows = [{"text": f"Sample {number} says something."} for number in range(samples)]
    names = [model.id for model in models]
    lab.plan(prompts=["Read: {{ text }}"], models=names, dataset=rows, repeats=repeats).run(progress="none")
    service = Service(Settings(lab=path), lab)
    people(service)
    service.index.catch_up()
    service.close()


def serve(port: int, folder: str) -> None:
    """The service as `labkit serve` starts it, its log thrown away."""
    import labkit as lk
    from labkit.server.serving import serve as serve_until_a_signal
    from labkit.server.settings import Settings

    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - as long as the process
    models: Any = [
        lk.Model("scripted/slow", client=lk.Script(["hello"], version="1", first_token_s=PROVIDER_S)),
        lk.Model("scripted/fast", client=lk.Script(["hello"], version="1")),
    ]
    settings = Settings(lab=Path(folder) / "lab.duckdb", port=port, models=models)
    serve_until_a_signal(settings, said=lambda line: None)


def bare(port: int, folder: str) -> None:
    """A route that does nothing."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    app = Starlette(routes=[Route("/", lambda request: JSONResponse([{"id": "a"}]))])
    uvicorn.run(app, port=port, log_level="error", access_log=False, ws="none")


async def measure(url: str, point: Point, headers: dict[str, str]) -> list[float]:
    """Latencies in ms from the planned moments."""
    connector = aiohttp.TCPConnector(limit=CLIENTS)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:

        async def ask(planned_s: float) -> float:
            async with session.request(point.method, url, json=point.body) as answer:
                await answer.read()
                assert answer.status == 200, await answer.text()
            return (time.perf_counter() - planned_s) * 1000 - point.less_ms

        for _ in range(3):
            await ask(time.perf_counter())
        began = time.perf_counter() + 0.1
        tasks = []
        for number in range(point.requests):
            planned_s = began + number / point.per_s
            await asyncio.sleep(max(0.0, planned_s - time.perf_counter()))
            tasks.append(asyncio.create_task(ask(planned_s)))
        return list(await asyncio.gather(*tasks))


def p(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, round(part * len(values)))]


def started(target: Callable[..., None], *what: Any) -> Any:
    """A process that runs `target`."""
    process = multiprocessing.get_context("spawn").Process(target=target, args=what, daemon=True)
    process.start()
    return process


def listening(target: Callable[..., None], folder: str) -> tuple[Any, int]:
    """A server's process and its port, once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = started(target, port, folder)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)  # until it listens
        else:
            return process, port


async def log_in(url: str) -> dict[str, str]:
    from tests.server.running import PASSWORD

    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/auth/login/json", json={"username": "ada", "password": PASSWORD}) as answer,
    ):
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the lab and of the requests")
    share = 10 if parser.parse_args().quick else 1
    with tempfile.TemporaryDirectory() as folder:
        started(fill, Path(folder) / "lab.duckdb", SAMPLES // share, REPEATS).join()
        os.sync()  # what the lab was filled with is no part of what follows
        service, port = listening(serve, folder)
        nothing, bare_port = listening(bare, folder)
        url = f"http://127.0.0.1:{port}/api/v1"
        headers = asyncio.run(log_in(url))
        print(f"{'':28}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}  wanted p99   ÷ bare p99 (ms)")
        for point in POINTS:
            once = Point(**{**point.__dict__, "requests": point.requests // share})
            beside = Point(point.name, "GET", "", point.per_s, once.requests, 0)
            floor = asyncio.run(measure(f"http://127.0.0.1:{bare_port}/", beside, {}))
            took = asyncio.run(measure(f"{url}{point.path}", once, headers))
            figures = "".join(f"{p(took, part):8.1f}" for part in (0.5, 0.95, 0.99, 1.0))
            print(
                f"{point.name:28}{figures}  {point.wanted_ms:>10.0f}   {p(took, 0.99) / p(floor, 0.99):.1f}"
            )
        print(json.dumps({"bare_p50_ms": statistics.median(floor)}))
        service.terminate()
        nothing.terminate()


if __name__ == "__main__":
    main()
