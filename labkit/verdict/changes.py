"""What changed between two runs of the same cells, which of it explains a difference, and that in words.

Causes are told apart only as far as they were recorded: two that changed at once cannot be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.verdict.amounts import counted, number, span, times, times_span
from labkit.visible import visible

if TYPE_CHECKING:
    import pandas as pd

CHANGES = {
    "prompt_version": "prompt",
    "response_model": "resolved model",
    "price_id": "price",
}
REST = "params, endpoint or sample"
"""What is left where another request was sent under the same prompt."""


def changes(old: pd.DataFrame, new: pd.DataFrame) -> dict[str, str]:
    """What changed → from what to what."""
    found: dict[str, str] = {}
    for column, name in CHANGES.items():
        was, now = (sorted({str(one) for one in part[column].dropna()}) for part in (old, new))
        if was and now and was != now:
            found[name] = f"{_few(was)} → {_few(now)}"
    requests = [set(part["request_id"].dropna()) for part in (old, new)]
    common = set(old["sample_id"]) & set(new["sample_id"])
    sent = [set(part.loc[part["sample_id"].isin(common), "request_id"].dropna()) for part in (old, new)]
    if "prompt" not in found and requests[0] and requests[1] and sent[0] != sent[1]:
        found[REST] = ""
    return found


def _few(values: list[str]) -> str:
    shown = [visible(value, limit=60) for value in values[:2]]
    return " and ".join(shown) + (" …" if len(values) > 2 else "")


def cause(row: Mapping[str, Any]) -> str:
    """`noise` where nothing is decided, else the one thing that changed, or that this cannot be told."""
    if not row["decided"]:
        return "noise"
    # A price decides what an answer costs, not what it says.
    joined = row["changed"].replace(REST, "rest")
    reasons = [one for one in joined.split(", ") if one and one != "price"]
    if not reasons:
        return "nothing that labkit records"
    return reasons[0].replace("rest", REST) if len(reasons) == 1 else "several at once"


def sentence(row: Mapping[str, Any]) -> str:
    """One prompt on one model: how its score moved, what had changed, what an answer costs now."""
    name = visible(f"{row['prompt']} · {row['model']}", limit=100)
    if row["copies"] == row["answers"]:
        return f"{name}: every answer is a replay of the same one, so nothing new was learned."
    if row["samples"] == 0:
        return f"{name}: no sample has a score in both runs."
    return " ".join(part for part in (_moved(name, row), _why(row), _money(row)) if part)


def _moved(name: str, row: Mapping[str, Any]) -> str:
    scale, unit = (100, " points") if row["bounded"] else (1, "")
    if row["wins"] == row["losses"] == 0:
        return f"{name} scored the same on all {counted(row['samples'], 'common sample')}."
    if math.isnan(row["low"]):
        return f"{name} has one sample in common, which says nothing about others."
    low, high = span(scale * row["low"], scale * row["high"])
    if row["decided"]:
        worse = row["difference"] < 0
        least, most = span(scale * -row["high"], scale * -row["low"]) if worse else (low, high)
        amount = f"by {least} to {most}" if not least.startswith("−") else f"by at most {most}"
        return f"{name} became {'worse' if worse else 'better'} {amount}{unit}."
    seen = number(scale * row["difference"])
    return (
        f"{name} moved by {seen}{unit}, which is within noise: anything from {low} to {high}{unit} fits "
        f"{counted(row['samples'], 'common sample')}."
    )


def _why(row: Mapping[str, Any]) -> str:
    told = [f"the {what} ({how})" if how else f"the {what}" for what, how in row["details"].items()] + [
        f"the {what}"
        for what in ("prompt", "model")
        if what in row["changed"].split(", ") and what not in row["details"]
    ]
    if not told:
        return "Nothing that labkit records changed."
    changed = f"Changed: {', '.join(told)}."
    if row["cause"] == "several at once":
        return f"{changed} Which of them did it cannot be told."
    return changed


def _money(row: Mapping[str, Any]) -> str:
    said = []
    for what, verb in (("cost", "costs"), ("output", "writes"), ("latency", "takes")):
        ratio, low, high = (row[f"{what}_{part}"] for part in ("ratio", "low", "high"))
        if not all(map(math.isfinite, (ratio, low, high))) or low <= 1 <= high:
            continue
        noun = {"cost": "as much", "output": "as many tokens", "latency": "as long"}[what]
        said.append(f"{verb} {times(ratio)} {noun} ({times_span(low, high)})")
    return f"An answer {', '.join(said)}." if said else ""
