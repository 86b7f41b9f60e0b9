"""What a frame of generations says: one row per prompt and model, as frame, text and HTML."""

from __future__ import annotations

from labkit.summary.show import html, text
from labkit.summary.summarize import baseline, fresh, interval_for, score_column, summarize

__all__ = ["baseline", "fresh", "html", "interval_for", "score_column", "summarize", "text"]
