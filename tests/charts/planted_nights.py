"""Nights of a sentinel as its checks are written, for tests and for pictures."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from labkit.sentinel.finding import Finding, Said
from labkit.store.definition_records import BaselineRecord, CheckRecord

FIRST = datetime(2026, 10, 30, 2, 10, tzinfo=UTC)
MODELS = ("local/smollm2-135m", "openai/gpt-4o")
OLD, NEW = "gpt-4o-2026-08-06", "gpt-4o-2026-11-20"


def finding(metric: str = "score.exact", said: Said = "not shown to be worse", **changes: Any) -> Finding:
    """One of 100 rows: a score 2 points below its baseline, give or take 4, a ratio of 1.02."""
    score = metric.startswith("score.")
    figures: dict[str, Any] = (
        {"before": 0.8, "now": 0.78, "change": -0.02, "low": -0.06, "high": 0.02, "margin": 0.02}
        if score
        else {"before": 0.001, "now": 0.00102, "change": 1.02, "low": 0.99, "high": 1.05, "margin": 1.1}
    )
    given = {"prompt": "ask", "model": MODELS[1], "samples": 100, "resolved": [OLD], **figures}
    return Finding(**{**given, "metric": metric, "said": said, **changes})


def check(night: int, outcome: Any = "not shown to be worse", *found: Finding, **changes: Any) -> CheckRecord:
    """The check of a night, one day after the other."""
    asked = FIRST + timedelta(days=night - 1)
    given = {
        "check_id": f"c{night}", "sentinel": "triage-nightly", "workspace": "default", "run_id": f"r{night}",
        "again_run_id": None, "baseline_id": "b1", "baseline": "2026-10", "sentences": [f"{outcome}."],
        "notes": [], "alarms": [], "settings": {}, "asked_at": asked,
        "checked_at": asked + timedelta(minutes=4), "user": "ada",
    }  # fmt: skip
    return CheckRecord(**{**given, "outcome": outcome, "findings": [one.plain() for one in found], **changes})


def baseline(**changes: Any) -> BaselineRecord:
    """What the nights are held against."""
    given = {
        "baseline_id": "b1", "sentinel": "triage-nightly", "workspace": "default", "baseline": "2026-10",
        "run_ids": ["r0"], "answers_each": 5, "content": {}, "forced": False, "why": "the first good week",
        "accepted_at": FIRST - timedelta(days=1), "user": "ada",
    }  # fmt: skip
    return BaselineRecord(**{**given, **changes})


def written(lab: Any, records: Iterable[Any]) -> Any:
    """The view `checks` of the lab once the records are in it."""
    writer = lab.store.writer()
    for record in records:
        writer.put(record)
    writer.flush()
    return lab.store.table("from checks").to_pandas()


def month(models: Sequence[str] = MODELS, *, nights: int = 30, missed: Sequence[int] = (9, 10)) -> list[Any]:
    """Three quiet weeks, a change of model with a drop, one night that cannot tell, and a recovery."""
    dice = random.Random(15)
    found = []
    for night in range(1, nights + 1):
        if night in missed:
            continue
        drop, unknown = 22 <= night <= 26, night == 25
        cells: list[Finding] = []
        for place, model in enumerate(models):
            falls = drop and place == 1
            names = [model.partition("/")[2]] if place != 1 else [NEW if 22 <= night <= 27 else OLD]
            said: Any = "cannot tell" if unknown else "worse" if falls else "not shown to be worse"
            before = 0.62 + 0.21 * (place % 2)
            change = dice.gauss(-0.13 if falls else 0.0, 0.015)
            quick = {"stands": falls and night > 22, "by": "quick" if falls and night == 22 else None}
            causes = ["the resolved model changed (gpt-4o-2026-08-06 → gpt-4o-2026-11-20)"] if falls else []
            common: dict[str, Any] = {
                "model": model,
                "resolved": names,
                "samples": 69 if unknown else 100,
            }
            figures: dict[str, Any] = {"before": before, "margin": 0.02}
            if not unknown:
                figures |= {"now": before + change, "change": change}
                figures |= {"low": change - 0.045, "high": change + 0.045}
            else:
                figures |= {"now": None, "change": None, "low": None, "high": None}
            cells.append(finding("score.exact", said, **common, **figures, causes=causes, **quick))
            if place == 0:
                cells.append(
                    finding(
                        "cost", "absent", **common, before=None, now=None, change=None, low=None, high=None
                    )
                )
            else:
                ratio = dice.gauss(1.16 if falls else 1.0, 0.01)
                dear: Any = "worse" if falls and not unknown else "not shown to be worse"
                cells.append(
                    finding(
                        "cost", dear, **common, change=ratio, now=0.001 * ratio, before=0.001,
                        low=ratio - 0.02, high=ratio + 0.02, stands=falls and night > 22,
                    )
                )  # fmt: skip
            slow = dice.gauss(1.0, 0.05)
            cells.append(
                finding(
                    "latency", **common, change=slow, now=1.3 * slow, before=1.3, low=slow - 0.08,
                    high=slow + 0.09, margin=1.25,
                )
            )  # fmt: skip
        outcome = "cannot tell" if unknown else "worse" if drop else "not shown to be worse"
        found.append(check(night, outcome, *cells))
    return found
