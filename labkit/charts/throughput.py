"""How fast answers are written: output tokens per second of latency, per contender.

Only clocks of finished answers count, each as it was first asked. Reasoning tokens are in it, queueing is
not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.arguments import check, sure
from labkit.charts.chart_data import By, rows
from labkit.charts.clocks import contender_rows, marker
from labkit.charts.figure_layout import LINE, ROW_PX, counted, figure, scale, without_data
from labkit.charts.model_styles import Style
from labkit.records import Generations
from labkit.stats import Interval, ratio_of_means
from labkit.stats.table import sample_table

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


def speed(
    x: Generations | pd.DataFrame,
    *,
    by: By = None,
    level: float = 0.95,
    labels: Mapping[str, str] | None = None,
) -> go.Figure:
    """Output tokens per second, one row per contender, fastest on top, with intervals.

    `by`: as for `labkit.charts.latency`. All tokens ÷ all seconds of a contender's answers (each sample's
    mean first), so long answers count more; the interval is that of a ratio of means, samples as wholes.
    """
    check(sure("level", level))
    given = rows(x, ["latency_s", "output_tokens"], by=by, labels=labels)
    frame = given.frame
    mask = frame["timed"] & frame["output_tokens"].notna()
    parts = [(style, _rate(part, level)) for style, part in given.per_contender(mask)]
    parts = [(style, rate) for style, rate in parts if rate.estimate > 0]
    if not parts:
        why = f"No finished answer with a clock and a token count in {counted(len(frame), 'row')}."
        return without_data("Tokens per second, n = 0 answers", why)
    parts.sort(key=lambda part: part[1].estimate)
    spread = scale(
        [rate.estimate for _, rate in parts], ends=[end for _, rate in parts for end in (rate.low, rate.high)]
    )
    heading = f"Speed of {given.counted(len(parts))}, n = {counted(int(mask.sum()), 'answer')}"
    found = figure(
        heading,
        f"{given.measured(mask)} · bars: {level * 100:g} % intervals",
        height=max(240, 150 + ROW_PX * len(parts)),
    )
    for row, (style, rate) in enumerate(parts):
        ends = math.isfinite(rate.low) and math.isfinite(rate.high)
        found.add_trace(_mark(style, rate, row, ends, spread.below(rate.estimate, rate.low) if ends else 0.0))
    found.update_xaxes(spread.axis("output tokens per second"))
    found.update_yaxes(contender_rows([style for style, _ in parts]))
    found.update_layout(showlegend=False)
    return found


def _rate(part: pd.DataFrame, level: float) -> Interval:
    sample = part["sample"].to_numpy()
    both = [
        sample_table(_floats(part[column]), sample, np.zeros(len(part), dtype=int)).means[:, 0]
        for column in ("output_tokens", "latency_s")
    ]
    return ratio_of_means(both[0], both[1], level=level)


def _floats(column: pd.Series[Any]) -> Any:
    return column.to_numpy(dtype=float, na_value=np.nan)


def _mark(style: Style, rate: Interval, row: int, ends: bool, below: float) -> go.Scatter:
    import plotly.graph_objects as go

    told = f" ({rate.low:.3g} to {rate.high:.3g})" if ends else ""
    return go.Scatter(
        x=[rate.estimate],
        y=[row],
        error_x={
            "type": "data",
            "array": [rate.high - rate.estimate if ends else 0.0],
            "arrayminus": [below],
            "symmetric": False,
            "color": LINE,
            "thickness": 1.6,
            "width": 3,
        },
        mode="markers",
        marker=marker(style),
        hoverinfo="text",
        hovertext=f"{style.label}<br>{rate.estimate:.3g} tokens/s{told}, {counted(rate.n, 'sample')}",
    )
