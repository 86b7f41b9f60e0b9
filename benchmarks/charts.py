"""How long charts of 1,000,000 generations take, and how much they weigh: wanted are 3 s and 300 kB.

    python benchmarks/charts.py [rows]

Each chart is built from a frame of four models and written as HTML without plotly.js. Beside its
seconds stands their ratio to one pandas group-by over the same frame, which tells machines apart.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import plotly.io

from labkit import charts
from labkit.verdict import verdict

WANTED_S, WANTED_KB = 3.0, 300.0
MODELS = ("local/a", "openai/b", "openai/c", "anthropic/d")
PRICES = {model: {"input": 1.0, "output": 4.0} for model in MODELS}


def frame(rows: int) -> pd.DataFrame:
    """So many generations: four models, two repeats, samples in five slices."""
    rng = np.random.default_rng(0)
    each = rows // (len(MODELS) * 2)
    sample = np.tile(np.repeat(np.arange(each), 2), len(MODELS))
    size = len(sample)
    seconds = rng.lognormal(size=size)
    return pd.DataFrame(
        {
            "prompt": "p",
            "model": np.repeat(MODELS, each * 2),
            "sample_id": np.char.add("s", sample.astype(str)),
            "repeat": np.tile([0, 1], size // 2),
            "status": "done",
            "latency_s": seconds,
            "ttft_s": seconds / 3,
            "input_tokens": rng.integers(1, 500, size),
            "output_tokens": rng.integers(1, 500, size),
            "cost_usd": rng.lognormal(size=size) / 1000,
            "maybe_paid": 0,
            "attempts": 1,
            "replayed_from": None,
            "started_at": pd.Timestamp("2026-11-23", tz="UTC"),
            "in_flight": 8,
            "sample.kind": np.array(["a", "b", "c", "d", "e"])[sample % 5],
            "score.exact": rng.integers(0, 2, size) * 1.0,
        }
    )


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the faster of two calls, and what it gave."""
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        found = call()
        seconds.append(time.perf_counter() - began)
    return min(seconds), found


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    data = frame(rows)
    plain, _ = timed(lambda: data.groupby("model")[["latency_s", "cost_usd", "score.exact"]].mean())
    print(f"{len(data):,} generations of {len(MODELS)} models; a plain group-by takes {plain:.3f} s\n")
    print(f"{'chart':<14}{'seconds':>9}{'ratio':>8}{'kB':>7}")
    calls: dict[str, Callable[[], Any]] = {
        name: (lambda name=name: getattr(charts, name)(data)) for name in charts.__all__ if name != "forest"
    }
    calls["cost_parts"] = lambda: charts.cost_parts(data, prices=PRICES)
    calls["forest"] = lambda: charts.forest(verdict(data))
    missed = []
    for name, call in sorted(calls.items()):
        seconds, found = timed(call)
        weight = len(plotly.io.to_html(found, include_plotlyjs=False, full_html=False)) / 1000
        print(f"{name:<14}{seconds:>9.2f}{seconds / plain:>8.1f}{weight:>7.0f}")
        if seconds > WANTED_S or weight > WANTED_KB:
            missed.append(name)
    print(
        f"\nwithin {WANTED_S:g} s and {WANTED_KB:g} kB: {'all' if not missed else 'not ' + ', '.join(missed)}"
    )


if __name__ == "__main__":
    main()
