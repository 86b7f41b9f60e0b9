"""Choose models: price, context window, and whether the key was found stand beside each. It asks nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from labkit.widgets.selector import Choice, Selector

if TYPE_CHECKING:
    import pandas as pd


class HasModels(Protocol):
    """What the selector needs of a lab: `models.frame()`, one row per model."""

    @property
    def models(self) -> Any: ...


class ModelSelector(Selector):
    """A searchable list of the lab's models; `.value` is what `lab.plan(models=…)` takes.

    Without `value=` every local model whose weights are here is chosen, so *Run All* works without a key.

    >>> models = ModelSelector(lab)             # doctest: +SKIP
    >>> plan = lab.plan(prompts=["{{ text }}"], models=models.value)   # doctest: +SKIP
    """

    def __init__(self, lab: HasModels, *, value: Sequence[str] | None = None) -> None:
        frame: pd.DataFrame = lab.models.frame()
        rows = [
            row for row in frame.to_dict("records") if row["retired"] is None or row["id"] in (value or ())
        ]
        choices = [Choice(row["id"], _line(row), _facts(row)) for row in rows]
        ready = [row["id"] for row in rows if row["key"] == "not needed"]
        super().__init__(
            choices,
            value=ready if value is None else value,
            title="models",
            heads=("model", "context", "USD per million tokens in / out", "key"),
            call="lk.ModelSelector",
        )


def _facts(row: dict[str, Any]) -> tuple[str, ...]:
    window = row["context_window"]
    context = "unknown" if window is None or window != window else f"{int(window):,} tokens"
    return str(row["id"]), context, _price(row), f"key {row['key']}"


def _price(row: dict[str, Any]) -> str:
    prices = [row["input_usd_mtok"], row["output_usd_mtok"]]
    if any(price is None or price != price for price in prices):
        return "price unknown"
    return " / ".join(f"{price:g}" for price in prices)


def _line(row: dict[str, Any]) -> str:
    _, context, price, key = _facts(row)
    return f"{row['id']} — {price} USD/Mtok — {context} — {key}"
