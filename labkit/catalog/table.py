"""The catalog as a table, for reading: one row a model.

It computes nothing but what stands in the models and in their prices at a date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

from labkit.catalog.model import CAPABILITIES, Model
from labkit.catalog.prices import pricer
from labkit.visible import shown

if TYPE_CHECKING:
    import pandas as pd

_PRICES = ("input", "output", "cache_read", "cache_write")
_FLOATS = tuple(f"{kind}_usd_mtok" for kind in _PRICES)
_TEXTS = ("id", "label", "provider", "price_id", "key", "aliases")


def frame(models: Iterable[Model], *, keys: Callable[[Model], str] | None, at: datetime) -> pd.DataFrame:
    """One row a model, in the catalog's order:

    - `id`, `label`, `provider`: text;
    - `context_window`, `max_output`: tokens, `Int64`, NA where not known;
    - `streaming`, `vision`, `tools`, `json`, `reasoning`: `boolean`, NA where not known;
    - `input_usd_mtok`, `output_usd_mtok`, `cache_read_usd_mtok`, `cache_write_usd_mtok`: USD per million
      tokens at `at`, `float64`, NaN where not known; the lowest tier where there are tiers;
    - `prices_from`: the day since which they hold, NaT where the data gives none;
    - `price_id`: which price it is, or `unknown: why`;
    - `retired`: the day its provider stopped answering for it, NaT while it answers;
    - `retires`: the day its provider has announced that it will, NaT where there is none;
    - `key`: `found`, `missing` or `not needed`, NA where nobody looked;
    - `aliases`: text, separated by commas.
    """
    import pandas as pd

    told = _once_per_endpoint(keys)
    rows = [_row(model, told, at) for model in models]
    names = list(_row(Model("none/none", prices={"input": 0, "output": 0}), None, at))
    table = pd.DataFrame(rows, columns=names)
    kinds: dict[str, Any] = dict.fromkeys(_TEXTS, "str")
    kinds |= dict.fromkeys(("context_window", "max_output"), "Int64")
    kinds |= dict.fromkeys(CAPABILITIES, "boolean") | dict.fromkeys(_FLOATS, "float64")
    kinds |= dict.fromkeys(("prices_from", "retired", "retires"), "datetime64[s]")
    return table.astype(kinds)


def html(models: Iterable[Model], *, keys: Callable[[Model], str] | None, at: datetime) -> str:
    """The table for a notebook: escaped, without script, in the colours of its surroundings."""
    told = _once_per_endpoint(keys)
    heads = ("model", "context", "max output", "can", "USD / M tokens in", "out", "cached", "key", "until")
    body = "".join(f"<tr>{''.join(map(_cell, _shown(model, told, at)))}</tr>" for model in models)
    head = "".join(f'<th style="text-align:left">{escape(shown(name))}</th>' for name in heads)
    return (
        '<table style="color:inherit;background:transparent;border-color:var(--jp-border-color2, #8888)">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _once_per_endpoint(keys: Callable[[Model], str] | None) -> Callable[[Model], str] | None:
    """`keys`, asked once for all models of an endpoint: looking into a keyring takes time."""
    if keys is None:
        return None
    known: dict[tuple[Any, ...], str] = {}

    def told(model: Model) -> str:
        endpoint = (model.provider, model.dialect, model.base_url, model.key_env, model.allow_host)
        where = (*endpoint, model.client is None)
        if where not in known:
            known[where] = keys(model)
        return known[where]

    return told


def _row(model: Model, keys: Callable[[Model], str] | None, at: datetime) -> dict[str, Any]:
    price = pricer(model, at)
    row: dict[str, Any] = {
        "id": model.id,
        "label": model.label or model.name,
        "provider": model.provider,
        "context_window": model.context_window,
        "max_output": model.max_output,
    }
    for name in CAPABILITIES:
        row[name] = True if name in model.capabilities else False if name in model.lacks else None
    row |= {f"{kind}_usd_mtok": price.usd_mtok(kind) for kind in _PRICES}
    gone = model.retired is not None and model.retired <= at.date()
    row |= {"prices_from": price.holds_from, "price_id": price.price_id}
    row |= {"retired": model.retired if gone else None, "retires": None if gone else model.retired}
    return row | {"key": None if keys is None else keys(model), "aliases": ", ".join(model.aliases)}


def _shown(model: Model, keys: Callable[[Model], str] | None, at: datetime) -> list[str]:
    price = pricer(model, at)
    until = "" if model.retired is None else str(model.retired)
    if model.retired is not None and model.retired <= at.date():
        until = f"retired {until}"
    key = "" if keys is None else keys(model)
    name = model.id if model.label is None else f"{model.label} · {model.id}"
    can = ", ".join(capability for capability in CAPABILITIES if capability in model.capabilities)
    money = ("–" if usd is None else f"{usd:g}" for usd in map(price.usd_mtok, _PRICES[:3]))
    tokens = ("–" if count is None else f"{count:,}" for count in (model.context_window, model.max_output))
    return [name, *tokens, can, *money, key, until]


def _cell(text: str) -> str:
    return f'<td style="text-align:left">{escape(shown(text))}</td>'
