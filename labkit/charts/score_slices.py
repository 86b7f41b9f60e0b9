"""Scores by slice of the data: where a contender is good, and where it is not.

Intervals take samples as wholes. A slice is a value of a sample column; no slice is compared with
another here, since that was not asked beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.arguments import check, sure, text
from labkit.charts.chart_data import By, compared, no_scores, rows
from labkit.charts.clocks import contender_rows, marker
from labkit.charts.figure_layout import ROW_PX, axis, counted, figure, without_data
from labkit.charts.model_styles import Style, plotly_text
from labkit.errors import DefinitionError
from labkit.records import Generations
from labkit.stats import Interval
from labkit.summary.scores import ScoreIntervals, basis, score_column
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MOST_SLICES = 20
MOST_MARKS = 12
"""With more contenders, marks with bars give way to a table of shaded cells."""


def slices(
    x: Generations | pd.DataFrame,
    column: str | None = None,
    score: str | None = None,
    *,
    by: By = None,
    level: float = 0.95,
    clusters: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> go.Figure:
    """The mean score in each slice of the samples, one mark per contender, with intervals.

    `by` says what the contenders are: `"model"`, `"prompt"` or both in a list; by default models, and both
    where there are several prompts.
    `column` names a sample column (`lang` or `sample.lang`); by default the first with two to twenty
    values. Each value is a slice, so group amounts first, in a column of the frame's own (`pandas.cut`); the
    largest slices are drawn, at most twenty. `clusters` names a column of samples that belong
    together. Raises DefinitionError for an unknown column.
    """
    import pandas as pd

    check(text("column", column, or_none=True), sure("level", level))
    frame, by = compared(x, by, "sample.*", "score.*")
    given = rows(frame, [], by=by, labels=labels)
    scored = score_column(frame, score)
    if scored is None or not frame[scored].notna().any():
        return without_data("Score by slice, n = 0 answers", no_scores(frame, scored))
    chosen = _column(frame, column)
    if chosen is None:
        return without_data("Score by slice, n = 0 slices", "No sample column has two to twenty values.")
    values = floats(frame[scored])
    slice_of, called = _coded(frame[chosen])
    kept = pd.Series(slice_of[~np.isnan(values)]).value_counts().head(MOST_SLICES)
    order = [int(one) for one in reversed(kept.index)]
    number = len(np.unique(slice_of))
    contender = given.frame["contender"].cat
    contender_of, names = contender.codes.to_numpy(), list(contender.categories)
    study = basis(frame, scored, level=level, clusters=clusters)
    interval = ScoreIntervals(frame, scored, study)
    title = plotly_text(chosen.removeprefix("sample."), limit=40)
    table: dict[str, list[tuple[int, Interval]]] = {name: [] for name in names}
    for number_of, name in enumerate(names):
        mine = (contender_of == number_of) & ~np.isnan(values)
        for row, one in enumerate(order):
            mask = mine & (slice_of == one)
            if mask.any():
                table[name].append((row, interval(mask)))
    shaded = len(names) > MOST_MARKS
    each = max(ROW_PX, 9 * len(names) + 12)
    found = figure(
        f"Score {plotly_text(scored.removeprefix('score.'), limit=60)} by {title}, "
        f"{given.counted(len(names))}, n = {counted(int(kept.sum()), 'answer')}",
        ("point for intervals" if shaded else f"bars: {interval.told}")
        + (f" · the {MOST_SLICES} largest of {number:,} slices" if number > MOST_SLICES else ""),
        height=190 + ROW_PX * len(names) if shaded else max(300, 170 + each * len(order)),
    )
    labels_of = [f"{plotly_text(called[one], limit=30)} (n = {kept[one]:,})" for one in order]
    if shaded:
        return _shaded(found, given.styles, table, labels_of)
    for place, (name, cells) in enumerate(table.items()):
        offset = 0.72 * ((len(names) - 1) / 2 - place) / len(names)
        if cells:
            moved = [(row + offset, one) for row, one in cells]
            found.add_trace(_across(given.styles[name], moved, small=len(names) > 6))
    found.update_xaxes(axis("mean over samples", **_span(values)))
    found.update_yaxes(
        axis(
            title,
            tickvals=list(range(len(order))),
            ticktext=labels_of,
            range=[-0.6, len(order) - 0.4],
            zeroline=False,
        )
    )
    found.update_layout(showlegend=True)
    return found


def _shaded(
    found: go.Figure,
    styles: Mapping[str, Style],
    table: Mapping[str, list[tuple[int, Interval]]],
    labels: list[str],
) -> go.Figure:
    """One row per contender, best on top, one column per slice."""
    import plotly.graph_objects as go

    means = {name: np.mean([one.estimate for _, one in cells]) for name, cells in table.items() if cells}
    order = sorted(means, key=lambda name: float(means[name]))
    values = np.full((len(order), len(labels)), np.nan)
    texts = [["" for _ in labels] for _ in order]
    hover = [["" for _ in labels] for _ in order]
    for row, name in enumerate(order):
        for column, one in table[name]:
            values[row, column] = one.estimate
            texts[row][column] = f"{one.estimate:.2f}"
            hover[row][column] = told(styles[name], one)
    shading = {"colorscale": "Cividis", "showscale": False, "xgap": 2, "ygap": 2}
    found.add_trace(
        go.Heatmap(
            z=values,
            text=texts,
            texttemplate="%{text}",
            hovertext=hover,
            hoverinfo="text",
            **shading,
        )
    )
    places = list(range(len(labels)))
    found.update_xaxes(axis("", tickvals=places, ticktext=labels, showgrid=False, zeroline=False, side="top"))
    found.update_yaxes(contender_rows([styles[name] for name in order]))
    found.update_yaxes(showgrid=False)
    # The labels stand on top, so they need the room that a title below would have had.
    found.update_layout(margin={"t": 120, "b": 20})
    return found


def _column(frame: pd.DataFrame, column: str | None) -> str | None:
    has = [str(name) for name in frame.columns if str(name).startswith("sample.")]
    if column is not None:
        for name in (f"sample.{column}", column):
            if name in frame.columns:
                return name
        shown = ", ".join(name.removeprefix("sample.") for name in has) or "none"
        raise DefinitionError(f"There is no sample column {quoted(column)}; there are: {shown}")
    for name in has:
        values = frame[name].dropna()
        if values.dtype != object:
            values = values.drop_duplicates()
        if 2 <= values.map(str).nunique() <= MOST_SLICES:
            return name
    return None


def _coded(values: pd.Series[Any]) -> tuple[np.ndarray[Any, Any], list[str]]:
    """Each value's text as a number, and the texts by number; a missing one is called –.

    Each text is made once for all rows that have it, except where a column holds values of several kinds,
    which may be alike and yet read differently (1 and True).
    """
    import pandas as pd

    if values.dtype == object:
        values = values.map(lambda one: None if one is None or one != one else str(one))
    codes, found = pd.factorize(values)
    # Missing is −1, and so the last.
    same, texts = pd.factorize(np.array([*map(str, found), "–"], dtype=object))
    return same[codes], [str(text) for text in texts]


def _span(values: Any) -> dict[str, Any]:
    present = values[~np.isnan(values)]
    return {"range": [-0.02, 1.02]} if present.min() >= 0 and present.max() <= 1 else {}


def floats(column: pd.Series[Any]) -> Any:
    """The column as float64; NaN where there is none."""
    return column.to_numpy(dtype=float, na_value=np.nan)


def reach(cells: list[tuple[float, Interval]]) -> tuple[list[float], list[float]]:
    """How far the bars of marks go, up and down; 0 where a limit is infinite."""
    up = [found.high - found.estimate if math.isfinite(found.high) else 0.0 for _, found in cells]
    down = [found.estimate - found.low if math.isfinite(found.low) else 0.0 for _, found in cells]
    return up, down


def _across(style: Style, cells: list[tuple[float, Interval]], *, small: bool) -> go.Scatter:
    import plotly.graph_objects as go

    up, down = reach(cells)
    return go.Scatter(
        x=[found.estimate for _, found in cells],
        y=[place for place, _ in cells],
        error_x={
            "type": "data",
            "array": up,
            "arrayminus": down,
            "symmetric": False,
            "color": style.colour,
            "thickness": 1.2,
            "width": 0 if small else 3,
        },
        name=style.label,
        mode="markers",
        marker=marker(style, size=7 if small else 10),
        hoverinfo="text",
        hovertext=[told(style, found) for _, found in cells],
    )


def told(style: Style, found: Interval) -> str:
    """What hovering over a mark says."""
    ends = f" ({found.low:.3g} to {found.high:.3g})" if math.isfinite(found.high - found.low) else ""
    return f"{style.label}<br>{found.estimate:.3g}{ends}, n = {found.n:,}"
