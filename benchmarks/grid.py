"""What the live grid costs the run it shows, and how it does in a browser.

    python benchmarks/grid.py

48 answers at 50 tokens a second each come from a loopback server into a notebook in JupyterLab and
headless Chromium, in alternation with the grid and without. Printed, with the targets beside them: CPU of
the kernel for the widget, frames a second, how late the last token is shown, messages a second, characters
lost, what the run's own clocks say with and without, and by how much 300 answers make a notebook grow.
On a busy machine compare the two columns; the absolute numbers are upper bounds.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "browser"), str(ROOT / "benchmarks")]

from driver import JupyterLab, Notebook, chromium  # noqa: E402 - both stand beside, on the path set above
from loopback import running  # noqa: E402

MODELS, ROWS, EVENTS = 4, 12, 250
STREAM_S = 5.0
LATENCY_MS = round(STREAM_S * 1000) + 300
"""The server waits 0.3 s, then streams: 250 events in 5 s are 50 tokens a second."""
ROUNDS = 5
WORD = "lorem "

SETUP = """
import json, threading, time
import labkit as lk
free = {{"input": 0, "output": 0}}
own = {{"base_url": "{url}", "key_env": "", "prices": free, "concurrency": {rows}}}
models = [lk.Model(f"bench/m{{n}}", **own) for n in range({models})]
lab = lk.Lab("grid.duckdb", models=models)
samples = [{{"n": n}} for n in range({rows})]
plan = lab.plan(prompts=["Say {{{{ n }}}} things"], models=[one.id for one in models], dataset=samples)

def measure(style):
    run = plan.start(progress=style, fresh=True)
    told, last = run.progress.text, [0.0]
    def text(cell, delta):
        told(cell, delta)
        last[0] = time.time()
    run.progress.text = text
    while not any(panel.first_at for row in run.progress.order for panel in row.panels.values()):
        time.sleep(0.01)
    cpu, wall = time.process_time(), time.perf_counter()
    threading.Event().wait({stream})
    share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    run.wait()
    rows = run.generations()
    return json.dumps({{
        "cpu": share, "last": last[0], "ttft": rows["ttft_s"].median(), "latency": rows["latency_s"].median(),
        "messages": run.progress._grid._number if style == "grid" else 0,
        "took": run.progress.took_s, "done": int((rows["status"] == "done").sum()),
    }})
"""
SIZE = """
from labkit.records import Generation
from labkit.widgets.live_run import LiveRun
place = {name: "x" for name in Generation.__struct_fields__[:8]} | {"prompt_version": 1, "repeat": 0}
answers = [Generation(**{**place, "generation_id": str(n), "sample_id": f"s{n // 3}", "model": f"m{n % 3}"},
                      status="done", text="word " * 400, request_id="r", attempts=1) for n in range(300)]
lk.LiveGrid(LiveRun.of(answers))
"""
WATCH = """() => {
    window.shown_at = 0; window.frames_at = [];
    new MutationObserver((changes) => {
        if (changes.some((change) => change.type === 'characterData')) {
            window.shown_at = performance.timeOrigin + performance.now();
        }
    }).observe(document.body, {subtree: true, characterData: true});
    const count = () => { window.frames_at.push(performance.now()); requestAnimationFrame(count); };
    requestAnimationFrame(count);
}"""
STREAMING = "() => document.querySelector('.lk-panel[data-state=streaming]') && performance.now()"


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, running() as base, chromium() as browser:
        server = JupyterLab(Path(folder))
        try:
            report(rounds(server, browser, f"{base}/l{LATENCY_MS}/e{EVENTS}/v1"), growth(server, browser))
        finally:
            server.close()


def rounds(server: JupyterLab, browser: Any, url: str) -> dict[str, list[dict[str, Any]]]:
    """`none` and `grid` in alternation, after one of each to warm up."""
    setup = SETUP.format(url=url, rows=ROWS, models=MODELS, stream=STREAM_S * 0.9)
    server.write("grid.ipynb", [setup, "print(measure('none'))", "print(measure('grid'))"])
    page = browser.new_page(viewport={"width": 1400, "height": 1900})
    notebook = Notebook(page, server, "grid.ipynb")
    notebook.run(0)
    page.evaluate(WATCH)
    found: dict[str, list[dict[str, Any]]] = {"none": [], "grid": []}
    for number in range(ROUNDS + 1):
        none = one(notebook, 1)
        grid = one(notebook, 2, watched=True)
        if number:
            found["none"].append(none)
            found["grid"].append(grid)
    if errors := notebook.errors() + notebook.troubles:
        raise RuntimeError("; ".join(errors))
    page.close()
    return found


def one(notebook: Notebook, cell: int, *, watched: bool = False) -> dict[str, Any]:
    """One run of a cell and what it printed, with what the browser saw of it."""
    page = notebook.page
    notebook.run(cell, wait=not watched)
    seen: dict[str, Any] = {}
    if watched:
        began = page.wait_for_function(STREAMING).json_value()
        notebook.wait()
        page.wait_for_function("() => document.querySelector('.lk-line').textContent.startsWith('finished')")
        frames = page.evaluate("() => window.frames_at")
        within = [at for at in frames if began <= at <= began + STREAM_S * 800]
        texts = page.evaluate(
            "() => [...document.querySelectorAll('.lk-text')].map((one) => one.textContent)"
        )
        seen = {
            "frames": len(within) / (STREAM_S * 0.8),
            "shown_at": page.evaluate("() => window.shown_at") / 1000,
            "lost": sum(text != WORD * EVENTS for text in texts) + abs(MODELS * ROWS - len(texts)),
        }
    printed = next(output for output in notebook.outputs(cell) if output["output_type"] == "stream")
    return {**json.loads("".join(printed["text"])), **seen}


def growth(server: JupyterLab, browser: Any) -> int:
    """Bytes by which a saved notebook grows with a grid of 300 answers of 2,000 characters each."""
    path = server.write("size.ipynb", ["import labkit as lk", SIZE])
    page = browser.new_page()
    notebook = Notebook(page, server, "size.ipynb")
    notebook.run(0)
    notebook.save()
    before = path.stat().st_size
    notebook.run(1)
    page.wait_for_selector(".lk-panel", state="attached")
    notebook.save()
    page.close()
    return path.stat().st_size - before


def report(found: dict[str, list[dict[str, Any]]], grown: int) -> None:
    """The lines that are printed."""

    def middle(style: str, name: str) -> float:
        return statistics.median(row[name] for row in found[style])

    late = statistics.median(row["shown_at"] - row["last"] for row in found["grid"])
    cpu = statistics.median(
        with_["cpu"] - without["cpu"] for with_, without in zip(found["grid"], found["none"], strict=True)
    )
    messages = statistics.median(row["messages"] / row["took"] for row in found["grid"])
    print(f"{MODELS * ROWS} panels at {EVENTS / STREAM_S:.0f} tokens/s, {ROUNDS} rounds each, medians")
    print(f"{'':34}{'without':>10}{'with grid':>10}   target")
    print(f"{'kernel CPU, share of a core':34}{middle('none', 'cpu'):>10.1%}{middle('grid', 'cpu'):>10.1%}")
    print(f"{'  of it for the widget':34}{'':>10}{cpu:>10.1%}   at most 8 %")
    print(f"{'TTFT p50 (s)':34}{middle('none', 'ttft'):>10.4f}{middle('grid', 'ttft'):>10.4f}   within 0.005")
    print(f"{'latency p50 (s)':34}{middle('none', 'latency'):>10.4f}{middle('grid', 'latency'):>10.4f}")
    print(f"{'frames/s':34}{'':>10}{middle('grid', 'frames'):>10.1f}   at least 45")
    print(f"{'last token shown late by (s)':34}{'':>10}{late:>10.2f}   at most 0.5")
    print(f"{'messages/s':34}{'':>10}{messages:>10.1f}   at most 10")
    print(
        f"{'panels with a character lost':34}{'':>10}{sum(row['lost'] for row in found['grid']):>10}   none"
    )
    print(f"{'notebook grows for 300 answers (kB)':34}{'':>10}{grown / 1000:>10.0f}   below 200")


if __name__ == "__main__":
    main()
