"""One panel of the chart of nights: a metric's lines with their intervals, over the baseline's band.

It draws what it is given and judges nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.charts import night_hover, night_marks
from labkit.charts.clocks import marker
from labkit.charts.figure_layout import TEXT
from labkit.charts.model_styles import Style
from labkit.charts.night_cells import CANNOT_TELL, SCORE, WORSE, Placed, placed
from labkit.charts.night_data import Nights

if TYPE_CHECKING:
    import plotly.graph_objects as go

BANDS = 4
"""Above so many contenders their bands would hide each other: scores are drawn against the baseline's."""
MOST_TOLD = 4
SPREAD = 0.5
LEAST_ACROSS = 15
"""How far the contenders of one night lie apart, in nights, where so many or more are seen."""

Point = tuple[float, Placed | None, str]
"""Where it stands across and up, and what it says. None: the line has a gap."""


def relative(given: Nights, metric: str) -> bool:
    """Whether a score is drawn as the difference from its baseline."""
    return metric.startswith(SCORE) and len(given.styles) > BANDS


def panel(grid: go.Figure, given: Nights, metric: str, *, row: int) -> None:
    """Draw one metric."""
    lines = {name: _points(given, name, metric, place) for place, name in enumerate(given.styles)}
    if metric.startswith(SCORE) and not relative(given, metric):
        for name, points in lines.items():
            grid.add_traces(_band(given, [points], given.styles[name].colour), rows=row, cols=1)
    else:
        # One baseline is everybody's here, so one band is.
        grid.add_traces(_band(given, list(lines.values()), TEXT), rows=row, cols=1)
    for name, points in lines.items():
        grid.add_trace(_line(given, given.styles[name], points, legend=row == 2), row=row, col=1)
    grid.add_traces(_rings(given, metric, lines), rows=row, cols=1)


def _points(given: Nights, name: str, metric: str, place: int) -> list[Point]:
    """One for each night."""
    step = given.step * min(1.0, len(given.nights) / LEAST_ACROSS)
    shift = SPREAD * step * (place - (len(given.styles) - 1) / 2) / len(given.styles)
    found: list[Point] = []
    for night in given.nights:
        cell = night.cells.get((name, metric))
        label = given.styles[name].label
        told = "" if cell is None else night_hover.of_cell(label, night, metric, cell)
        at = placed(metric, cell, relative=relative(given, metric))
        found.append((night.at + shift, at, told))
    return found


def _band(given: Nights, lines: Sequence[Sequence[Point]], colour: str) -> list[go.Scatter]:
    """From the baseline to where a change would begin to matter, as the first of the lines that has a point
    in a night has it; each night as wide as a night is."""
    import plotly.graph_objects as go

    held = []
    for night, *points in zip(given.nights, *lines, strict=True):
        if one := next((one for _, one, _ in points if one is not None), None):
            held.append((night.at, one))
    if not held:
        return []
    half = given.step / 2
    across = [end for at, _ in held for end in (at - half, at + half)]
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    both: dict[str, Any] = {"x": across, "mode": "lines", "showlegend": False, "hoverinfo": "skip"}
    line = {"color": colour, "width": 1, "dash": "dot"}
    return [
        go.Scatter(y=[one.base for _, one in held for _ in (0, 1)], line=line, **both),
        go.Scatter(
            y=[one.limit for _, one in held for _ in (0, 1)],
            line={"width": 0, "color": colour},
            fill="tonexty",
            fillcolor=f"rgba({red},{green},{blue},0.16)",
            **both,
        ),
    ]


def _line(given: Nights, style: Style, points: Sequence[Point], *, legend: bool) -> go.Scatter:
    import numpy as np
    import plotly.graph_objects as go

    broken: list[Point] = []
    for place, point in enumerate(points):
        broken.append(point)
        if place in given.gaps:
            broken.append((point[0] + given.step, None, ""))
    # As arrays they travel packed, which halves what a year of nights weighs.
    y, up, down = np.transpose(
        [
            (math.nan,) * 3 if one is None else (one.y, one.high - one.y, one.y - one.low)
            for _, one, _ in broken
        ]
    )
    return go.Scatter(
        x=np.array([at for at, _, _ in broken]),
        y=y,
        error_y={
            "type": "data",
            "array": np.maximum(up, 0.0),
            "arrayminus": np.maximum(down, 0.0),
            "symmetric": False,
            "color": style.colour,
            "thickness": 1.2,
            "width": 2,
        },
        name=style.label,
        legendgroup=style.label,
        showlegend=legend,
        mode="lines+markers",
        line={"color": style.colour, "dash": style.dash, "width": 1.6},
        marker=marker(style, size=8),
        hoverinfo="text",
        hovertext=[told for _, _, told in broken],
    )


def _rings(given: Nights, metric: str, lines: Mapping[str, Sequence[Point]]) -> list[go.Scatter]:
    """What is worse or cannot be told, marked around its point."""
    worse: list[night_marks.Mark] = []
    unknown: list[night_marks.Mark] = []
    unmeasured: dict[float, list[str]] = {}
    for name, points in lines.items():
        for night, (at, one, told) in zip(given.nights, points, strict=True):
            cell = night.cells.get((name, metric))
            if cell is None or cell.said not in (WORSE, CANNOT_TELL):
                continue
            if one is None:
                unmeasured.setdefault(night.at, []).append(told)
            else:
                (worse if cell.said == WORSE else unknown).append((at, one.y, told))
    found = night_marks.rings(worse, unknown)
    if unmeasured:
        foot = _foot([one for points in lines.values() for _, one, _ in points if one is not None])
        marks = [(at, foot, "<br><br>".join(told[:MOST_TOLD])) for at, told in unmeasured.items()]
        found.append(night_marks.questions(marks, legend=False))
    return found


def _foot(drawn: Sequence[Placed]) -> float:
    """Below all that was measured: there stands what was not."""
    if not drawn:
        return 0.0
    ends = [end for one in drawn for end in one]
    low, high = min(ends), max(ends)
    # A ratio's axis may be logarithmic, so it stays above 0.
    return low - 0.1 * (high - low) if low <= 0 else max(low - 0.1 * (high - low), 0.9 * low)
