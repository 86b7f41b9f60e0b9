"""What a sentinel watches, and from when on it is worse: as the user set it. Values and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from labkit.sentinel.finding import COST, LATENCY, SCORE
from labkit.stats.scale import Scale


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

    def fault(self, metric: str, scale: Scale, names: Collection[str]) -> str:
        """Why a score cannot be told by these rules, now that it is known what it is; empty where it can."""
        if not metric.startswith(SCORE):
            return ""
        given = {*self.margin, *self.better} - {""}
        if strange := sorted(given - set(names)):
            there = ", ".join(name.removeprefix(SCORE) for name in names)
            return f"margin= or better= names {strange[0].removeprefix(SCORE)!r}, which is none of {there}"
        if scale.bounded and self.within(metric) >= scale.width:
            points = "; 2 points are 0.02" if scale.unit else ""
            all_of_it = f"margin={self.within(metric):g} is all of the score"
            return f"{all_of_it}, so that nothing could be worse{points}"
        return ""

    def direction(self, metric: str) -> str:
        """Which way it is better."""
        return "lower" if metric in (COST, LATENCY) else self.better.get(metric, self.better[""])
