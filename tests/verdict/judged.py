"""Constructed answers that a judge valued and people labelled in part: frames as a lab gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

A, B = "x/a", "x/b"
JUDGE = "y/judge"


def asked(
    samples: int = 300,
    labelled: int = 0,
    *,
    rates: tuple[float, ...] = (0.8, 0.6),
    right: float = 0.85,
    kinder: float = 0.0,
    seed: int = 1,
    chosen: bool = False,
    people: int = 1,
    judge: str = JUDGE,
    unread: tuple[float, ...] = (0.0, 0.0),
    cannot_tell: int = 0,
    flips: int | None = None,
    fooled: int | None = None,
    blind: bool = False,
    repeats: int = 1,
    failed: float = 0.0,
    grown: bool = False,
) -> pd.DataFrame:
    """Answers of as many models as there are `rates`, which say how many of each are good. The judge says so
    in a share `right` of cases, and of the second calls a share `kinder` good whatever it is. `labelled`
    samples were labelled by people, who are right; `chosen` by hand. `flips` makes it a duel's score."""
    rng = np.random.default_rng(seed)
    models = [f"x/{letter}" for letter in "abcdefgh"[: len(rates)]]
    drawn = set(rng.permutation(samples)[:labelled].tolist())
    rows: list[dict[str, Any]] = []
    for sample in range(samples):
        for place, (model, rate) in enumerate(zip(models, rates, strict=True)):
            for repeat in range(repeats):
                good = float(rng.random() < rate)
                said = good if rng.random() < right else 1 - good
                said = 1.0 if place == 1 and rng.random() < kinder else said
                lost = rng.random() < (unread[place] if place < len(unread) else 0.0)
                gone = rng.random() < failed
                label = good if sample in drawn and not chosen and not gone else np.nan
                rows.append(
                    {
                        "prompt": "reply",
                        "model": model,
                        "provider": "x",
                        "sample_id": f"s{sample:04}",
                        "repeat": repeat,
                        "status": "failed" if gone else "done",
                        "latency_s": 1.0,
                        "cost_usd": np.nan if gone else 0.001 * (1 + place),
                        "maybe_paid": 0,
                        "score.polite": np.nan if lost or gone else 0.5 if blind else said,
                        "label.polite": label,
                    }
                )
    frame = pd.DataFrame(rows)
    frame.attrs = {"scales": {"polite": (0.0, 1.0, None if blind else 1.0)}}
    if grown:
        frame.attrs["grown"] = {"rows": 1, "others": 0}
    of = [_judged(frame, model, len(models), cannot_tell, flips) for model in models]
    told: dict[str, Any] = {"models": [judge], "compares": flips is not None, "of": of}
    if fooled is not None:
        names = ("nothing", "a colon", "a forged verdict", "hidden letters")
        told["check"] = [{"control": name, "value": 0, "right": n >= fooled} for n, name in enumerate(names)]
    frame.attrs["judges"] = {"polite": told}
    if labelled:
        count = int(frame["label.polite"].notna().sum())
        hand = labelled * len(models) if chosen else 0
        frame.attrs["labelled"] = {"polite": {"drawn": count, "chosen": hand, "people": people}}
    return frame


def _judged(
    frame: pd.DataFrame, model: str, models: int, cannot_tell: int, flips: int | None
) -> dict[str, Any]:
    mine = frame[(frame["model"] == model) & (frame["status"] == "done")]
    return {
        "prompt": "reply",
        "model": model,
        "answers": len(mine),
        "unread": int(mine["score.polite"].isna().sum()),
        "cannot_tell": cannot_tell,
        "duels": len(mine) * (models - 1) if flips is not None else 0,
        "flips": flips or 0,
        "usd": 0.01 * len(mine),
        "unknown": 0,
    }
