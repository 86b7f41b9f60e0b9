"""The plan of an earlier run, put together from what the lab kept of it.

Prompts come back in the version that was asked, models with the params that were sent, samples as they
were. It knows only what is stored: a model that the lab does not list now cannot come back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.catalog import param_names
from labkit.catalog.catalog import Catalog
from labkit.catalog.model import Model
from labkit.datasets import of_samples
from labkit.errors import DefinitionError
from labkit.library import Library
from labkit.prompts import Prompt
from labkit.store import Store

CELLS = "select distinct prompt, prompt_version, model, sample_id, repeat from generations where run_id = ?"
PARAMS = """
    select g.model, any_value(r.params::varchar) as params, any_value(r.dialect) as dialect
    from (select distinct model, request_id from generations where run_id = ?) g
    join requests r using (request_id) group by g.model
"""


def recall(run_id: str, *, store: Store, catalog: Catalog, library: Library) -> dict[str, Any]:
    """What `lab.plan` takes to make the run's plan again, and `cells`: the (prompt, model, sample, repeat)
    that were in it, or None for all.

    Raises `DefinitionError` where the run is not known, or not all of it can be told.
    """
    row = store.run_row(run_id)
    if row is None:
        raise DefinitionError(f"This lab has no run '{run_id}'.")
    seen = store.table(CELLS, [run_id]).to_pylist()
    if not seen:
        raise DefinitionError(f"Run {run_id} has no answers yet, so its plan cannot be told. Plan it anew.")
    sent = {
        one["model"]: {"params": json.loads(one["params"]), "dialect": one["dialect"]}
        for one in store.table(PARAMS, [run_id]).to_pylist()
    }
    prompts = [
        _prompt(name, version, library) for name, version in _distinct(seen, "prompt", "prompt_version")
    ]
    models = _models([name for (name,) in _distinct(seen, "model")], sent, catalog)
    samples = list(store.samples(run_id).values())
    used = {one["sample_id"] for one in seen}
    repeats = 1 + max(one["repeat"] for one in seen)
    per_sample = len(prompts) * len(models) * repeats
    if per_sample * len(samples) != row["cells"]:
        samples = [sample for sample in samples if sample.id in used]
    cells = None
    if per_sample * len(samples) != row["cells"]:
        if len(seen) != row["cells"]:
            raise DefinitionError(
                f"Run {run_id} had {row['cells']} cells, and the lab knows {len(seen)} of them: "
                "its plan cannot be told. Make the plan again as it was written."
            )
        cells = {(one["prompt"], one["model"], one["sample_id"], one["repeat"]) for one in seen}
    return {
        "prompts": prompts,
        "models": models,
        "dataset": of_samples(samples, name=row["experiment"]),
        "repeats": repeats,
        "experiment": row["experiment"],
        "cells": cells,
    }


def _distinct(rows: Sequence[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return sorted({tuple(row[name] for name in names) for row in rows}, key=str)


def _prompt(name: str, version: int | None, library: Library) -> Prompt:
    return library[name if version is None else f"{name}@{version}"].replace(version=version)


def _models(ids: Sequence[str], sent: dict[str, Any], catalog: Catalog) -> list[Model]:
    if strangers := [id for id in ids if id not in catalog]:
        raise DefinitionError(
            f"The lab does not list {', '.join(map(repr, strangers))} now. "
            "Give the run's own models to it: lk.Lab(..., models=[lk.Model(...)])."
        )
    return [_asked(catalog.get(id), sent.get(id)) for id in ids]


def _asked(model: Model, sent: Mapping[str, Any] | None) -> Model:
    if sent is None:
        return model.replace(params={})
    spoken = model.replace(dialect=sent["dialect"], params={})
    return spoken.replace(params=param_names.as_written(sent["params"], spoken))
