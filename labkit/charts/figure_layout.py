"""What all charts share: theme, titles, axes that turn logarithmic, a place for 0, a figure without data.

It knows Plotly and no data.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.charts.model_styles import plotly_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

TEXT = "#7f7f7f"
"""Readable on white and on black."""
FAINT = "rgba(127,127,127,0.25)"
LINE = "rgba(127,127,127,0.65)"
ROW_PX = 21
NOTHING = (-1.0, 1.0)
"""The span of an axis on which everything is 0."""
LOG_FROM = 20.0
"""A positive axis becomes logarithmic where its largest value is more than 20 times the smallest."""


def figure(title: str, subtitle: str = "", *, height: int = 440) -> go.Figure:
    """An empty figure in labkit's theme: transparent, with a title that names n."""
    import plotly.graph_objects as go

    return go.Figure(
        layout={
            "template": go.layout.Template(),
            "title": {
                "text": title,
                "subtitle": {"text": subtitle, "font": {"size": 12, "color": TEXT}},
                "font": {"size": 16},
                "x": 0,
                "xref": "container",
                "xanchor": "left",
                "pad": {"l": 12, "t": 14},
                "y": 1,
                "yref": "container",
                "yanchor": "top",
            },
            "font": {"color": TEXT, "size": 12},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "height": height,
            "margin": {"l": 64, "r": 24, "t": 84, "b": 56},
            "legend": {"title": {"text": ""}, "itemsizing": "constant", "font": {"size": 12}},
            "hoverlabel": {"namelength": 0},
        }
    )


def without_data(title: str, why: str) -> go.Figure:
    """A figure that says why there is nothing to see; `why` may hold what a model or a scorer said."""
    found = figure(title, height=260)
    why = "<br>".join(plotly_text(line, limit=120) for line in textwrap.wrap(why, 90))
    found.add_annotation(text=why, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper", font_size=14)
    found.update_xaxes(visible=False)
    found.update_yaxes(visible=False)
    return found


def counted(number: int, noun: str) -> str:
    """`number` with its noun.

    >>> counted(1, "model"), counted(1200, "answer")
    ('1 model', '1,200 answers')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def is_log(values: Iterable[float]) -> bool:
    """Whether an axis over `values` reads better as a logarithmic one: no negative, range above 20×."""
    positive = [value for value in values if math.isfinite(value) and value != 0]
    return bool(positive) and min(positive) > 0 and max(positive) > LOG_FROM * min(positive)


def axis(title: str, **changes: Any) -> dict[str, Any]:
    """An axis in labkit's theme."""
    return {
        "title": {"text": title, "standoff": 10},
        "gridcolor": FAINT,
        "linecolor": LINE,
        "tickcolor": LINE,
        "zerolinecolor": LINE,
        "automargin": True,
        **changes,
    }


@dataclass(frozen=True)
class Scale:
    """An axis for values that may span decades and may be 0.

    On a logarithmic axis zeros get a place of their own at the low end, with the tick "0".
    """

    log: bool
    zero_at: float
    """Where zeros are drawn; 0 on a linear axis."""
    ticks: tuple[float, ...]
    span: tuple[float, float]

    def place(self, value: float) -> float:
        """Where `value` is drawn."""
        return self.zero_at if self.log and value <= 0 else value

    def below(self, value: float, low: float) -> float:
        """How far an error bar reaches down from `value` to `low`; never through the zeros' place."""
        if math.isnan(low) or value <= 0:
            return 0.0
        return value - max(low, self.span[0])

    def axis(self, title: str, **changes: Any) -> dict[str, Any]:
        """The axis for Plotly."""
        if not self.log:
            marks = {"tickvals": [0], "ticktext": ["0"]} if self.span == NOTHING else {}
            return axis(title, range=list(self.span), **marks, **changes)
        texts = ["0" if tick == self.zero_at else f"{tick:g}" for tick in self.ticks]
        span = [math.log10(end) for end in self.span]
        return axis(
            f"{title}, log scale",
            type="log",
            tickvals=list(self.ticks),
            ticktext=texts,
            range=span,
            **changes,
        )


def scale(values: Sequence[float], *, ends: Sequence[float] = ()) -> Scale:
    """The scale for `values`; `ends` are limits of intervals, which widen it but do not decide it."""
    finite = [value for value in values if math.isfinite(value)]
    if not is_log(finite):
        top = max([0.0, *finite, *(end for end in ends if math.isfinite(end))])
        # A little room left of 0, so that marks at 0 are whole.
        return Scale(False, 0.0, (), (-0.04 * top, 1.06 * top) if top > 0 else NOTHING)
    seen = [value for value in [*finite, *ends] if math.isfinite(value) and value > 0]
    smallest = min(value for value in finite if value > 0)
    # An interval may reach down to almost 0; a decade below the smallest value is enough to show it.
    low, high = max(min(seen), smallest / 10) / 1.5, max(seen) * 1.5
    zero_at = low / 2
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    wide = math.log10(high / low) > 2.5
    ticks = [m * 10.0**d for d in decades for m in ((1,) if wide else (1, 2, 5))]
    kept = tuple(tick for tick in ticks if low <= tick <= high)
    zeros = any(value == 0 for value in finite)
    if not zeros:
        return Scale(True, low, kept, (low, high))
    return Scale(True, zero_at, (zero_at, *kept), (zero_at / 1.6, high))
