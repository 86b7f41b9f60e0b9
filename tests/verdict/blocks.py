"""Answers to one prompt in sets of its blocks, as a frame: what each block is worth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from labkit.prompts.block_sets import BlockSets
from labkit.stats.factorial import Cell, design

NAMES = (
    "examples",
    "style",
    "policy",
    "tone",
    "rules",
    "facts",
    "audience",
    "format",
    "links",
    "limits",
    "faq",
    "laws",
)
TOKENS = (640, 60, 1140, 90, 30, 400, 20, 10, 15, 25, 35, 45)


def asked(
    k: int = 3,
    n: int = 60,
    *,
    effects: Mapping[str, float] | None = None,
    pairs: Mapping[tuple[str, str], float] | None = None,
    models: Sequence[str] = ("x/m",),
    base: float = 0.5,
    cells: Sequence[Cell] | None = None,
    kind: str = "auto",
    scale: tuple[float, float, float | None] | None = (0, 1, 1),
    sway: float = 0.0,
    clusters: int | None = None,
    usd_mtok: float | None = 2.5,
    longer: Mapping[str, int] | None = None,
    slower: Mapping[str, float] | None = None,
    missing: float = 0.0,
    failing: Mapping[str, float] | None = None,
    cached: Sequence[str] = (),
    seed: int = 0,
) -> tuple[pd.DataFrame, list[BlockSets]]:
    """`asked(3, 60, effects={"examples": 0.1})`: a frame of generations, and the sets that its prompts are.

    Each sample has its own chance of a right answer (`sway` apart), from which effects move it: those of
    `pairs` only where both are in. A score that is no 0 or 1 (`scale` without step) scatters about it. Per
    block: `longer` answers, `slower` ones (a factor), `failing` (a share of failures where it is in).
    """
    rng = np.random.default_rng(seed)
    names = NAMES[:k]
    cells = design(k, kind) if cells is None else cells
    prompts = ["reply" if all(cell) else f"reply {''.join('01'[one] for one in cell)}" for cell in cells]
    own = np.clip(base + sway * rng.normal(size=n), 0, 1)
    if clusters:
        own = np.clip(base + sway * np.repeat(rng.normal(size=-(-n // clusters)), clusters)[:n], 0, 1)
    parts = []
    for model in models:
        for prompt, cell in zip(prompts, cells, strict=True):
            inside = dict(zip(names, cell, strict=True))
            chance = own + sum(effect for name, effect in (effects or {}).items() if inside[name])
            chance = chance + sum(
                effect for (one, two), effect in (pairs or {}).items() if inside[one] and inside[two]
            )
            chance = np.clip(chance, 0, 1)
            score = (
                (rng.random(n) < chance) * 1.0
                if scale is None or scale[2]
                else np.clip(chance + 0.15 * rng.normal(size=n), 0, 1)
            )
            lost = missing + sum(share for name, share in (failing or {}).items() if inside[name])
            gone = rng.random(n) < lost
            tokens = 100 + sum(count for count, is_in in zip(TOKENS, cell, strict=False) if is_in)
            read = sum(TOKENS[names.index(name)] for name in cached if inside[name])
            words = 20 + sum(count for name, count in (longer or {}).items() if inside[name])
            slow = float(np.prod([by for name, by in (slower or {}).items() if inside[name]]))
            parts.append(
                pd.DataFrame(
                    {
                        "prompt": prompt,
                        "model": model,
                        "provider": "x",
                        "sample_id": [f"s{one:04d}" for one in range(n)],
                        "repeat": 0,
                        "status": np.where(gone, "failed", "done"),
                        "text": np.where(gone, None, "an answer"),
                        "latency_s": np.where(gone, np.nan, slow * np.exp(0.2 * rng.normal(size=n))),
                        "ttft_s": np.nan,
                        "input_tokens": np.where(gone, np.nan, tokens),
                        "cache_read_tokens": np.where(gone, np.nan, read),
                        "cache_write_tokens": np.nan,
                        "output_tokens": np.where(gone, np.nan, words + rng.integers(-2, 3, size=n)),
                        "cost_usd": np.where(gone, np.nan, (usd_mtok or np.nan) * tokens / 1e6),
                        "maybe_paid": 0,
                        "attempts": 1,
                        "replayed_from": None,
                        "started_at": pd.Timestamp("2026-11-23", tz="UTC")
                        + pd.to_timedelta(rng.permutation(n), unit="s"),
                        "in_flight": 4,
                        "score.exact": np.where(gone, np.nan, score),
                        "sample.author": [f"a{one // (clusters or 1)}" for one in range(n)],
                    }
                )
            )
    frame = pd.concat(parts, ignore_index=True)
    frame.attrs["scales"] = {} if scale is None else {"exact": scale}
    ids = tuple((name, f"b1:{name}") for name in names)
    return frame, [BlockSets("reply", ids, dict(zip(prompts, cells, strict=True)))]


def told(frame: pd.DataFrame, sets: list[BlockSets], **settings: Any) -> Any:
    """The ablation of a frame that `asked` made."""
    from labkit.verdict.ablation import ablation

    return ablation(frame, sets, **settings)
