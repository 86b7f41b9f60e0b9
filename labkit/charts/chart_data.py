"""What a chart is given, made ready: the columns it needs, models with their styles, samples as codes.

It takes a run or a frame and checks it. It calculates nothing and draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.arguments import check, mapping, text
from labkit.charts.figure_layout import counted
from labkit.charts.model_styles import Style, contender_styles, styles
from labkit.errors import DefinitionError
from labkit.records import Generations
from labkit.store.filters import listed
from labkit.summary.contender_table import BETWEEN, FACTORS, by_faults, contenders
from labkit.summary.first_asking import FirstAskings, first_askings
from labkit.summary.of_step import of_step, step_named
from labkit.summary.unscored import why_none
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

EVERY = (
    "prompt", "model", "provider", "sample_id", "status", "latency_s", "replayed_from", "started_at",
    "in_flight", "first.*",
)  # fmt: skip
By = str | Sequence[str] | None
"""What is told apart: `"model"`, `"prompt"`, or both in a list. None: models, and prompts where the frame has
several."""


@dataclass(frozen=True)
class Rows:
    """A frame with `contender`, `sample` (codes), `status`, the columns a chart asked for, `timed` (whether
    the row's clocks count) and the clocks of its first asking."""

    frame: pd.DataFrame
    styles: Mapping[str, Style]
    """By contender."""
    by: tuple[str, ...]
    over: str
    """What is pooled: " over 2 prompts", or nothing."""
    first: FirstAskings

    def per_contender(self, mask: pd.Series[bool] | None = None) -> Iterator[tuple[Style, pd.DataFrame]]:
        """Each contender that has rows (where `mask` holds), with its style, in sorted order."""
        frame = self.frame if mask is None else self.frame[mask]
        for name, part in frame.groupby("contender", sort=True, observed=True):
            yield self.styles[str(name)], part

    def counted(self, number: int) -> str:
        """So many contenders, and what is pooled.

        4 combinations; 2 models over 2 prompts.
        """
        return counted(number, self.by[0] if len(self.by) == 1 else "combination") + self.over

    def measured(self, mask: pd.Series[bool]) -> str:
        """When the rows under `mask` were timed, how many were in flight, how many are left out."""
        rows, first = mask.to_numpy(), self.first
        said = [first.told(rows)]
        flights = first.in_flight[rows]
        if not np.isnan(flights).all():
            said.append(f"at most {int(np.nanmax(flights)):,} in flight")
        done = (self.frame["status"] == "done").to_numpy()
        out = done & first.replayed & ~first.timed
        if untold := int((out & np.isnan(first.latency_s)).sum()):
            said.append(f"{untold:,} replayed left out")
        if again := int((out & ~np.isnan(first.latency_s)).sum()):
            said.append(f"{again:,} replayed that are in already left out")
        if unfinished := int((~done).sum()):
            said.append(f"{unfinished:,} not finished left out")
        return " · ".join(filter(None, said))


def rows(
    x: Generations | pd.DataFrame,
    columns: Sequence[str],
    *,
    by: By = None,
    labels: Mapping[str, str] | None = None,
) -> Rows:
    """`x` made ready for a chart that needs `columns` and tells apart what `by` says.

    Raises DefinitionError where `x` is neither a run nor a frame, `by` is none, or a column is missing.
    """
    import pandas as pd

    if labels is not None:
        check(mapping("labels", labels, like="{'openai/gpt-4o': 'big'}"))
        check(*(text(f"The label of {quoted(model)}", label) for model, label in labels.items()))
    frame, by = compared(x, by, *columns)
    needed = ("model", "sample_id", "status", *columns)
    if missing := [name for name in needed if name not in frame.columns]:
        raise DefinitionError(
            [f"the frame has no column {name!r}, which this chart needs" for name in missing]
        )
    model, prompt = _texts(frame["model"]), _prompts(frame)
    keys = distinguishing(frame, by)
    named = pd.DataFrame({"model": model.array, "prompt": prompt.array})
    number, names = contenders(named, keys)
    joined = [BETWEEN.join(one) for one in names]
    first = first_askings(frame.reset_index(drop=True).assign(contender=number), ["contender"])
    parts: dict[str, Any] = {name: frame[name] for name in columns}
    parts |= {
        "contender": pd.Categorical.from_codes(number, pd.Index(joined, dtype="str")),
        "status": _texts(frame["status"]),
        "sample": pd.factorize(frame["sample_id"], use_na_sentinel=False)[0],
        "timed": first.timed,
        "latency_s": first.latency_s,
        "ttft_s": first.ttft_s,
    }
    of_models = styles(model.unique(), labels=labels or frame.attrs.get("labels"))
    looks = contender_styles(
        {name: dict(zip(keys, one, strict=True)) for name, one in zip(joined, names, strict=True)},
        of_models,
        sorted(set(prompt.unique())),
    )
    return Rows(
        pd.DataFrame({name: getattr(part, "array", part) for name, part in parts.items()}),
        looks,
        keys,
        _over(keys, models=len(of_models), prompts=prompt.nunique()),
        first,
    )


def distinguishing(frame: pd.DataFrame, by: By) -> tuple[str, ...]:
    """What tells the contenders of a chart of this frame apart."""
    if by is not None:
        return tuple(listed(by))
    several = "prompt" in frame.columns and frame["prompt"].nunique() > 1
    return FACTORS if several else ("model",)


def _over(keys: tuple[str, ...], *, models: int, prompts: int) -> str:
    pooled = {"model": models, "prompt": prompts}
    said = [counted(many, name) for name, many in pooled.items() if name not in keys and many > 1]
    return f" over {said[0]}" if said else ""


def frame_of(x: Generations | pd.DataFrame, *columns: str) -> pd.DataFrame:
    """`x` itself if it is a frame, else its generations: `columns`, and those that every chart reads.

    Raises DefinitionError if it has no generations.
    """
    import pandas as pd

    if isinstance(x, pd.DataFrame):
        return x
    if not hasattr(x, "generations"):
        raise DefinitionError(f"a chart takes a run or a frame of generations, not a {type(x).__name__}")
    return x.generations(columns=list(dict.fromkeys([*EVERY, *columns])))


def compared(x: Generations | pd.DataFrame, by: By, *columns: str) -> tuple[pd.DataFrame, By]:
    """`frame_of`, and what tells its contenders apart: for the models of one step, the frame has those.

    Raises DefinitionError where nothing can be compared by that."""
    frame = frame_of(x, *columns, *(["steps"] if by is not None and step_named(by) else []))
    if by is None:
        return frame, None
    frame, keys = of_step(frame, by)
    check(by_faults(keys))
    return frame, keys


def no_scores(frame: pd.DataFrame, column: str | None) -> str:
    """Why there is no score to draw, in a sentence."""
    why = why_none(frame, column)
    return f"{why[0].upper()}{why[1:]}."


def _texts(column: pd.Series[Any]) -> pd.Series[str]:
    """The column as texts; categories stay so, since a million texts take long to make."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype) and column.cat.categories.dtype == "str":
        return column
    return column.astype(str)


def _prompts(frame: pd.DataFrame) -> pd.Series[str]:
    import pandas as pd

    return _texts(frame["prompt"]) if "prompt" in frame.columns else pd.Series([""] * len(frame), dtype="str")
