"""Who is compared with whom, on what: score, cost and clocks as tables of cells by contenders.

A contender is a model, a prompt, or a prompt on a model. What is not compared is held equal: comparing
models over two prompts, a cell is one sample under one prompt, and samples stay the independent units.
This module gathers; it compares nothing (see `pairwise`) and knows no words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labkit.errors import DefinitionError
from labkit.stats.scale import UNKNOWN
from labkit.stats.table import Table, sample_tables
from labkit.stats.units import Floats
from labkit.store.filters import listed
from labkit.summary.clocks import Clock, clocks
from labkit.summary.first_asking import first_askings
from labkit.summary.scores import Bounds, asking_order, codes, floats, score_column, score_scale
from labkit.summary.unscored import why_none
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

FACTORS = ("prompt", "model")
OTHERS = "other step"
"""The column of who answered the other steps, where chains are compared by the model of one."""
OVER = (*FACTORS, OTHERS)
"""What is held equal where it is not compared."""
BETWEEN = " · "
"""Stands between the prompt and the model in a contender's name."""


@dataclass(frozen=True)
class ContenderTable:
    """Tables with one row per cell and one column per contender, in the order of `names`."""

    by: tuple[str, ...]
    over: tuple[str, ...]
    """Factors that vary and are not compared: each of their levels is a cell of its own."""
    keys: tuple[tuple[str, ...], ...]
    """Per contender its values of `by`."""
    names: tuple[str, ...]
    scorer: str
    score: Table
    """Mean score over repeats, and its scale; turned round where lower is better."""
    cost: Table
    """Mean cost of a done answer (USD)."""
    latency: Table
    """Geometric mean latency of timed answers (s), each when it was first asked."""
    ttft: Table
    asked_at: Table
    """When timed answers were asked (s since 1970), on average over repeats."""
    asked: NDArray[np.bool_]
    """Whether the design has this cell for this contender."""
    sample: NDArray[np.intp]
    """The sample of each cell, as codes."""
    order: NDArray[np.intp]
    """Samples in the order in which they were first asked."""
    cost_known: NDArray[np.bool_]
    """Whether the cost of each of its done answers is known."""
    clocks: tuple[Clock, ...]
    answered: NDArray[np.bool_]
    """Whether this cell has a finished answer of this contender, scored or not."""
    labels: Table | None = None
    """What people said in place of a judge, of samples that were drawn; None: nobody said anything."""
    judged: bool = False
    """Whether the scores are a judge's."""
    ends: tuple[Floats, Floats] | None = None
    """Mean scores where those that lack are lowest, and where they are highest; None: as wide as the scale,
    since all of a cell lacks."""

    def at_ends(self) -> tuple[Floats, Floats]:
        """Mean scores with those that lack at the lowest, and at the highest; NaN where nothing was asked."""
        if self.ends is not None:
            return self.ends
        means, scale = self.score.means, self.score.scale
        gone = self.asked & np.isnan(means)
        return np.where(gone, scale.low, means), np.where(gone, scale.high, means)

    def turned(self) -> ContenderTable:
        """The same where the lower score is the better one: every score from the other end."""
        scale = self.score.scale
        whole = scale.low + scale.high if scale.bounded else 0.0
        labels = self.labels and replace(self.labels, means=whole - self.labels.means)
        return replace(self, score=replace(self.score, means=whole - self.score.means), labels=labels)


def contender_table(
    frame: pd.DataFrame,
    *,
    by: str | Sequence[str] = "model",
    score: str | None = None,
    clusters: str | None = None,
    bounds: Bounds | None = None,
    step: float | None = None,
) -> ContenderTable:
    """Gather a frame of generations. `clusters` names a column in which samples lie together; `bounds`
    and `step` say what the scorer declares, where the frame does not.

    Raises DefinitionError where a column is missing, `by` is neither prompt nor model nor both,
    nothing was scored, or a sample lies in two clusters.

    >>> import pandas as pd
    >>> rows = {"model": ["a", "b"], "sample_id": "1", "status": "done", "score.ok": [1, 0]}
    >>> contender_table(pd.DataFrame(rows)).names
    ('a', 'b')
    """
    keys = tuple(listed(by))
    column = _checked(frame, keys, score, clusters)
    contender, names = contenders(frame, keys)
    sample, cell, over = _cells(frame, keys)
    cluster = None if clusters is None else codes(frame[clusters])
    if cluster is None and over:
        cluster = sample
    done = (frame["status"] == "done").to_numpy()
    first = first_askings(frame, keys)
    cost, value, name = floats(frame, "cost_usd"), floats(frame, column), column.removeprefix("score.")
    label = floats(frame, f"label.{name}")
    asked = np.zeros((int(cell.max()) + 1, len(names)), dtype=bool)
    asked[cell, contender] = True
    answered = np.zeros_like(asked)
    answered[cell[done], contender[done]] = True
    of_cell = np.zeros(len(asked), dtype=np.intp)
    of_cell[cell] = sample
    unknown = np.bincount(contender, weights=done & np.isnan(cost), minlength=len(names)) > 0
    scale = score_scale(frame, column, bounds, step)
    per_row = (
        value,
        np.where(done, cost, np.nan),
        _logarithms(first.latency_s, first.timed),
        _logarithms(first.ttft_s, first.timed),
        np.where(first.timed, first.at, np.nan),
        label,
    )
    try:
        scores, costs, latencies, ttfts, times, labels = sample_tables(
            per_row, cell, contender, clusters=cluster, scales=[scale, *[UNKNOWN] * 4, scale]
        )
    except ValueError as error:
        raise DefinitionError(f"the rows cannot be compared: {error}") from None
    return ContenderTable(
        by=keys,
        over=over,
        keys=names,
        names=tuple(BETWEEN.join(name) for name in names),
        scorer=name,
        score=scores,
        cost=costs,
        latency=_typical(latencies),
        ttft=_typical(ttfts),
        asked_at=times,
        asked=asked,
        sample=of_cell,
        order=asking_order(frame, sample),
        cost_known=~unknown,
        clocks=clocks(frame, first, contender, names),
        answered=answered,
        labels=labels if (labels.counts > 0).any() else None,
        judged=name in (frame.attrs.get("judges") or {}),
    )


def by_faults(keys: Sequence[Any]) -> list[str]:
    """What is wrong with what is to be compared: nothing where it is one or both of FACTORS."""
    if keys and all(key in FACTORS for key in keys) and len(set(keys)) == len(keys):
        return []
    return [
        f"by={quoted(list(keys))}: compare by 'model', 'prompt' or ['prompt', 'model'], or of chains by a "
        "step: 'step:NAME'"
    ]


def _checked(frame: pd.DataFrame, keys: tuple[str, ...], score: str | None, clusters: str | None) -> str:
    faults = by_faults(keys)
    # What is nothing to compare by is told once, and not as a column that is not there.
    compared = keys if not faults else ()
    wanted = [name for name in (*compared, "sample_id", "status", clusters) if name is not None]
    faults += [
        f"the frame has no column {quoted(name)}" for name in wanted if name not in list(frame.columns)
    ]
    if frame.empty:
        faults.append("there are no answers to compare; run the plan first")
    if faults:
        raise DefinitionError(dict.fromkeys(faults))
    column = score_column(frame, score)
    if column is None:
        raise DefinitionError(f"Nothing can be compared, since {why_none(frame, None)}.")
    return column


def contenders(
    frame: pd.DataFrame, keys: tuple[str, ...]
) -> tuple[NDArray[np.intp], tuple[tuple[str, ...], ...]]:
    """The number of each row's contender, and by number what each has of `keys` (one or two of FACTORS)."""
    columns = [frame[name] for name in keys]
    if len(columns) == 1:
        code, names = _factorized(columns[0])
        return code, tuple((str(name),) for name in names)
    codes, levels = zip(*(_factorized(column) for column in columns), strict=True)
    joint = codes[0] * len(levels[1]) + codes[1]
    seen, code = np.unique(joint, return_inverse=True)
    pairs = ((levels[0][one // len(levels[1])], levels[1][one % len(levels[1])]) for one in seen)
    return code.astype(np.intp), tuple((str(first), str(second)) for first, second in pairs)


def _cells(
    frame: pd.DataFrame, keys: tuple[str, ...]
) -> tuple[NDArray[np.intp], NDArray[np.intp], tuple[str, ...]]:
    sample = codes(frame["sample_id"])
    cell, over = sample, []
    for name in OVER:
        if name in keys or name not in frame.columns:
            continue
        code, levels = _factorized(frame[name])
        if len(levels) > 1:
            over.append(name)
            cell = cell * len(levels) + code
    if over:
        cell = np.unique(cell, return_inverse=True)[1].astype(np.intp)
    return sample, cell, tuple(over)


def _factorized(column: pd.Series[Any]) -> tuple[NDArray[np.intp], list[str]]:
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        kept = column.cat.remove_unused_categories()
        return np.asarray(kept.cat.codes, dtype=np.intp), [str(level) for level in kept.cat.categories]
    code, levels = pd.factorize(column.astype(str), sort=True)
    return np.asarray(code, dtype=np.intp), [str(level) for level in levels]


def _logarithms(seconds: Floats, timed: NDArray[np.bool_]) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(timed & (seconds > 0), np.log(seconds), np.nan)


def _typical(logarithms: Table) -> Table:
    return replace(logarithms, means=np.exp(logarithms.means))
