"""A run's card: its design, provenance and findings as a small JSON file, to be checked against a lab.

A card holds numbers and hashes, no answers. What it says can be rebuilt from the lab that made it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import DefinitionError
from labkit.paths import as_path
from labkit.report.material import Material, scrub
from labkit.report.methods import paragraph, references
from labkit.report.tables import moment

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
LARGEST_BYTES = 20_000_000
PAIR = ("first", "second", "samples", "difference", "all_low", "all_high", "p_holm", "decided", "cost_ratio")
CELL = ("n", "failed", "cut", "empty", "refused", "scored", "score", "score_low", "score_high", "cost_usd")


class CardFault(DefinitionError):
    """What is given is no card of labkit, or one that this version cannot read."""


def as_card(given: Material, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The card as plain JSON values. `settings` are the verdict's, as `run.verdict` takes them."""
    verdict = given.verdict
    run = {name: given.run[name] for name in ("run_id", "plan_id", "experiment", "workspace", "status")}
    counts = {name: int(given.run[name]) for name in ("cells", "done", "failed", "partial", "stopped")}
    prompts = [{name: prompt[name] for name in ("name", "version", "hash")} for prompt in given.prompts]
    card = {
        "labkit_card": VERSION,
        "question": given.question,
        "run": run | {"started_at": str(given.run["started_at"]), "ended_at": str(given.run["ended_at"])},
        "counts": counts,
        "prompts": prompts,
        "models": [dict(model) for model in given.models],
        "dataset": dict(given.dataset),
        "repeats": given.repeats,
        "scorers": list(given.scorers),
        "settings": dict(settings),
        "verdict": None
        if verdict is None
        else {
            "headline": verdict.headline,
            "sentences": list(verdict.sentences),
            "notes": list(verdict.notes),
            "pairs": _rows(verdict.pairs, PAIR),
        },
        "blocks": None
        if given.blocks is None
        else {
            "sentences": list(given.blocks.sentences),
            "conclusion": list(given.blocks.conclusion),
            "notes": list(given.blocks.notes),
        },
        "judges": [
            {
                "score": name,
                "models": list(judge["models"]),
                "compares": judge["compares"],
                "usd": sum(row["usd"] or 0.0 for row in judge["of"]),
                "check": judge.get("check"),
            }
            for name, judge in given.judges.items()
        ],
        "sentinels": [
            {
                "sentinel": one.sentinel,
                "workspace": one.workspace,
                "night": one.night,
                "outcome": one.outcome,
                "sentences": list(one.sentences),
                "notes": list(one.notes),
                "again_of": one.again_of,
                "baseline": None
                if one.baseline is None
                else {**one.baseline, "accepted_at": moment(one.baseline["accepted_at"])},
            }
            for one in given.watched
        ],
        "summary": _rows(given.summary, _cells(given.summary)),
        "missing": _rows(given.missing, list(given.missing.columns)),
        "provenance": dict(given.provenance),
        "methods": paragraph(given),
        "references": references(given),
    }
    cleaned: dict[str, Any] = json.loads(scrub(json.dumps(card, ensure_ascii=False, default=str)))
    return cleaned


def card_path(path: str | os.PathLike[str]) -> Path:
    """Where a card is to be written; raises DefinitionError where its folder is not there."""
    target = as_path(path, what="card")
    if not target.parent.is_dir():
        raise DefinitionError(f"there is no folder {target.parent.name!r:.80} to write the card to")
    return target


def write_card(card: Mapping[str, Any], target: Path) -> Path:
    """Write the card; raises DefinitionError where that cannot be."""
    try:
        target.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise DefinitionError(
            f"The card cannot be written to {target.name!r:.80}: {error.strerror}."
        ) from None
    return target


def read_card(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A card from its file. Raises CardFault for what is none."""
    source = Path(path)
    if not source.is_file():
        raise CardFault(f"There is no card {source.name!r:.80}.")
    if source.stat().st_size > LARGEST_BYTES:
        raise CardFault(f"{source.name!r:.80} is larger than any card.")
    try:
        card = json.loads(source.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CardFault(f"{source.name!r:.80} is no card: {type(error).__name__}") from None
    needed = {"labkit_card": int, "run": dict, "settings": dict, "summary": list, "counts": dict}
    if not isinstance(card, dict) or any(not isinstance(card.get(k), v) for k, v in needed.items()):
        raise CardFault(f"{source.name!r:.80} is no card of labkit.")
    if card["labkit_card"] > VERSION:
        raise CardFault(f"{source.name!r:.80} was written by a newer labkit (card {card['labkit_card']}).")
    run = card["run"]
    if not all(isinstance(run.get(name), str) for name in ("run_id", "plan_id")):
        raise CardFault(f"{source.name!r:.80} names no run.")
    return card


def apart(card: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Where two cards of one run do not say the same: one sentence each; empty where they agree."""
    found = []
    # A card that was written before blocks were measured says nothing of them.
    later = ("blocks",) if "blocks" in card else ()
    for name in ("counts", "prompts", "dataset", "repeats", "verdict", "summary", *later):
        for where, was, is_now in _unequal(card.get(name), now.get(name), name):
            found.append(f"{where}: {_short(was)} on the card, {_short(is_now)} now")
    if card["run"].get("plan_id") != now["run"].get("plan_id"):
        found.append("the plan is another one")
    return found


def _unequal(was: Any, now: Any, where: str) -> list[tuple[str, Any, Any]]:
    if isinstance(was, dict) and isinstance(now, dict):
        keys = [*was, *(key for key in now if key not in was)]
        return [one for key in keys for one in _unequal(was.get(key), now.get(key), f"{where}.{key}")]
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        both = enumerate(zip(was, now, strict=True))
        return [one for place, pair in both for one in _unequal(*pair, f"{where}[{place}]")]
    if isinstance(was, float | int) and isinstance(now, float | int):
        same = math.isclose(was, now, rel_tol=1e-9, abs_tol=1e-12)
        return [] if same else [(where, was, now)]
    return [] if was == now else [(where, was, now)]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:119]}…"


def _cells(frame: pd.DataFrame) -> list[str]:
    keys = [str(name) for name in frame.columns[: frame.columns.get_loc("n")]]
    return [*keys, *CELL]


def _rows(frame: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows as plain values; what is not a number is None."""
    found: list[dict[str, Any]] = json.loads(
        frame[list(columns)].to_json(orient="records", double_precision=15, default_handler=str)
    )
    return found
