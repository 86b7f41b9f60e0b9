"""What one press on Run costs in a warm kernel: until the request leaves, until its row is read, its CPU.

    python benchmarks/interactive.py            a minute or two
    python benchmarks/interactive.py --quick    fewer rounds: half of that

One loopback server in a process of its own. In one process, in alternation: `labkit`, a plan of one cell run
and its row read; `openai`, the call a user would otherwise write with the SDK; `bare`, the same with aiohttp.
Each round asks something new, in a lab that has a hundred answers. Clocks are the machine's, read on both
sides. Then 1,000 streams of 32 events through `plan.run()`, in alternation with the engine alone as
`executor.py` drives it; and `%%prompt` in a real kernel, whose messages are heard as a notebook hears them.
At the end stands every figure that is asked for, with what is asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import contenders
import loopback

LATENCY_MS, EVENTS = 50, 8
"""Of one answer: its first event after 20 ms, the others as they come from a quick model."""
SHOWN_MS, SHOWN_EVENTS = 1000, 32
"""Of an answer that is looked at: its first event after 0.3 s."""
STREAMS, IN_FLIGHT, STREAM_MS, STREAM_EVENTS = 1000, 256, 500, 32
EARLIER = 100
PAUSE_S = 1.0
"""Between two presses: somebody reads the answer, and the lab does what it left for later."""
WHO = ("bare", "openai", "labkit")
ROUNDS, QUICK = 30, 10

Figures = dict[str, float]


# -- one cell ------------------------------------------------------------------------------------


def one_cell(base: str, rounds: int) -> Figures:
    """Every contender in turn, `rounds` times after three to warm up: p50 and p95, in ms."""
    address = f"{base}/l{LATENCY_MS}/e{EVENTS}/v1"
    with tempfile.TemporaryDirectory() as folder:
        asks = {"bare": bare(address), "openai": openai_sdk(address), "labkit": labkit(address, folder)}
        found: dict[str, list[float]] = {}
        for number in range(-3, rounds):
            for who in WHO:
                begun, cpu = time.time(), contenders.cpu_s()
                asks[who](number)
                read_at, spent_s = time.time(), contenders.cpu_s() - cpu
                seen = stats(base)
                cpu = contenders.cpu_s()
                if who == "labkit":
                    time.sleep(PAUSE_S)
                if number >= 0:
                    row = {
                        "leaves": seen["came_at"] - begun,
                        "read": read_at - seen["ended_at"],
                        "cpu": spent_s,
                        "later": contenders.cpu_s() - cpu,
                    }
                    for what, seconds in row.items():
                        found.setdefault(f"{who} {what}", []).append(seconds * 1000)
    figures = {f"{what} p50": statistics.median(all_) for what, all_ in found.items()}
    return figures | {f"{what} p95": sorted(all_)[int(len(all_) * 0.95)] for what, all_ in found.items()}


def bare(address: str) -> Callable[[int], None]:
    """aiohttp, its session kept open; the JSON of every event is parsed."""
    import aiohttp
    import msgspec

    runner = asyncio.Runner()
    session = runner.run(_session(aiohttp))

    async def ask(number: int) -> None:
        body = {"model": "bench", "messages": contenders.messages(number), "stream": True}
        async with session.post(f"{address}/chat/completions", json=body) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    msgspec.json.decode(line[6:])

    return lambda number: runner.run(ask(number))


async def _session(aiohttp: Any) -> Any:
    return aiohttp.ClientSession()


def openai_sdk(address: str) -> Callable[[int], None]:
    """The OpenAI SDK, its client kept, a stream read to its end."""
    from openai import OpenAI

    client = OpenAI(api_key="sk-bench-000000", base_url=address, max_retries=0)

    def ask(number: int) -> None:
        chunks = client.chat.completions.create(
            model="bench",
            messages=contenders.messages(number),  # type: ignore[arg-type]
            stream=True,
            stream_options={"include_usage": True},
        )
        _ = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)

    return ask


def labkit(address: str, folder: str) -> Callable[[int], None]:
    """A plan of one cell, run, and its row read; the plan is made within, as in a notebook's cell."""
    lab, model = lab_for(address, folder, concurrency=IN_FLIGHT)
    early = [contenders.messages(-number)[0]["content"] for number in range(10, 10 + EARLIER)]
    finished(lab.plan(prompts=["{{ text }}"], models=[model], dataset=[{"text": t} for t in early]), EARLIER)

    def ask(number: int) -> None:
        prompt = contenders.messages(number)[0]["content"]
        run = lab.plan(prompts=[prompt], models=[model]).run(progress="none")
        rows = run.generations()
        if list(rows["status"]) != ["done"]:
            raise SystemExit(f"a run of one cell gave {rows['error_message'].tolist()}")

    return ask


def lab_for(address: str, folder: str, *, concurrency: int) -> tuple[Any, Any]:
    """A lab in `folder`, and the model that the server stands for."""
    import labkit as lk

    prices = {"input": 3.0, "output": 15.0}
    model = lk.Model(
        "bench/bench",
        dialect="openai",
        base_url=address,
        key_env="",
        prices=prices,
        concurrency=concurrency,
    )
    return lk.Lab(Path(folder) / "lab.duckdb"), model


def finished(plan: Any, count: int) -> Any:
    """Run a plan, and make sure that it did."""
    run = plan.run(progress="none")
    if run.status != "finished" or len(plan) != count:
        raise SystemExit(f"{run.status} of {len(plan)} cells: {run.left}")
    return run


def stats(base: str) -> Figures:
    """What the server saw of its latest request."""
    with urllib.request.urlopen(f"{base}/stats") as answer:
        seen: Figures = json.loads(answer.read())
    return seen


# -- a thousand streams --------------------------------------------------------------------------


def streams(who: str, base: str) -> Figures:
    """CPU seconds of so many streams: of the engine alone, or of `plan.run()` and of reading the rows."""
    address = f"{base}/l{STREAM_MS}/e{STREAM_EVENTS}"
    if who == "engine":
        cpu, _ = contenders.labkit("openai", True, IN_FLIGHT, STREAMS, address)
        return {"cpu_s": cpu}
    with tempfile.TemporaryDirectory() as folder:
        lab, model = lab_for(address + "/v1", folder, concurrency=IN_FLIGHT)

        def plan(first: int, count: int) -> Any:
            texts = [contenders.messages(number)[0]["content"] for number in range(first, first + count)]
            dataset = [{"text": text} for text in texts]
            return lab.plan(
                prompts=["{{ text }}"],
                models=[model],
                dataset=dataset,
                params={"max_tokens": contenders.MAX_TOKENS},
                experiment="streams",
            )

        finished(plan(STREAMS, IN_FLIGHT), IN_FLIGHT)
        time.sleep(PAUSE_S)  # its checkpoint is not one of the run that is timed
        timed = plan(0, STREAMS)
        cpu = contenders.cpu_s()
        run = finished(timed, STREAMS)
        ran = contenders.cpu_s()
        rows = run.generations()
        read = contenders.cpu_s()
        if (rows["status"] != "done").any():
            raise SystemExit("not every stream is done")
        return {"cpu_s": ran - cpu, "read_s": read - ran}


# -- %%prompt ------------------------------------------------------------------------------------

SETUP = """
import os
os.chdir({folder!r})
import labkit as lk
%load_ext labkit
prices = {{"input": 3.0, "output": 15.0}}
own = {{"base_url": {address!r}, "key_env": "", "prices": prices}}
lab = lk.Lab("lab.duckdb", models=[lk.Model("bench/bench", dialect="openai", **own)])
"""


def prompts(base: str, rounds: int) -> Figures:
    """How much later than the server sent it the first text is in a message of the kernel, in ms."""
    from jupyter_client.manager import KernelManager

    with tempfile.TemporaryDirectory() as folder:
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel(stderr=subprocess.DEVNULL)
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=60)
            address = f"{base}/l{SHOWN_MS}/e{SHOWN_EVENTS}/v1"
            client.execute_interactive(SETUP.format(folder=folder, address=address), timeout=60)
            late, left = [], []
            for number in range(-2, rounds):
                pressed, shown = first_shown(client, f"%%prompt bench/bench\nSay it for the {number}. time")
                time.sleep(SHOWN_MS / 1000)
                seen = stats(base)
                if number >= 0:
                    late.append((shown - seen["first_at"]) * 1000)
                    left.append((seen["came_at"] - pressed) * 1000)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return {
        "shown p50": statistics.median(late),
        "shown p95": sorted(late)[int(len(late) * 0.95)],
        "leaves p50": statistics.median(left),
    }


def first_shown(client: Any, code: str) -> tuple[float, float]:
    """Run a cell as a notebook does, whose views say hello; when it was sent, and when the first message
    to its view with text of the answer was heard."""
    pressed, view = time.time(), None
    asked = client.execute(code)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        message = client.get_iopub_msg(timeout=30)
        kind, content = message["msg_type"], message["content"]
        if view is not None and content.get("comm_id") == view:
            if loopback.WORD.strip() in json.dumps(content, default=str):
                return pressed, time.time()
        elif message["parent_header"].get("msg_id") != asked:
            continue  # what an earlier cell still had to say
        elif kind == "error":
            raise SystemExit("\n".join(content["traceback"]))
        elif kind == "display_data" and (
            found := content["data"].get("application/vnd.jupyter.widget-view+json")
        ):
            view = found["model_id"]
            data = {"method": "custom", "content": {"kind": "hello"}}
            client.shell_channel.send(client.session.msg("comm_msg", {"comm_id": view, "data": data}))
    raise SystemExit("nothing of the answer was shown within 30 s")


# -- the table -----------------------------------------------------------------------------------


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--only", choices=["cell", "streams", "prompt"])
    parser.add_argument("--one", nargs=3, metavar=("WHAT", "WHO", "BASE"))
    options = parser.parse_args()
    rounds = options.rounds or (QUICK if options.quick else ROUNDS)
    if options.one:
        what, who, base = options.one
        print(json.dumps(streams(who, base) if what == "streams" else one_cell(base, rounds)))
        return
    rows: list[tuple[str, str, str, str]] = []
    with loopback.running() as base:
        contenders.pin_server_away()
        if options.only in (None, "cell"):
            rows += cell_rows(alone("cell", "all", base, rounds))
        if options.only in (None, "streams"):
            rows += stream_rows(base, 1 if options.quick else 3)
        if options.only in (None, "prompt"):
            shown = prompts(base, max(5, rounds // 3))
            within = f"{shown['shown p50']:.0f} ms (p95 {shown['shown p95']:.0f})"
            rows.append(("`%%prompt`: first token shown, after the provider's", within, "", "≤ 100 ms"))
            rows.append(("`%%prompt`: pressed to the request", f"{shown['leaves p50']:.0f} ms", "", ""))
    print("\n| | measured | beside | asked |\n|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def alone(what: str, who: str, base: str, rounds: int) -> Figures:
    """One measurement in a process of its own on the first core."""
    return contenders.alone([__file__, "--rounds", str(rounds), "--one", what, who, base], f"{what} {who}")


def cell_rows(found: Figures) -> list[tuple[str, str, str, str]]:
    """The lines on a run of one cell, each beside the SDK's call and the bare one."""
    told = (
        ("leaves", "`lab.plan(…).run()` of one cell to its request at the server", "≤ 60 ms"),
        ("read", "the answer's end at the server to its row read", "≤ 100 ms"),
        ("cpu", "CPU of a run of one cell, its row read", "≤ 120 ms, aim 60"),
    )
    rows = []
    later = f"{found['labkit later p50']:.0f} ms (p95 {found['labkit later p95']:.0f})"
    for what, words, asked in told:
        own = f"{found[f'labkit {what} p50']:.0f} ms (p95 {found[f'labkit {what} p95']:.0f})"
        others = ", ".join(f"{who} {found[f'{who} {what} p50']:.1f} ms" for who in ("openai", "bare"))
        ratio = found[f"labkit {what} p50"] / found[f"openai {what} p50"]
        rows.append((words, own, f"{others}; {ratio:.1f}× openai", asked))
    rows.append((f"CPU in the {PAUSE_S:g} s after it, in the background", later, "", ""))
    return rows


def stream_rows(base: str, repeats: int) -> list[tuple[str, str, str, str]]:
    """The lines on a thousand streams: the run and the engine in turn, there and back."""
    found: dict[str, list[Figures]] = {"engine": [], "run": []}
    for _ in range(repeats):
        for who in ("engine", "run", "run", "engine"):
            found[who].append(alone("streams", who, base, 1))
    engine = statistics.median(one["cpu_s"] for one in found["engine"])
    run = statistics.median(one["cpu_s"] for one in found["run"])
    read = statistics.median(one["read_s"] for one in found["run"])
    words = f"CPU of {STREAMS:,} streams of {STREAM_EVENTS} events, `plan.run()`"
    return [
        (words, f"{run:.2f} s", f"engine {engine:.2f} s; {run / engine:.2f}×", "≤ 1.15×"),
        ("the same, and its rows read", f"{run + read:.2f} s", f"{(run + read) / engine:.2f}×", ""),
    ]


if __name__ == "__main__":
    main()
