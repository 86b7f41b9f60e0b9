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
from labkit.verdict.amounts import about, counted, number, span, times, times_span, usd
from labkit.verdict.timing import time_sentence

Row = Mapping[str, Any]
HOPELESS = 100_000
"""More samples than this are not proposed to anybody."""


@dataclass(frozen=True)
class Terms:
    """What all sentences of one verdict share."""

    scorer: str
    bounded: bool
    level: float
    margin: float | None
    better: str
    watched: bool
    unpriced: frozenset[str]
    """Contenders some of whose answers have no known cost."""
    clocks: Mapping[str, Clock]

    @property
    def scale(self) -> int:
        """Scores from 0 to 1 are told in points of a hundred."""
        return 100 if self.bounded else 1

    def amount(self, told: str) -> str:
        """An amount of score with its unit."""
        if not self.bounded:
            return told
        return f"{told} point" if told == "1" else f"{told} points"

    def within(self) -> str:
        """The margin with its unit."""
        return self.amount(f"{self.scale * (self.margin or 0):g}")


def sentence(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    """All that can be said of one pair; `names` are the first's and the second's, made safe to show."""
    if row["n"] == 0:
        return f"{names[0]} and {names[1]} share no scored sample, so they cannot be compared."
    if math.isnan(row["low"]):
        return _alone(row, terms, names)
    parts = [_score(row, terms, names), _missing(row, terms, names), time_sentence(row, terms.clocks, names)]
    return " ".join(part for part in parts if part)


def _alone(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    seen = terms.amount(number(terms.scale * row["difference"]))
    ahead = "level" if row["difference"] == 0 else f"{names[0]} ahead by {seen}"
    shared = counted(row["samples"], "sample")
    why = "one sample" if row["samples"] == 1 else f"{shared} that lie in one cluster"
    return f"{names[0]} and {names[1]} have {why} in common ({ahead}); that says nothing about other samples."


# -- score -----------------------------------------------------------------------------------------


def _score(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    first, second = names
    if row["decided"]:
        less = f" (less than {terms.within()})" if _true(row["equivalent"]) else ""
        return f"{first} beats {second}{_by(row, terms)}{less}{_at_price(row, terms, names)}."
    if _true(row["equivalent"]):
        said = f"{first} and {second} are equal within {terms.within()} ({_between(row, terms, names)})"
        return f"{said}.{_price_told(row, terms, names)}"
    if row["wins"] == row["losses"] == 0:
        far = span(0, terms.scale * max(abs(row["all_low"]), abs(row["all_high"])))[1]
        head = f"{first} and {second} scored the same on {_all_samples(row)}"
        return (
            f"{head}; a true difference of up to {terms.amount(far)} either way still fits."
            f"{_price_told(row, terms, names)}"
        )
    return _undecided(row, terms, names)


def _by(row: Row, terms: Terms) -> str:
    low, high = span(terms.scale * row["all_low"], terms.scale * row["all_high"])
    if row["all_low"] <= 0:
        return f", by at most {terms.amount(high)}"
    if math.isinf(row["all_high"]):
        return ""
    return f" by {terms.amount(high if low == high else f'{low} to {high}')}"


def _undecided(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    first, second = names
    seen = terms.amount(number(terms.scale * row["difference"]))
    ahead = "they are level" if row["difference"] == 0 else f"{first} is ahead by {seen}"
    least = ""
    if _true(row["no_worse"]):
        least = f" {first} is not worse than {second} by {terms.within()} or more."
    return (
        f"{first} against {second} is undecided: {ahead} over {counted(row['samples'], 'sample')}, but "
        f"{_between(row, terms, names)} fits.{least}{_settled_by(row, terms)}{_price_told(row, terms, names)}"
    )


def _between(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    low, high = span(terms.scale * row["all_low"], terms.scale * row["all_high"])
    if low.startswith("−"):
        low = f"{terms.amount(low[1:])} behind"
    else:
        low = "level" if float(low.replace(",", "")) == 0 else f"{terms.amount(low)} ahead"
    return f"anything from {names[0]} {low} to {terms.amount(high)} ahead"


def _settled_by(row: Row, terms: Terms) -> str:
    more = row["samples_needed"]
    if more is None or more != more or str(more) == "<NA>":
        if row["samples"] < 10:
            return " With so few samples nothing can be said of how many more it would take."
        if row["difference"] == 0 and terms.margin is None:
            return " No number of samples can be told; name a margin= to ask whether they are equal enough."
        return ""
    if more > HOPELESS:
        return f" If the true difference is that small, more than {HOPELESS:,} samples would be needed" + (
            "." if terms.margin else "; name a margin= to ask whether they are equal enough."
        )
    least = "At least" if terms.watched else "About"
    return f" {least} {about(int(more))} more {'sample' if more == 1 else 'samples'} would settle it."


def _all_samples(row: Row) -> str:
    shared = int(row["samples"])
    return "the one sample" if shared == 1 else f"all {shared:,} samples"


# -- missing answers -------------------------------------------------------------------------------


def _missing(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    if not row["missing"] or not row["decided"]:
        return ""
    gone = counted(row["missing"], "pair of answers", "pairs of answers")
    is_are = "is" if row["missing"] == 1 else "are"
    if not terms.bounded:
        return f"{gone} {is_are} missing; this score has no bounds, so their worst case cannot be told."
    if row["worst_low"] > 0:
        return f"That holds even if the {gone} missing a score had been the worst for {names[0]}."
    worst = {**row, "all_low": row["worst_low"], "all_high": row["worst_high"]}
    return (
        f"But {gone} {'lacks' if row['missing'] == 1 else 'lack'} a score: from their worst to their best, "
        f"{_between(worst, terms, names)} would fit."
    )


# -- price -----------------------------------------------------------------------------------------


def _at_price(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    """The price as the end of a sentence about the first."""
    if not _has_ratio(row, "cost"):
        return _without_ratio(row, terms, names)
    ratio, low, high = row["cost_ratio"], row["cost_low"], row["cost_high"]
    if low == high == 1 or abs(math.log(ratio)) < 1e-9:
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
    if low == high == 1 or abs(math.log(ratio)) < 1e-9:
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
