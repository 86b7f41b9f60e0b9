"""What answers cost: cost against latency, and tokens and cost, per model.

Intervals take samples as wholes. A model whose cost is not known is named, never drawn at 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.charts.chart_data import rows
from labkit.charts.clocks import marker, measured, model_rows
from labkit.charts.figure_layout import LINE, ROW_PX, Scale, counted, figure, scale, without_data
from labkit.charts.model_styles import ModelStyle
from labkit.records import Generations
from labkit.stats import Interval, mean_interval, quantile_interval
from labkit.summary import cost_per_1k

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

COST = "cost of 1,000 answers (USD)"


def cost_latency(x: Generations | pd.DataFrame, *, labels: Mapping[str, str] | None = None) -> go.Figure:
    """Median latency against the cost of 1,000 answers, one mark per model, with 95 % intervals.

    Lower left is better. Costs of 0 stand in a place of their own where the axis is logarithmic.
    Models without a known cost, or without a fresh clock, are named under the title.
    """
    given = rows(x, ["latency_s", "cost_usd"], labels=labels)
    frame = given.frame
    done = frame["status"] == "done"
    points, missing = [], []
    for style, part in given.per_model(done):
        cost, seconds = _cost(part), _median(part)
        if math.isnan(cost.estimate) or math.isnan(seconds.estimate):
            missing.append(style.label)
        else:
            points.append((style, cost, seconds))
    total = int(done.sum())
    if not points:
        why = f"No answer with both a known cost and a fresh clock in {counted(len(frame), 'row')}."
        return without_data("Cost against latency, n = 0 models", why)
    across = _scale([cost for _, cost, _ in points])
    up = _scale([seconds for _, _, seconds in points])
    heading = f"Cost against latency of {counted(len(points), 'model')}, n = {counted(total, 'answer')}"
    said = [measured(frame, frame["fresh"]), "bars: 95 % intervals"]
    if missing:
        said.append(f"cost or clock not known: {', '.join(missing[:3])}" + (" …" if len(missing) > 3 else ""))
    found = figure(heading, " · ".join(filter(None, said)), height=max(440, 150 + ROW_PX * len(points)))
    for style, cost, seconds in points:
        found.add_trace(_mark(style, cost, seconds, across, up))
    found.update_xaxes(across.axis(COST))
    found.update_yaxes(up.axis("median latency (s)"))
    found.update_layout(showlegend=True)
    return found


def tokens_cost(x: Generations | pd.DataFrame, *, labels: Mapping[str, str] | None = None) -> go.Figure:
    """Tokens of an answer, in and out, and the cost of 1,000 answers, one row per model.

    Means over samples; intervals of 95 % on the cost. Dearest on top; unknown costs say so.
    """
    from plotly.subplots import make_subplots

    given = rows(x, ["input_tokens", "output_tokens", "cost_usd"], labels=labels)
    done = given.frame["status"] == "done"
    parts = [
        (style, _mean(part, "input_tokens"), _mean(part, "output_tokens"), _cost(part))
        for style, part in given.per_model(done)
    ]
    if not parts:
        why = f"No finished answer in {counted(len(given.frame), 'row')}."
        return without_data("Tokens and cost, n = 0 answers", why)
    parts.sort(key=lambda part: (-1.0 if math.isnan(part[3].estimate) else part[3].estimate, part[0].model))
    tokens = _scale([one for _, into, out, _ in parts for one in (into, out)])
    price = _scale([cost for *_, cost in parts])
    heading = f"Tokens and cost of {counted(len(parts), 'model')}, n = {counted(int(done.sum()), 'answer')}"
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
    grid.update_yaxes(model_rows([style for style, *_ in parts]))
    grid.update_yaxes(showticklabels=False, row=1, col=2)
    grid.update_layout(showlegend=False)
    return grid


def _cost(part: pd.DataFrame) -> Interval:
    return cost_per_1k(_values(part["cost_usd"]), part["sample"])


def _median(part: pd.DataFrame) -> Interval:
    fresh = part[part["fresh"]]
    return quantile_interval(_values(fresh["latency_s"]), 0.5, samples=fresh["sample"])


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


def _mark(style: ModelStyle, cost: Interval, seconds: Interval, across: Scale, up: Scale) -> go.Scatter:
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


def _token_marks(style: ModelStyle, into: Interval, out: Interval, on: Scale, row: int) -> list[go.Scatter]:
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


def _cost_mark(style: ModelStyle, cost: Interval, on: Scale, row: int) -> go.Scatter:
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
