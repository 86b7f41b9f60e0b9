"""What a chart is given, made ready: the columns it needs, models with their styles, samples as codes.

It takes a run or a frame and checks it. It calculates nothing and draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.arguments import check, mapping, text
from labkit.charts.model_styles import ModelStyle, styles
from labkit.errors import DefinitionError
from labkit.records import Generations
from labkit.summary import fresh
from labkit.summary.unscored import why_none
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

EVERY = (
    "model", "provider", "sample_id", "status", "latency_s", "replayed_from", "started_at", "in_flight",
)  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """A frame with `model`, `sample` (codes), `status`, `fresh` and the columns a chart asked for."""

    frame: pd.DataFrame
    styles: Mapping[str, ModelStyle]

    def per_model(self, mask: pd.Series[bool] | None = None) -> Iterator[tuple[ModelStyle, pd.DataFrame]]:
        """Each model that has rows (where `mask` holds), with its style, in sorted order."""
        frame = self.frame if mask is None else self.frame[mask]
        for model, part in frame.groupby("model", sort=True, observed=True):
            yield self.styles[str(model)], part


def rows(
    x: Generations | pd.DataFrame, columns: Sequence[str], *, labels: Mapping[str, str] | None = None
) -> Rows:
    """`x` made ready for a chart that needs `columns`.

    Raises DefinitionError where `x` is neither a run nor a frame, or a column is missing.
    """
    import pandas as pd

    if labels is not None:
        check(mapping("labels", labels, like="{'openai/gpt-4o': 'big'}"))
        check(*(text(f"The label of {quoted(model)}", label) for model, label in labels.items()))
    frame = frame_of(x, *columns)
    needed = ("model", "sample_id", "status", *columns)
    if missing := [name for name in needed if name not in frame.columns]:
        raise DefinitionError(
            [f"the frame has no column {name!r}, which this chart needs" for name in missing]
        )
    model = _texts(frame["model"])
    parts: dict[str, Any] = {name: frame[name] for name in columns}
    parts["model"] = model
    parts["status"] = _texts(frame["status"])
    parts["sample"] = pd.factorize(frame["sample_id"], use_na_sentinel=False)[0]
    parts["fresh"] = fresh(frame) if "latency_s" in frame.columns else False
    for name in ("replayed_from", "started_at", "in_flight"):
        if name in frame.columns:
            parts[name] = frame[name]
    return Rows(
        pd.DataFrame({name: getattr(part, "array", part) for name, part in parts.items()}),
        styles(_providers(frame, model), labels=labels or frame.attrs.get("labels")),
    )


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


def _providers(frame: pd.DataFrame, model: pd.Series[str]) -> dict[str, str | None]:
    if "provider" not in frame.columns:
        return {name: name.partition("/")[0] for name in model.unique()}
    first = ~model.duplicated()
    return dict(zip(model[first], frame["provider"][first].astype(str), strict=True))
