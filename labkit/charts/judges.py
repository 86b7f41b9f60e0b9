"""How far a judge agrees with people, beside how far people agree with one another: α with intervals.

It draws a frame of agreement and decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labkit.charts.figure_layout import ROW_PX, TEXT, axis, counted, figure, without_data
from labkit.charts.model_styles import plotly_text
from labkit.errors import DefinitionError

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

COLOUR = "#0072B2"
LEAST_ROW_PX = 40


def agreement(x: Any, score: str | None = None) -> go.Figure:
    """Krippendorff's α of a judge with people, and of people among themselves, with intervals: 1 where all
    agree, 0 where they agree as often as by chance. People with people is as high as a judge can be
    expected to come.

    `x` is a run, or what `run.agreement(score)` or `run.preference().agreement` gives. What cannot be told
    (all values alike) is left out, and the title says so.
    """
    given = x if not hasattr(x, "agreement") else x.agreement(score) if callable(x.agreement) else x.agreement
    frame = _frame(given)
    drawn = frame[frame["alpha"].notna()].reset_index(drop=True)
    counts = "answers" if "answers" in frame.columns else "pairs"
    if drawn.empty:
        why = (
            "All values are alike, which tells nothing of agreement."
            if len(frame)
            else "Nobody labelled yet."
        )
        return without_data("Agreement, n = 0", why)
    told = plotly_text(str(frame.attrs.get("score", "")), limit=60)
    most = int(drawn[counts].max())
    title = f"Who agrees on {told or 'pairs'}, n = {counted(most, counts.removesuffix('s'))}"
    level = float(drawn["level"].iloc[0]) * 100 if "level" in drawn.columns else 95.0
    left_out = len(frame) - len(drawn)
    said = f"Krippendorff's α · bars: {level:g} % intervals"
    said += f" · not drawn: {counted(left_out, 'row')} with all values alike" if left_out else ""
    found = figure(title, said, height=170 + max(LEAST_ROW_PX, ROW_PX) * len(drawn))
    found.add_trace(_marks(drawn, counts))
    found.add_vline(0, line={"color": TEXT, "width": 1.2, "dash": "dot"})
    found.update_layout(
        xaxis=axis(
            "α: 0 as by chance, 1 all alike", range=[min(-0.1, float(drawn["low"].min()) - 0.05), 1.05]
        ),
        yaxis=axis(
            "",
            tickvals=list(range(len(drawn))),
            ticktext=[plotly_text(str(who), limit=40) for who in drawn["who"]],
            range=[len(drawn) - 0.4, -0.6],
        ),
        showlegend=False,
    )
    return found


def _marks(drawn: pd.DataFrame, counts: str) -> go.Scatter:
    import plotly.graph_objects as go

    hover = [
        f"{plotly_text(str(row['who']), limit=80)}<br>"
        f"α {row['alpha']:.2f} ({row['low']:.2f} to {row['high']:.2f})<br>"
        f"{100 * row['same']:.0f} % alike, {counted(int(row[counts]), counts.removesuffix('s'))}"
        for row in drawn.to_dict("records")
    ]
    return go.Scatter(
        x=drawn["alpha"],
        y=list(range(len(drawn))),
        error_x={
            "type": "data",
            "array": drawn["high"] - drawn["alpha"],
            "arrayminus": drawn["alpha"] - drawn["low"],
            "symmetric": False,
            "color": COLOUR,
            "thickness": 1.6,
            "width": 3,
        },
        mode="markers",
        marker={"color": COLOUR, "size": 10},
        hoverinfo="text",
        hovertext=hover,
    )


def _frame(given: Any) -> pd.DataFrame:
    import pandas as pd

    if not isinstance(given, pd.DataFrame) or "alpha" not in given.columns:
        raise DefinitionError(
            "This chart takes a run whose answers people labelled: lk.charts.agreement(run)."
        )
    return given
