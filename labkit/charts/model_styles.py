"""How each model styles in every chart: its colour, marker, dash and label.

Looks follow the sorted order of the frame's models, so they are the same in all charts of a frame.
Colours are Okabe and Ito's (2008) with grey for black, which no dark theme shows; colour is never
alone. This module knows model ids and nothing of what is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labkit.visible import visible

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442")
# Seven shapes and seven dashes against eight colours: the pair repeats only after 56 models.
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down", "star")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "3px,5px")
LABEL_CHARACTERS = 34


@dataclass(frozen=True)
class ModelStyle:
    """One model's style; `label` is escaped for Plotly."""

    model: str
    label: str
    colour: str
    symbol: str
    dash: str


def styles(
    models: Mapping[str, str | None], *, labels: Mapping[str, str] | None = None
) -> dict[str, ModelStyle]:
    """A style for each model of `models` (id → provider or None), in sorted order.

    The label is that of `labels`, else the id without its provider where that is unique; local
    models say so.

    >>> styles({"openai/gpt-4o": "openai", "local/smollm2": "local"})["local/smollm2"].label
    'smollm2 (local)'
    """
    ordered = sorted(models)
    shown = _labels(ordered, models, labels or {})
    return {
        model: ModelStyle(
            model,
            plotly_text(shown[model], limit=80),
            COLOURS[place % len(COLOURS)],
            SYMBOLS[place % len(SYMBOLS)],
            DASHES[place % len(DASHES)],
        )
        for place, model in enumerate(ordered)
    }


def plotly_text(value: object, *, limit: int = 200) -> str:
    """`value` so that Plotly shows its very characters: no tags, no links, no TeX, no entities.

    >>> plotly_text("<b>$x$</b> & co")
    '&lt;b&gt;&#36;x&#36;&lt;/b&gt; &amp; co'
    """
    text = visible(value, limit=limit).replace("&", "&amp;").replace("<", "&lt;")
    return text.replace(">", "&gt;").replace("$", "&#36;")


def _labels(
    models: list[str], providers: Mapping[str, str | None], given: Mapping[str, str]
) -> dict[str, str]:
    short = {model: model.partition("/")[2] or model for model in models}
    found = {}
    for model in models:
        label = given.get(model) or (model if _repeats(short.values(), short[model]) else short[model])
        if providers[model] == "local" and model not in given:
            label += " (local)"
        found[model] = label
    cut = {model: _cut(label) for model, label in found.items()}
    # A cut that makes two models look the same is no cut worth making.
    return {model: found[model] if _repeats(cut.values(), cut[model]) else cut[model] for model in models}


def _repeats(names: Iterable[str], name: str) -> bool:
    return sum(other == name for other in names) > 1


def _cut(label: str) -> str:
    if len(label) <= LABEL_CHARACTERS:
        return label
    half = (LABEL_CHARACTERS - 1) // 2
    return f"{label[:half]}…{label[-half:]}"
