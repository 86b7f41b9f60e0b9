"""What a verdict is asked: by which score, on what scale, with which margin; one question per score.

It reads what was given and gathers the tables; it compares nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.arguments import check, number, text
from labkit.errors import DefinitionError
from labkit.summary.compact_frame import compact
from labkit.summary.contender_table import ContenderTable, contender_table
from labkit.summary.of_step import of_step, step_named
from labkit.summary.scores import Basis, Bounds, basis, score_column, score_names, scores_of
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Question:
    """What is compared by one score, and how."""

    frame: pd.DataFrame
    found: ContenderTable
    turned: ContenderTable
    """The same with higher for better."""
    study: Basis
    margin: float | None
    better: str
    settings: Mapping[str, Any]
    """What `summarize` is to be given, so that it tells the same study."""
    others: tuple[str, ...] = ()
    """Scores of the frame that nobody asked for, where no score was named."""
    one_of_several: bool = False
    """Whether the frame has other scores, so that it is to be said which one is spoken of."""
    of_step: str = ""
    """The step of a chain whose models are compared."""


def question(
    frame: pd.DataFrame,
    score: str | None,
    *,
    by: str | Sequence[str],
    level: float,
    clusters: str | None,
    watched: bool | None,
    margin: float | None,
    better: str,
    bounds: Bounds | None,
    step: float | None,
) -> Question:
    """What `verdict` is asked by one score. Raises DefinitionError where that cannot be compared."""
    check(text("clusters", clusters, or_none=True), number("margin", margin, above=0, or_none=True))
    if better not in ("higher", "lower"):
        raise DefinitionError(f"better={quoted(better)} is to be 'higher' or 'lower'")
    step_of = step_named(by)
    frame, by = of_step(frame, by)
    column = score_column(frame, score)
    beside = [name for name in score_names(frame) if f"score.{name}" != column]
    others = beside if score is None else []
    frame = compact(frame, column, clusters)
    score = None if column is None else column.removeprefix("score.")
    scale: dict[str, Any] = {"bounds": bounds, "step": step, "clusters": clusters}
    found = contender_table(frame, by=by, score=score, **scale)
    study = basis(frame, column, level=level, watched=watched, **scale)
    turned = found if better == "higher" else found.turned()
    settings = scale | {"score": score, "level": level, "watched": watched}
    return Question(
        frame, found, turned, study, margin, better, settings, tuple(others), bool(beside), step_of
    )


def questions(
    frame: pd.DataFrame,
    wanted: Sequence[str],
    *,
    margin: float | Mapping[str, float] | None,
    better: str | Mapping[str, str],
    bounds: Bounds | Mapping[str, Bounds] | None,
    step: float | Mapping[str, float] | None,
    **shared: Any,
) -> list[Question]:
    """One per score, in this order. Raises DefinitionError with what is wrong with any of them."""
    scores = scores_of(frame, wanted)
    given = {"margin": margin, "better": better, "bounds": bounds, "step": step}
    settings = {name: per_score(name, value, scores) for name, value in given.items()}
    found: list[Question] = []
    faults: list[str] = []
    for score in scores:
        own: dict[str, Any] = {name: told[score] for name, told in settings.items() if score in told}
        try:
            found.append(question(frame, score, **(_UNSAID | own), **shared))
        except DefinitionError as error:
            faults += error.faults
    widths = {one.study.scale.width for one in found}
    if not (faults or margin is None or isinstance(margin, Mapping) or len(widths) == 1):
        each = ", ".join(f"{score!r}: …" for score in scores)
        faults.append(
            f"margin={quoted(margin)} is one for scores of different scales; "
            f"give each its own: margin={{{each}}}"
        )
    if faults:
        raise DefinitionError(dict.fromkeys(faults))
    return found


_UNSAID = {"margin": None, "better": "higher", "bounds": None, "step": None}


def per_score(name: str, given: Any, scores: Sequence[str]) -> dict[str, Any]:
    """A setting by score: one that is given for all, or those of a mapping.

    >>> per_score("better", {"length": "lower"}, ["exact", "length"])
    {'length': 'lower'}
    """
    if not isinstance(given, Mapping):
        return dict.fromkeys(scores, given)
    asked = ", ".join(map(repr, scores))
    check([f"{name}= names {quoted(key)}, which is none of {asked}" for key in given if key not in scores])
    return dict(given)
