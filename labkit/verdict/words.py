"""One pair in plain sentences: who is better, at what price, in what time, and what could overturn it.

A sentence says what its interval says, rounded outwards, and nothing more. Ranges are those that hold
together for all pairs. This module reads one row of `labkit.summary.pairwise`; it calculates nothing. The
sentence of one pair has many cases, which are told apart in one place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.summary.clocks import Clock
from labkit.summary.scores import Basis
from labkit.verdict.amounts import counted, number, span
from labkit.verdict.judge_words import by_labels, opposite, over_labelled
from labkit.verdict.pricing import at_price, price_sentence
from labkit.verdict.settling import settled_by
from labkit.verdict.timing import time_sentence

Row = Mapping[str, Any]
NEARLY = "above 0"
"""Where the range of a pair begins that is decided by Holm's correction alone."""


SKEWED_BELOW = 20
"""With so many samples the ranges of skewed differences hold."""


@dataclass(frozen=True)
class Terms:
    """What all sentences of one verdict share."""

    scorer: str
    study: Basis
    margin: float | None
    better: str
    unpriced: frozenset[str]
    """Contenders some of whose answers have no known cost."""
    clocks: Mapping[str, Clock]
    beside: int = 0
    """Pairs of other scores that its corrections are over as well."""
    several: bool = False
    """Of several pairs the notes tell once what the sentence of a single one tells itself: how many samples
    all share, how times were taken, what more samples would settle, that no difference of price is shown."""
    apart: str = ""
    """Why the run's answers were not asked at the same time; empty where that is not known."""
    samples: int | None = None
    """How many common samples each of several pairs has, where that is one number."""

    @property
    def unit(self) -> str:
        """What the intervals count."""
        return "sample" if self.study.clusters is None else "cluster"

    @property
    def factor(self) -> int:
        """Scores declared from 0 to 1 are told in points of a hundred."""
        return 100 if self.study.scale.unit else 1

    def amount(self, told: str) -> str:
        """An amount of score with its unit."""
        if not self.study.scale.unit:
            return told
        return f"{told} point" if told == "1" else f"{told} points"

    def unpriced_of(self, row: Row, names: tuple[str, str]) -> tuple[str, ...]:
        """Which of two have answers without a known cost; none where that holds for all contenders.

        No price at all is a note, not news in each sentence.
        """
        if len(self.unpriced) == len(self.clocks):
            return ()
        ids = (row["first"], row["second"])
        return tuple(shown for shown, name in zip(names, ids, strict=True) if name in self.unpriced)

    def within(self) -> str:
        """The margin with its unit."""
        return self.amount(f"{self.factor * (self.margin or 0):g}")

    def over(self, row: Row) -> str:
        """How many samples a pair has in common, unless a note says it of all."""
        if by_labels(row):
            return over_labelled(row)
        return "" if self.samples else f" over {counted(row['samples'], 'sample')}"


def score_note(terms: Terms, *, given: bool = True) -> str:
    """Which score, and in what unit it is told; bounds stand with the scores, so without a single one (not
    `given`) nothing is known of them."""
    scale = terms.study.scale
    if scale.unit:
        return f"score: {terms.scorer}, 1 point = 0.01"
    if not scale.bounded and not given:
        return f"score: {terms.scorer}, no answer has it"
    if not scale.bounded:
        return f"score: {terms.scorer}, no bounds declared"
    low, high = (f"{end:g}".replace("-", "−") for end in (scale.low, scale.high))
    return f"score: {terms.scorer}, from {low} to {high}"


def sentence(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    """All that can be said of one pair; `names` are the first's and the second's, made safe to show."""
    if row["n"] == 0:
        return f"{names[0]} and {names[1]} share no scored sample, so they cannot be compared."
    if math.isnan(row["low"]):
        return _alone(row, terms, names)
    short = {"only_shown": terms.several}
    parts = [
        _score(row, terms, names),
        opposite(row),
        _skewed(row, terms),
        missing(row, terms, names),
        "" if row["decided"] else price_sentence(row, names, terms.unpriced_of(row, names), **short),
        time_sentence(row, terms.clocks, names, terms.apart, **short),
    ]
    return " ".join(part for part in parts if part)


def _alone(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    seen = terms.amount(number(terms.factor * row["difference"]))
    ahead = "level" if row["difference"] == 0 else f"{names[0]} ahead by {seen}"
    both = f"{names[0]} and {names[1]} have"
    if row["samples"] == 1:
        return f"{both} one sample in common ({ahead}); that says nothing about other samples."
    shared = counted(row["samples"], "sample")
    return f"{both} {shared} in common, all of one cluster ({ahead}); that says nothing about other clusters."


# -- score -----------------------------------------------------------------------------------------


def _score(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    first, second = names
    if row["decided"]:
        head = f"{first} beats {second}{by(row, terms)}{terms.over(row)}"
        price = at_price(row, names, terms.unpriced_of(row, names), only_shown=terms.several)
        return f"{head}{_against_margin(row, terms)}{price}."
    if row["answer"] == "equal":
        said = f"{first} and {second} are equal within {terms.within()}{terms.over(row)}"
        return f"{said} ({between(row, terms, first)})."
    if row["wins"] == row["losses"] == 0 and not by_labels(row):
        return _level(row, terms, names)
    return _undecided(row, terms, names)


def by(row: Row, terms: Terms) -> str:
    """How far the first is ahead of the second, as a range: " by 3 to 9 points".

    What only Holm's correction decides is above 0 and has no other lower limit: " by up to 9 points".
    """
    if math.isinf(row["all_high"]):
        return ""
    low, high = limits(row, terms.factor)
    if low == NEARLY:
        return f" by up to {terms.amount(high)}"
    return f" by {terms.amount(high if low == high else f'{low} to {high}')}"


def limits(row: Row, factor: int) -> tuple[str, str]:
    """The range of a difference as sentences and tables tell it, rounded outwards; `factor` as in `Terms`.

    Holm's correction may decide a pair whose range together with all others holds 0. What that decides is
    that the difference is above 0, so there the range begins; no lower limit above 0 holds together.

    >>> limits({"decided": True, "all_low": -0.003, "all_high": 0.19}, 100)
    ('above 0', '19')
    >>> limits({"decided": False, "all_low": -0.003, "all_high": 0.19}, 100)
    ('−1', '19')
    """
    low, high = span(factor * row["all_low"], factor * row["all_high"])
    if row["decided"] and (row["all_low"] <= 0 or _nothing(low)):
        return NEARLY, high
    return low, high


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
    return f"{names[0]} and {names[1]} scored the same on {every}; {still_fits(row, terms)}."


def still_fits(row: Row, terms: Terms) -> str:
    """How far two may differ that were level wherever they were seen."""
    if math.isinf(row["all_high"]):
        return "how far they may truly differ cannot be told, since the score has no declared bounds"
    far = span(0, terms.factor * max(abs(row["all_low"]), abs(row["all_high"])))[1]
    return f"a true difference of up to {terms.amount(far)} either way still fits"


def _undecided(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    first, second = names
    seen = terms.amount(number(terms.factor * row["difference"]))
    ahead = "they are level" if row["difference"] == 0 else f"ahead by {seen}"
    fits = between(row, terms, first if row["difference"] == 0 else "")
    least = ""
    if _true(row["no_worse"]):
        least = f" {first} is not worse than {second} by {terms.within()} or more."
    if row["missing"] and terms.margin and -terms.margin < row["all_low"] and row["all_high"] < terms.margin:
        return (
            f"{first} against {second} is undecided: over the {counted(row['samples'], 'sample')} that "
            f"both have a score for they are equal within {terms.within()} "
            f"({between(row, terms, first)})."
        )
    return (
        f"{first} against {second} is undecided: {ahead}{terms.over(row)}, but "
        f"{fits} fits.{least}{settled_by(row, terms)}"
    )


def between(row: Row, terms: Terms, name: str) -> str:
    """The range of the difference: "anything from a 2 points behind to 9 points ahead".

    Where it begins at nothing: "anything up to a 9 points ahead". Without a name whose difference it is
    stands before it in the sentence.
    """
    if math.isinf(row["all_low"]) and math.isinf(row["all_high"]):
        return "any difference"
    low, high = span(terms.factor * row["all_low"], terms.factor * row["all_high"])
    if _nothing(high):
        high = "level"
    elif high.startswith("−"):
        high = f"{terms.amount(high[1:])} behind"
    else:
        high = f"{terms.amount(high)} ahead"
    whose = f"{name} " if name else ""
    if _nothing(low):
        return f"anything up to {whose}{high}"
    low = f"{terms.amount(low[1:])} behind" if low.startswith("−") else f"{terms.amount(low)} ahead"
    return f"anything from {whose}{low} to {high}"


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
    return (
        f"On a few {terms.unit}s they differ by far more or less than on the others, "
        "so the range of the score may be too narrow."
    )


# -- missing answers -------------------------------------------------------------------------------


def missing(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    """What scores that are missing could do to what was said; empty where none is."""
    if not row["missing"]:
        return ""
    count, cells = int(row["missing"]), int(row["missing"]) + int(row["n"])
    gone = f"{count:,} of {counted(cells, 'pair of answers', 'pairs of answers')}"
    lack = f"{gone} {'lacks' if count == 1 else 'lack'} a score"
    if not terms.study.scale.bounded:
        return f"But {lack}, and the score has no declared bounds, so the worst case cannot be told."
    if holds := _holds(row, terms, names):
        rest = ""
        if row["answer"] == "better" and row["worst_low"] <= (terms.margin or 0):
            rest = f", but then perhaps not by more than {terms.within()}"
        return f"{holds} whatever the missing scores of {gone} would have been{rest}."
    worst = {**row, "all_low": row["worst_low"], "all_high": row["worst_high"]}
    ends = "its worst to its best" if count == 1 else "their worst to their best"
    return f"But {lack}: from {ends}, {between(worst, terms, names[0])} would fit."


def _holds(row: Row, terms: Terms, names: tuple[str, str]) -> str:
    """What of the claim the missing scores cannot overturn; empty where that is nothing.

    How far one is ahead is not in it: with the worst scores that range would be wider.
    """
    if row["decided"] and row["worst_low"] > 0:
        better = f"{names[0]} is better"
        if row["answer"] == "equal":
            return f"{better}, and by less than {terms.within()},"
        if row["answer"] == "better" and row["worst_low"] > (terms.margin or 0):
            return f"{better}, and by more than {terms.within()},"
        return better
    if row["answer"] != "equal":
        return ""
    return f"They differ by less than {terms.within()}"


def _true(value: Any) -> bool:
    return value is not None and str(value) == "True"
