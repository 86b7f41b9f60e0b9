"""What a report and a card tell of a run, gathered from the lab. It asks nobody and writes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.report import Material
from labkit.run.lab_services import LabServices
from labkit.run.sentinel_checks import watched
from labkit.store.filters import listed
from labkit.summary.scores import score_names

if TYPE_CHECKING:
    import pandas as pd

    from labkit.verdict import Verdict
    from labkit.verdict.ablation import Ablation
    from labkit.verdict.differences import Differences

PROMPTS = """
    select distinct p.name, p.version, p.hash, p.system, p.text
    from (select distinct prompt, prompt_version from generations where run_id = ?) g
    join prompts p on p.name = g.prompt and p.version = g.prompt_version order by 1, 2
"""
MODELS = """
    select g.model, any_value(m.label) as label, any_value(m.endpoint) as endpoint,
        any_value(r.params::varchar) as params,
        list_sort(list(distinct g.response_model) filter (where g.response_model is not null))
            as response_models,
        list_sort(list(distinct g.price_id) filter (where g.price_id is not null)) as price_ids
    from steps g left join requests r using (request_id)
    left join (select * from log.models where run_id = ?) m on m.model = g.model
    where g.run_id = ? group by g.model order by g.model
"""
DATASET = """
    select any_value(dataset_name) as name, any_value(dataset) as hash from samples
    where dataset in (select dataset from runs where run_id = ?)
"""
MISSING = """
    select prompt, model, status, coalesce(error_type, stop_reason, '') as error_type, count(*) as answers
    from generations where run_id = ? and status <> 'done' group by all order by all
"""


def gather(
    row: Mapping[str, Any],
    services: LabServices,
    settings: Mapping[str, Any],
    *,
    frame: pd.DataFrame,
    verdict: Verdict | None,
    blocks: Ablation | None,
    summary: pd.DataFrame,
    differences: Differences,
    question: str | None,
    prices: Mapping[str, Mapping[str, float]] | None,
) -> Material:
    """Everything a report tells of the run whose row in `runs` and generations these are.

    `settings` are those of `run.verdict`, `score` among them. Charts are drawn where `prices` are given.
    """
    store, run_id = services.store, row["run_id"]
    told = row.get("provenance")
    dataset = store.table(DATASET, [run_id]).to_pylist()[0]
    models = store.table(MODELS, [run_id, run_id]).to_pylist()
    return Material(
        question=question or _question(settings, row, verdict),
        run=dict(row),
        prompts=store.table(PROMPTS, [run_id]).to_pylist(),
        models=[{**model, "params": json.loads(model["params"] or "{}")} for model in models],
        dataset={**dataset, "samples": int(frame["sample_id"].nunique())},
        repeats=int(frame["repeat"].nunique()),
        scorers=score_names(frame),
        provenance=json.loads(told) if isinstance(told, str) else dict(told or {}),
        verdict=verdict,
        blocks=blocks,
        summary=summary,
        differences=differences,
        judges=frame.attrs.get("judges") or {},
        missing=store.table(MISSING, [run_id]).to_pandas(),
        watched=watched(run_id, store, charts=prices is not None),
        figures=() if prices is None else _figures(frame, verdict, blocks, settings, prices),
    )


def _question(settings: Mapping[str, Any], row: Mapping[str, Any], verdict: Any) -> str:
    by = settings["by"] if isinstance(settings["by"], str) else " and ".join(settings["by"])
    of = f" by {verdict.scorer}" if verdict is not None else ""
    return f"Which {by} is best for {row['experiment']}{of}, how sure is that, and at what price?"


def _figures(
    frame: pd.DataFrame,
    verdict: Verdict | None,
    blocks: Ablation | None,
    settings: Mapping[str, Any],
    prices: Mapping[str, Mapping[str, float]],
) -> list[tuple[str, Any]]:
    from labkit import charts

    score, level, clusters, by = (settings[name] for name in ("score", "level", "clusters", "by"))
    found: list[tuple[str, Any]] = []
    if verdict is not None:
        found.append(
            (
                "frontier",
                charts.frontier(
                    frame, score, by=by, level=level, better=settings["better"], clusters=clusters
                ),
            ),
        )
        if len(verdict.pairs):
            found.append(("forest", charts.forest(verdict)))
        if blocks is not None:
            found.append(("blocks", charts.block_effects(blocks)))
        found.append(("scores", charts.scores(frame, score, level=level, clusters=clusters)))
        sliced = charts.slices(frame, None, score, by=by, level=level, clusters=clusters)
        if sliced.data:
            found.append(("slices", sliced))
    found += [("latency", charts.latency(frame, by=by)), ("time to first token", charts.ttft(frame, by=by))]
    found.append(("speed", charts.speed(frame, by=by)))
    # Of several models a prompt alone has no prices.
    priced = None if listed(by) == ["prompt"] else by
    found.append(("cost", charts.cost_parts(frame, by=priced, prices=prices)))
    if frame["repeat"].nunique() > 1:
        found.append(("drift", charts.drift(frame, score, by=by, level=level, clusters=clusters)))
    return found
