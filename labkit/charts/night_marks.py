"""The marks of the chart of nights: worse, cannot tell, not shown to be worse, no check, and what changed.

Each has a shape of its own, so that colour is never alone. They stand in a row of outcomes above the panels
and, where there are too many contenders for lines, in one row for each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.charts import night_hover
from labkit.charts.clocks import contender_rows
from labkit.charts.figure_layout import LINE, TEXT
from labkit.charts.model_styles import plotly_text
from labkit.charts.night_cells import CANNOT_TELL, WORSE, Cell
from labkit.charts.night_changes import Change
from labkit.charts.night_data import Nights

if TYPE_CHECKING:
    import plotly.graph_objects as go

RED, VIOLET = "#d62728", "#9467bd"
QUIET, NEW, STANDS, UNKNOWN = "not shown to be worse", "worse", "still worse", CANNOT_TELL
MOST_LINES = 20
"""Above so many changes, their marks have no lines through the panels."""
MOST_NAME = 40
CHARACTER = 0.008
"""How much of the axis a character takes."""

Mark = tuple[float, float, str]
"""Where it stands, across and up, and what it says."""


def outcomes(grid: go.Figure, given: Nights) -> None:
    """The row above all panels: how each night ended, which have no check."""
    marks: dict[str, list[Mark]] = {}
    for night in given.nights:
        mark = (night.at, 0.0, night_hover.of_night(given, night))
        marks.setdefault(_kind(night.outcome, night.cells.values()), []).append(mark)
    grid.add_traces(_all(marks, legend=True), rows=1, cols=1)
    if given.missed:
        look = {"symbol": "line-ew", "size": 9, "line": {"width": 2, "color": LINE}}
        none = [(at, 0.0, "no check") for at in given.missed]
        grid.add_trace(points(none, "no check", look, legend=True), row=1, col=1)


def rows(grid: go.Figure, given: Nights, *, row: int) -> None:
    """One row of marks for each contender: the worst of what was found of it in each night."""
    names = sorted(given.styles, reverse=True)
    marks: dict[str, list[Mark]] = {}
    for night in given.nights:
        of: dict[str, dict[str, Cell]] = {}
        for (name, metric), cell in night.cells.items():
            of.setdefault(name, {})[metric] = cell
        for up, name in enumerate(names):
            if cells := of.get(name):
                said = {cell.said for cell in cells.values()}
                worst = next((one for one in (WORSE, CANNOT_TELL) if one in said), QUIET)
                hover = night_hover.of_cells(given.styles[name].label, night, cells, worst)
                marks.setdefault(_kind(worst, cells.values()), []).append((night.at, float(up), hover))
    grid.add_traces(_all(marks, legend=False), rows=row, cols=1)
    grid.update_yaxes(contender_rows([given.styles[name] for name in names]), row=row, col=1)


def _kind(outcome: str, cells: Any) -> str:
    worse = [cell for cell in cells if cell.said == WORSE]
    if outcome == WORSE:
        return STANDS if worse and all(cell.stands for cell in worse) else NEW
    return UNKNOWN if outcome == CANNOT_TELL else QUIET


def _all(marks: Mapping[str, Sequence[Mark]], *, legend: bool) -> list[go.Scatter]:
    worse = {"color": RED, "line": {"width": 2, "color": RED}}
    looks = {
        QUIET: {"symbol": "circle", "size": 6, "color": LINE},
        NEW: {"symbol": "triangle-down", "size": 15, **worse},
        STANDS: {"symbol": "triangle-down-open", "size": 13, **worse},
    }
    found = [
        points(marks[kind], kind, look, legend=legend) for kind, look in looks.items() if marks.get(kind)
    ]
    return [*found, *([questions(marks[UNKNOWN], legend=legend)] if marks.get(UNKNOWN) else [])]


def rings(worse: Sequence[Mark], unknown: Sequence[Mark]) -> list[go.Scatter]:
    """The same shapes, hollow, around points of a line."""
    looks = {
        NEW: (worse, {"symbol": "triangle-down-open", "size": 19, "color": RED, "line": {"width": 2.4}}),
        UNKNOWN: (unknown, {"symbol": "diamond-open", "size": 17, "color": VIOLET, "line": {"width": 2.4}}),
    }
    return [points(marks, name, look, legend=False) for name, (marks, look) in looks.items() if marks]


def points(marks: Sequence[Mark], name: str, look: Mapping[str, Any], *, legend: bool) -> go.Scatter:
    """Marks of one look."""
    import plotly.graph_objects as go

    return go.Scatter(
        x=[at for at, _, _ in marks],
        y=[up for _, up, _ in marks],
        mode="markers",
        marker=dict(look),
        name=name,
        legendgroup=name,
        legendrank=2000,
        showlegend=legend,
        hoverinfo="text",
        hovertext=[told for _, _, told in marks],
    )


def questions(marks: Sequence[Mark], *, legend: bool) -> go.Scatter:
    """Marks for what cannot be told."""
    look = {"symbol": "diamond", "size": 17, "color": VIOLET, "line": {"width": 1, "color": TEXT}}
    made = points(marks, UNKNOWN, look, legend=legend)
    made.update(mode="markers+text", text=["?"] * len(marks), textposition="middle center")
    made.update(textfont={"color": "#ffffff", "size": 12})
    return made


def changed(grid: go.Figure, given: Nights, changes: Sequence[Change]) -> None:
    """Marks above the outcomes where a model or the baseline became another, and lines through all panels."""
    for what, name, symbol in (
        ("model", "other resolved model", "star-triangle-up"),
        ("baseline", "other baseline", "square"),
    ):
        marks = [(one.at, 1.0, night_hover.lines(one.told)) for one in changes if one.what == what]
        if marks:
            look = {"symbol": symbol, "size": 10, "color": TEXT}
            grid.add_trace(points(marks, name, look, legend=True), row=1, col=1)
    if len(changes) <= MOST_LINES:
        line = {"color": TEXT, "width": 1.2, "dash": "dot"}
        for one in changes:
            ends = {"x0": one.at, "x1": one.at, "y0": 0, "y1": 1, "xref": "x", "yref": "paper"}
            grid.add_shape(type="line", line=line, layer="below", **ends)
    _names(grid, given, changes)


def _names(grid: go.Figure, given: Nights, changes: Sequence[Change]) -> None:
    """What it became, beside its mark where there is room."""
    begin, end = given.seen
    free = -math.inf
    for place, one in enumerate(changes):
        after = changes[place + 1].at if place + 1 < len(changes) else math.inf
        room = CHARACTER * (len(one.short[:MOST_NAME]) + 2) * max(end - begin, given.step)
        leftwards = one.at - room >= max(begin, free)
        named = leftwards or (one.at >= free and one.at + room <= after)
        free = one.at + room if named and not leftwards else max(free, one.at)
        if not named:
            continue
        grid.add_annotation(
            text=plotly_text(one.short, limit=MOST_NAME),
            x=one.at,
            y=1,
            xref="x",
            yref="y",
            xanchor="right" if leftwards else "left",
            xshift=-9 if leftwards else 9,
            showarrow=False,
            font={"size": 11, "color": TEXT},
        )
