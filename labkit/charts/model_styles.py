"""How each contender looks in every chart: its colour, marker, dash and label.

A model has one colour, whatever is compared; marker and dash tell the prompt where prompts are told apart,
else they tell the model too, so that colour is never alone. Looks follow the sorted order of the frame's
models and prompts, so they are the same in all charts of a frame. Colours are Okabe and Ito's (2008) with
grey for black, which no dark theme shows. This module knows names and nothing of what is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labkit.contender import steps_of
from labkit.summary.contender_names import whole_labels
from labkit.summary.contender_table import BETWEEN
from labkit.visible import visible

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442")
POOLED = "#7f7f7f"
"""The colour of a prompt over several models, which has none of theirs."""
# Thirteen shapes and seven dashes against eight colours: the pair repeats only after 56 models.
SYMBOLS = (
    "circle", "square", "diamond", "triangle-up", "cross", "triangle-down", "star",
    "pentagon", "x", "hexagon", "hourglass", "star-square", "bowtie",
)  # fmt: skip
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "3px,5px")
LABEL_CHARACTERS = 34
PROMPT_CHARACTERS = 24


@dataclass(frozen=True)
class Style:
    """One contender's style; `label` is escaped for Plotly."""

    name: str
    label: str
    colour: str
    symbol: str
    dash: str


def styles(models: Iterable[str], *, labels: Mapping[str, str] | None = None) -> dict[str, Style]:
    """A style for each model id, in sorted order; its label is its name in tables
    (`labkit.summary.contender_names`), cut where it is long.

    >>> [style.label for style in styles(["shop/b", "shop/a"], labels={"shop/b": "B (base)"}).values()]
    ['shop/a', 'B (base)']
    """
    ordered = sorted(models)
    called = whole_labels(ordered, labels or {})
    # Of a chain the end tells as much as the beginning, so it is cut later.
    whole = [label for model, label in called.items() if not steps_of(model)]
    cut = _unique_cuts(whole, LABEL_CHARACTERS)
    shown = {model: cut.get(label, label) for model, label in called.items()}
    return {
        model: Style(
            model,
            plotly_text(shown[model], limit=160),
            COLOURS[place % len(COLOURS)],
            SYMBOLS[place % len(SYMBOLS)],
            DASHES[place % len(DASHES)],
        )
        for place, model in enumerate(ordered)
    }


def contender_styles(
    contenders: Mapping[str, Mapping[str, str]], models: Mapping[str, Style], prompts: Sequence[str]
) -> dict[str, Style]:
    """A style for each of `contenders`, whose name says what it has of `prompt` and `model`.

    `models` are all models' styles, `prompts` all prompts' names.

    >>> found = contender_styles(
    ...     {"ask · m": {"prompt": "ask", "model": "m"}}, styles(["m"]), ["ask", "examples"]
    ... )
    >>> found["ask · m"].label, found["ask · m"].colour == styles(["m"])["m"].colour
    ('ask · m', True)
    """
    cut = _unique_cuts(sorted(prompts), PROMPT_CHARACTERS)
    places = {prompt: place for place, prompt in enumerate(sorted(prompts))}
    alone = next(iter(models.values())).colour if len(models) == 1 else POOLED
    found = {}
    for name, of in contenders.items():
        model, prompt = models.get(of.get("model", "")), of.get("prompt")
        if prompt is None:
            if model is not None:
                found[name] = model
            continue
        place, label = places[prompt], plotly_text(cut[prompt], limit=80)
        found[name] = Style(
            name,
            label if model is None else f"{label}{BETWEEN}{model.label}",
            alone if model is None else model.colour,
            SYMBOLS[place % len(SYMBOLS)],
            DASHES[place % len(DASHES)],
        )
    return found


def plotly_text(value: object, *, limit: int = 200) -> str:
    """`value` so that Plotly shows its very characters: no tags, no links, no TeX, no entities.

    >>> plotly_text("<b>$x$</b> & co")
    '&lt;b&gt;&#36;x&#36;&lt;/b&gt; &amp; co'
    """
    text = visible(value, limit=limit).replace("&", "&amp;").replace("<", "&lt;")
    return text.replace(">", "&gt;").replace("$", "&#36;")


def _unique_cuts(labels: Sequence[str], most: int) -> dict[str, str]:
    """Each label, cut to so many characters, but where that makes two look the same."""
    cut = {label: _cut(label, most) for label in labels}
    return {label: label if _repeats(cut.values(), cut[label]) else cut[label] for label in labels}


def _repeats(names: Iterable[str], name: str) -> bool:
    return sum(other == name for other in names) > 1


def _cut(label: str, most: int) -> str:
    if len(label) <= most:
        return label
    half = (most - 1) // 2
    return f"{label[:half]}…{label[-half:]}"
