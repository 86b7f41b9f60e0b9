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
from labkit.catalog.per_step import PerStep, per_step
from labkit.contender import joined
from labkit.datasets import of_samples
from labkit.errors import DefinitionError
from labkit.library import Library
from labkit.prompts import Prompt
from labkit.store import Store

CELLS = """
    select generation_id, parent_id, prompt, prompt_version, model, sample_id, "repeat", step
    from steps where run_id = ?
"""
PARAMS = """
    select g.model, any_value(r.params::varchar) as params, any_value(r.dialect) as dialect
    from (select distinct model, request_id from steps where run_id = ?) g
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
    if row["kind"] == "judge":
        of = row["parent_run_id"]
        raise DefinitionError(
            f"Run {run_id} has what a judge said of the answers of run {of}: lab.run({of!r}).score(…) asks it"
            " again."
        )
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
    models = {
        model.id: model for model in _models([name for (name,) in _distinct(seen, "model")], sent, catalog)
    }
    samples = list(store.samples(run_id).values())
    used = {one["sample_id"] for one in seen}
    repeats = 1 + max(one["repeat"] for one in seen)
    answers = _answers(seen, {prompt.name: len(prompt.steps) for prompt in prompts})
    per_sample = repeats * sum(
        len({line[:step] for line in _lines(answers, prompt) for step in range(1, len(line) + 1)})
        for prompt in prompts
    )
    if per_sample * len(samples) != row["cells"]:
        samples = [sample for sample in samples if sample.id in used]
    cells = None
    if per_sample * len(samples) != row["cells"]:
        if len(seen) != row["cells"]:
            raise DefinitionError(
                f"Run {run_id} had {row['cells']} cells, and the lab knows {len(seen)} of them: "
                "its plan cannot be told. Make the plan again as it was written."
            )
        cells = {
            (prompt, _called(line, prompts, prompt), sample, repeat)
            for prompt, line, sample, repeat in answers
        }
    return {
        "prompts": prompts,
        "models": _answering(answers, prompts, models),
        "dataset": of_samples(samples, name=row["experiment"]),
        "repeats": repeats,
        "experiment": row["experiment"],
        "cells": cells,
    }


Answer = tuple[str, tuple[str, ...], str, int]
"""A prompt, the models that answered it (of a chain one for each step), a sample and a repeat."""


def _answers(seen: Sequence[Mapping[str, Any]], steps: Mapping[str, int]) -> list[Answer]:
    """Of the requests of a run the answers that were asked for: of chains, each line as far as its last
    step."""
    rows = {row["generation_id"]: row for row in seen}
    found = []
    for row in seen:
        if row["step"] != steps[row["prompt"]]:
            continue
        line, at = [row["model"]], row
        while at["step"] > 1:
            at = rows[at["parent_id"]]
            line.append(at["model"])
        found.append((row["prompt"], tuple(reversed(line)), row["sample_id"], row["repeat"]))
    return found


def _lines(answers: Sequence[Answer], prompt: Prompt) -> list[tuple[str, ...]]:
    return sorted({line for name, line, *_ in answers if name == prompt.name})


def _called(line: Sequence[str], prompts: Sequence[Prompt], name: str) -> str:
    (prompt,) = (one for one in prompts if one.name == name)
    return (
        joined(zip((step.name for step in prompt.steps), line, strict=True))
        if len(set(line)) > 1
        else line[0]
    )


def _answering(
    answers: Sequence[Answer], prompts: Sequence[Prompt], models: Mapping[str, Model]
) -> list[Model | PerStep]:
    """Who is to answer, as `lab.plan` takes it: models that answered whole, and steps that several did."""
    whole, parts = dict[str, Model](), dict[str, PerStep]()
    for prompt in prompts:
        for line in _lines(answers, prompt):
            if len(set(line)) == 1:
                whole[line[0]] = models[line[0]]
            else:
                steps = dict(zip((step.name for step in prompt.steps), line, strict=True))
                parts[joined(steps.items())] = per_step(**{step: models[one] for step, one in steps.items()})
    return [*(model for name, model in models.items() if name in whole), *parts.values()]


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
