"""What each block of context adds to the score, beside what it adds to the price.

It draws an ablation's frame and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from labkit.charts.clocks import marker
from labkit.charts.figure_layout import LINE, ROW_PX, TEXT, axis, counted, figure, without_data
from labkit.charts.model_styles import Style, plotly_text, styles
from labkit.errors import DefinitionError

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Row = Mapping[Any, Any]
MOST_NAME = 34
LEFT, RIGHT = (0.0, 0.58), (0.66, 1.0)
"""How far each of the two panels reaches across the figure."""
SPREAD = 0.44
"""How far the models of one block lie apart, in rows."""
LEAST_ROW_PX = 34


class Effects(Protocol):
    """An ablation, or what can give one (a run)."""

    def frame(self) -> pd.DataFrame: ...


def block_effects(x: Effects | pd.DataFrame) -> go.Figure:
    """What each block adds: to the score on the left, with intervals that hold together; to the price of
    1,000 answers on the right, or to their input tokens where a price is not known.

    `x` is an ablation, its frame, or a run: then its ablation by the first score. Filled marks are decided,
    hollow ones are not. Effects are in points where the score was declared from 0 to 1, else in its own
    unit; right is better. A model whose answers failed too often to tell is left out, and the title says so.
    """
    asked: Any = x
    given = asked.ablation() if hasattr(asked, "ablation") else asked
    effects = _effects(given)
    from labkit.summary.block_effects import FAILING

    drawn = effects[(effects["failing"] <= FAILING) & effects["low"].notna()].reset_index(drop=True)
    failed = effects.loc[effects["failing"] > FAILING, "model"].nunique()
    if drawn.empty:
        why = " ".join(getattr(given, "sentences", ())) or "No effect of a block can be told."
        return without_data("Effects of blocks, n = 0", why)
    points = bool(effects.attrs.get("unit"))
    priced = bool(drawn["cost_per_1k_usd"].notna().all() and (drawn["cost_per_1k_usd"] != 0).any())
    decided = int(drawn["decided"].sum())
    scorer = plotly_text(getattr(given, "scorer", "score"), limit=60)
    heading = f"What each block adds to {scorer}, n = {counted(len(drawn), 'effect')}, {decided:,} decided"
    level = float(drawn["level"].iloc[0]) * 100
    said = f"bars: {level:g} % intervals that hold together · filled: decided"
    said += f" · not drawn: {counted(failed, 'model')} with too many failures" if failed else ""
    look = styles(drawn["model"].unique(), labels=getattr(given, "labels", None))
    names = _names(drawn)
    places = {name: len(names) - 1 - at for at, name in enumerate(names)}
    row_px = max(LEAST_ROW_PX, ROW_PX * len(look))
    found = figure(heading, said, height=160 + row_px * max(3, len(names)))
    for at, (model, style) in enumerate(look.items()):
        mine = drawn[drawn["model"] == model].to_dict("records")
        shift = 0.0 if len(look) == 1 else SPREAD * (0.5 - at / (len(look) - 1))
        spots = [places[_name(row, drawn)] + shift for row in mine]
        found.add_trace(_score(mine, spots, style, 100 if points else 1))
        found.add_trace(_price(mine, spots, style, priced=priced, width=min(0.3, SPREAD / len(look))))
    found.add_vline(0, line={"color": TEXT, "width": 1.2})
    found.add_vline(0, line={"color": TEXT, "width": 1.2}, xref="x2")
    unit = "points" if points else "in its own units"
    found.update_layout(
        xaxis=axis(f"added score ({unit}), right is better", domain=LEFT, zeroline=False),
        xaxis2=axis(
            "added price (USD per 1,000 answers)" if priced else "added input (tokens an answer)",
            domain=RIGHT,
            anchor="y",
            zeroline=False,
            rangemode="tozero",
        ),
        yaxis=axis(
            "",
            tickvals=[places[name] for name in names],
            ticktext=[plotly_text(_short(name)) for name in names],
            range=[-0.7, len(names) - 0.3],
            zeroline=False,
        ),
        showlegend=len(look) > 1,
    )
    return found


def _effects(given: Any) -> pd.DataFrame:
    import pandas as pd

    effects: Any = given if isinstance(given, pd.DataFrame) else getattr(given, "frame", dict)()
    if not isinstance(effects, pd.DataFrame) or "failing" not in effects.columns:
        raise DefinitionError("This chart takes an ablation: lk.charts.block_effects(run.ablation())")
    return effects


def _name(row: Row, frame: pd.DataFrame) -> str:
    return f"{row['prompt']} · {row['block']}" if frame["prompt"].nunique() > 1 else str(row["block"])


def _names(frame: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(_name(row, frame) for row in frame.to_dict("records")))


def _short(name: str) -> str:
    return name if len(name) <= MOST_NAME else f"{name[:16]}…{name[-16:]}"


def _score(rows: Sequence[Row], spots: Sequence[float], style: Style, factor: int) -> go.Scatter:
    import plotly.graph_objects as go

    ends = [_ends(row, factor) for row in rows]
    seen = [factor * row["effect"] for row in rows]
    look = marker(style)
    return go.Scatter(
        x=seen,
        y=list(spots),
        error_x={
            "type": "data",
            "array": [high - at for at, (_, high) in zip(seen, ends, strict=True)],
            "arrayminus": [at - low for at, (low, _) in zip(seen, ends, strict=True)],
            "symmetric": False,
            "color": style.colour,
            "thickness": 1.6,
            "width": 3,
        },
        mode="markers",
        marker=look
        | {
            "symbol": [f"{style.symbol}{'' if row['decided'] else '-open'}" for row in rows],
            "line": {"width": 2, "color": style.colour},
        },
        name=style.label,
        legendgroup=style.name,
        hoverinfo="text",
        hovertext=[_told(row, at, end) for row, at, end in zip(rows, seen, ends, strict=True)],
    )


def _price(
    rows: Sequence[Row], spots: Sequence[float], style: Style, *, priced: bool, width: float
) -> go.Bar:
    import plotly.graph_objects as go

    column = "cost_per_1k_usd" if priced else "input_tokens"
    values = [row[column] for row in rows]
    unit = "USD per 1,000 answers" if priced else "input tokens an answer"
    return go.Bar(
        x=values,
        y=list(spots),
        orientation="h",
        width=[width] * len(values),
        xaxis="x2",
        yaxis="y",
        marker={"color": style.colour, "line": {"width": 1, "color": LINE}},
        showlegend=False,
        legendgroup=style.name,
        hoverinfo="text",
        hovertext=[
            f"{plotly_text(row['block'], limit=80)}<br>{value:+.3g} {unit}"
            for row, value in zip(rows, values, strict=True)
        ],
    )


def _ends(row: Row, factor: int) -> tuple[float, float]:
    """The interval; the effect alone where there is none."""
    low, high = factor * row["all_low"], factor * row["all_high"]
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    return factor * row["effect"], factor * row["effect"]


def _told(row: Row, seen: float, ends: tuple[float, float]) -> str:
    low, high = ends
    told = f"{seen:+.3g}" + (f" ({low:+.3g} to {high:+.3g})" if low < high else "")
    return f"{plotly_text(row['block'], limit=80)}<br>{told}<br>{counted(row['samples'], 'sample')}"
