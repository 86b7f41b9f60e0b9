"""What a frame of generations says: one row per prompt and model, as frame, text and HTML."""

from __future__ import annotations

from labkit.summary.legend import legend
from labkit.summary.scores import score_column
from labkit.summary.show import html, lacking, text
from labkit.summary.summarize import baseline, cost_per_1k, majority, summarize

__all__ = [
    "baseline",
    "cost_per_1k",
    "html",
    "lacking",
    "legend",
    "majority",
    "score_column",
    "summarize",
    "text",
]
