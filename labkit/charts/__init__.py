"""Frames in, Plotly figures out; the numbers come from `labkit.summary` and `labkit.stats`.

Every chart takes a run (anything with `.generations()`) or a frame of generations. Units stand in
the axis titles, n in the title; intervals are shown; a model has one colour and one marker
everywhere; text from data is never HTML. The names below load Plotly when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "agreement": "judges",
    "block_effects": "blocks",
    "cost_latency": "money",
    "cost_parts": "cost_breakdown",
    "drift": "drifting",
    "forest": "pairs",
    "frontier": "tradeoff",
    "latency": "clocks",
    "nights": "sentinel_nights",
    "scores": "quality",
    "slices": "score_slices",
    "speed": "throughput",
    "step_costs": "steps",
    "tokens_cost": "money",
    "ttft": "clocks",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"labkit.charts has no {name!r}")
    return getattr(import_module(f"labkit.charts.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
