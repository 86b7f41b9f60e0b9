"""The small tables of a report as rows: design, provenance, missing data. HTML and Markdown share them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.report.material import Material, Watched
from labkit.summary import cut_answers, unscored

if TYPE_CHECKING:
    import pandas as pd

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
        ("started", moment(run["started_at"])),
        ("ended", moment(run["ended_at"])),
        ("spent (USD)", _money(given)),
        ("maybe paid without an answer", run["maybe_paid"]),
    ]
    for name, value in found.items():
        rows.append((name, _told(value)))
    return [(name, "–" if value is None else value) for name, value in rows]


def watch_notes(given: Watched) -> list[str]:
    """Whose night it was and what it was held against, in sentences."""
    night = f"Night {given.night:,} of {given.sentinel}: {given.outcome}."
    if given.again_of is not None:
        night = (
            f"This run was asked to confirm what {given.sentinel} saw in run {given.again_of}, night "
            f"{given.night:,}: {given.outcome}."
        )
    held = given.baseline
    if held is None:
        return [night, "The lab has no baseline that it was held against."]
    by = f" by {held['accepted_by']}" if held["accepted_by"] else ""
    forced = ", forced" if held["forced"] else ""
    why = f": {held['why']}" if held["why"] else ", without a reason given"
    return [night, f"Baseline {held['name']}, accepted{by} on {moment(held['accepted_at'])}{forced}{why}."]


def moment(value: Any) -> str | None:
    """A time as a person reads it: to the second, with its zone.

    >>> from datetime import datetime, UTC
    >>> moment(datetime(2026, 11, 23, 9, 5, 1, 250000, tzinfo=UTC)), moment(None)
    ('2026-11-23 09:05:01 UTC', None)
    """
    if value is None or value != value:
        return None
    import pandas as pd

    at = pd.Timestamp(value)
    at = at.tz_localize("UTC") if at.tzinfo is None else at.tz_convert("UTC")
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _told(value: Any) -> Any:
    """A value of the provenance: a flat mapping as its names and values."""
    if isinstance(value, Mapping) and not any(isinstance(one, Mapping | list) for one in value.values()):
        return ", ".join(f"{name} {'not set' if one is None else one}" for name, one in value.items()) or None
    return as_json(value) if isinstance(value, Mapping | list) else value


def summaries(given: Material) -> list[pd.DataFrame]:
    """The summary, best first and with ranks where the verdict has them; before it the contenders' own
    where these are other rows, as models over several prompts are.
    """
    found, verdict = given.summary, given.verdict
    if verdict is None:
        return [found]
    if len(verdict.contenders) != len(found):
        return [verdict.contenders.drop(columns="name"), found]
    by = list(verdict.by)
    place = {tuple(map(str, key)): at for at, key in enumerate(verdict.contenders[by].to_numpy())}
    at = [place[tuple(map(str, key))] for key in found[by].to_numpy()]
    ranked = [name for name in RANKS if name in verdict.contenders.columns]
    told = verdict.contenders[ranked].iloc[at].set_axis(found.index)
    made = found.assign(**{name: told[name] for name in ranked}).iloc[
        sorted(range(len(at)), key=at.__getitem__)
    ]
    made.attrs = dict(found.attrs)
    return [made]


RANKS = ("rank_low", "rank_high", "best_chance")


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


def _money(given: Material) -> str:
    run, summary = given.run, given.summary
    spent = _usd(run["cost_usd"], known=not (run["cost_unknown"] or run["maybe_paid"]))
    if not summary["replayed"].sum():
        return spent
    first = _usd(summary["cost_usd"].sum(min_count=1), known=bool(summary["cost_known"].all()))
    return f"{spent} by this run; its answers cost {first} when first asked"


def _usd(cost: float | None, *, known: bool) -> str:
    if cost is None or cost != cost:
        return "not known"
    return f"{'' if known else 'at least '}{cost:.6g}"
