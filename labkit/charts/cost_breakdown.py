"""What a cost is made of: fresh input, cached input, visible output, reasoning, per contender.

It multiplies token counts by listed prices; what these do not explain is drawn as such, never hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labkit.arguments import check, mapping
from labkit.catalog.check import price_faults
from labkit.charts.chart_data import By, frame_of, rows
from labkit.charts.clocks import contender_rows
from labkit.charts.figure_layout import LINE, NOTHING, ROW_PX, axis, counted, figure, without_data
from labkit.charts.model_styles import COLOURS
from labkit.errors import DefinitionError
from labkit.records import Generations
from labkit.summary import cost_per_1k
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

CLASSES = (
    ("input", "fresh input", COLOURS[4], ""),
    ("cache_read", "read from cache", COLOURS[0], "/"),
    ("cache_write", "written to cache", COLOURS[3], "x"),
    ("output", "visible output", COLOURS[1], ""),
    ("reasoning", "reasoning", COLOURS[5], "\\"),
)
REST = ("rest", "not explained by listed prices", COLOURS[6], ".")
TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
Prices = Mapping[str, Mapping[str, float]]
"""Model id → `input`, `output`, `cache_read`, `cache_write` → USD per million tokens."""


def cost_parts(
    x: Generations | pd.DataFrame,
    *,
    by: By = None,
    prices: Prices | None = None,
    labels: Mapping[str, str] | None = None,
) -> go.Figure:
    """The cost of 1,000 answers (as in `summarize`) by token class, one bar per contender, dearest on top.

    `by` says what the contenders are: `"model"`, or `["prompt", "model"]`; by default models, and both where
    there are several prompts. Raises DefinitionError for prompts over several models, whose prices differ.
    `prices` are USD per million tokens by model and class; a run knows its own. Where they explain the
    charged cost to within one part in a hundred nothing more is drawn; else the rest is a class of its
    own. What has no known cost is named and not drawn.
    """
    import pandas as pd

    if prices is not None:
        check(mapping("prices", prices, like="{'openai/gpt-4o': {'input': 1, 'output': 4}}"))
        check(*(price_faults(given or None, quoted(model)) for model, given in prices.items()))
    frame = frame_of(x, "cost_usd", *TOKENS)
    given, listed = (
        rows(frame, [], by=by, labels=labels),
        prices if prices is not None else getattr(x, "prices", dict)(),
    )
    done = (frame["status"] == "done").to_numpy() if len(frame) else np.zeros(0, dtype=bool)
    if "model" not in given.by and frame["model"].nunique() > 1:
        raise DefinitionError(
            "by='prompt' is over several models, whose prices differ; give by='model' or ['prompt', 'model']"
        )
    parts, missing = [], []
    for style, part in given.per_contender(pd.Series(done)):
        mine = frame.iloc[part.index]
        found = _classes(mine, part["sample"].to_numpy(), listed.get(str(mine["model"].iloc[0])) or {})
        if found is None:
            missing.append(style.label)
        else:
            parts.append((style, found))
    if not parts:
        return without_data("Cost by token class, n = 0 answers", "No answer has a known cost.")
    parts.sort(key=lambda part: (sum(part[1].values()), part[0].name))
    heading = f"Cost of {given.counted(len(parts))} by token class, n = {counted(int(done.sum()), 'answer')}"
    said = f"cost not known: {', '.join(missing[:3])}" + (" …" if len(missing) > 3 else "") if missing else ""
    found = figure(heading, said, height=max(260, 170 + ROW_PX * len(parts)))
    for key, name, colour, pattern in (*CLASSES, REST):
        if any(part[key] for _, part in parts):
            found.add_trace(_bar(parts, key, name, colour, pattern))
    most = max(sum(part.values()) for _, part in parts)
    span = {} if most else {"range": list(NOTHING), "tickvals": [0], "ticktext": ["0"]}
    found.update_layout(barmode="relative", bargap=0.3, showlegend=True)
    found.update_layout(legend={"orientation": "h", "y": -70 / (found.layout.height - 140), "x": 0})
    found.update_xaxes(axis("cost of 1,000 answers (USD)", **span))
    found.update_yaxes(contender_rows([style for style, _ in parts]))
    return found


def _classes(
    part: pd.DataFrame, samples: NDArray[np.intp], listed: Mapping[str, float]
) -> dict[str, float] | None:
    cost = (
        part["cost_usd"].to_numpy(dtype=float, na_value=np.nan) if "cost_usd" in part else np.array([np.nan])
    )
    if np.isnan(cost).any():
        return None
    total = cost_per_1k(cost, samples).estimate
    counts = {name: _mean(part, name, samples) for name in TOKENS}
    into, out = counts["input_tokens"], counts["output_tokens"]
    read, written, thought = (
        counts[name] for name in TOKENS if name not in ("input_tokens", "output_tokens")
    )
    tokens = {
        "input": max(0.0, into - read - written),
        "cache_read": read,
        "cache_write": written,
        "output": max(0.0, out - thought),
        "reasoning": thought,
    }
    # Reasoning is charged as output, and cached input as input where no price of its own is listed.
    usual = {"cache_read": "input", "cache_write": "input", "reasoning": "output"}
    found = {}
    for key, count in tokens.items():
        usd = listed.get(key, listed.get(usual.get(key, key), 0.0))
        found[key] = count * usd / 1e6 * 1000
    rest = total - sum(found.values())
    found["rest"] = rest if abs(rest) > 0.01 * max(total, 1e-12) else 0.0
    return found


def _mean(part: pd.DataFrame, name: str, samples: NDArray[np.intp]) -> float:
    if name not in part.columns:
        return 0.0
    values = part[name].astype(float).groupby(samples).mean()
    return float(values.mean()) if values.notna().any() else 0.0


def _bar(parts: list[Any], key: str, name: str, colour: str, pattern: str) -> go.Bar:
    import plotly.graph_objects as go

    return go.Bar(
        x=[part[key] for _, part in parts],
        y=list(range(len(parts))),
        orientation="h",
        name=name,
        marker={"color": colour, "line": {"width": 0.5, "color": LINE}, "pattern": {"shape": pattern}},
        hoverinfo="text",
        hovertext=[f"{style.label}<br>{name}: {part[key]:.3g} USD per 1,000" for style, part in parts],
        textposition="none",
    )
