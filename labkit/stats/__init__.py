"""Numbers in, numbers out: intervals, quantiles, comparisons. Knows no frame, no record, no notebook.

The names below are imported when first used, since numpy and scipy take time to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Interval": "intervals",
    "bootstrap_interval": "intervals",
    "mean_interval": "intervals",
    "quantile_interval": "quantiles",
    "rate_interval": "intervals",
    "wilson": "intervals",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"labkit.stats has no {name!r}")
    return getattr(import_module(f"labkit.stats.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
