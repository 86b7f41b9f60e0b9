"""How many more samples would settle a pair that is undecided, and what is said where that cannot be told.

It reads one row of `labkit.summary.pairwise`; it calculates nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.summary.pairwise import FEWEST
from labkit.verdict.amounts import about
from labkit.verdict.judge_words import by_labels, labels_settle

if TYPE_CHECKING:
    from labkit.verdict.words import Terms

Row = Mapping[str, Any]
HOPELESS = 100_000
"""More samples than this are not proposed to anybody."""


def settled_by(row: Row, terms: Terms) -> str:
    """How many more samples may settle an undecided pair, as a sentence; empty where nothing can be said."""
    if by_labels(row):
        return labels_settle(row)
    more = more_samples(row)
    if more is None:
        if terms.several:
            return ""
        if row["units"] < FEWEST:
            return f" With so few {terms.unit}s nothing can be said of how many more it would take."
        if row["difference"] == 0 and terms.margin is None:
            return f" More samples may never settle it; {MARGIN}."
        return ""
    given = " If the true difference is the one seen,"
    if more > HOPELESS:
        if terms.several:
            return f" More than {HOPELESS:,} more samples may not settle it."
        return f"{given} it takes more than {HOPELESS:,} more samples to show it" + (
            "." if terms.margin else f"; {MARGIN}."
        )
    samples = "sample" if more == 1 else "samples"
    if terms.several:
        least = "At least" if terms.study.watched else "About"
        return f" {least} {about(more)} more {samples} may settle it."
    settle = "settles" if more == 1 else "settle"
    where = "" if terms.study.clusters is None else ", in more clusters like these,"
    if terms.study.watched:
        return f"{given} it takes at least {about(more)} more {samples} to settle it with chance 0.8."
    return f"{given} about {about(more)} more {samples}{where} {settle} it with chance 0.8."


MARGIN = "name a margin= to ask whether they are equal enough"


def more_samples(row: Row) -> int | None:
    """How many more samples would decide a pair; None where that is not to be told."""
    more = row["samples_needed"]
    return None if more is None or more != more or str(more) == "<NA>" else int(more)


def settling_notes(pairs: Sequence[Row], terms: Terms) -> list[str]:
    """What "may settle it" means, and what is said of no number: one note for several pairs."""
    given = [
        row
        for row in pairs
        if not by_labels(row) and not row["decided"] and row["answer"] != "equal" and row["units"] > 1
    ]
    said = []
    if any(more_samples(row) for row in given):
        where = "" if terms.study.clusters is None else ", in more clusters like these"
        chance = "more samples: with so many" + (" at least" if terms.study.watched else "") + where
        said.append(f"{chance}, a pair is settled with chance 0.8 if its true difference is the one seen")
    if any(row["units"] < FEWEST for row in given):
        said.append(f"below {FEWEST} {terms.unit}s nothing is said of how many more it would take")
    if terms.margin is None and any(
        row["difference"] == 0 or (more_samples(row) or 0) > HOPELESS
        for row in given
        if row["units"] >= FEWEST
    ):
        said.append(f"pairs that are level, or nearly, more samples may never settle; {MARGIN}")
    return ["; ".join(said)] if said else []
