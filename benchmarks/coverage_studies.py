"""Cells of whole studies as users see them: frames in, what a verdict, a comparison or a table claims out.

Dear, so each has fewer studies. Contenders are equal or at the baseline, so that every claim is false;
the exception is the worst case of missing answers, whose limits are to hold the true difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from coverage_cell import Cell
from coverage_scores import KINDS, draw, mean
from numpy.random import Generator

from labkit.summary import summarize
from labkit.summary.contender_table import contender_table
from labkit.summary.pairwise import compare_pairs
from labkit.summary.scores import basis
from labkit.verdict import verdict
from labkit.verdict.comparison import compare

MOST = 20
"""Samples that are asked at once where more would be advised."""
SHIFT = 0.6


def frame_of(kind: str, scores: list[np.ndarray]) -> pd.DataFrame:
    """Generations of so many models on common samples; NaN is an answer that failed."""
    n, scale = len(scores[0]), KINDS[kind].scale
    values = np.concatenate(scores)
    frame = pd.DataFrame(
        {
            "prompt": "p",
            "model": np.repeat([f"m{place:02}" for place in range(len(scores))], n),
            "sample_id": np.tile(np.arange(n), len(scores)),
            "status": np.where(np.isnan(values), "failed", "done"),
            "score.s": values,
        }
    )
    if scale.bounded:
        frame.attrs["scales"] = {"s": (scale.low, scale.high, scale.step)}
    return frame


def _verdict(rng: Generator, *, n: int, kind: str, contenders: int) -> bool:
    frame = frame_of(kind, draw(rng, kind, (n,), (0.0,) * contenders))
    return not verdict(frame).frame()["decided"].any()


def _compare(rng: Generator, *, n: int, kind: str, models: int) -> bool:
    before, after = (frame_of(kind, draw(rng, kind, (n,), (0.0,) * models)) for _ in range(2))
    return not compare(before, after).frame()["decided"].any()


def _grown(rng: Generator, *, n: int, kind: str, looks: int, watched: bool) -> bool:
    """Whether two equal contenders are never decided, when as many samples follow as were advised.

    From the second look on the study is watched, as its frame then tells. Those intervals only ever
    narrow: one that excluded 0 at a look does so at the last, and only that one is drawn. Without
    `watched` every look is an ordinary one.
    """
    scores = draw(rng, kind, (n + MOST * looks,), (0.0, 0.0))
    for look in range(looks):
        frame = frame_of(kind, [values[:n] for values in scores])
        frame.attrs["grown"] = {"rows": look if watched else 0, "others": 0}
        study = basis(frame, "score.s")
        given = contender_table(frame)
        always = study.watched and look == looks - 1
        pair = compare_pairs(given, level=study.level, watched=always).iloc[0]
        if pair["decided"] and (always or not study.watched):
            return False
        # Nothing is advised where ordinary intervals would decide, or the two are level.
        n += MOST if pd.isna(pair["samples_needed"]) else min(MOST, int(pair["samples_needed"]))
    return True


def _missing(rng: Generator, *, n: int, kind: str) -> bool:
    """Whether the worst case holds the true difference when half of the first's poor answers are missing."""
    one, two = draw(rng, kind, (n,), (SHIFT, 0.0))
    one[(rng.random(n) < 0.5) & (one < mean(kind))] = np.nan
    pairs = compare_pairs(contender_table(frame_of(kind, [one, two])))
    pair, truth = pairs.iloc[0], mean(kind, SHIFT) - mean(kind)
    if pair["first"] == "m01":
        truth = -truth
    low, high = (np.nan_to_num(pair[f"worst_{end}"], nan=side) for end, side in (("low", -99), ("high", 99)))
    return bool(low - 1e-9 <= truth <= high + 1e-9)


def _above_baseline(rng: Generator, *, n: int, kind: str) -> bool:
    frame = frame_of(kind, draw(rng, kind, (n,), (0.0,) * 20))
    found = summarize(frame, by="model", baseline=mean(kind))
    return not found["above_baseline"].fillna(False).any()


def cells() -> Iterator[Cell]:
    """Every cell, with the share of studies in which its claim is to hold at least."""
    silent = partial(Cell, "test", nominal=0.95)
    for kind, n, contenders in (
        ("0/1", 20, 3),
        ("ratings 1 to 5", 2, 4),
        ("ratings 1 to 5", 5, 3),
        ("counts", 5, 3),
        ("graded, four in five a 1", 10, 3),
    ):
        holds = partial(_verdict, n=n, kind=kind, contenders=contenders)
        data = f"{contenders} equal contenders, {kind}"
        yield silent("verdict", data, n=n, least=0.94, holds=holds, part=0.1)
    for kind, n in (("0/1", 20), ("ratings 1 to 5", 5)):
        holds = partial(_compare, n=n, kind=kind, models=2)
        data = f"2 models, each as before, {kind}"
        yield silent("compare", data, n=n, least=0.94, holds=holds, part=0.1)
    for looks, part in ((2, 0.5), (5, 0.25), (10, 0.15), (20, 0.1)):
        for kind, n in (("0/1", 10), ("ratings 1 to 5", 50)):
            holds = partial(_grown, n=n, kind=kind, looks=looks, watched=True)
            data = f"two equal ones grown by advice, {looks} looks, {kind}"
            yield silent("verdict", data, n=n, least=0.93, holds=holds, part=part)
    for looks in (2, 5, 10, 20):
        holds = partial(_grown, n=10, kind="0/1", looks=looks, watched=False)
        data = f"a contrast: ordinary intervals at each of {looks} looks, 0/1"
        yield silent("no method of labkit", data, n=10, least=0.0, holds=holds, part=0.05)
    for kind, n in (("0/1", 10), ("0/1", 20), ("0/1", 200), ("ratings 1 to 5", 20)):
        holds = partial(_above_baseline, n=n, kind=kind)
        data = f"above_baseline of 20 models at the baseline, {kind}"
        yield silent("summarize", data, n=n, least=0.94, holds=holds, part=0.075)
    for kind in ("0/1", "ratings 1 to 5", "graded, four in five a 1"):
        for n in (2, 5, 20, 200):
            holds = partial(_missing, n=n, kind=kind)
            data = f"worst case, half of the poor answers of one missing, {kind}"
            yield Cell("interval", "compare_pairs", data, n, 0.95, 0.93, holds, 0.1)
