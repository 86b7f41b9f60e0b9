"""One pair in plain sentences: who is better, at what price, in what time, and what could overturn it.

A sentence says what its interval says, rounded outwards, and nothing more. Ranges are those that hold
together for all pairs. This module reads one row of `labkit.summary.pairwise`; it calculates nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.summary.clocks import Clock
from labkit.summary.scores import Design
from labkit.verdict.amounts import about, counted, number, span, times, times_span, usd
from labkit.verdict.timing import time_sentence

Row = Mapping[str, Any]
HOPELESS = 100_000
"""More samples than this are not proposed to anybody."""


SKEWED_BELOW = 20
"""With so many samples the ranges of skewed differences hold."""


@dataclass(frozen=True)
class Terms:
    """What all sentences of one verdict share."""

    scorer: str
    study: Design
    margin: float | None
    better: str
    unpriced: frozenset[str]
    """Contenders some of whose answers have no known cost."""
    clocks: Mapping[str, Clock]
    beside: int = 0
    """Pairs of other scores that its corrections are over as well."""

    @property
    def factor(self) -> int:
        """Scores declared from 0 to 1 are told in points of a hundred."""
        return 100 if self.study.scale.unit else 1

    def amount(self, told: str) -> str:
        """An amount of score with its unit."""
        if not self.study.scale.unit:
            return told
        return f"{told} point" if told == "1" else f"{told} points"

    def within(self) -> str:
        """The margin with its unit."""
        return self.amount(f"{self.factor * (self.margin or 0):g}")


def sentence(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    """All that can be said of one pair; `names` are the first's and the second's, made safe to show."""
    if row["n"] == 0:
        return f"{names[0]} and {names[1]} share no scored sample, so they cannot be compared."
    if math.isnan(row["low"]):
        return _alone(row, terms, names)
    parts = [
        _score(row, terms, names),
        _skewed(row, terms),
        missing(row, terms, names),
        time_sentence(row, terms.clocks, names),
    ]
    return " ".join(part for part in parts if part)


def _alone(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    seen = terms.amount(number(terms.factor * row["difference"]))
    ahead = "level" if row["difference"] == 0 else f"{names[0]} ahead by {seen}"
    shared = counted(row["samples"], "sample")
    why = "one sample" if row["samples"] == 1 else f"{shared} that lie in one cluster"
    return f"{names[0]} and {names[1]} have {why} in common ({ahead}); that says nothing about other samples."


# -- score -----------------------------------------------------------------------------------------


def _score(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    first, second = names
    if row["decided"]:
        head = f"{first} beats {second}{by(row, terms)} over {counted(row['samples'], 'sample')}"
        return f"{head}{_against_margin(row, terms)}{_at_price(row, terms, names)}."
    if row["answer"] == "equal":
        said = (
            f"{first} and {second} are equal within {terms.within()} over {counted(row['samples'], 'sample')}"
        )
        return f"{said} ({between(row, terms, names)}).{_price_told(row, terms, names)}"
    if row["wins"] == row["losses"] == 0:
        return f"{_level(row, terms, names)}{_price_told(row, terms, names)}"
    return _undecided(row, terms, names)


def by(row: Row, terms: Terms) -> str:
    """How far the first is ahead of the second, as a range: " by 3 to 9 points"."""
    low, high = span(terms.factor * row["all_low"], terms.factor * row["all_high"])
    if math.isinf(row["all_high"]):
        return ""
    if row["all_low"] <= 0 or _nothing(low):
        return f" by at most {terms.amount(high)}"
    return f" by {terms.amount(high if low == high else f'{low} to {high}')}"


def _against_margin(row: Row, terms: Terms) -> str:
    if terms.margin is None:
        return ""
    if row["answer"] == "better":
        return f" (more than {terms.within()})"
    if row["answer"] == "equal":
        return f" (less than {terms.within()})"
    return f" (whether by more than {terms.within()} cannot be told)"


def _level(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    shared = int(row["samples"])
    every = {1: "the one sample", 2: "both samples"}.get(shared, f"all {shared:,} samples")
    if row["missing"]:
        every = f"the {counted(shared, 'sample')} that both have a score for"
    head = f"{names[0]} and {names[1]} scored the same on {every}"
    if math.isinf(row["all_high"]):
        return (
            f"{head}; how far they may truly differ cannot be told, since the score has no declared bounds."
        )
    far = span(0, terms.factor * max(abs(row["all_low"]), abs(row["all_high"])))[1]
    return f"{head}; a true difference of up to {terms.amount(far)} either way still fits."


def _undecided(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    first, second = names
    seen = terms.amount(number(terms.factor * row["difference"]))
    ahead = "they are level" if row["difference"] == 0 else f"{first} is ahead by {seen}"
    fits = between(row, terms, names)
    least = ""
    if _true(row["no_worse"]):
        least = f" {first} is not worse than {second} by {terms.within()} or more."
    if row["missing"] and terms.margin and -terms.margin < row["all_low"] and row["all_high"] < terms.margin:
        return (
            f"{first} against {second} is undecided: over the {counted(row['samples'], 'sample')} that "
            f"both have a score for they are equal within {terms.within()} ({fits})."
            f"{_price_told(row, terms, names)}"
        )
    return (
        f"{first} against {second} is undecided: {ahead} over {counted(row['samples'], 'sample')}, but "
        f"{fits} fits.{least}{_settled_by(row, terms)}{_price_told(row, terms, names)}"
    )


def between(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    """The range of the difference: "anything from a 2 points behind to 9 points ahead"."""
    if math.isinf(row["all_low"]) and math.isinf(row["all_high"]):
        return "any difference"
    low, high = span(terms.factor * row["all_low"], terms.factor * row["all_high"])
    if low.startswith("−"):
        low = f"{terms.amount(low[1:])} behind"
    else:
        low = "level" if _nothing(low) else f"{terms.amount(low)} ahead"
    high = f"{terms.amount(high[1:])} behind" if high.startswith("−") else f"{terms.amount(high)} ahead"
    return f"anything from {names[0]} {low} to {high}"


def _settled_by(row: Row, terms: Terms) -> str:
    more = row["samples_needed"]
    if more is None or more != more or str(more) == "<NA>":
        if row["samples"] < 10:
            return " With so few samples nothing can be said of how many more it would take."
        if row["difference"] == 0 and terms.margin is None:
            return " No number of samples can be told; name a margin= to ask whether they are equal enough."
        return ""
    given = " If the true difference is the one seen,"
    if more > HOPELESS:
        return f"{given} it takes more than {HOPELESS:,} more samples to show it" + (
            "." if terms.margin else "; name a margin= to ask whether they are equal enough."
        )
    least = "at least" if terms.study.watched else "about"
    samples = "sample settles" if more == 1 else "samples settle"
    return f"{given} {least} {about(int(more))} more {samples} it with chance 0.8."


def _nothing(told: str) -> bool:
    return not told.strip("−0.,")


def _skewed(row: Row, terms: Terms) -> str:
    """Said where skewed differences of few samples leave the range too narrow (`labkit.stats.pairwise`)."""
    if (
        terms.study.watched
        or terms.study.scale.binary
        or row["units"] >= SKEWED_BELOW
        or abs(row["skewness"]) <= 1
    ):
        return ""
    return "A few samples make most of that difference, so its range may be too narrow."


# -- missing answers -------------------------------------------------------------------------------


def missing(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    """What scores that are missing could do to what was said; empty where none is."""
    if not row["missing"]:
        return ""
    count, cells = int(row["missing"]), int(row["missing"]) + int(row["n"])
    gone = f"{count:,} of {counted(cells, 'pair of answers', 'pairs of answers')}"
    lack = f"{gone} {'lacks' if count == 1 else 'lack'} a score"
    if not terms.study.scale.bounded:
        return f"But {lack}, and the score has no declared bounds, so their worst case cannot be told."
    if (row["decided"] and row["worst_low"] > 0) or row["answer"] == "equal":
        return f"That holds whatever the missing scores of {gone} would have been."
    worst = {**row, "all_low": row["worst_low"], "all_high": row["worst_high"]}
    return f"But {lack}: from their worst to their best, {between(worst, terms, names)} would fit."


# -- price -----------------------------------------------------------------------------------------


def _at_price(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    """The price as the end of a sentence about the first."""
    if not _has_ratio(row, "cost"):
        return _without_ratio(row, terms, names)
    ratio, low, high = row["cost_ratio"], row["cost_low"], row["cost_high"]
    if low == high == 1:
        return " at the same price"
    if low <= 1 <= high:
        return f" at a price that is not shown to differ ({times_span(low, high)})"
    return f" at {times(ratio)} the price ({times_span(low, high)})"


def _price_told(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    """The price as a sentence of its own."""
    if not _has_ratio(row, "cost"):
        said = _without_ratio(row, terms, names)
        return f" {said[2:3].upper()}{said[3:]}." if said else ""
    ratio, low, high = row["cost_ratio"], row["cost_low"], row["cost_high"]
    if low == high == 1:
        return " Both cost the same."
    if low <= 1 <= high:
        return f" Their prices are not shown to differ ({times_span(low, high)})."
    return f" {names[0]} costs {times(ratio)} what {names[1]} does ({times_span(low, high)})."


def _without_ratio(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    ids = (row["first"], row["second"])
    unknown = [shown for shown, name in zip(names, ids, strict=True) if name in terms.unpriced]
    if len(terms.unpriced) == len(terms.clocks):
        return ""  # no price at all is a note, not news in each sentence
    if unknown:
        return f"; what {' and '.join(unknown)} {'costs' if len(unknown) == 1 else 'cost'} is not known"
    one, two = row["first_cost_usd"], row["second_cost_usd"]
    if one == two == 0:
        return "; neither charges for an answer"
    if one == 0 and two > 0:
        return f"; {names[0]} charges nothing, {names[1]} {usd(two * 1000)} for 1,000 answers"
    if two == 0 and one > 0:
        return f"; {names[0]} charges {usd(one * 1000)} for 1,000 answers, {names[1]} nothing"
    return ""


def _has_ratio(row: Row, what: str) -> bool:
    return math.isfinite(row[f"{what}_ratio"]) and math.isfinite(row[f"{what}_high"])


def _true(value: Any) -> bool:
    return value is not None and str(value) == "True"
