"""How long answers take: the distribution of latency and of time to first token, per contender.

Only clocks of finished answers are drawn, each as it was first asked; the title says how many, the subtitle
when that was, how many requests were in flight and what was left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.charts.chart_data import By, Rows, rows
from labkit.charts.figure_layout import LINE, ROW_PX, axis, counted, figure, is_log, scale, without_data
from labkit.charts.model_styles import Style
from labkit.records import Generations

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import plotly.graph_objects as go

CURVES = 16
"""Above so many contenders, curves give way to one row of quantiles each."""
BANDS = 4
"""Above so many contenders, bands would hide each other and are left out."""
BAND_POINTS = 120
POINTS = 400
"""Most points of one curve; above, quantiles stand for values."""


def latency(
    x: Generations | pd.DataFrame, *, by: By = None, labels: Mapping[str, str] | None = None
) -> go.Figure:
    """The share of answers that were complete after so many seconds, one curve per contender (an ECDF).

    `by` says what the contenders are: `"model"`, `"prompt"` or both in a list; by default models, and both
    where there are several prompts. Up to four have bands that hold the whole true curve with 95 %, samples
    counted once. More than 16 have one row each, fastest median on top, from p5 to p95. Latency is from the
    last attempt's sending to the stream's end; waiting in our queue is not in it. A replayed answer is in by
    the clocks of its first asking.
    """
    return _chart(rows(x, ["latency_s"], by=by, labels=labels), "latency_s", "Latency", "latency (s)")


def ttft(
    x: Generations | pd.DataFrame, *, by: By = None, labels: Mapping[str, str] | None = None
) -> go.Figure:
    """The share of answers whose first visible text had come after so many seconds, per contender.

    Drawn as `latency` is, `by` the same. Hidden reasoning before the first text is in it.
    """
    given = rows(x, ["latency_s", "ttft_s"], by=by, labels=labels)
    return _chart(given, "ttft_s", "Time to first token", "time to first token (s)")


def _chart(given: Rows, column: str, name: str, title: str) -> go.Figure:
    frame = given.frame
    mask = frame["timed"] & frame[column].notna()
    chosen = list(given.per_contender(mask))
    parts = [(style, part[column].to_numpy()) for style, part in chosen]
    samples = {style.name: int(part["sample"].nunique()) for style, part in chosen}
    total = int(mask.sum())
    heading = f"{name} of {given.counted(len(parts))}, n = {counted(total, 'answer')}"
    if not parts:
        left = counted(len(frame), "row")
        return without_data(f"{name}, n = 0 answers", f"No finished answer with a clock in {left}.")
    alike = len({(style.colour, style.dash) for style, _ in parts}) < len(parts)
    if len(parts) > CURVES or alike:
        return _quantile_rows(parts, heading, given.measured(mask), title)
    return _curves(parts, heading, given.measured(mask), title, samples)


def _curves(
    parts: list[tuple[Style, np.ndarray[Any, Any]]],
    heading: str,
    subtitle: str,
    title: str,
    samples: Mapping[str, int],
) -> go.Figure:
    import numpy as np
    import plotly.graph_objects as go

    banded = len(parts) <= BANDS
    if banded:
        subtitle += " · bands: 95 %, the whole curve at once"
    found = figure(heading, subtitle, height=max(420, 160 + ROW_PX * len(parts)))
    for style, values in sorted(parts, key=lambda part: float(np.median(part[1]))):
        if banded:
            found.add_traces(_band(style, values, samples[style.name]))
        ordered, shares = _steps(values)
        hover = [
            f"{style.label}<br>{share:.0%} within {value:.3g} s"
            for value, share in zip(ordered, shares, strict=True)
        ]
        found.add_trace(
            go.Scatter(
                x=ordered,
                y=shares * 100,
                name=f"{style.label}, n = {len(values):,}",
                mode="lines",
                line={"color": style.colour, "dash": style.dash, "width": 2, "shape": "hv"},
                hoverinfo="text",
                hovertext=hover,
            )
        )
    everything = np.concatenate([values for _, values in parts])
    log = is_log([float(end) for end in np.quantile(everything, [0.005, 0.995])])
    for share, text in ((50, "median"), (95, "p95")):
        found.add_hline(share, line={"color": LINE, "width": 1, "dash": "dot"})
        found.add_annotation(
            text=text,
            x=0,
            xref="paper",
            xanchor="left",
            y=share,
            yanchor="bottom",
            showarrow=False,
            font_size=11,
        )
    kind = {"type": "log", "dtick": "D2"} if log else {"rangemode": "tozero"}
    found.update_xaxes(axis(title + (", log scale" if log else ""), **kind))
    found.update_yaxes(axis("answers (%)", range=[0, 102]))
    found.update_layout(showlegend=True)
    return found


def _band(style: Style, values: np.ndarray[Any, Any], samples: int) -> list[go.Scatter]:
    """The Dvoretzky-Kiefer-Wolfowitz band (Massart 1990), by samples: repeats of one are not independent."""
    import numpy as np
    import plotly.graph_objects as go

    reach = float(np.sqrt(np.log(2 / 0.05) / (2 * samples)))
    shares = np.linspace(0, 1, min(BAND_POINTS, len(values)) + 1)
    at = np.quantile(values, shares)
    red, green, blue = (int(style.colour[place : place + 2], 16) for place in (1, 3, 5))
    line = {"width": 0, "color": style.colour, "shape": "hv"}
    both: dict[str, Any] = {"x": at, "mode": "lines", "line": line, "showlegend": False, "hoverinfo": "skip"}
    fill = f"rgba({red},{green},{blue},0.14)"
    return [
        go.Scatter(y=np.clip(shares - reach, 0, 1) * 100, **both),
        go.Scatter(y=np.clip(shares + reach, 0, 1) * 100, fill="tonexty", fillcolor=fill, **both),
    ]


def _steps(values: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    import numpy as np

    if len(values) <= POINTS:
        ordered = np.sort(values)
        return ordered, np.arange(1, len(values) + 1) / len(values)
    shares = np.linspace(0, 1, POINTS + 1)
    return np.quantile(values, shares), shares


def _quantile_rows(
    parts: list[tuple[Style, np.ndarray[Any, Any]]], heading: str, subtitle: str, title: str
) -> go.Figure:
    import numpy as np
    import plotly.graph_objects as go

    marks = [np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]) for _, values in parts]
    order = sorted(range(len(parts)), key=lambda place: -marks[place][2])
    spread = scale([float(mark[end]) for mark in marks for end in (0, 4)])
    found = figure(
        heading,
        f"{subtitle}<br>thin: p5 to p95 · thick: p25 to p75 · mark: median",
        height=130 + ROW_PX * len(parts),
    )
    for row, place in enumerate(order):
        (style, values), mark = parts[place], marks[place]
        for ends, width in (((0, 4), 2), ((1, 3), 6)):
            found.add_trace(
                go.Scatter(
                    x=[mark[end] for end in ends],
                    y=[row, row],
                    mode="lines",
                    line={"color": style.colour, "width": width},
                    opacity=0.6,
                    hoverinfo="skip",
                )
            )
        told = f"median {mark[2]:.3g} s, p5 {mark[0]:.3g} s, p95 {mark[4]:.3g} s"
        hover = f"{style.label}, n = {len(values):,}<br>{told}"
        found.add_trace(
            go.Scatter(
                x=[mark[2]], y=[row], mode="markers", marker=marker(style), hoverinfo="text", hovertext=hover
            )
        )
    found.update_xaxes(spread.axis(title))
    found.update_yaxes(contender_rows([parts[place][0] for place in order]))
    found.update_layout(showlegend=False)
    return found


def marker(style: Style, *, size: int = 10, hollow: bool = False) -> dict[str, Any]:
    """A contender's marker."""
    symbol = f"{style.symbol}-open" if hollow else style.symbol
    edge = {"width": 2, "color": style.colour} if hollow else {"width": 1, "color": "rgba(127,127,127,0.9)"}
    return {"color": style.colour, "symbol": symbol, "size": size, "line": edge}


def contender_rows(from_below: list[Style]) -> dict[str, Any]:
    """A vertical axis with one row per contender."""
    places = list(range(len(from_below)))
    labels = [style.label for style in from_below]
    return axis(
        "", tickvals=places, ticktext=labels, range=[-0.7, len(places) - 0.3], showgrid=True, zeroline=False
    )
