"""What a sentinel watches, and from when on it is worse: as the user set it. Values and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labkit.sentinel.finding import COST, LATENCY


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is watched, and when it is worse: as the user set it."""

    scores: tuple[str, ...] | None
    """None: all that the baseline has."""
    margin: Mapping[str, float]
    """By score (column) the difference that does not matter; under "" that of all others."""
    better: Mapping[str, str]
    """By score (column) `higher` or `lower`; under "" that of all others."""
    latency: float | None
    """The ratio that does not matter; None: it is not watched."""
    cost: float | None
    per_year: float
    confirm: bool
    """Whether a quick alarm needs a re-ask that agrees."""

    def within(self, metric: str) -> float:
        """What does not matter of a metric."""
        limit = {COST: self.cost, LATENCY: self.latency}.get(metric)
        return self.margin.get(metric, self.margin[""]) if limit is None else limit

    def direction(self, metric: str) -> str:
        """Which way it is better."""
        return "lower" if metric in (COST, LATENCY) else self.better.get(metric, self.better[""])
