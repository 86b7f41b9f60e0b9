"""Frames of generations to draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def rows() -> Callable[..., pd.DataFrame]:
    """A function that gives a frame of done generations for the given models and prompts."""

    def make(
        models: Sequence[str] = ("local/a", "openai/b"),
        prompts: Sequence[str] = ("p",),
        samples: int = 12,
        **columns: Any,
    ) -> pd.DataFrame:
        index = pd.MultiIndex.from_product(
            [models, prompts, [f"s{i}" for i in range(samples)]], names=["model", "prompt", "sample_id"]
        )
        frame = index.to_frame(index=False)
        rng = np.random.default_rng(len(frame))
        frame["provider"] = frame["model"].str.partition("/")[0]
        frame["status"] = "done"
        frame["latency_s"] = rng.lognormal(size=len(frame))
        frame["ttft_s"] = frame["latency_s"] / 3
        frame["input_tokens"] = 100
        frame["output_tokens"] = 20
        frame["cost_usd"] = np.where(frame["provider"] == "local", 0.0, 0.001)
        frame["maybe_paid"] = 0
        frame["attempts"] = 1
        frame["replayed_from"] = None
        frame["started_at"] = pd.Timestamp("2026-11-23T10:00", tz="UTC")
        frame["in_flight"] = 4
        # Every other sample of one kind, and as a second repeat: enough to group by.
        frame["repeat"] = np.tile([0, 1], len(frame) // 2 + 1)[: len(frame)]
        frame["sample.kind"] = np.where(frame["repeat"] == 0, "plain", "ironic")
        frame["score.exact"] = rng.integers(0, 2, len(frame)).astype(float)
        frame.attrs["scales"] = {"exact": (0, 1, 1)}
        return frame.assign(**columns)

    return make
