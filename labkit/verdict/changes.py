"""What changed between two runs of the same cells, which of it explains a difference, and all of it in words.

Causes are told apart only as far as they were recorded: two that changed at once cannot be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.summary.unscored import failures, why_none
from labkit.verdict.amounts import counted, listed, number, times, times_span
from labkit.verdict.words import Terms, between, by, missing, score_note, still_fits
from labkit.visible import visible

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
CHANGES = {
    "prompt_version": "prompt",
    "response_model": "resolved model",
    "price_id": "price",
}
NEITHER = "neither run was scored, so which is better is not said: score both alike, run.score(lk.exact())"
REST = "params, endpoint or sample"
"""What is left where another request was sent under the same prompt."""


def changes(old: pd.DataFrame, new: pd.DataFrame, renamed: Sequence[str] = ()) -> dict[str, str]:
    """What changed → from what to what. `renamed`: `prompt` or `model` where one took another's place.

    What such a change brings with it is no change of its own: another prompt is another request, and
    another model is one that resolves otherwise.
    """
    found: dict[str, str] = dict.fromkeys(renamed, "")
    for column, name in CHANGES.items():
        was, now = (sorted({str(one) for one in part[column].dropna()}) for part in (old, new))
        if was and now and was != now and not (name == "resolved model" and "model" in renamed):
            found[name] = f"{_few(was)} → {_few(now)}"
    requests = [set(part["request_id"].dropna()) for part in (old, new)]
    common = set(old["sample_id"]) & set(new["sample_id"])
    sent = [set(part.loc[part["sample_id"].isin(common), "request_id"].dropna()) for part in (old, new)]
    if not {"prompt", "model"} & set(found) and requests[0] and requests[1] and sent[0] != sent[1]:
        found[REST] = ""
    return found


def _few(values: list[str]) -> str:
    shown = [visible(value, limit=60) for value in values[:2]]
    return " and ".join(shown) + (" …" if len(values) > 2 else "")


def cause(row: Row) -> str:
    """`undecided` where nothing is, else the one thing that changed, or that this cannot be told."""
    if not row["decided"]:
        return "undecided"
    # A price decides what an answer costs, not what it says.
    joined = row["changed"].replace(REST, "rest")
    reasons = [one for one in joined.split(", ") if one and one != "price"]
    if not reasons:
        return "nothing that labkit records"
    return reasons[0].replace("rest", REST) if len(reasons) == 1 else "several at once"


NOTHING = "nothing that labkit records changed"


def sentence(row: Row, terms: Terms, names: tuple[str, str], *, some_changed: bool = True) -> str:
    """One prompt on one model: how its score moved, what had changed, what an answer costs now.

    `names` are those of the earlier and the later run. Without `some_changed` a note says of all that nothing
    did.
    """
    name = visible(f"{row['prompt']} · {row['model']}", limit=100)
    if row["copies"] == row["answers"]:
        return f"{name}: every answer of {names[1]} is a replay of {names[0]}'s, so nothing new was learned."
    if not terms.scorer:
        why = _why(row) if some_changed else ""
        return " ".join(part for part in (_answered(name, row, names), why, _money(row), _alike(row)) if part)
    if row["samples"] == 0:
        lack = f"; {counted(row['missing'], 'pair')} of answers lack one" if row["missing"] else ""
        return f"{name}: no sample has a score in both runs{lack}."
    pair = _turned(row)
    sides = names if row["difference"] < 0 else names[::-1]
    why = _why(row) if some_changed else ""
    parts = (_moved(name, row, pair, terms, sides), missing(pair, terms, sides), why, _money(row))
    return " ".join(part for part in parts if part)


def _answered(name: str, row: Row, names: tuple[str, str]) -> str:
    before, after = (f"{done:,} of {asked:,}" for done, asked in row["answered"])
    if before == after:
        return f"{name} answered {before} in both runs."
    return f"{name} answered {before} in {names[0]} and {after} in {names[1]}."


def _alike(row: Row) -> str:
    """What an answer's interval leaves open."""
    words = {"cost": "price", "output": "length", "latency": "time"}
    alike = [
        word
        for what, word in words.items()
        if math.isfinite(row[f"{what}_high"]) and row[f"{what}_low"] <= 1 <= row[f"{what}_high"]
    ]
    are = "is" if len(alike) == 1 else "are"
    return f"An answer's {listed(alike)} {are} not shown to differ." if alike else ""


def _turned(row: Row) -> dict[str, Any]:
    """The row as that of a pair of contenders whose better is the first."""
    ends = {end: (row[f"{end}low"], row[f"{end}high"]) for end in ("", "worst_")}
    if row["difference"] < 0:
        ends = {end: (-high, -low) for end, (low, high) in ends.items()}
    return {
        **row,
        "answer": None,
        "no_worse": None,
        "all_low": ends[""][0],
        "all_high": ends[""][1],
        "worst_low": ends["worst_"][0],
        "worst_high": ends["worst_"][1],
    }


def _moved(name: str, row: Row, pair: Row, terms: Terms, sides: tuple[str, str]) -> str:
    over = counted(row["samples"], "common sample")
    if math.isnan(row["low"]):
        return f"{name} has one sample in common, which says nothing about others."
    if row["wins"] == row["losses"] == 0:
        every = "" if row["missing"] or row["samples"] == 1 else "all "
        return f"{name} scored the same on {every}{over}; {still_fits(pair, terms)}."
    if row["decided"]:
        return f"{name} became {'worse' if row['difference'] < 0 else 'better'}{by(pair, terms)} over {over}."
    moved = number(terms.factor * abs(row["difference"]))
    ahead = "stayed level" if row["difference"] == 0 else f"{sides[0]} is ahead by {terms.amount(moved)}"
    fits = between(pair, terms, sides[0] if row["difference"] == 0 else "")
    return f"{name} is undecided: {ahead} over {over}, but {fits} fits."


def _why(row: Row) -> str:
    told = [f"the {what} ({how})" if how else f"the {what}" for what, how in row["details"].items()]
    if not told:
        return f"{NOTHING[:1].upper()}{NOTHING[1:]}."
    changed = f"Changed: {', '.join(told)}."
    if row["cause"] == "several at once":
        return f"{changed} Which of them did it cannot be told."
    return changed


def _money(row: Row) -> str:
    said = []
    for what, verb in (("cost", "costs"), ("output", "has"), ("latency", "takes")):
        ratio, low, high = (row[f"{what}_{part}"] for part in ("ratio", "low", "high"))
        if not all(map(math.isfinite, (ratio, low, high))) or low <= 1 <= high:
            continue
        noun = {"cost": "as much", "output": "as many tokens", "latency": "as long"}[what]
        spread = "throughout" if math.isclose(low, high) else times_span(low, high)
        said.append(f"{verb} {times(ratio)} {noun} ({spread})")
    return f"An answer now {listed(said)}." if said else ""


def notes(
    old: pd.DataFrame,
    new: pd.DataFrame,
    terms: Terms,
    names: tuple[str, str],
    found: Sequence[Row],
) -> tuple[str, ...]:
    """What the sentences rest on, and what is left out of them; `found` are the rows that they tell."""
    level = f"{terms.study.level * 100:g} %"
    best = f"{score_note(terms)}, higher taken for better" if terms.scorer else NEITHER
    said = [best, f"paired on common samples; {level} intervals"]
    kinds = "scores, prices, times and tokens" if terms.scorer else "prices, times and tokens"
    if len(found) > 1:
        decided = ", decided by Holm's correction" if terms.scorer else ""
        said[-1] += f" that hold for all {len(found)} together{decided}"
    said[-1] += f"; {level} holds for {kinds} separately, not for all of them together"
    if len(found) > 1 and not any(row["details"] for row in found):
        said.append(NOTHING)
    for name, frame in zip(names, (old, new), strict=True):
        column = f"score.{terms.scorer}"
        if terms.scorer and frame[column].isna().all():
            said.append(f"run {name} has no score: {why_none(frame, column)}")
        else:
            said += [f"run {name}: {told}" for told in failures(frame.attrs.get("failures"), [terms.scorer])]
        if any(frame.attrs.get("grown", {}).values()):
            said.append(f"run {name} was made larger after it could be looked at; looks are not counted here")
    cells = [
        set(zip(frame["prompt"], frame["model"], frame["sample_id"], strict=True)) for frame in (old, new)
    ]
    for name, only in zip(names, (cells[0] - cells[1], cells[1] - cells[0]), strict=True):
        if only:
            said.append(f"{counted(len(only), 'cell')} only in run {name}, left out")
    if copies := sum(row["copies"] for row in found):
        said.append(
            f"{counted(copies, 'answer')} of run {names[1]} replayed from run {names[0]}, left out: "
            "a copy is no second answer"
        )
    if any(row["latency_n"] and math.isnan(row["latency_ratio"]) for row in found):
        said.append("latencies are not compared: the two runs were not asked at the same time")
    return tuple(said)
