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
from labkit.charts import steps
from labkit.charts.chart_data import By, compared, rows
from labkit.charts.clocks import contender_rows
from labkit.charts.figure_layout import LINE, NOTHING, ROW_PX, axis, counted, figure, without_data
from labkit.charts.model_styles import COLOURS
from labkit.contender import steps_of
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
    frame, by = compared(x, by, "cost_usd", *TOKENS, "parent_id", "steps")
    given = rows(frame, [], by=by, labels=labels)
    parts_usd = _parts_usd(x, frame, prices if prices is not None else getattr(x, "prices", dict)())
    done = (frame["status"] == "done").to_numpy() if len(frame) else np.zeros(0, dtype=bool)
    if "model" not in given.by and frame["model"].nunique() > 1:
        raise DefinitionError(
            "by='prompt' is over several models, whose prices differ; give by='model' or ['prompt', 'model']"
        )
    parts, missing = [], []
    for style, part in given.per_contender(pd.Series(done)):
        mine = frame.iloc[part.index]
        found = _classes(mine, parts_usd.iloc[part.index], part["sample"].to_numpy())
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


def _parts_usd(x: Any, frame: pd.DataFrame, listed: Prices) -> pd.DataFrame:
    """What each row costs by listed prices, class by class. A chain that several models answered is the sum
    of its steps, each at the prices of its model."""
    found = _priced(frame, listed)
    several = any(steps_of(str(name)) for name in frame["model"].unique())
    if not several or isinstance(x, type(frame)) or "parent_id" not in frame.columns:
        return found
    lines = steps.lines(x.generations(steps=True, columns=[*steps.READ, *TOKENS]))
    sums = _priced(lines, listed).groupby(lines["line"].to_numpy()).sum(min_count=1)
    chains = frame["steps"].notna().to_numpy(dtype=bool)
    found[chains] = sums.reindex(frame.loc[chains, "parent_id"]).to_numpy()
    return found


def _priced(frame: pd.DataFrame, listed: Prices) -> pd.DataFrame:
    import pandas as pd

    into, read, written, out, thought = (
        frame[name].astype(float).to_numpy() if name in frame.columns else np.full(len(frame), np.nan)
        for name in TOKENS
    )
    tokens = {
        "input": np.maximum(0.0, into - np.nan_to_num(read) - np.nan_to_num(written)),
        "cache_read": read,
        "cache_write": written,
        "output": np.maximum(0.0, out - np.nan_to_num(thought)),
        "reasoning": thought,
    }
    # Reasoning is charged as output, and cached input as input where no price of its own is listed.
    usual = {"cache_read": "input", "cache_write": "input", "reasoning": "output"}
    models = frame["model"].astype(str)
    own = {name: listed.get(name) or {} for name in models.unique()}
    found = {}
    for key, count in tokens.items():
        usd = {name: of.get(key, of.get(usual.get(key, key), 0.0)) for name, of in own.items()}
        found[key] = count * models.map(usd).to_numpy(dtype=float) / 1e6
    return pd.DataFrame(found, index=range(len(frame)))


def _classes(part: pd.DataFrame, usd: pd.DataFrame, samples: NDArray[np.intp]) -> dict[str, float] | None:
    cost = (
        part["cost_usd"].to_numpy(dtype=float, na_value=np.nan) if "cost_usd" in part else np.array([np.nan])
    )
    if np.isnan(cost).any():
        return None
    total = cost_per_1k(cost, samples).estimate
    each = usd.groupby(samples).mean()
    found = {key: 1000 * float(each[key].mean()) if each[key].notna().any() else 0.0 for key in usd.columns}
    rest = total - sum(found.values())
    found["rest"] = rest if abs(rest) > 0.01 * max(total, 1e-12) else 0.0
    return found


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
