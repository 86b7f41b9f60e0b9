"""Quality against price and against speed, with intervals both ways; what is dominated is grey.

One is grey only where another is shown to be better, no dearer and no slower. The figures are those
of `labkit.summary`; this module draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.charts.chart_data import By, Rows, compared, no_scores, rows
from labkit.charts.clocks import marker
from labkit.charts.figure_layout import ROW_PX, Scale, axis, counted, figure, scale, without_data
from labkit.charts.model_styles import Style, plotly_text
from labkit.charts.money import cost_latency
from labkit.records import Generations
from labkit.stats import Interval, quantile_interval
from labkit.summary import cost_per_1k
from labkit.summary.compact_frame import READ, compact
from labkit.summary.contender_table import contender_table
from labkit.summary.dominance import dominated
from labkit.summary.pairwise import compare_pairs
from labkit.summary.scores import ScoreIntervals, basis, score_column

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

GREY = "rgba(140,140,140,0.55)"


def frontier(
    x: Generations | pd.DataFrame,
    score: str | None = None,
    *,
    by: By = None,
    level: float = 0.95,
    better: str = "higher",
    clusters: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> go.Figure:
    """Score against the cost of 1,000 answers, and beside it against median latency; one mark per contender.

    `by` says what the contenders are: `"model"`, `"prompt"` or both in a list; by default models, and both
    where there are several prompts. Upper left is better. `score` names the scorer, by default the first.
    Bars are intervals at `level`, samples (or `clusters` of them: a column's name) as wholes. Grey: another
    is significantly better (Holm over all pairs) and shown to be neither dearer nor slower. What has no known
    price or no clock is missing from that side and named. Where all is free, only latency is drawn; where
    nothing has a score yet, price against speed as in `cost_latency`.
    """
    frame, by = compared(x, by, *READ, "score.*", *([] if clusters is None else [clusters]))
    column = score_column(frame, score)
    if isinstance(column, str):
        score = column.removeprefix("score.")
    frame = compact(frame, column, clusters)
    given = rows(frame, [], by=by, labels=labels)
    if column is None or not frame[column].notna().any():
        return _without_score(frame, column, by, labels)
    study = basis(frame, column, level=level, clusters=clusters)
    table = contender_table(frame, by=given.by, score=score, clusters=clusters)
    pairs = compare_pairs(_turned(table, better), level=study.level, watched=study.watched)
    beaten = dominated(pairs)
    used = given.frame[["contender", "sample", "latency_s", "timed"]].assign(
        cost_usd=_floats(frame, "cost_usd"), done=frame["status"] == "done"
    )
    interval = ScoreIntervals(frame, column, study)
    points = [
        _Point(given.styles[str(name)], scored, part[part["done"]], beaten.get(str(name)), given.styles)
        for name, part in used.groupby("contender", sort=True, observed=True)
        if (scored := interval(part.index.to_numpy())).n and part["done"].any()
    ]
    name = plotly_text(column.removeprefix("score."), limit=60)
    return _drawn(points, given, name, interval.told)


def _without_score(
    frame: pd.DataFrame, column: str | None, by: By, labels: Mapping[str, str] | None
) -> go.Figure:
    why = no_scores(frame, column)
    if not {"cost_usd", "latency_s"} <= set(frame.columns):
        return without_data("Quality, price and speed, n = 0 answers", why)
    found = cost_latency(frame, by=by, labels=labels)
    if not found.data:
        return without_data("Quality, price and speed, n = 0 answers", why)
    found.layout.title.subtitle.text = f"no answer has a score yet · {found.layout.title.subtitle.text}"
    return found


def _turned(found: Any, better: str) -> Any:
    return found.turned() if better == "lower" else found


class _Point:
    """One contender: its score, cost and latency, each with its interval."""

    def __init__(
        self,
        style: Style,
        score: Interval,
        part: pd.DataFrame,
        beaten_by: str | None,
        styles: Mapping[str, Style],
    ) -> None:
        level = score.level
        self.style = style
        self.grey = beaten_by is not None
        self.score = score
        self.cost = cost_per_1k(_floats(part, "cost_usd"), part["sample"].to_numpy(), level=level)
        timed = part[part["timed"]]
        self.seconds = quantile_interval(
            timed["latency_s"].to_numpy(), 0.5, samples=timed["sample"].to_numpy(), level=level
        )
        lost = f"<br>dominated by {styles[beaten_by].label}" if beaten_by is not None else ""
        self.lost = lost

    def told(self, found: Interval, unit: str) -> str:
        ends = f" ({found.low:.3g} to {found.high:.3g})" if math.isfinite(found.high - found.low) else ""
        mine = self.score
        score = f"score {mine.estimate:.3f}"
        if math.isfinite(mine.high - mine.low):
            score += f" ({mine.low:.3f} to {mine.high:.3f})"
        return (
            f"{self.style.label}<br>{score}, {counted(mine.n, 'sample')}<br>"
            f"{found.estimate:.3g} {unit}{ends}{self.lost}"
        )


def _floats(part: pd.DataFrame, column: str) -> Any:
    if column not in part.columns:
        return np.full(len(part), np.nan)
    found = part[column].to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isinf(found), np.nan, found)


def _drawn(points: list[_Point], given: Rows, name: str, intervals: str) -> go.Figure:
    from plotly.subplots import make_subplots

    answers = int((given.frame["status"] == "done").sum())
    free = not any(point.cost.estimate for point in points)
    heading = f"Quality{'' if free else ', price'} and speed of {given.counted(len(points))}"
    heading += f"{', all free' if free else ''}, n = {counted(answers, 'answer')}"
    said = [given.measured(given.frame["timed"]), f"bars: {intervals}"]
    if any(point.grey for point in points):
        said.append("grey and hollow: significantly dominated")
    unknown = [point.style.label for point in points if math.isnan(point.cost.estimate)]
    if unknown:
        said.append(f"price not known: {', '.join(unknown[:3])}" + (" …" if len(unknown) > 3 else ""))
    styled = figure(heading, " · ".join(filter(None, said)), height=max(460, 170 + ROW_PX * len(points)))
    sides = [
        ("cost of 1,000 answers (USD)", "USD per 1,000", [point.cost for point in points]),
        ("median latency (s)", "s median latency", [point.seconds for point in points]),
    ]
    # What costs nothing would be one vertical line.
    sides = sides[1:] if free else sides
    grid = make_subplots(rows=1, cols=len(sides), shared_yaxes=True, horizontal_spacing=0.05)
    grid.update_layout(styled.layout)
    for column, (title, unit, found) in enumerate(sides, start=1):
        spread = _spread(found)
        for point, value in zip(points, found, strict=True):
            if not math.isnan(value.estimate):
                grid.add_trace(_mark(point, value, spread, unit), row=1, col=column)
        grid.update_xaxes(spread.axis(title), row=1, col=column)
        grid.update_yaxes(axis(f"{name} (mean over samples)" if column == 1 else ""), row=1, col=column)
        if all(math.isnan(value.estimate) for value in found):
            ref = f"x{column if column > 1 else ''} domain"
            grid.add_annotation(
                text="not known", x=0.5, y=0.5, xref=ref, yref="paper", showarrow=False, font_size=14
            )
    for point in sorted(points, key=lambda point: -point.score.estimate):
        grid.add_trace(_key(point), row=1, col=1)
    bounded = all(0 <= end <= 1 for point in points for end in (point.score.estimate, point.score.high))
    if bounded and _wide([point.score for point in points]):
        grid.update_yaxes(range=[-0.02, 1.02])
    grid.update_layout(showlegend=True, legend={"tracegroupgap": 0})
    return grid


def _wide(scores: list[Interval]) -> bool:
    ends = [end for one in scores for end in (one.low, one.high, one.estimate) if math.isfinite(end)]
    return bool(max(ends) - min(ends) > 0.5)


def _spread(found: list[Interval]) -> Scale:
    ends = [end for one in found for end in (one.low, one.high)]
    return scale([one.estimate for one in found], ends=ends)


def _mark(point: _Point, found: Interval, across: Scale, unit: str) -> go.Scatter:
    import plotly.graph_objects as go

    colour = GREY if point.grey else point.style.colour
    mine = point.score
    return go.Scatter(
        x=[across.place(found.estimate)],
        y=[mine.estimate],
        error_x={
            "type": "data",
            "array": [found.high - found.estimate if math.isfinite(found.high) else 0.0],
            "arrayminus": [across.below(found.estimate, found.low) if math.isfinite(found.low) else 0.0],
            "symmetric": False,
            "color": colour,
            "thickness": 1.3,
            "width": 3,
        },
        error_y={
            "type": "data",
            "array": [mine.high - mine.estimate if math.isfinite(mine.high) else 0.0],
            "arrayminus": [mine.estimate - mine.low if math.isfinite(mine.low) else 0.0],
            "symmetric": False,
            "color": colour,
            "thickness": 1.3,
            "width": 3,
        },
        mode="markers",
        marker=_looks(point),
        legendgroup=point.style.label,
        showlegend=False,
        hoverinfo="text",
        hovertext=point.told(found, unit),
    )


def _key(point: _Point) -> go.Scatter:
    import plotly.graph_objects as go

    # Of its own, since one may be missing from either side.
    return go.Scatter(
        x=[None],
        y=[None],
        mode="markers",
        marker=_looks(point),
        legendgroup=point.style.label,
        name=point.style.label + (" (dominated)" if point.grey else ""),
    )


def _looks(point: _Point) -> dict[str, Any]:
    # Hollow, since one of the eight colours is a grey too.
    found = marker(point.style, size=12, hollow=point.grey)
    return {**found, "color": GREY, "line": {"width": 2, "color": GREY}} if point.grey else found
