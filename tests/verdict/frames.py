"""Frames of generations for verdicts: scores as one writes them, everything else as the store gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd


def frame(
    scores: Mapping[str, Sequence[Any]],
    *,
    prompt: str = "p",
    cost_usd: Mapping[str, float | None] | None = None,
    latency_s: Mapping[str, float | None] | None = None,
    days: Mapping[str, str] | None = None,
    in_flight: Mapping[str, int] | None = None,
    replayed: Sequence[str] = (),
    first: bool = False,
    spread: float = 0.3,
    scale: tuple[float, float, float | None] | None = (0, 1, 1),
) -> pd.DataFrame:
    """`frame({"m/a": [1, 0, None]}, cost_usd={"m/a": 0.001})`: one row per score; None is a failed answer.

    A score may be a list: then it holds repeats. Of the `replayed`, `first` gives the clocks of their first
    asking, as a lab does. `spread` scatters costs and latencies; `scale` is
    what the scorer declares.
    """
    rows = []
    for model, given in scores.items():
        rng = np.random.default_rng(sum(map(ord, model)))
        for number, value in enumerate(given):
            for repeat, score in enumerate(value if isinstance(value, list) else [value]):
                noise = float(np.exp(rng.normal(0, spread)))
                cost = (cost_usd or {}).get(model, 0.001)
                seconds = (latency_s or {}).get(model, 1.0)
                known = first or model not in replayed
                timed = score is not None and seconds is not None and known
                rows.append(
                    {
                        "prompt": prompt,
                        "model": model,
                        "provider": model.partition("/")[0],
                        "sample_id": f"s{number:04d}",
                        "repeat": repeat,
                        "status": "failed" if score is None else "done",
                        "text": None if score is None else f"answer {score}",
                        "latency_s": seconds * noise if timed else None,
                        "ttft_s": seconds * noise / 3 if timed else None,
                        "cost_usd": None if score is None or cost is None else cost * noise,
                        "input_tokens": 100,
                        "output_tokens": 20,
                        "maybe_paid": 0,
                        "attempts": 1,
                        "replayed_from": "g0" if model in replayed else None,
                        "started_at": pd.Timestamp((days or {}).get(model, "2026-11-23"), tz="UTC")
                        + pd.Timedelta(seconds=number),
                        "in_flight": (in_flight or {}).get(model, 4),
                        "score.exact": score,
                    }
                )
    found = pd.DataFrame(rows)
    if first:
        found["first.generation_id"] = [f"g{place}" for place in range(len(found))]
        for name in ("latency_s", "ttft_s", "in_flight"):
            found[f"first.{name}"] = found[name]
        found.loc[found["replayed_from"].notna(), ["latency_s", "ttft_s", "in_flight"]] = None
    found.attrs["scales"] = {} if scale is None else {"exact": scale}
    return found


def ones(rate: float, n: int, *, seed: int = 0) -> list[int]:
    """`ones(0.7, 100)`: a hundred scores of which exactly 70 are 1, at random places."""
    values = np.zeros(n, dtype=int)
    values[: round(rate * n)] = 1
    return [int(value) for value in np.random.default_rng(seed).permutation(values)]
