"""What is another one than in the night before: the model that answered, or the baseline.

It compares names and says nothing of what follows from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from labkit.charts.night_data import Night


@dataclass(frozen=True)
class Change:
    """What became another one in the night that stands at `at`."""

    at: float
    what: Literal["model", "baseline"]
    short: str
    """What it became."""
    told: str
    """Whole, one line for each model."""


def changes(nights: Sequence[Night]) -> list[Change]:
    """All changes, in the order of nights. What is not known of a night is no change."""
    return sorted([*_of_models(nights), *_of_baselines(nights)], key=lambda one: one.at)


def _of_models(nights: Sequence[Night]) -> Iterator[Change]:
    last: dict[str, tuple[str, ...]] = {}
    for night in nights:
        changed = {
            model: (", ".join(last[model]), ", ".join(names))
            for model, names in night.resolved.items()
            if last.get(model, names) != names
        }
        last |= night.resolved
        if changed:
            pairs = list(dict.fromkeys(changed.values()))
            short = f"→ {pairs[0][1]}" if len(pairs) == 1 else f"{len(changed):,} models"
            told = (f"{model}: {old} → {new}" for model, (old, new) in changed.items())
            yield Change(night.at, "model", short, "\n".join(told))


def _of_baselines(nights: Sequence[Night]) -> Iterator[Change]:
    last = ""
    for night in nights:
        now = night.baseline_id or night.baseline
        if last and now not in ("", last):
            called = f"baseline {night.baseline or now}"
            yield Change(night.at, "baseline", called, f"held against {called}")
        last = now or last
