"""What each step of a chain costs and takes, one upon the other, per contender.

It puts the steps of a frame together into lines; the means are over samples. It does not know what a step
asks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from labkit.charts.clocks import contender_rows
from labkit.charts.figure_layout import LINE, NOTHING, ROW_PX, axis, counted, figure, without_data
from labkit.charts.model_styles import COLOURS, Style, contender_styles, plotly_text, styles
from labkit.contender import joined
from labkit.errors import DefinitionError
from labkit.records import Generations
from labkit.summary.contender_table import BETWEEN

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

READ = (
    "generation_id", "parent_id", "prompt", "model", "sample_id", "status", "step", "step_name", "cost_usd",
    "latency_s",
)  # fmt: skip
PATTERNS = ("", "/", ".", "x", "\\", "-", "|", "+")


class _Bar(NamedTuple):
    style: Style
    steps: Sequence[str]
    usd: Sequence[float]
    """Of 1,000 answers, by step."""
    seconds: Sequence[float]


def step_costs(x: Generations | pd.DataFrame, *, labels: Mapping[str, str] | None = None) -> go.Figure:
    """The cost of 1,000 answers and the latency of one, step upon step, one bar per contender that is a
    chain.

    Cost and latency are those of each line as if it stood alone: a step that several lines begin with is in
    each of their bars. Means over samples of finished chains; latencies of fresh answers. A frame is to be
    one of steps, `run.generations(steps=True)`. Raises DefinitionError where it is not."""
    from plotly.subplots import make_subplots

    frame = _of_steps(x)
    if missing := [name for name in READ if name not in frame.columns]:
        raise DefinitionError(
            f"the frame has no column {missing[0]!r}; this chart needs run.generations(steps=True)"
        )
    found = lines(frame)
    bars, answers = _bars(found, labels or frame.attrs.get("labels") or {})
    if not bars:
        why = "No prompt is a chain." if not (frame["step"] > 0).any() else "No chain is finished."
        return without_data("Cost and latency by step, n = 0 answers", why)
    heading = (
        f"Cost and latency by step of {counted(len(bars), 'contender')}, n = {counted(answers, 'answer')}"
    )
    unknown = [bar.style.label for bar in bars if any(map(math.isnan, bar.usd))]
    said = f"cost not known: {', '.join(unknown[:3])}{' …' if len(unknown) > 3 else ''}" if unknown else ""
    grid = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.06)
    grid.update_layout(figure(heading, said, height=max(260, 170 + ROW_PX * len(bars))).layout)
    names = list(dict.fromkeys(step for bar in bars for step in bar.steps))
    for place, name in enumerate(names):
        for column, unit in ((1, "USD per 1,000"), (2, "s")):
            grid.add_trace(_trace(bars, name, place, unit, first=column == 1), row=1, col=column)
    nothing = {"range": list(NOTHING), "tickvals": [0], "ticktext": ["0"]}
    free = not any(usd > 0 for bar in bars for usd in bar.usd)
    grid.update_xaxes(axis("cost of 1,000 answers (USD)", **(nothing if free else {})), row=1, col=1)
    grid.update_xaxes(axis("latency (s), mean"), row=1, col=2)
    grid.update_yaxes(contender_rows([bar.style for bar in bars]))
    grid.update_yaxes(showticklabels=False, row=1, col=2)
    grid.update_layout(barmode="stack", bargap=0.3, showlegend=True)
    grid.update_layout(legend={"orientation": "h", "y": -70 / (grid.layout.height - 140), "x": 0})
    return grid


def _of_steps(x: Any) -> pd.DataFrame:
    """`x` itself if it is a frame, else its steps. Raises DefinitionError if it has none."""
    import pandas as pd

    if isinstance(x, pd.DataFrame):
        return x
    if not hasattr(x, "generations"):
        raise DefinitionError(f"a chart takes a run or a frame of generations, not a {type(x).__name__}")
    found: pd.DataFrame = x.generations(steps=True, columns=READ)
    return found


def lines(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per step of each finished chain: `line` (its last step), `contender`, and the step's own
    columns."""
    import pandas as pd

    done = frame[(frame["step"] > 0) & (frame["status"] == "done")]
    most = frame[frame["step"] > 0].groupby("prompt")["step"].max()
    at = done[done["step"] == done["prompt"].map(most)].assign(line=lambda rows: rows["generation_id"])
    found = []
    while len(at):
        found.append(at)
        up = at.loc[at["parent_id"].notna(), ["parent_id", "line"]]
        at = up.merge(done, left_on="parent_id", right_on="generation_id", suffixes=("_of", ""))
    if not found:
        return done.iloc[:0].assign(line="", contender="")
    every = pd.concat(found, ignore_index=True).sort_values(["line", "step"], kind="stable")
    called = {
        line: _contender(part["step_name"].tolist(), part["model"].astype(str).tolist())
        for line, part in every.groupby("line", sort=False)
    }
    return every.assign(contender=every["line"].map(called))


def _contender(steps: Sequence[str], models: Sequence[str]) -> str:
    return models[0] if len(set(models)) == 1 else joined(zip(steps, models, strict=True))


def _bars(lines: pd.DataFrame, labels: Mapping[str, str]) -> tuple[list[_Bar], int]:
    if lines.empty:
        return [], 0
    keys = list(dict.fromkeys(zip(lines["prompt"].astype(str), lines["contender"], strict=True)))
    prompts = sorted({prompt for prompt, _ in keys})
    of_models = styles({model for _, model in keys}, labels=labels)
    of = {
        BETWEEN.join(key) if len(prompts) > 1 else key[1]: {"prompt": key[0], "model": key[1]}
        if len(prompts) > 1
        else {"model": key[1]}
        for key in keys
    }
    looks = contender_styles(of, of_models, prompts)
    found = []
    for key, name in zip(keys, of, strict=True):
        part = lines[(lines["prompt"].astype(str) == key[0]) & (lines["contender"] == key[1])]
        steps = part.drop_duplicates("step_name")["step_name"].tolist()
        means = part.groupby(["step_name", "sample_id"], sort=False)[["cost_usd", "latency_s"]]
        each = means.agg(lambda values: values.mean(skipna=values.name == "latency_s")).groupby("step_name")
        usd, seconds = (
            each[column].agg(lambda values: values.mean(skipna=values.name == "latency_s")).reindex(steps)
            for column in ("cost_usd", "latency_s")
        )
        found.append(_Bar(looks[name], steps, [1000 * one for one in usd], seconds.tolist()))
    found.sort(key=lambda bar: (_known(bar.usd), _known(bar.seconds), bar.style.name))
    return found, lines["line"].nunique()


def _known(values: Sequence[float]) -> float:
    return sum(value for value in values if not math.isnan(value))


def _trace(bars: Sequence[_Bar], name: str, place: int, unit: str, *, first: bool) -> go.Bar:
    import plotly.graph_objects as go

    of = [dict(zip(bar.steps, bar.usd if first else bar.seconds, strict=True)) for bar in bars]
    values = [one.get(name, math.nan) for one in of]
    said = plotly_text(name, limit=40)
    return go.Bar(
        x=values,
        y=list(range(len(bars))),
        orientation="h",
        name=said,
        legendgroup=said,
        showlegend=first,
        marker={
            "color": COLOURS[place % len(COLOURS)],
            "line": {"width": 0.5, "color": LINE},
            "pattern": {"shape": PATTERNS[place % len(PATTERNS)]},
        },
        hoverinfo="text",
        hovertext=[
            f"{bar.style.label}<br>{said}: {value:.3g} {unit}"
            for bar, value in zip(bars, values, strict=True)
        ],
        textposition="none",
    )
