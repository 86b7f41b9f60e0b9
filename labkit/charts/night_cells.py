"""One finding of a night as far as it is drawn, and where that is.

It takes what JSON has, which anybody may have written: what is no number is none. It draws nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from labkit.arguments import is_number

SCORE, COST, LATENCY = "score.", "cost", "latency"
WORSE, CANNOT_TELL = "worse", "cannot tell"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One metric of one contender in one night: a finding, as far as it is drawn. Numbers are finite."""

    said: str
    stands: bool
    lower_is_better: bool
    samples: int
    before: float | None
    now: float | None
    change: float | None
    low: float | None
    high: float | None
    margin: float | None
    resolved: tuple[str, ...]
    causes: tuple[str, ...]


class Placed(NamedTuple):
    """Where a measured cell is drawn: itself, its interval, the baseline, and the margin's end."""

    y: float
    low: float
    high: float
    base: float
    limit: float


def cell_of(one: Mapping[str, Any]) -> Cell:
    """The finding, ready to draw."""
    samples = _number(one.get("samples"))
    return Cell(
        said=str(one.get("said")),
        stands=one.get("stands") is True,
        lower_is_better=one.get("better") == "lower",
        samples=0 if samples is None else int(samples),
        **{name: _number(one.get(name)) for name in ("before", "now", "change", "low", "high", "margin")},
        resolved=texts(one.get("resolved")),
        causes=texts(one.get("causes")),
    )


def placed(metric: str, cell: Cell | None, *, relative: bool = False) -> Placed | None:
    """Where a cell is drawn; None: nothing was measured.

    A score is drawn as its mean, or `relative` to the baseline's as a difference; its interval is that of the
    difference. Price and latency are ratios to the baseline's.
    """
    y = None if cell is None else cell.now if metric.startswith(SCORE) else cell.change
    if cell is None or y is None:
        return None
    if not metric.startswith(SCORE):
        return Placed(y, _or(cell.low, y), _or(cell.high, y), 1.0, _or(cell.margin, 1.0))
    if cell.before is None:
        # Without a baseline there is no difference to draw.
        return None if relative else Placed(y, y, y, y, y)
    away = cell.before if relative else 0.0
    low, high = (y if end is None else cell.before + end for end in (cell.low, cell.high))
    limit = cell.before + _or(cell.margin, 0.0) * (1 if cell.lower_is_better else -1)
    return Placed(y - away, low - away, high - away, cell.before - away, limit - away)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _number(value: Any) -> float | None:
    return float(value) if is_number(value) and math.isfinite(value) else None


def texts(value: Any) -> tuple[str, ...]:
    """A list's values as texts; nothing where it is none."""
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()
