"""Models in a TOML file: the package's own list, or a user's.

    [[model]]
    id = "vllm/qwen3"
    base_url = "http://127.0.0.1:8000/v1"
    context_window = 32768
    prices = { input = 0.0, output = 0.0 }
    capabilities = ["streaming", "tools"]

The fields are those of `Model`; `weights` is a table with the fields of `Weights`, where a chat template
may stand in a file beside the TOML file: `chat_template_file = "mine.jinja"`.
It does not know which models are already there.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from labkit.catalog.check import faults
from labkit.catalog.model import Model, Weights
from labkit.errors import DefinitionError
from labkit.nearest import meant
from labkit.paths import as_path, read_text
from labkit.visible import quoted

LARGEST_BYTES = 10_000_000
_BUNDLED = Path(__file__).with_name("overlay.toml")
_FIELDS = {field.name for field in dataclasses.fields(Model)} - {"client"} | {"api"}


@cache
def bundled() -> tuple[Model, ...]:
    """The models labkit itself lists."""
    entries = tomllib.loads(_BUNDLED.read_text(encoding="utf-8"))["model"]
    return tuple(_model(entry, _BUNDLED) for entry in entries)


def read(path: str | os.PathLike[str]) -> list[Model]:
    """The models in the TOML file `path`; `DefinitionError` naming all that is wrong in it.

    Paths in it are relative to the file.
    """
    shown = str(as_path(path, what="model file"))
    try:
        found = tomllib.loads(read_text(path, what="model file", limit_bytes=LARGEST_BYTES))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DefinitionError(f"The model file {shown!r} is no TOML: {error!s:.200}.") from None
    entries = found.pop("model", None)
    tables = isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)
    if found or not entries or not tables:
        raise DefinitionError(f"The model file {shown!r} is to hold [[model]] tables, and nothing else.")
    models: list[Model] = []
    wrong: list[str] = []
    for number, entry in enumerate(entries, 1):
        try:
            models.append(_model(entry, Path(path)))
            wrong += [f"{fault} ({shown!r}, entry {number})" for fault in faults(models[-1])]
        except DefinitionError as error:
            wrong += [f"{fault} ({shown!r}, entry {number})" for fault in error.faults]
        except (TypeError, ValueError) as error:
            wrong.append(f"The model file {shown!r}, entry {number}, cannot be read: {error!s:.200}.")
    if wrong:
        raise DefinitionError(wrong)
    return models


def _model(entry: Mapping[str, Any], file: Path) -> Model:
    unknown = [name for name in entry if name not in _FIELDS]
    if unknown:
        raise DefinitionError(_unknown(name) for name in unknown)
    values = dict(entry)
    if "weights" in values:
        values["weights"] = _weights(values["weights"], file)
    return Model(values.pop("id", ""), **values)


def _weights(given: Mapping[str, Any], file: Path) -> Weights:
    values = dict(given)
    if "path" in values:
        values["path"] = file.parent / values["path"]
    if "chat_template_file" in values:
        template = file.parent / values.pop("chat_template_file")
        values["chat_template"] = read_text(template, what="chat template", limit_bytes=LARGEST_BYTES)
    return Weights(**values)


def _unknown(name: str) -> str:
    near = meant(name, _FIELDS)
    hint = f"Did you mean {near!r}?" if near else f"There are {', '.join(sorted(_FIELDS))}."
    return f"A model has no {quoted(name)}. {hint}"
