"""Cells of ratios of costs and latencies: skewed ones, with outliers, and with noise that lasts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from coverage_cell import Cell
from coverage_draws import covers, waits, which
from numpy.random import Generator

from labkit import stats

SIZES = (5, 10, 20, 50, 200)


def _ratio(rng: Generator, *, n: int, typical: bool, clusters: bool) -> bool:
    groups, each = (n // 5, 5) if clusters else (n, 1)
    one, two = (waits(rng, groups, each, 0.5, shift).ravel() for shift in (0.7, 0.0))
    cluster = which(groups, each) if clusters else None
    ratio = stats.ratio_of_typical if typical else stats.ratio_of_means
    return covers(ratio(one, two, clusters=cluster), float(np.exp(0.7)))


def _skewed_ratio(rng: Generator, *, n: int, method: str, data: str) -> bool:
    one, two = waits(rng, n, 1, 0.5).ravel(), waits(rng, n, 1, 0.5).ravel()
    log = 0.0
    if data == "lognormal, sigma 1.5":
        one, two = one**1.5, two**1.5
    elif data == "lognormal, sigma 1.5, of one":
        one, two, log = one**1.5, two**0.2, 1.5**2 / 2 - 0.2**2 / 2
    elif data == "one in ten 20 times":
        one, two = one**0.1 * np.where(rng.random(n) < 0.1, 20, 1), two**0.1
        log = float(np.log(2.9)) if method == "ratio_of_means" else 0.1 * float(np.log(20))
    elif data == "logs lognormal":
        one, two, log = np.exp(one), np.ones(n), float(np.exp(0.5))
    return covers(getattr(stats, method)(one, two), float(np.exp(log)))


def _serial_ratio(rng: Generator, *, n: int, lasting: float, shared: bool) -> bool:
    """Requests of two in mixed order; the noise of latencies is AR(1) in the order of asking."""
    order = rng.permutation(2 * n)
    at = order[:n], order[n:]
    if shared:
        noise = _lasting(rng, 2 * n, lasting)
        own = [noise[one] for one in at]
    else:
        own = [_lasting(rng, n, lasting)[np.argsort(np.argsort(one))] for one in at]
    sample = rng.normal(size=n)
    one, two = (np.exp(sample + 0.5 * noise) for noise in own)
    return covers(stats.ratio_of_typical(one, two, asked_at=at), 1.0)


def _lasting(rng: Generator, n: int, lasting: float) -> np.ndarray:
    """AR(1) of variance 1."""
    from scipy.signal import lfilter

    noise = rng.normal(size=n + 100) * np.sqrt(1 - lasting**2)
    return np.asarray(lfilter([1], [1, -lasting], noise)[100:])


def cells() -> Iterator[Cell]:
    """Every cell, with the share of studies in which its claim is to hold at least."""
    yield from _cells_of_ratios()
    yield from _cells_of_serial_ratios()


def _cells_of_ratios() -> Iterator[Cell]:
    interval = partial(Cell, "interval", nominal=0.95)
    for n in SIZES[2:]:
        for method, typical in (("ratio_of_means", False), ("ratio_of_typical", True)):
            for clusters in (False, True):
                data = "lognormal" + ", clusters of 5" * clusters
                holds = partial(_ratio, n=n, typical=typical, clusters=clusters)
                yield interval(method, data, n=n, least=0.93, holds=holds, part=0.5)
    # What the docstrings name: nothing can allow for outliers of which a study has none.
    floors: dict[tuple[str, str], tuple[float, ...]] = {
        ("ratio_of_means", "lognormal, sigma 1"): (0.94, 0.93, 0.93, 0.93, 0.93),
        ("ratio_of_means", "lognormal, sigma 1.5"): (0.93, 0.92, 0.92, 0.93, 0.93),
        ("ratio_of_means", "lognormal, sigma 1.5, of one"): (0.93, 0.93, 0.93, 0.93, 0.93),
        ("ratio_of_means", "one in ten 20 times"): (0.40, 0.63, 0.85, 0.95, 0.95),
        ("ratio_of_typical", "one in ten 20 times"): (0.53, 0.63, 0.85, 0.95, 0.95),
        ("ratio_of_typical", "logs lognormal"): (0.88, 0.90, 0.92, 0.93, 0.94),
    }
    for (method, data), floor in floors.items():
        for n, least in zip(SIZES, floor, strict=True):
            holds = partial(_skewed_ratio, n=n, method=method, data=data)
            yield interval(method, data, n=n, least=least, holds=holds, part=0.5)


def _cells_of_serial_ratios() -> Iterator[Cell]:
    floors = {
        (0.0, False): (0.94, 0.94, 0.94, 0.94),
        (0.5, False): (0.79, 0.84, 0.93, 0.92),
        (0.9, False): (0.54, 0.88, 0.98, 0.88),
        (0.9, True): (0.94, 0.94, 0.94, 0.94),
    }
    for (lasting, shared), floor in floors.items():
        for n, least in zip(SIZES[1:], floor, strict=True):
            data = f"noise that lasts, {lasting:g}, {'of both' if shared else 'of each'}"
            holds = partial(_serial_ratio, n=n, lasting=lasting, shared=shared)
            yield Cell("interval", "ratio_of_typical in time", data, n, 0.95, least, holds, 0.25)
