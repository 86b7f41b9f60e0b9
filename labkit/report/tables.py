"""The small tables of a report as rows: design, provenance, missing data. HTML and Markdown share them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from labkit.report.material import Material
from labkit.summary import cut_answers, unscored

Rows = list[tuple[object, ...]]


def design_rows(given: Material) -> Rows:
    """Name and value of what was asked."""
    rows: Rows = [
        (
            "samples",
            f"{given.dataset['samples']:,} of dataset {given.dataset['name']} ({given.dataset['hash']})",
        ),
        ("repeats", given.repeats),
        ("scorers", ", ".join(given.scorers) or "none"),
        ("requests", f"{given.run['cells']:,} planned, plan {given.run['plan_id']}"),
    ]
    for prompt in given.prompts:
        rows.append(("prompt", f"{prompt['name']}, version {prompt['version']} ({prompt['hash']})"))
    for model in given.models:
        label = f" ({model['label']})" if model.get("label") and model["label"] != model["model"] else ""
        rows.append(("model", f"{model['model']}{label}"))
        if model.get("endpoint"):
            rows.append(("  endpoint", model["endpoint"]))
        if model.get("params"):
            rows.append(("  params", as_json(model["params"])))
        if model.get("response_models"):
            rows.append(("  answered as", ", ".join(map(str, model["response_models"]))))
        if model.get("price_ids"):
            rows.append(("  priced by", ", ".join(map(str, model["price_ids"]))))
    return rows


def provenance_rows(given: Material) -> Rows:
    """Name and value of where the run came from."""
    run, found = given.run, given.provenance
    rows: Rows = [
        ("run", run["run_id"]),
        ("workspace", run["workspace"]),
        ("started", run["started_at"]),
        ("ended", run["ended_at"]),
        ("spent (USD)", _money(run)),
        ("maybe paid without an answer", run["maybe_paid"]),
    ]
    for name, value in found.items():
        rows.append((name, as_json(value) if isinstance(value, Mapping | list) else value))
    return [(name, "–" if value is None else value) for name, value in rows]


def missing_rows(given: Material) -> Rows:
    """A head and one row per prompt, model, status and error of what is not done."""
    head = ("prompt", "model", "status", "error", "answers")
    return [head, *(tuple(row) for row in given.missing.itertuples(index=False))]


def lacking_notes(given: Material) -> list[str]:
    """Sentences on answers that are there and not whole, and on every scorer that failed, also those whose
    score the report does not tell."""
    failed = unscored.failures(given.summary.attrs.get("failures"))
    return [f"{note[0].upper()}{note[1:]}." for note in (*cut_answers.of_summary(given.summary), *failed)]


def as_json(value: Any) -> str:
    """A value as compact JSON text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _money(run: Mapping[str, Any]) -> str:
    cost = run["cost_usd"]
    if cost is None:
        return "not known"
    least = "at least " if run["cost_unknown"] or run["maybe_paid"] else ""
    return f"{least}{cost:.6g}"
