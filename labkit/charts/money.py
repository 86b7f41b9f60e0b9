"""What answers cost: cost against latency, and tokens and cost, per contender.

Intervals take samples as wholes. What has no known cost is named, never drawn at 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.charts.chart_data import By, rows
from labkit.charts.clocks import contender_rows, marker
from labkit.charts.figure_layout import LINE, ROW_PX, Scale, counted, figure, scale, without_data
from labkit.charts.model_styles import Style
from labkit.records import Generations
from labkit.stats import Interval, mean_interval, quantile_interval
from labkit.summary import cost_per_1k

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

COST = "cost of 1,000 answers (USD)"


def cost_latency(
    x: Generations | pd.DataFrame, *, by: By = None, labels: Mapping[str, str] | None = None
) -> go.Figure:
    """Median latency against the cost of 1,000 answers, one mark per contender, with 95 % intervals.

    `by`: as for `labkit.charts.latency`. Lower left is better. Costs of 0 stand in a place of their own where
    the axis is logarithmic; where all are 0, each has a row and its latency alone. What has no known cost, or
    no clock, is named under the title.
    """
    given = rows(x, ["latency_s", "cost_usd"], by=by, labels=labels)
    frame = given.frame
    done = frame["status"] == "done"
    points, missing = [], []
    for style, part in given.per_contender(done):
        cost, seconds = _cost(part), _median(part)
        if math.isnan(cost.estimate) or math.isnan(seconds.estimate):
            missing.append(style.label)
        else:
            points.append((style, cost, seconds))
    total = int(done.sum())
    if not points:
        why = f"No answer with both a known cost and a clock in {counted(len(frame), 'row')}."
        return without_data("Cost against latency, n = 0 answers", why)
    said = [given.measured(frame["timed"]), "bars: 95 % intervals"]
    if missing:
        said.append(f"cost or clock not known: {', '.join(missing[:3])}" + (" …" if len(missing) > 3 else ""))
    subtitle = " · ".join(filter(None, said))
    if not any(cost.estimate for _, cost, _ in points):
        heading = f"Latency of {given.counted(len(points))}, all free, n = {counted(total, 'answer')}"
        return _free([(style, seconds) for style, _, seconds in points], heading, subtitle)
    across = _scale([cost for _, cost, _ in points])
    up = _scale([seconds for _, _, seconds in points])
    heading = f"Cost against latency of {given.counted(len(points))}, n = {counted(total, 'answer')}"
    found = figure(heading, subtitle, height=max(440, 150 + ROW_PX * len(points)))
    for style, cost, seconds in points:
        found.add_trace(_mark(style, cost, seconds, across, up))
    found.update_xaxes(across.axis(COST))
    found.update_yaxes(up.axis("median latency (s)"))
    found.update_layout(showlegend=True)
    return found


def _free(points: list[tuple[Style, Interval]], heading: str, subtitle: str) -> go.Figure:
    """Where nothing costs anything: one row each, fastest on top, with its median latency."""
    import plotly.graph_objects as go

    points.sort(key=lambda point: -point[1].estimate)
    across = _scale([seconds for _, seconds in points])
    found = figure(heading, subtitle, height=max(240, 150 + ROW_PX * len(points)))
    for row, (style, seconds) in enumerate(points):
        found.add_trace(
            go.Scatter(
                x=[across.place(seconds.estimate)],
                y=[row],
                error_x={**_bars(seconds, across), "color": style.colour},
                name=style.label,
                mode="markers",
                marker=marker(style, size=12),
                hoverinfo="text",
                hovertext=f"{style.label}<br>{_said(seconds, 's median latency')}",
            )
        )
    found.update_xaxes(across.axis("median latency (s)"))
    found.update_yaxes(contender_rows([style for style, _ in points]))
    found.update_layout(showlegend=False)
    return found


def tokens_cost(
    x: Generations | pd.DataFrame, *, by: By = None, labels: Mapping[str, str] | None = None
) -> go.Figure:
    """Tokens of an answer, in and out, and the cost of 1,000 answers, one row per contender.

    `by`: as for `labkit.charts.latency`. Means over samples; intervals of 95 % on the cost. Dearest on top;
    unknown costs say so.
    """
    from plotly.subplots import make_subplots

    given = rows(x, ["input_tokens", "output_tokens", "cost_usd"], by=by, labels=labels)
    done = given.frame["status"] == "done"
    parts = [
        (style, _mean(part, "input_tokens"), _mean(part, "output_tokens"), _cost(part))
        for style, part in given.per_contender(done)
    ]
    if not parts:
        why = f"No finished answer in {counted(len(given.frame), 'row')}."
        return without_data("Tokens and cost, n = 0 answers", why)
    parts.sort(key=lambda part: (-1.0 if math.isnan(part[3].estimate) else part[3].estimate, part[0].name))
    tokens = _scale([one for _, into, out, _ in parts for one in (into, out)])
    price = _scale([cost for *_, cost in parts])
    heading = f"Tokens and cost of {given.counted(len(parts))}, n = {counted(int(done.sum()), 'answer')}"
    grid = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.06)
    styled = figure(
        heading,
        "hollow: input tokens · filled: output tokens · bars: 95 % intervals",
        height=max(240, 150 + ROW_PX * len(parts)),
    )
    grid.update_layout(styled.layout)
    for row, (style, into, out, cost) in enumerate(parts):
        for trace in _token_marks(style, into, out, tokens, row):
            grid.add_trace(trace, row=1, col=1)
        if math.isnan(cost.estimate):
            grid.add_annotation(
                text="not known", x=0.02, xref="x2 domain", xanchor="left", y=row, yref="y2", showarrow=False
            )
        else:
            grid.add_trace(_cost_mark(style, cost, price, row), row=1, col=2)
    grid.update_xaxes(tokens.axis("tokens per answer"), row=1, col=1)
    grid.update_xaxes(price.axis(COST), row=1, col=2)
    grid.update_yaxes(contender_rows([style for style, *_ in parts]))
    grid.update_yaxes(showticklabels=False, row=1, col=2)
    grid.update_layout(showlegend=False)
    return grid


def _cost(part: pd.DataFrame) -> Interval:
    return cost_per_1k(_values(part["cost_usd"]), part["sample"])


def _median(part: pd.DataFrame) -> Interval:
    timed = part[part["timed"]]
    return quantile_interval(timed["latency_s"].to_numpy(), 0.5, samples=timed["sample"])


def _mean(part: pd.DataFrame, column: str) -> Interval:
    return mean_interval(_values(part[column]), samples=part["sample"])


def _values(column: pd.Series[float]) -> Any:
    import numpy as np

    return column.to_numpy(dtype=float, na_value=np.nan)


def _scale(found: list[Interval]) -> Scale:
    ends = [end for one in found for end in (one.low, one.high)]
    return scale([one.estimate for one in found], ends=ends)


def _bars(found: Interval, on: Scale) -> dict[str, Any]:
    return {
        "type": "data",
        "array": [found.high - found.estimate if math.isfinite(found.high) else 0.0],
        "arrayminus": [on.below(found.estimate, found.low) if math.isfinite(found.low) else 0.0],
        "symmetric": False,
        "thickness": 1.3,
        "width": 3,
    }


def _mark(style: Style, cost: Interval, seconds: Interval, across: Scale, up: Scale) -> go.Scatter:
    import plotly.graph_objects as go

    told = f"{style.label}<br>{_said(cost, 'USD per 1,000')}<br>{_said(seconds, 's median latency')}"
    return go.Scatter(
        x=[across.place(cost.estimate)],
        y=[up.place(seconds.estimate)],
        error_x={**_bars(cost, across), "color": style.colour},
        error_y={**_bars(seconds, up), "color": style.colour},
        name=style.label,
        mode="markers",
        marker=marker(style, size=12),
        hoverinfo="text",
        hovertext=told,
    )


def _token_marks(style: Style, into: Interval, out: Interval, on: Scale, row: int) -> list[go.Scatter]:
    import plotly.graph_objects as go

    places = [on.place(one.estimate) for one in (into, out)]
    line = {"color": LINE, "width": 1}
    return [
        go.Scatter(x=places, y=[row, row], mode="lines", line=line, hoverinfo="skip"),
        *(
            go.Scatter(
                x=[place],
                y=[row],
                mode="markers",
                marker=marker(style, hollow=hollow),
                hoverinfo="text",
                hovertext=f"{style.label}<br>{_said(one, noun)}",
            )
            for place, one, noun, hollow in (
                (places[0], into, "input tokens", True),
                (places[1], out, "output tokens", False),
            )
            if not math.isnan(one.estimate)
        ),
    ]


def _cost_mark(style: Style, cost: Interval, on: Scale, row: int) -> go.Scatter:
    import plotly.graph_objects as go

    return go.Scatter(
        x=[on.place(cost.estimate)],
        y=[row],
        error_x={**_bars(cost, on), "color": style.colour},
        mode="markers",
        marker=marker(style),
        hoverinfo="text",
        hovertext=f"{style.label}<br>{_said(cost, 'USD per 1,000')}",
    )


def _said(found: Interval, unit: str) -> str:
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return f"{found.estimate:.3g} {unit} (n = {found.n:,})"
    return f"{found.estimate:.3g} {unit} ({found.low:.3g} to {found.high:.3g}, n = {found.n:,})"
