"""How long the numbers take: pairwise comparison and verdict of 100 models, summary of 1,000,000 rows.

    python benchmarks/arithmetic.py

Prints seconds, ratios to a plain pandas group-by over the same frame, and peak memory.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from labkit import stats
from labkit.summary import summarize
from labkit.verdict import verdict

ROWS = 1_000_000


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the faster of two calls, and what it gave."""
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        found = call()
        seconds.append(time.perf_counter() - began)
    return min(seconds), found


def peak_mb() -> float:
    """The most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def pairs() -> None:
    """100 models × 1,000 samples × 5 repeats, every pair."""
    models, samples, repeats = 100, 1000, 5
    rng = np.random.default_rng(0)
    values = (rng.random((samples, models, repeats)) < 0.6) * 1.0
    values[rng.random(values.shape) < 0.02] = np.nan
    sample = np.repeat(np.arange(samples), models * repeats)
    model = np.tile(np.repeat(np.arange(models), repeats), samples)

    def compare() -> stats.Pairs:
        found = stats.pairwise(stats.sample_table(values.ravel(), sample, model))
        stats.holm(found.p_value)
        return found

    seconds, found = timed(compare)
    print(f"{len(found):,} pairs of 100 models × 1,000 samples × 5 repeats: {seconds:.2f} s (wanted: 10)")
    print(f"peak memory so far: {peak_mb():,.0f} MB (wanted: 1,000)")
    seconds, told = timed(lambda: verdict(judged(values.ravel(), sample, model)))
    print(
        f"the same as a verdict, with costs, latencies and {len(told.sentences):,} sentences: {seconds:.2f} s"
    )
    print(f"peak memory so far: {peak_mb():,.0f} MB (wanted: 1,000)")


def judged(values: np.ndarray[Any, Any], sample: np.ndarray[Any, Any], model: np.ndarray[Any, Any]) -> Any:
    """The rows of `pairs` as generations with costs and clocks."""
    rng = np.random.default_rng(1)
    names = np.char.add("x/m", np.arange(model.max() + 1).astype(str))
    return pd.DataFrame(
        {
            "prompt": "p",
            "model": names[model],
            "sample_id": sample.astype(str),
            "status": "done",
            "latency_s": rng.lognormal(size=len(values)),
            "cost_usd": rng.lognormal(size=len(values)) / 1000,
            "replayed_from": None,
            "started_at": pd.Timestamp("2026-11-23", tz="UTC"),
            "in_flight": 8,
            "score.exact": values,
        }
    )


def frame() -> pd.DataFrame:
    """A million generations of four models."""
    rng = np.random.default_rng(0)
    seconds = rng.lognormal(size=ROWS)
    columns = {
        "model": np.array(["local/a", "openai/b", "openai/c", "anthropic/d"])[rng.integers(0, 4, ROWS)],
        "prompt": np.array(["p", "q"])[rng.integers(0, 2, ROWS)],
        "sample_id": np.char.add("s", rng.integers(0, 20_000, ROWS).astype(str)),
        "status": "done",
        "latency_s": seconds,
        "ttft_s": seconds / 3,
        "input_tokens": rng.integers(1, 500, ROWS),
        "output_tokens": rng.integers(1, 500, ROWS),
        "cost_usd": rng.lognormal(size=ROWS) / 1000,
        "maybe_paid": 0,
        "replayed_from": None,
        "started_at": pd.Timestamp("2026-11-23", tz="UTC"),
        "score.exact": rng.integers(0, 2, ROWS) * 1.0,
    }
    return pd.DataFrame(columns)


def million() -> None:
    """The summary of a million rows; their charts are in `charts.py`."""
    rows = frame()
    plain, _ = timed(lambda: rows.groupby(["prompt", "model"])["latency_s"].quantile([0.5, 0.95]))
    seconds, _ = timed(lambda: summarize(rows))
    print(f"summary of {ROWS:,} rows: {seconds:.2f} s, {seconds / plain:.1f} × two grouped quantiles")


if __name__ == "__main__":
    pairs()
    million()
