"""The forest of pairs: each difference of scores with its interval, around the line of no difference.

It draws a verdict's frame and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from labkit.arguments import check, number
from labkit.charts.chart_data import By
from labkit.charts.clocks import marker
from labkit.charts.figure_layout import FAINT, LINE, ROW_PX, TEXT, axis, counted, figure, without_data
from labkit.charts.model_styles import COLOURS, Style, plotly_text
from labkit.errors import DefinitionError
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MOST_PAIRS = 66
"""Twelve contenders' pairs; beyond, only pairs with the best are drawn."""
DECIDED = Style("", "", COLOURS[0], "circle", "solid")
UNDECIDED = Style("", "", COLOURS[6], "circle", "solid")


class Pairs(Protocol):
    """A verdict, or what can give one (a run)."""

    def frame(self) -> pd.DataFrame: ...


def forest(x: Pairs | pd.DataFrame, *, by: By = None, margin: float | None = None) -> go.Figure:
    """Every pair's difference of scores, the better one first, with intervals that hold together.

    `x` is a verdict, its frame, or a run: then its verdict `by` `"model"`, `"prompt"` or both in a list; by
    default by models, and by both where it has several prompts. Filled marks are decided, hollow ones
    are not. Differences are in points where the score was declared from 0 to 1, else in its own unit.
    `margin` draws the band within which a difference would not matter. With more than 66 pairs only those
    of the best contender are drawn, and the title says so.
    """
    check(number("margin", margin, above=0, or_none=True))
    asked: Any = x
    given = asked.verdict(by=by) if hasattr(asked, "verdict") else asked
    pairs, name, margin, points = _pairs(given, margin)
    compared = pairs[pairs["n"] > 0].reset_index(drop=True)
    if compared.empty:
        why = getattr(given, "headline", "No two contenders share a scored sample.")
        return without_data("Differences, n = 0 pairs", why)
    shown = compared
    if len(compared) > MOST_PAIRS:
        best = str(compared["first"].iloc[0])
        shown = compared[compared["first"] == best].reset_index(drop=True)
    factor = 100 if points else 1
    decided = int(compared["decided"].sum())
    heading = f"Differences of {name}, n = {counted(len(compared), 'pair')}, {decided:,} decided"
    level = float(shown["level"].iloc[0]) * 100
    said = f"bars: {level:g} % intervals that hold together · filled: decided"
    if (shown["decided"] & (shown["all_low"] <= 0)).any():
        said += " · filled across 0: by Holm's correction"
    if len(shown) < len(compared):
        said += f" · drawn: the {counted(len(shown), 'pair')} of the best"
    called: Mapping[str, str] = getattr(x, "names", {})
    found = figure(heading, said, height=150 + ROW_PX * max(3, len(shown)))
    for row, pair in enumerate(reversed(shown.to_dict("records"))):
        found.add_trace(_mark(pair, row, factor))
    found.add_vline(0, line={"color": TEXT, "width": 1.2})
    if margin is not None:
        found.add_vrect(-margin * factor, margin * factor, fillcolor=FAINT, line_width=0, layer="below")
    unit = "points" if points else "in its own units"
    found.update_xaxes(axis(f"difference ({unit}), right: the first is better"))
    found.update_yaxes(
        axis(
            "",
            tickvals=list(range(len(shown))),
            ticktext=[_label(pair, called) for pair in reversed(shown.to_dict("records"))],
            range=[-0.7, len(shown) - 0.3],
            zeroline=False,
        )
    )
    found.update_layout(showlegend=False)
    return found


def _pairs(given: Any, margin: float | None) -> tuple[pd.DataFrame, str, float | None, bool]:
    import pandas as pd

    pairs: Any = given if isinstance(given, pd.DataFrame) else getattr(given, "frame", dict)()
    if not isinstance(pairs, pd.DataFrame) or "all_low" not in pairs.columns:
        raise DefinitionError("A forest takes a verdict: lk.charts.forest(run.verdict())")
    if "score" in pairs.columns:
        one = f"verdicts[{quoted(pairs['score'].iloc[0])}]" if len(pairs) else "verdicts['exact']"
        raise DefinitionError(f"A forest draws the pairs of one score: lk.charts.forest({one})")
    scorer = plotly_text(getattr(given, "scorer", "score"), limit=60)
    points = bool(pairs.attrs.get("unit"))
    return pairs, scorer, margin if margin is not None else getattr(given, "margin", None), points


def _label(pair: dict[Any, Any], called: Mapping[str, str]) -> str:
    return f"{_short(pair['first'], called)} − {_short(pair['second'], called)}"


def _short(name: Any, called: Mapping[str, str]) -> str:
    # A frame knows no names but ids; there a provider's would push the chart off its page.
    parts = [part.partition("/")[2] or part for part in str(name).split(" · ")]
    text = called.get(str(name)) or " · ".join(parts)
    return plotly_text(text if len(text) <= 34 else f"{text[:16]}…{text[-16:]}")


def _mark(pair: dict[Any, Any], row: int, factor: int) -> go.Scatter:
    import plotly.graph_objects as go

    low, high, seen = (factor * pair[name] for name in ("all_low", "all_high", "difference"))
    ends = math.isfinite(low) and math.isfinite(high)
    style = DECIDED if pair["decided"] else UNDECIDED
    told = f"{seen:+.3g}" + (f" ({low:+.3g} to {high:+.3g})" if ends else "")
    counts = f"{pair['wins']:,} better, {pair['ties']:,} level, {pair['losses']:,} worse"
    return go.Scatter(
        x=[seen],
        y=[row],
        error_x={
            "type": "data",
            "array": [max(0.0, high - seen) if ends else 0.0],
            "arrayminus": [max(0.0, seen - low) if ends else 0.0],
            "symmetric": False,
            "color": style.colour if pair["decided"] else LINE,
            "thickness": 1.6,
            "width": 3,
        },
        mode="markers",
        marker=marker(style, hollow=not pair["decided"]),
        hoverinfo="text",
        hovertext=(
            f"{plotly_text(pair['first'], limit=80)} − {plotly_text(pair['second'], limit=80)}<br>"
            f"{told}<br>{counts} of {counted(pair['samples'], 'sample')}"
        ),
    )
