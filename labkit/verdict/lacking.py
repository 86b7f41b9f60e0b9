"""What keeps contenders from being compared, and what may bend a comparison: no score, no second contender,
no sample in common; scorers that failed, answers cut, empty or refused more often for one than for another,
or asked of one alone.

It finds the words; what is counted was counted by the summary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from labkit.summary import cut_answers
from labkit.summary.contender_table import FACTORS, OTHERS, ContenderTable
from labkit.summary.of_step import OF_STEP
from labkit.summary.unscored import failures, why_none
from labkit.verdict.amounts import listed
from labkit.verdict.overall import mean_score
from labkit.verdict.ranks import records
from labkit.verdict.words import Terms

if TYPE_CHECKING:
    import pandas as pd

ALIKE = 0.05
"""Shares of answers that lie no further apart than this are told as one."""


def nothing_compared(
    frame: pd.DataFrame,
    found: ContenderTable,
    contenders: pd.DataFrame,
    pairs: pd.DataFrame,
    shown: Mapping[str, str],
    terms: Terms,
) -> str | None:
    """The headline where no two contenders can be compared, with the reason; None where some can."""
    noun = found.by[0] if len(found.by) == 1 else "combination"
    scored = contenders[contenders["score_n"] > 0]
    if scored.empty:
        why = why_none(frame, f"score.{found.scorer}")
        return f"No {noun} has a scored answer, so there is nothing to compare: {why}."
    if len(contenders) == 1:
        name = shown[contenders["name"].iloc[0]]
        return (
            f"Only one {noun} was asked, {name}: {mean_score(scored.iloc[0], terms)}. "
            f"There is nothing to compare; {_other_ways(frame, found)}."
        )
    if len(scored) == 1:
        name, told = shown[scored["name"].iloc[0]], mean_score(scored.iloc[0], terms)
        return f"Only {name} has scored answers: {told}. There is nothing to compare."
    whole = len(pairs) == math.comb(len(contenders), 2)  # with `against` there are fewer
    if whole and not (pairs["n"] > 0).any():
        each = listed([f"{shown[row['name']]} {mean_score(row, terms)}" for row in records(scored)], most=3)
        return f"No two share a scored sample, so they cannot be compared: {each}."
    return None


def _other_ways(frame: pd.DataFrame, found: ContenderTable) -> str:
    for other in found.over:
        keys = [f"{OF_STEP}{step}" for step in frame.attrs.get(OTHERS, ())] if other == OTHERS else [other]
        if keys:
            return f"its {other}s can be compared: by={keys[0]!r}"
    return f"ask another {' or '.join(name for name in FACTORS if name in found.by)} beside it"


def lacking_notes(contenders: pd.DataFrame, shown: Mapping[str, str]) -> list[str]:
    """What may bend a comparison: a note on all answers that are done and not whole, and one on a scorer that
    failed on some."""
    told, bent = [], ": that alone may make one look worse"
    done = cut_answers.done(contenders)
    for kind in cut_answers.KINDS:
        counts = contenders[kind].fillna(0).astype(int)
        if not counts.sum():
            continue
        said = cut_answers.share(kind, int(counts.sum()), int(done.sum()))
        shares = (counts / done.where(done > 0)).dropna()
        if shares.max() - shares.min() > ALIKE:
            most_first = contenders.assign(count=counts, done=done, share=counts / done.where(done > 0))
            most_first = most_first[counts > 0].sort_values("share", ascending=False, kind="stable")
            each = [
                f"{row['count']:,} of {row['done']:,} of {shown[row['name']]}" for row in records(most_first)
            ]
            said += f", {listed(each, most=3)}{bent}"
            bent = ""
        told.append(said)
    scorers = set(contenders["scorer"]) if (contenders["score_n"] > 0).any() else set()
    failed = failures(contenders.attrs.get("failures"), sorted(scorers))
    return [*(["; ".join(told)] if told else []), *failed]


def alone_notes(found: ContenderTable, shown: Mapping[str, str]) -> list[str]:
    """A note on answers that no pair could use: nobody else was asked that sample with the same of what is
    held equal."""
    asked = found.asked
    shares = (asked & (asked.sum(axis=1, keepdims=True) == 1)).sum(axis=0) / np.maximum(asked.sum(axis=0), 1)
    told = [
        f"{share * 100:.0f} % of {shown[name]}"
        for name, share in zip(found.names, shares, strict=True)
        if share >= 0.005
    ]
    if not (found.over and told and shares.min() < 1):
        return []
    same = " and ".join(["sample", *found.over])
    return [f"answers not compared, for lack of others with the same {same}: {listed(told, most=3)}"]
