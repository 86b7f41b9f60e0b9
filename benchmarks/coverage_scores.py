"""Cells of scores that are not right or wrong: ratings, counts, 0 to 100, skewed and graded, at any n.

Each kind of score is a value of something normal, of which two models share the sample's half. What a
method takes as columns is drawn as columns, many studies at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations

import numpy as np
from coverage_cell import Cell
from coverage_draws import AT_ONCE, covers, inside
from numpy.random import Generator
from scipy import special
from scipy import stats as distributions

from labkit import stats
from labkit.stats.adjusted_t import adjusted_t
from labkit.stats.scale import UNKNOWN

SIZES = (2, 3, 4, 5, 10, 20, 50, 200)
SHIFT = 0.6
"""How far the better model's hidden normal lies ahead, in standard deviations."""
_COUNTS = special.ndtri(distributions.poisson.cdf(np.arange(20), 3.0))

FLOORS = {
    # What the docstrings name, by n: nothing tells of a tail that a study has not seen.
    ("pairwise", "one in twenty 20 times"): (0.94, 0.91, 0.83, 0.77, 0.56, 0.64, 0.91, 0.93),
    ("pairwise", "lognormal, one-sided"): (0.92, 0.90, 0.90, 0.89, 0.90, 0.92, 0.93, 0.93),
    ("pairwise", "lognormal, apart"): (0.93, 0.92, 0.91, 0.91, 0.91, 0.92, 0.93, 0.93),
    ("pairwise", "graded, near 1, declared, apart"): (0.93, 0.92, 0.91, 0.91, 0.92, 0.93, 0.93, 0.93),
    ("pairwise", "graded, near 1, not declared, apart"): (0.93, 0.92, 0.91, 0.91, 0.91, 0.92, 0.93, 0.93),
    ("pairwise", "graded, four in five a 1, declared, apart"): (0.93,) * 4 + (0.92,) * 2 + (0.93,) * 2,
    ("pairwise", "graded, four in five a 1, not declared, apart"): (0.93,) * 4 + (0.91,) * 2 + (0.93,) * 2,
    ("score_interval", "lognormal"): (0.89, 0.88, 0.88, 0.87, 0.90, 0.92, 0.93, 0.93),
    ("score_interval", "exponential"): (0.88, 0.89, 0.91, 0.92, 0.93, 0.93, 0.93, 0.93),
    ("score_interval", "graded, near 1, not declared"): (0.87, 0.85, 0.86, 0.87, 0.91, 0.93, 0.93, 0.93),
}


@dataclass(frozen=True)
class Kind:
    """A kind of score: its value by a standard normal, and what may be declared of it."""

    name: str
    value: Callable[[np.ndarray], np.ndarray]
    scale: stats.Scale


KINDS = {
    kind.name: kind
    for kind in (
        Kind("0/1", lambda z: (z > -0.25) * 1.0, stats.Scale(0, 1, 1)),
        Kind("ratings 1 to 5", lambda z: np.clip(np.round(3.3 + 1.1 * z), 1, 5), stats.Scale(1, 5, 1)),
        Kind(
            "ratings, nine in ten a 5",
            lambda z: 5 - np.clip(np.ceil(-3 * (z + 1.28)), 0, 4),
            stats.Scale(1, 5, 1),
        ),
        Kind("counts", lambda z: np.searchsorted(_COUNTS, z) * 1.0, stats.Scale(step=1)),
        Kind("0 to 100", lambda z: 100 * special.expit(1.2 + z), stats.Scale(0, 100)),
        Kind("graded, mid-scale", special.expit, stats.Scale(0, 1)),
        Kind("graded, four in five a 1", lambda z: 1 - np.clip(-(z + 0.84) / 2, 0, 1), stats.Scale(0, 1)),
        Kind("graded, near 1", lambda z: special.expit(3 + 1.5 * z), stats.Scale(0, 1)),
        Kind("lognormal", np.exp, UNKNOWN),
        Kind("exponential", lambda z: -special.log_ndtr(-z), UNKNOWN),
    )
}


@cache
def mean(kind: str, shift: float = 0.0) -> float:
    """The true mean of a kind of score, over half a million places of equal chance."""
    places = special.ndtri((np.arange(500_000) + 0.5) / 500_000)
    return float(KINDS[kind].value(places + shift).mean())


def draw(rng: Generator, kind: str, shape: tuple[int, ...], shifts: tuple[float, ...]) -> list[np.ndarray]:
    """Scores of models on common samples, ahead by `shifts`."""
    shared = rng.normal(size=shape)
    parts = [(shared + rng.normal(size=shape)) / np.sqrt(2) + shift for shift in shifts]
    return [KINDS[kind].value(part) for part in parts]


def _pair(rng: Generator, *, n: int, kind: str, shift: float, scale: stats.Scale) -> np.ndarray:
    one, two = draw(rng, kind, (n, AT_ONCE), (shift, 0.0))
    apart = scale.without_rests(one - two, one)
    return inside(adjusted_t(apart, scale=scale).limits(0.95), mean(kind, shift) - mean(kind))


def _one_sided(rng: Generator, *, n: int, kind: str) -> np.ndarray:
    values = KINDS[kind].value(rng.normal(size=(n, AT_ONCE)))
    return inside(adjusted_t(values).limits(0.95), mean(kind))


def _rare(rng: Generator, *, n: int) -> np.ndarray:
    apart = rng.normal(size=(n, AT_ONCE)) + 20 * (rng.random((n, AT_ONCE)) < 0.05)
    return inside(adjusted_t(apart).limits(0.95), 1.0)


def _score(rng: Generator, *, n: int, kind: str, scale: stats.Scale) -> bool:
    found = stats.score_interval(KINDS[kind].value(rng.normal(size=n)), scale)
    return covers(found, mean(kind))


def _clustered(
    rng: Generator, *, clusters: int, each: int, kind: str, shift: float, scale: stats.Scale
) -> np.ndarray:
    """Differences whose clusters differ: a fifth of each model's variance is the cluster's alone."""
    shape, code = (clusters * each, AT_ONCE), np.repeat(np.arange(clusters), each)
    shared = rng.normal(size=shape)
    one, two = (
        KINDS[kind].value(
            np.sqrt(0.4) * (shared + rng.normal(size=shape))
            + np.sqrt(0.2) * rng.normal(size=(clusters, AT_ONCE))[code]
            + ahead
        )
        for ahead in (shift, 0.0)
    )
    found = adjusted_t(scale.without_rests(one - two, one), code, scale=scale)
    return inside(found.limits(0.95), mean(kind, shift) - mean(kind))


def _clustered_score(rng: Generator, *, clusters: int, each: int, kind: str, scale: stats.Scale) -> bool:
    own, of = rng.normal(size=(clusters, each)), rng.normal(size=(clusters, 1))
    values = KINDS[kind].value(np.sqrt(0.8) * own + np.sqrt(0.2) * of).ravel()
    found = stats.score_interval(values, scale, clusters=np.repeat(np.arange(clusters), each))
    return covers(found, mean(kind))


def _family(
    rng: Generator,
    *,
    n: int,
    kind: str,
    contenders: int,
    scale: stats.Scale,
    adjust: Callable[[np.ndarray], np.ndarray] = stats.holm,
) -> np.ndarray:
    """Whether a correction for many tests decides none of all pairs of equal contenders."""
    pairs = list(combinations(range(contenders), 2))
    at_once = max(20, AT_ONCE // len(pairs))
    every = draw(rng, kind, (n, at_once), (0.0,) * contenders)
    apart = [scale.without_rests(every[one] - every[two], every[one]) for one, two in pairs]
    p_value = adjusted_t(np.concatenate(apart, axis=1), scale=scale).p_value().reshape(len(pairs), at_once)
    return np.array([not (adjust(one) < 0.05).any() for one in p_value.T])


def cells() -> Iterator[Cell]:
    """Every cell, with the share of studies in which its claim is to hold at least."""
    for n in SIZES:
        yield from _cells_of_pairs(n)
        yield from _cells_of_means(n)
        yield from _cells_of_families(n)
    yield from _cells_of_clusters()


def scales(kind: str) -> dict[str, stats.Scale]:
    """A kind's scale, declared and not."""
    scale = KINDS[kind].scale
    return {"": UNKNOWN} if scale == UNKNOWN else {", declared": scale, ", not declared": UNKNOWN}


def _least(method: str, data: str, n: int) -> float:
    return FLOORS.get((method, data), (0.93,) * len(SIZES))[SIZES.index(n)]


def _cells_of_pairs(n: int) -> Iterator[Cell]:
    def interval(data: str, holds: Callable[[Generator], np.ndarray]) -> Cell:
        return Cell("interval", "pairwise", data, n, 0.95, _least("pairwise", data, n), holds)

    for kind in KINDS:
        for told, scale in scales(kind).items():
            for shift, truth in ((0.0, "equal"), (SHIFT, "apart")):
                holds = partial(_pair, n=n, kind=kind, shift=shift, scale=scale)
                yield interval(f"{kind}{told}, {truth}", holds)
    for kind in ("lognormal", "exponential"):
        yield interval(f"{kind}, one-sided", partial(_one_sided, n=n, kind=kind))
    yield interval("one in twenty 20 times", partial(_rare, n=n))


def _cells_of_means(n: int) -> Iterator[Cell]:
    for kind in KINDS:
        for told, scale in scales(kind).items():
            holds = partial(_score, n=n, kind=kind, scale=scale)
            part = 1.0 if scale.binary else 0.1 if scale.bounded else 0.5
            data, least = f"{kind}{told}", _least("score_interval", f"{kind}{told}", n)
            yield Cell("interval", "score_interval", data, n, 0.95, least, holds, part)


def _cells_of_families(n: int) -> Iterator[Cell]:
    for kind in ("0/1", "ratings 1 to 5", "ratings, nine in ten a 5", "counts"):
        for told, scale in scales(kind).items():
            for contenders in (3, 4, 10):
                data = f"{contenders * (contenders - 1) // 2} pairs, {kind}{told}"
                holds = partial(_family, n=n, kind=kind, contenders=contenders, scale=scale)
                part = 0.25 if contenders == 10 else 0.5
                yield Cell("test", "holm", data, n, 0.95, 0.94, holds, part)

    holds = partial(
        _family, n=n, kind="0/1", contenders=8, scale=KINDS["0/1"].scale, adjust=stats.benjamini_hochberg
    )
    yield Cell("test", "benjamini_hochberg", "28 pairs, 0/1, declared", n, 0.95, 0.94, holds, 0.25)


def _cells_of_clusters() -> Iterator[Cell]:
    for clusters in (4, 5, 10):
        for each in (5, 20):
            n, of = clusters * each, f"{clusters} clusters of {each}"
            for kind in ("0/1", "ratings 1 to 5"):
                for told, scale in scales(kind).items():
                    for shift, truth in ((0.0, "equal"), (SHIFT, "apart")):
                        holds = partial(
                            _clustered, clusters=clusters, each=each, kind=kind, shift=shift, scale=scale
                        )
                        data = f"{kind}{told}, {truth}, {of}"
                        yield Cell("interval", "pairwise", data, n, 0.95, 0.93, holds)
                    holds = partial(_clustered_score, clusters=clusters, each=each, kind=kind, scale=scale)
                    data = f"{kind}{told}, {of}"
                    yield Cell("interval", "score_interval", data, n, 0.95, 0.93, holds, 0.1)
