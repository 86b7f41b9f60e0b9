"""The columns that a summary has of each score: which scores it tells of, and how their columns are called.

The intervals are those of `labkit.summary.scores`. It groups no rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.scoring.structure import STRUCTURE
from labkit.store.filters import listed
from labkit.summary.scores import ScoreIntervals, basis, score_names, scores_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ScoreColumns:
    """One score of a frame; `name` is None where the frame has none."""

    name: str | None
    suffix: str
    """What the names of its columns end in: nothing where it is the only one."""
    interval: ScoreIntervals

    def of(self, places: Any) -> dict[str, Any]:
        """What a summary's row tells of the rows at `places`."""
        found = self.interval(places)
        scored = self.interval.values[places]
        told: dict[str, Any] = {
            "score": found.estimate,
            "score_low": found.low,
            "score_high": found.high,
            "scored": int((scored == scored).sum()),
            "score_n": found.n,
        }
        alone = {} if self.suffix else {"scorer": self.name}
        return alone | {f"{column}{self.suffix}": value for column, value in told.items()}

    def is_held_against(self, baseline: Any) -> bool:
        """Whether it can lie above a baseline: not where nothing was scored. What a constant answer would
        score (label and share) is no yardstick of a score that is no share."""
        scale, values = self.interval.given.scale, self.interval.values
        share = scale.unit if scale.bounded else not ((values < 0) | (values > 1)).any()
        return bool((values == values).any()) and (share or not isinstance(baseline, tuple))


def score_columns(frame: pd.DataFrame, score: str | Sequence[str] | None, **study: Any) -> list[ScoreColumns]:
    """The scores to be told of: those named, by default all (`structure`, which a plan adds by itself, only
    where it is the only one). `study` is what `labkit.summary.scores.basis` takes.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"sample_id": ["1"], "score.tone": [3], "score.exact": [1]})
    >>> [one.suffix for one in score_columns(frame, None)]
    ['.tone', '.exact']
    """
    if score is not None:
        names: Sequence[str | None] = scores_of(frame, [score] if isinstance(score, str) else listed(score))
    else:
        every = score_names(frame)
        names = [name for name in every if name != STRUCTURE or len(every) == 1] or [None]
    found = []
    for name in names:
        column = None if name is None else f"score.{name}"
        interval = ScoreIntervals(frame, column, basis(frame, column, **study))
        found.append(ScoreColumns(name, f".{name}" if len(names) > 1 else "", interval))
    return found
