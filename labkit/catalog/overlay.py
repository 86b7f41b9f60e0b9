"""Models in a TOML file: the package's own list, or a user's.

    [[model]]
    id = "vllm/qwen3"
    base_url = "http://127.0.0.1:8000/v1"
    context_window = 32768
    prices = { input = 0.0, output = 0.0 }
    capabilities = ["streaming", "tools"]

The fields are those of `Model`; `weights` is a table with the fields of `Weights`.
It does not know which models are already there.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from labkit.catalog.check import faults
from labkit.catalog.model import Model, Weights
from labkit.errors import DefinitionError
from labkit.paths import read_text

LARGEST_BYTES = 10_000_000
_FIELDS = {field.name for field in dataclasses.fields(Model)} - {"client"}


@cache
def bundled() -> tuple[Model, ...]:
    """The models labkit itself lists."""
    text = files("labkit.catalog").joinpath("overlay.toml").read_text(encoding="utf-8")
    return tuple(_model(entry, "overlay.toml")[0] for entry in tomllib.loads(text)["model"])


def read(path: str | os.PathLike[str]) -> list[Model]:
    """The models in the TOML file `path`; `DefinitionError` naming all that is wrong in it."""
    shown = os.fspath(path)
    try:
        found = tomllib.loads(read_text(path, what="model file", limit_bytes=LARGEST_BYTES))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DefinitionError(f"The model file {shown!r} is no TOML: {error!s:.200}.") from None
    entries = found.get("model")
    if (
        set(found) != {"model"}
        or not isinstance(entries, list)
        or not all(isinstance(e, dict) for e in entries)
    ):
        raise DefinitionError(f"The model file {shown!r} is to hold [[model]] tables, and nothing else.")
    models, wrong = [], []
    for number, entry in enumerate(entries, 1):
        try:
            model, unknown = _model(entry, shown)
            wrong += unknown + [f"{fault} ({shown!r}, entry {number})" for fault in faults(model)]
            models.append(model)
        except (TypeError, ValueError, AttributeError) as error:
            wrong.append(f"The model file {shown!r}, entry {number}, cannot be read: {error!s:.200}.")
    if wrong:
        raise DefinitionError(wrong)
    return models


def _model(entry: dict[str, Any], shown: str) -> tuple[Model, list[str]]:
    values = dict(entry)
    id = values.pop("id", "")
    unknown = []
    for name in [name for name in values if name not in _FIELDS]:
        near = difflib.get_close_matches(name, _FIELDS, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(sorted(_FIELDS))}."
        unknown.append(f"The model file {shown!r} has {name!r} for {id!r:.60}. {hint}")
        del values[name]
    if "weights" in values:
        weights = dict(values["weights"])
        if "path" in weights:
            weights["path"] = Path(weights["path"])
        values["weights"] = Weights(**weights)
    return Model(id, **values), unknown
