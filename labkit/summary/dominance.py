"""Which contenders are dominated: significantly worse, and shown to be neither cheaper nor faster.

Only what intervals carry counts; being undecided is not being dominated. It reads the rows
of `compare_pairs`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def dominated(pairs: pd.DataFrame) -> dict[str, str]:
    """Each dominated contender, and one that dominates it.

    The other is decided to be better, its price is shown to be no higher (or both are free), and it is
    shown to be no slower; where no latency of the two can be compared (none is known, or they come from
    different times), time is left out.

    >>> import pandas as pd
    >>> row = {"first": "b", "second": "a", "decided": True, "cost_ratio": 0.5, "cost_high": 0.6,
    ...        "first_cost_usd": 1, "second_cost_usd": 2, "latency_ratio": float("nan"), "latency_high": 0}
    >>> dominated(pd.DataFrame([row]))
    {'a': 'b'}
    """
    found: dict[str, str] = {}
    for row in pairs.to_dict("records"):
        if row["decided"] and _no_dearer(row) and _no_slower(row):
            found.setdefault(str(row["second"]), str(row["first"]))
    return found


def _no_dearer(row: Mapping[Any, Any]) -> bool:
    if math.isnan(row["cost_ratio"]):
        return bool(row["first_cost_usd"] == 0 and row["second_cost_usd"] >= 0)
    return bool(row["cost_high"] <= 1)


def _no_slower(row: Mapping[Any, Any]) -> bool:
    return math.isnan(row["latency_ratio"]) or bool(row["latency_high"] <= 1)
