"""A sentinel's nights: each outcome, and below it score, price and latency against the baseline.

It lays out panels and draws what the checks say; it judges nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.arguments import check, mapping
from labkit.charts import night_marks
from labkit.charts.figure_layout import ROW_PX, axis, counted, figure, is_log, without_data
from labkit.charts.model_styles import plotly_text
from labkit.charts.night_cells import CANNOT_TELL, COST, SCORE, WORSE, placed
from labkit.charts.night_changes import changes
from labkit.charts.night_data import DAY_MS, MOST_SEEN, Nights, nights_of
from labkit.charts.night_panels import panel, relative

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_LINES = 12
"""With more contenders, lines give way to one row of marks each."""
ROOM_PX = {"outcomes": 34, "changes": 30, "panel": 150, "between": 26, "above": 84, "axis": 70, "legend": 20}


def nights(x: Any, *, sentinel: str | None = None, labels: Mapping[str, str] | None = None) -> go.Figure:
    """What a sentinel saw, night by night: each score, the price and the latency with 95 % intervals, below a
    row of outcomes.

    `x` is a sentinel, a run (the nights of its sentinel up to this run), or a frame of checks as the view
    `checks` has them; `sentinel` names the one to draw where there are several. A band reaches from the
    baseline to the margin: what is beyond it would matter. A score is drawn as its mean, its bar as the
    interval of the difference from the baseline's mean; price and latency as ratios to the baseline's (1: the
    same). With more than four prompts and models scores are drawn against the baseline too, as differences;
    with more than twelve there is one row of outcomes for each. Of more than sixty nights the last sixty are
    shown at first, and all of them after a double click.

    Nights stand at their dates, and those without a check are gaps; where most share their day with another,
    or a clock was set back, they stand by number. Raises DefinitionError for what holds no checks, and where
    several sentinels are in it and none is named.

    >>> import pandas as pd
    >>> found = {"prompt": "p", "model": "m", "metric": "score.exact", "said": "worse", "now": 0.7}
    >>> night = {"sentinel": "triage", "night": 1, "asked_at": "2026-11-01", "outcome": "worse"}
    >>> nights(pd.DataFrame([{**night, "findings": [found]}])).layout.title.text
    'triage: worse on the last night, n = 1 night'
    """
    if labels is not None:
        check(mapping("labels", labels, like="{'openai/gpt-4o': 'big'}"))
    given = nights_of(x, sentinel=sentinel, labels=labels)
    if given is None:
        return without_data("Nights of a sentinel, n = 0 nights", "There is no check of a sentinel yet.")
    folded, found = len(given.styles) > MOST_LINES, changes(given.nights)
    heights = [ROOM_PX["outcomes"] + (ROOM_PX["changes"] if found else 0)]
    if folded:
        heights.append(ROW_PX * len(given.styles) + ROW_PX)
    else:
        heights += [ROOM_PX["panel"] for _ in given.metrics]
    grid = _grid(given, heights, changed=bool(found))
    night_marks.outcomes(grid, given)
    if folded:
        night_marks.rows(grid, given, row=2)
    for row, metric in enumerate([] if folded else given.metrics, start=2):
        panel(grid, given, metric, row=row)
        grid.update_yaxes(axis(_title(given, metric), zeroline=False, type=_kind(given, metric)), row=row)
    night_marks.changed(grid, given, found)
    return grid


def _grid(given: Nights, heights: Sequence[int], *, changed: bool) -> go.Figure:
    """The figure with its empty panels, one below the other."""
    from plotly.subplots import make_subplots

    between = ROOM_PX["between"]
    inner = sum(heights) + between * (len(heights) - 1)
    grid = make_subplots(
        rows=len(heights),
        cols=1,
        shared_xaxes=True,
        row_heights=list(heights),
        vertical_spacing=between / inner if len(heights) > 1 else 0,
    )
    # Entries are some 150 px wide, and six are for shapes.
    below = ROOM_PX["axis"] + ROOM_PX["legend"] * (1 + (6 + len(given.styles)) // 6)
    title, subtitle = _headings(given)
    grid.update_layout(figure(title, subtitle, height=inner + ROOM_PX["above"] + below).layout)
    grid.update_xaxes(_nights_axis(given))
    grid.update_xaxes(title_text="night, asked (UTC)" if given.dated else "night", row=len(heights))
    rows = {"tickvals": [0, 1], "ticktext": ["outcome", "changed"]}
    span = [-0.8, 1.7] if changed else [-0.8, 0.8]
    grid.update_yaxes(axis("", range=span, showgrid=False, zeroline=False, **rows), row=1)
    grid.update_layout(
        margin_b=below,
        legend={"orientation": "h", "x": 0, "y": -46 / inner, "yanchor": "top", "tracegroupgap": 0},
        showlegend=True,
    )
    return grid


def _nights_axis(given: Nights) -> dict[str, Any]:
    first, last = given.seen
    span: dict[str, Any] = {"range": [first - 0.8 * given.step, last + 0.8 * given.step], "zeroline": False}
    if given.dated:
        days = (last - first) / DAY_MS
        marks = {"dtick": DAY_MS} if days <= 10 else {"nticks": 12}
        return axis("", **span, **marks, type="date", tickformat="%-d %b" if days < 300 else "%-d %b %Y")
    few = len(given.nights) <= MOST_LINES
    return axis("", **span, **({"tickvals": [night.at for night in given.nights]} if few else {}))


def _headings(given: Nights) -> tuple[str, str]:
    outcomes = [night.outcome for night in given.nights]
    alike = next((at for at, one in enumerate(reversed(outcomes)) if one != outcomes[-1]), len(outcomes))
    title = (
        f"{plotly_text(given.sentinel or 'Nights', limit=60)}: {plotly_text(outcomes[-1], limit=40)} on the "
        f"last {counted(alike, 'night') if alike > 1 else 'night'}, n = {counted(len(outcomes), 'night')}"
    )
    said = [given.many]
    for outcome in (WORSE, CANNOT_TELL):
        if many := outcomes.count(outcome):
            said.append(f"{outcome} on {many:,}")
    if given.missed:
        said.append(f"no check on {len(given.missed):,}")
    if len(outcomes) > MOST_SEEN:
        said.append(f"the last {MOST_SEEN} are shown, a double click shows all")
    if given.metrics and len(given.styles) <= MOST_LINES:
        said.append("bars: 95 % · band: from the baseline to the margin")
    return title, " · ".join(said)


def _title(given: Nights, metric: str) -> str:
    if not metric.startswith(SCORE):
        return f"{'price' if metric == COST else 'latency'} × baseline"
    name = plotly_text(metric.removeprefix(SCORE), limit=20)
    return f"{name} − baseline" if relative(given, metric) else name


def _kind(given: Nights, metric: str) -> str:
    """Ratios far apart are read on a logarithmic axis."""
    cells = [
        placed(metric, cell)
        for night in given.nights
        for (_, of), cell in night.cells.items()
        if of == metric
    ]
    ratios = [1.0, *(one.y for one in cells if one is not None)]
    return "log" if not metric.startswith(SCORE) and is_log(ratios) else "linear"
