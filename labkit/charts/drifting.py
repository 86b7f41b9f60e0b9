"""Whether answers change from repeat to repeat: score and latency of each, per contender.

Intervals take samples as wholes. It shows a trend and does not test one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np

from labkit.arguments import check, sure
from labkit.charts.chart_data import By, Rows, compared, rows
from labkit.charts.clocks import contender_rows, marker
from labkit.charts.figure_layout import LINE, ROW_PX, axis, counted, figure, without_data
from labkit.charts.model_styles import Style
from labkit.charts.score_slices import reach, told
from labkit.records import Generations
from labkit.stats import Interval, quantile_interval
from labkit.summary.first_asking import first_askings
from labkit.summary.scores import ScoreIntervals, basis, score_column

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MOST_LINES = 12
"""With more contenders, lines give way to one row each."""


def drift(
    x: Generations | pd.DataFrame,
    score: str | None = None,
    *,
    by: By = None,
    level: float = 0.95,
    clusters: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> go.Figure:
    """Mean score and median latency of each repeat, one line each: do answers change as one goes on?

    `by` says what the contenders are: `"model"`, `"prompt"` or both in a list; by default models, and both
    where there are several prompts. `clusters` names a column of samples that belong together; medians take
    samples as wholes.

    With more than twelve contenders, only the first and the last repeat, one row each.

    Repeats of a study are asked in mixed order, so a trend is the provider's, the cache's or chance's;
    the intervals are those of single points and overlap more than a paired comparison would need.
    """
    from plotly.subplots import make_subplots

    check(sure("level", level))
    frame, by = compared(x, by, "repeat", "score.*", *([] if clusters is None else [clusters]))
    scored = score_column(frame, score)
    study = basis(frame, scored, level=level, clusters=clusters)
    given = rows(frame, [], by=by, labels=labels)
    number = frame["repeat"].nunique() if "repeat" in frame.columns else 0
    if number < 2:
        heading = f"Drift of repeats, n = {counted(number, 'repeat')}"
        return without_data(heading, "Every question was asked once; ask more often with repeats=.")
    interval = ScoreIntervals(frame, scored, study)
    repeats = sorted(int(one) for one in frame["repeat"].unique())
    answers = int((frame["status"] == "done").sum())
    many = len(given.styles) > MOST_LINES
    styled = figure(
        f"Drift of {given.counted(len(given.styles))}, {counted(len(repeats), 'repeat')}, "
        f"n = {counted(answers, 'answer')}",
        f"hollow: repeat {repeats[0]} · filled: repeat {repeats[-1]}" if many else f"bars: {interval.told}",
        height=max(420, 170 + ROW_PX * len(given.styles)),
    )
    grid = make_subplots(rows=1, cols=2, horizontal_spacing=0.1)
    grid.update_layout(styled.layout)
    measured = _measured(frame, given, interval, study.level)
    if not any(cells for both in measured.values() for cells in both):
        return without_data("Drift of repeats, n = 0 answers", "No answer has a score or a clock yet.")
    names = sorted(measured, reverse=many)
    for place, name in enumerate(names):
        offset = 0.3 * (place - (len(names) - 1) / 2) / len(names)
        for column, cells in enumerate(measured[name], start=1):
            if not many:
                moved = [(repeat + offset, found) for repeat, found in cells]
                grid.add_trace(_line(given.styles[name], moved, legend=column == 1), row=1, col=column)
            elif cells:
                ends = [cells[0][1], cells[-1][1]]
                grid.add_traces(_ends(given.styles[name], ends, place), rows=1, cols=column)
    for column, title in ((1, "score (mean over samples)"), (2, "median latency (s)")):
        if many:
            grid.update_xaxes(axis(title, zeroline=False), row=1, col=column)
        else:
            ticks = repeats[:: max(1, len(repeats) // 12)]
            grid.update_xaxes(axis("repeat", tickvals=ticks, zeroline=False), row=1, col=column)
            grid.update_yaxes(axis(title), row=1, col=column)
    if many:
        grid.update_yaxes(contender_rows([given.styles[name] for name in names]))
        grid.update_yaxes(showticklabels=False, row=1, col=2)
    grid.update_layout(showlegend=not many, legend={"tracegroupgap": 0})
    return grid


Cells = list[tuple[int, Interval]]


def _measured(
    frame: pd.DataFrame, given: Rows, interval: ScoreIntervals, level: float
) -> dict[str, tuple[Cells, Cells]]:
    """Per contender, its mean score and its median latency in each repeat that has any."""
    values = interval.values
    contender = given.frame["contender"].array
    first = first_askings(frame.reset_index(drop=True).assign(contender=contender), ["contender", "repeat"])
    timed, seconds = first.timed, first.latency_s
    sample = given.frame["sample"].to_numpy()
    found: dict[str, tuple[Cells, Cells]] = {}
    keys = [given.frame["contender"], frame["repeat"].reset_index(drop=True)]
    for key, part in given.frame.groupby(keys, sort=True, observed=True):
        name, repeat = cast("tuple[str, int]", key)
        rows_of = part.index.to_numpy()
        scores, times = found.setdefault(str(name), ([], []))
        right = rows_of[~np.isnan(values[rows_of])]
        if len(right):
            scores.append((int(repeat), interval(right)))
        clocks = rows_of[timed[rows_of]]
        if len(clocks):
            median = quantile_interval(seconds[clocks], 0.5, samples=sample[clocks], level=level)
            times.append((int(repeat), median))
    return found


def _line(style: Style, cells: list[tuple[float, Interval]], *, legend: bool) -> go.Scatter:
    import plotly.graph_objects as go

    up, down = reach(cells)
    bars = {"type": "data", "array": up, "arrayminus": down, "symmetric": False, "color": style.colour}
    return go.Scatter(
        x=[place for place, _ in cells],
        y=[found.estimate for _, found in cells],
        error_y={**bars, "thickness": 1.2, "width": 3},
        name=style.label,
        legendgroup=style.label,
        showlegend=legend,
        mode="lines+markers",
        line={"color": style.colour, "dash": style.dash, "width": 1.6},
        marker=marker(style, size=9),
        hoverinfo="text",
        hovertext=[told(style, found) for _, found in cells],
    )


def _ends(style: Style, ends: list[Interval], row: int) -> list[go.Scatter]:
    import plotly.graph_objects as go

    across = [one.estimate for one in ends]
    line = {"color": LINE, "width": 1}
    return [
        go.Scatter(x=across, y=[row, row], mode="lines", line=line, hoverinfo="skip"),
        *(
            go.Scatter(
                x=[one.estimate],
                y=[row],
                mode="markers",
                marker=marker(style, size=8, hollow=hollow),
                hoverinfo="text",
                hovertext=told(style, one),
            )
            for one, hollow in zip(ends, (True, False), strict=True)
        ),
    ]
