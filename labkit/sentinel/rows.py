"""The rows of a night as they are compared: fresh answers, by prompt and model, a mean for each sample.

It reads frames of generations. What a difference means is not its matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labkit.sentinel.finding import COST, LATENCY, SCORE

if TYPE_CHECKING:
    import pandas as pd

FEWEST_ROWS = 20
"""Common rows below which nothing is said."""
COLUMNS = (
    "run_id", "prompt", "model", "sample_id", "repeat", "status", "stop_reason", "error_type", "latency_s",
    "cost_usd", "input_tokens", "cache_read_tokens", "output_tokens", "replayed_from", "generation_id",
    "request_id", "prompt_version", "response_model", "price_id", "started_at", "in_flight", "steps",
    "ttft_s", "attempts", "maybe_paid", "provider", "score.*",
)  # fmt: skip
"""What is read of a run to compare it."""

Contender = tuple[str, str]
"""A prompt and a model, by name and id."""


def fresh(frame: pd.DataFrame) -> pd.DataFrame:
    """The answers that were asked for it: a replay says nothing of tonight."""
    return frame[(frame["status"] == "done") & frame["replayed_from"].isna()]


def contenders(frame: pd.DataFrame) -> list[Contender]:
    """The prompts and models of a frame, in order."""
    return sorted(set(zip(frame["prompt"].astype(str), frame["model"].astype(str), strict=True)))


def of(frame: pd.DataFrame, contender: Contender) -> pd.DataFrame:
    """The rows of one prompt on one model."""
    return frame[(frame["prompt"] == contender[0]) & (frame["model"] == contender[1])]


def answered_each(rows: pd.DataFrame, contender: Contender) -> float:
    """How many answers of it a sample has that has any, on average."""
    counts = of(rows, contender).groupby("sample_id").size()
    return float(counts.mean()) if len(counts) else 0.0


def means(rows: pd.DataFrame, metric: str) -> pd.Series[float]:
    """One number for each sample: its mean score, USD per answer, or the geometric mean of seconds."""
    import pandas as pd

    column = {COST: "cost_usd", LATENCY: "latency_s"}.get(metric, metric)
    if column not in rows.columns:
        return pd.Series(dtype=float)
    values = pd.to_numeric(rows[column]).astype(float)
    if metric == LATENCY:
        values = values.where(values > 0).map(np.log, na_action="ignore")
    found = values.groupby(rows["sample_id"]).mean().dropna()
    return found.map(np.exp) if metric == LATENCY else found


def scores(frame: pd.DataFrame) -> list[str]:
    """The metrics that are scores, of those that anything was given."""
    return [str(name) for name in frame.columns if str(name).startswith(SCORE) and frame[name].notna().any()]
