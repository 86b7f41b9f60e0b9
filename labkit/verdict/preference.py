"""What people's blind ratings of pairs amount to: who was preferred over whom, how sure, and how well raters
agree. Sentences say shares of a hundred comparisons, with their intervals, and never a rank.

It takes ratings as a frame (`labkit.run.rating_frames`), and knows no lab.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.arguments import check, sure
from labkit.summary.contender_names import names
from labkit.summary.contender_table import BETWEEN
from labkit.verdict import show
from labkit.verdict.amounts import counted, listed, span
from labkit.verdict.rater_agreement import agreement_frame, agreement_notes, first_ratings

if TYPE_CHECKING:
    import pandas as pd

    from labkit.stats.preference import Preferences

OUTCOME = {"left": 1.0, "right": 0.0, "tie": 0.5, "neither": 0.5}
MOST_SAID = 12
FEW = 10
"""With fewer ratings of all pairs nothing is said of who is preferred."""
_COLUMNS = ("first", "second", "ratings", "share", "low", "high", "decided", "overturned_by")


@dataclass(frozen=True, eq=False)
class Preference:
    """What ratings allow to say. Made by `run.preference()` and `arena.preference()`; frozen."""

    headline: str
    """Over whom nobody is shown to be preferred."""
    sentences: tuple[str, ...]
    """One per pair, the one preferred more often first; none before ten ratings."""
    notes: tuple[str, ...]
    pairs: pd.DataFrame
    contenders: pd.DataFrame
    """One row per contender: `contender`, `ratings`, `share` over all others, `low`, `high`, `never_lost`."""
    agreement: pd.DataFrame
    """How raters agree: see `labkit.verdict.rater_agreement`."""

    def frame(self) -> pd.DataFrame:
        """One row per pair: `first`, `second` (str), `ratings` of the two (int), `share` of the first over
        the second with `low`, `high` (float, from all ratings), `decided` (bool, Holm's correction over all
        pairs; nothing is before ten ratings), `overturned_by` (Int64): how few ratings the other way would
        undo that."""
        return self.pairs.copy()

    def __str__(self) -> str:
        said = [self.headline, *self.sentences[:MOST_SAID]]
        if (more := len(self.sentences) - MOST_SAID) > 0:
            said.append(f"… and {more:,} more pairs: see .sentences and .frame().")
        return "\n".join([*said, *(f"({note})" for note in self.notes)])

    def __repr__(self) -> str:
        return f"Preference({self.headline})"

    def _repr_html_(self) -> str:
        return show.listing(self.headline, self.sentences[:MOST_SAID], self.notes, self.pairs)


def preference(
    ratings: pd.DataFrame,
    *,
    contenders: Sequence[str],
    equal: int = 0,
    level: float = 0.95,
    judged: Mapping[str, pd.DataFrame] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Preference:
    """Who is preferred over whom by `ratings` (`sample_id`, `left`, `right`, `preferred`, `user`, `drawn`).

    Shares are of one Bradley–Terry fit to all pairs, a tie counting half for each, with errors by samples
    (`labkit.stats.preferences`); of a pair that one rater saw twice the first rating counts. `equal` pairs of
    answers were the same, and never shown. `judged` has by judge what it says of pairs, to be held beside
    what people say; `labels` by id what models are called in sentences. Raises `DefinitionError` for a
    `level` that is none.

    >>> import pandas as pd
    >>> rows = [{"sample_id": str(n), "left": "a", "right": "b", "preferred": "right" if n % 5 else "left",
    ...          "user": "ada", "drawn": "rule"} for n in range(60)]
    >>> print(preference(pd.DataFrame(rows), contenders=["a", "b"]).sentences[0])
    b was preferred over a in 67 to 89 of 100 blind comparisons (60 ratings by 1 person). ...
    """
    from labkit.stats.preference import preferences
    from labkit.stats.ratings import rated

    check(sure("level", level))
    told = ratings[ratings["preferred"].isin(list(OUTCOME))]
    counted_rows = first_ratings(told)
    enough = len(counted_rows) >= FEW
    found = preferences(
        rated(
            counted_rows["left"].to_numpy(dtype=object),
            counted_rows["right"].to_numpy(dtype=object),
            counted_rows["preferred"].map(OUTCOME).to_numpy(dtype=float),
            clusters=counted_rows["sample_id"].to_numpy(dtype=object),
            contenders=list(contenders),
        ),
        level=level,
    )
    shown = names([tuple(name.split(BETWEEN)) for name in contenders], labels or {})
    pairs = _pairs(found, contenders, enough=enough)
    agreement = agreement_frame(told, judged or {}, level=level)
    sentences = [_sentence(row, shown, counted_rows) for row in pairs.to_dict("records")] if enough else []
    return Preference(
        headline=_headline(found, contenders, shown, len(counted_rows)),
        sentences=tuple(sentences),
        notes=(
            *(_notes(found, contenders, shown, level) if enough else ()),
            *_left_out(counted_rows, equal),
            *agreement_notes(agreement, told),
        ),
        pairs=pairs,
        contenders=_contenders(found, contenders),
        agreement=agreement,
    )


def _pairs(found: Preferences, ids: Sequence[str], *, enough: bool) -> pd.DataFrame:
    import pandas as pd

    from labkit.stats.overturned import overturned_by

    rows = []
    for place, (one, other) in enumerate(zip(found.first.tolist(), found.second.tolist(), strict=True)):
        if found.pairs.share[place] < 0.5:
            one, other = other, one
        share = found.share(one, other)
        rows.append(
            {
                "first": ids[one],
                "second": ids[other],
                "ratings": int(found.n[place]),
                "share": share.estimate,
                "low": share.low,
                "high": share.high,
                "decided": enough and bool(found.better[one, other]),
                "overturned_by": overturned_by(found, one, other) if enough else None,
            }
        )
    frame = pd.DataFrame(rows, columns=list(_COLUMNS)).astype({"overturned_by": "Int64"})
    return frame.sort_values(["decided", "share"], ascending=False, kind="stable").reset_index(drop=True)


def _contenders(found: Preferences, ids: Sequence[str]) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    wins = found.ratings.wins()
    counts = found.ratings.counts().sum(axis=1)
    frame = pd.DataFrame(
        {
            "contender": list(ids),
            "ratings": counts,
            "share": found.overall.share,
            "low": found.overall.low,
            "high": found.overall.high,
            "never_lost": (counts > 0) & np.isclose(wins.sum(axis=0), 0),
        }
    )
    return frame.sort_values("share", ascending=False, kind="stable").reset_index(drop=True)


def _headline(found: Preferences, ids: Sequence[str], shown: Mapping[str, str], ratings: int) -> str:
    if ratings < FEW:
        return f"Nothing is said before {FEW} ratings: {f'{ratings:,}' if ratings else 'none'} so far."
    unbeaten = [shown[ids[place]] for place in found.unbeaten]
    if len(unbeaten) == len(ids):
        return "Nobody is shown to be preferred over another."
    return f"Nobody is shown to beat {listed(unbeaten, most=4, joint='or')}."


def _sentence(row: Mapping[Any, Any], shown: Mapping[str, str], told: pd.DataFrame) -> str:
    one, other = shown[row["first"]], shown[row["second"]]
    between = told[
        told["left"].isin([row["first"], row["second"]]) & told["right"].isin([row["first"], row["second"]])
    ]
    if not len(between) and row["low"] == 0 and row["high"] == 1:
        return f"{one} and {other} were never compared, not even by way of a third."
    low, high = _ends(100 * row["low"], 100 * row["high"], above_half=row["decided"])
    ties = int((between["preferred"].isin(["tie", "neither"])).sum())
    people = counted(between["user"].nunique(dropna=False), "person", "people")
    rest = f", {counted(ties, 'tie')}" if ties else ""
    direct = f"{counted(len(between), 'rating')} by {people}{rest}"
    if not len(between):
        direct = "the two were never side by side"
    often = f"{low} to {high} of 100 blind comparisons ({direct})."
    if not row["decided"]:
        return f"{one} against {other} is undecided: preferred in {often}"
    few, was = row["overturned_by"], "was" if len(between) else "would be"
    undo = "One rating" if few == 1 else f"{few:,} ratings"
    return f"{one} {was} preferred over {other} in {often} {undo} the other way would undo this."


def _ends(low: float, high: float, *, above_half: bool) -> tuple[str, str]:
    """The limits as words; what is shown to be above 50 does not read as 50."""
    ends = span(low, high)
    if above_half and float(ends[0]) <= 50:
        return (f"{low - 0.05:.1f}" if low >= 50.15 else "just over 50"), ends[1]
    return ends


def _notes(found: Preferences, ids: Sequence[str], shown: Mapping[str, str], level: float) -> list[str]:
    import numpy as np

    said = []
    if len(ids) > 2:
        said.append(
            "decided by Holm's correction over all pairs; shares are of one fit to all ratings, each range a "
            f"{level * 100:g} % interval for its pair alone"
        )
    for place in np.flatnonzero(found.strengths.never_lost).tolist():
        said.append(f"{shown[ids[place]]} never lost: how far it is ahead has no upper end")
    if disputed := int(found.disputed.sum()):
        pairs = f"{disputed:,} of {counted(int(found.better.sum()), 'decided pair')}"
        said.append(f"a fit that knows ties (Davidson's) leaves {pairs} undecided")
    return said


def _left_out(rows: pd.DataFrame, equal: int) -> list[str]:
    said = []
    if equal:
        pairs = f"{counted(equal, 'pair')} of equal answers"
        said.append(
            f"{pairs} {'was' if equal == 1 else 'were'} never shown and count{'s' * (equal == 1)} nowhere"
        )
    peeked = int(rows["peeked"].eq(True).sum()) if "peeked" in rows else 0
    if peeked:
        ratings = f"{peeked:,} of {counted(len(rows), 'rating')}"
        said.append(f"{ratings} {'was' if peeked == 1 else 'were'} given after a look at the standing")
    return said
