"""A frame's scores: which column, what was declared of them, and the interval of the mean of some rows.

Tables, verdicts and charts all take their intervals from here, so that they tell the same numbers. It
compares nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from labkit.arguments import check, number, sure
from labkit.errors import DefinitionError
from labkit.nearest import listed
from labkit.scoring.structure import STRUCTURE
from labkit.visible import quoted

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from labkit.stats.intervals import Interval
    from labkit.stats.scale import Scale

Bounds = tuple[float | None, float | None]
LEAST_LABELS = 20
"""With fewer labelled samples a judge is not corrected."""


def score_names(frame: pd.DataFrame) -> list[str]:
    """The scores of a frame; `structure`, which a plan adds by itself, comes after those that were given.

    >>> import pandas as pd
    >>> score_names(pd.DataFrame(columns=["score.structure", "score.tone"]))
    ['tone', 'structure']
    """
    found = [str(name).removeprefix("score.") for name in frame.columns if str(name).startswith("score.")]
    return sorted(found, key=lambda name: name == STRUCTURE)


def score_column(frame: pd.DataFrame, score: str | None) -> str | None:
    """The frame's column of scorer `score`, by default the first; None where nothing was scored.

    Raises DefinitionError where the frame has no such scorer.
    """
    names = score_names(frame)
    if score is None:
        return f"score.{names[0]}" if names else None
    if not isinstance(score, str) or score not in names:
        raise DefinitionError(no_score(score, names))
    return f"score.{score}"


def no_score(score: Any, names: Sequence[str]) -> str:
    """What is said where there is no such score, with the nearest that there are, or how to get one.

    >>> no_score("exakt", ["length", "exact"])
    "there is no score 'exakt'; the nearest: 'exact', 'length'"
    """
    if not names:
        return (
            f"there is no score {quoted(score)}, nor any other: score the answers with run.score(lk.exact())"
        )
    return f"there is no score {quoted(score)}; the nearest: {listed(score, names)}"


def scores_of(frame: pd.DataFrame, wanted: Sequence[str]) -> tuple[str, ...]:
    """The scores named, each once and in the frame. Raises DefinitionError with all that is wrong.

    >>> import pandas as pd
    >>> scores_of(pd.DataFrame(columns=["score.exact", "score.polite"]), ["polite", "exact"])
    ('polite', 'exact')
    """
    has = score_names(frame)
    faults = [] if wanted else ["score= is empty; name at least one score"]
    faults += [no_score(name, has) for name in wanted if not isinstance(name, str) or name not in has]
    faults += [f"score= names {quoted(name)} twice" for name in has if list(wanted).count(name) > 1]
    if faults:
        raise DefinitionError(dict.fromkeys(faults))
    return tuple(wanted)


def score_scale(
    frame: pd.DataFrame, column: str | None, bounds: Bounds | None = None, step: float | None = None
) -> Scale:
    """What was declared of the scores in `column`: `bounds` and `step` if given, else what the scorer did.

    A lab's frame has that in `attrs["scales"]`: scorer → (lowest, highest, step or None). Raises
    DefinitionError for bounds that are none, or that a score lies outside of.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"score.tone": [1, 5]})
    >>> score_scale(frame, "score.tone", (1, 5), 1)
    Scale(low=1.0, high=5.0, step=1.0)
    """
    from labkit.stats.scale import UNKNOWN, scale_of

    told: Any = frame.attrs.get("scales", {}).get((column or "").removeprefix("score."))
    if bounds is not None or step is not None:
        bounds = (None, None) if bounds is None else bounds
        if not (isinstance(bounds, Sequence) and len(bounds) == 2):
            raise DefinitionError(
                f"bounds={quoted(bounds)}: give the lowest and the highest score, as (1, 5)"
            )
        names = ("the lowest of bounds", "the highest of bounds", "step")
        told = (*bounds, step)
        check(*(number(name, value, or_none=True) for name, value in zip(names, told, strict=True)))
    if told is None or column is None:
        return UNKNOWN
    scale = scale_of(told)
    if faults := scale.faults():
        raise DefinitionError([f"score {quoted(column.removeprefix('score.'))}: {fault}" for fault in faults])
    values = floats(frame, column)
    if not scale.holds(values):
        raise DefinitionError(
            f"score {quoted(column.removeprefix('score.'))} was declared to lie from {scale.low:g} to "
            f"{scale.high:g}, and has values outside"
        )
    return scale


@dataclass(frozen=True)
class Basis:
    """What a study's intervals rest on: the scale of its scores, clusters, and how often it was looked at."""

    scale: Scale
    clusters: str | None
    watched: bool
    """Whether intervals hold at any moment of stopping."""
    level: float
    """Of its intervals: higher than was asked for where earlier looks have spent a part of the rest."""
    asked_level: float
    grown: bool
    """Whether it was made larger after it could be looked at."""


def basis(
    frame: pd.DataFrame,
    column: str | None,
    *,
    level: float = 0.95,
    bounds: Bounds | None = None,
    step: float | None = None,
    clusters: str | None = None,
    watched: bool | None = None,
) -> Basis:
    """What the intervals of a frame's study rest on.

    It is watched where that is said, and where the frame tells that its run was grown by more samples
    after it could be looked at (`attrs["grown"]`), if the score has bounds and there are no clusters. A
    look with ordinary intervals before that has spent 1 − level; half as much is kept for all looks after
    it, and half of that again after each time contenders or repeats were added. At .95 that is at most
    7.5 % for a look and all growth by samples after it; simulated with two equal contenders that grew as
    the sentences advise, 4 to 6 % held a false decision after 2 to 20 looks where the first was over 50
    ratings, 2 % and less where it was over 10 answers right or wrong. Raises DefinitionError where it is to
    be watched and cannot be.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"score.ok": [1, 0]})
    >>> frame.attrs = {"scales": {"ok": (0, 1, 1)}, "grown": {"rows": 2, "others": 0}}
    >>> found = basis(frame, "score.ok")
    >>> found.watched, found.level
    (True, 0.975)
    """
    check(sure("level", level))
    scale = score_scale(frame, column, bounds, step)
    if clusters is not None and clusters not in frame.columns:
        raise DefinitionError(f"the frame has no column {quoted(clusters)}")
    possible = scale.bounded and clusters is None
    if watched and not possible:
        score = quoted((column or "").removeprefix("score."))
        why = f"score {score} has no declared bounds" if clusters is None else "clusters= cannot be watched"
        raise DefinitionError(f"the study cannot be taken as watched: {why}")
    told = frame.attrs.get("grown") or {}
    rows, others = int(told.get("rows", 0)), int(told.get("others", 0))
    grown = watched is None and rows + others > 0
    always = bool(watched) or (grown and rows > 0 and possible)
    halved = (rows > 0) + others if grown and (always or not rows) else 0
    return Basis(scale, clusters, always, 1 - (1 - level) / 2**halved, level, grown)


def floats(frame: pd.DataFrame, name: str | None) -> NDArray[np.float64]:
    """A column as numbers; NaN where it has none, or an infinite one. Raises DefinitionError for others."""
    import numpy as np
    import pandas as pd

    if name is None or name not in frame.columns:
        return np.full(len(frame), np.nan)
    try:
        found = pd.to_numeric(frame[name]).to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DefinitionError(f"column {name!r} holds what is no number: {error}") from None
    return np.where(np.isinf(found), np.nan, found)


def codes(column: pd.Series[Any]) -> NDArray[np.intp]:
    """For each row the place of its value among the different ones, missing ones as one of them."""
    import numpy as np
    import pandas as pd

    return np.asarray(pd.factorize(column, use_na_sentinel=False)[0], dtype=np.intp)


def asking_order(frame: pd.DataFrame, sample: NDArray[np.intp]) -> NDArray[np.intp]:
    """Samples (codes) in the order in which they were first asked; what was never sent comes last."""
    import numpy as np
    import pandas as pd

    if "started_at" not in frame.columns:
        return np.arange(int(sample.max(initial=-1)) + 1, dtype=np.intp)
    at = pd.to_datetime(frame["started_at"], utc=True, errors="coerce").reset_index(drop=True)
    first = at.groupby(sample).min()
    return np.asarray(first.sort_values(kind="stable", na_position="last").index, dtype=np.intp)


class ScoreIntervals:
    """The mean score of any rows of one frame, with the interval that its basis calls for.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"sample_id": ["1", "2", "3"], "score.ok": [1, 0, 1]})
    >>> of = ScoreIntervals(frame, "score.ok", basis(frame, "score.ok", bounds=(0, 1), step=1))
    >>> round(of(slice(None)).estimate, 3)
    0.667
    """

    def __init__(self, frame: pd.DataFrame, column: str | None, given: Basis) -> None:
        self.values = floats(frame, column)
        self.labels = floats(frame, f"label.{(column or '').removeprefix('score.')}")
        """What people said in a judge's place."""
        self.given = given
        self.sample = codes(frame["sample_id"])
        self.cluster = None if given.clusters is None else codes(frame[given.clusters])
        self.rank: NDArray[np.intp] | None = None
        if given.watched:
            import numpy as np

            self.rank = np.argsort(asking_order(frame, self.sample))

    @property
    def told(self) -> str:
        """What the intervals are, for a note or a subtitle."""
        units = "each sample counted once"
        if self.cluster is not None:
            count = len(set(self.cluster.tolist()))
            units = f"{count:,} cluster{'' if count == 1 else 's'} ({self.given.clusters}), each counted once"
        always = ", at any moment of stopping" if self.given.watched else ""
        labels = f", corrected where {LEAST_LABELS} samples or more are labelled" if self._has_labels else ""
        return f"{self.given.level * 100:g} % intervals{always}, {units}{labels}"

    @property
    def _has_labels(self) -> bool:
        # Of a study that was watched nobody knows how to correct it at any moment.
        return self.rank is None and bool((self.labels == self.labels).any())

    def __call__(self, rows: Any, *, tests: int = 1) -> Interval:
        """The interval over `rows` (places, or a mask), one of so many that are to hold together."""
        from labkit.stats.intervals import score_interval
        from labkit.stats.sequential import watched_interval

        values, samples, scale = self.values[rows], self.sample[rows], self.given.scale
        level = 1 - (1 - self.given.level) / tests
        if self.rank is not None:
            return watched_interval(values, scale, samples=self.rank[samples], level=level)
        if self._has_labels and (found := self._corrected(rows, level)) is not None:
            return found
        clusters = None if self.cluster is None else self.cluster[rows]
        try:
            return score_interval(values, scale, samples=samples, clusters=clusters, level=level)
        except ValueError as error:
            raise DefinitionError(f"the scores have no interval: {error}") from None

    def _corrected(self, rows: Any, level: float) -> Interval | None:
        """The mean that people would give, by a judge whom their labels correct; None where those are few."""
        from labkit.stats.corrected import corrected_mean
        from labkit.stats.table import sample_tables

        one = self.sample[rows] * 0
        clusters = None if self.cluster is None else self.cluster[rows]
        judged, labels = sample_tables(
            (self.values[rows], self.labels[rows]),
            self.sample[rows],
            one,
            clusters=clusters,
            scales=[self.given.scale] * 2,
        )
        if (labels.counts > 0).sum() < LEAST_LABELS:
            return None
        found = corrected_mean(
            labels.means,
            judged.means,
            common=(judged.counts > 0) | (labels.counts > 0),
            clusters=judged.clusters,
            scale=self.given.scale,
            level=level,
        )
        return replace(found.interval(0), n=int((judged.counts > 0).sum()))
