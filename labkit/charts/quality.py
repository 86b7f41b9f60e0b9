"""How good answers are: a score with its interval, per model and prompt.

The figures are those of `labkit.summary.summarize`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.arguments import check, number, sure, text
from labkit.charts.chart_data import frame_of, no_scores, rows
from labkit.charts.clocks import contender_rows
from labkit.charts.figure_layout import LINE, ROW_PX, TEXT, axis, counted, figure, without_data
from labkit.charts.model_styles import SYMBOLS, Style, plotly_text
from labkit.records import Generations
from labkit.stats import Scale
from labkit.summary import majority, summarize
from labkit.summary.compact_frame import READ, compact
from labkit.summary.scores import score_column, score_scale

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


def scores(
    x: Generations | pd.DataFrame,
    score: str | None = None,
    *,
    baseline: float | tuple[Any, float] | str | None = "target",
    level: float = 0.95,
    clusters: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> go.Figure:
    """The mean of a score with its interval, one row per model and one mark in it per prompt.

    `score` names the scorer (by default the first), `baseline` draws a line: a rate, what
    `labkit.summary.baseline` gives, or, as in a run's summary, the sample column whose most frequent value is
    what always giving the same answer would score (none where samples have no such column). `clusters` names
    a column of samples that belong together. Best model
    on top. Answers that are not scored are left out.
    """
    named = baseline if isinstance(baseline, str) else None
    rate = baseline[-1] if isinstance(baseline, tuple) and len(baseline) == 2 else baseline
    given_line = number("baseline", rate, or_none=True) if named is None else text("baseline", named)
    check(given_line, sure("level", level))
    also = [*([] if clusters is None else [clusters]), *([] if named is None else [f"sample.{named}"])]
    frame = frame_of(x, *READ, "score.*", *also)
    line = majority(frame, named) if isinstance(baseline, str) else baseline
    column = score_column(frame, score)
    frame = compact(frame, column, clusters)
    given = rows(frame, [], by="model", labels=labels)
    if column is None:
        return without_data("Scores, n = 0 answers", no_scores(frame, column))
    every = frame if "prompt" in frame.columns else frame.assign(prompt="prompt")
    table = summarize(every, score=column.removeprefix("score."), level=level, clusters=clusters)
    name = plotly_text(column.removeprefix("score."), limit=60)
    table = table[table["score_n"] > 0]
    if table.empty:
        return without_data(f"Score {name}, n = 0 answers", no_scores(frame, column))
    (intervals,) = table.attrs["intervals"].values()
    said = f"bars: {intervals}"
    return _drawn(table, given.styles, name, line, said, score_scale(frame, column))


def _drawn(
    table: pd.DataFrame,
    styles: Mapping[str, Style],
    name: str,
    baseline: float | tuple[Any, float] | None,
    subtitle: str,
    scale: Scale,
) -> go.Figure:
    table = table.assign(model=table["model"].astype(str))
    best = table.groupby("model")["score"].max().sort_values(kind="stable")
    order = [str(model) for model in best.index]
    prompts = sorted(set(table["prompt"].astype(str)))
    each = max(ROW_PX, 11 * len(prompts) + 10)
    heading = (
        f"Score {name} of {counted(len(order), 'model')}, "
        f"n = {counted(int(table['scored'].sum()), 'answer')} "
        f"to {counted(int(table['score_n'].max()), 'sample')}"
    )
    found = figure(heading, subtitle, height=max(280, 170 + each * len(order)))
    for place, prompt in enumerate(prompts):
        # Marks of one model stand closer to each other than to the next model's.
        offset = 0.68 * ((len(prompts) - 1) / 2 - place) / len(prompts)
        part = table[table["prompt"].astype(str) == prompt]
        symbol = SYMBOLS[place % len(SYMBOLS)]
        found.add_trace(_marks(part, styles, order, prompt, symbol, offset))
        found.add_trace(_key(prompt, symbol))
    rim = 0.02 * scale.width
    span = {"range": [scale.low - rim, scale.high + rim]} if scale.bounded else {}
    found.update_xaxes(axis(f"{name} (mean over samples)", **span))
    found.update_yaxes(contender_rows([styles[model] for model in order]))
    found.update_layout(showlegend=len(prompts) > 1)
    if baseline is not None:
        _line(found, baseline)
    return found


def _marks(
    part: pd.DataFrame,
    styles: Mapping[str, Style],
    order: list[str],
    prompt: str,
    symbol: str,
    offset: float,
) -> go.Scatter:
    import plotly.graph_objects as go

    label = plotly_text(prompt, limit=40)
    rows = part.to_dict("records")
    return go.Scatter(
        x=[row["score"] for row in rows],
        y=[order.index(row["model"]) + offset for row in rows],
        error_x={
            "type": "data",
            "array": [_reach(row["score_high"] - row["score"]) for row in rows],
            "arrayminus": [_reach(row["score"] - row["score_low"]) for row in rows],
            "symmetric": False,
            "color": LINE,
            "thickness": 1.6,
            "width": 3,
        },
        showlegend=False,
        mode="markers",
        marker={
            "color": [styles[row["model"]].colour for row in rows],
            "symbol": symbol,
            "size": 10,
            "line": {"width": 1, "color": TEXT},
        },
        hoverinfo="text",
        hovertext=[
            f"{styles[row['model']].label}, {label}<br>{_told(row)}<br>"
            f"{counted(row['score_n'], 'sample')}, {counted(row['scored'], 'answer')}, "
            f"{row['failed']:,} failed"
            for row in rows
        ],
    )


def _told(row: Mapping[Any, Any]) -> str:
    ends = [row["score_low"], row["score_high"]]
    said = f" ({ends[0]:.3g} to {ends[1]:.3g})" if all(map(math.isfinite, ends)) else ""
    return f"{row['score']:.3g}{said}"


def _key(prompt: str, symbol: str) -> go.Scatter:
    import plotly.graph_objects as go

    # The legend explains shapes; colours belong to models.
    return go.Scatter(
        x=[None],
        y=[None],
        name=plotly_text(prompt, limit=40),
        mode="markers",
        marker={"color": TEXT, "symbol": symbol, "size": 10},
    )


def _reach(distance: float) -> float:
    return 0.0 if math.isnan(distance) else max(0.0, distance)


def _line(found: go.Figure, baseline: float | tuple[Any, float]) -> None:
    label, rate = baseline if isinstance(baseline, tuple) else (None, baseline)
    told = "baseline" if label is None else f"always “{plotly_text(label, limit=30)}”"
    found.add_vline(rate, line={"color": TEXT, "width": 1.5, "dash": "dash"})
    found.add_annotation(
        text=f"{told} {rate:.2f}", x=rate, y=1, yref="paper", yanchor="bottom", showarrow=False, font_size=11
    )
