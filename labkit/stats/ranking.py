"""Many contenders in order: between which ranks each lies, which cannot be told apart, who may be best.

Ranks and bands follow from which pairs are shown to differ, and from nothing else: where those decisions
are all true, every one of them is. The chance of being best is of another kind (see `best_chances`), and
decides nothing. This module knows arrays only: no names, no words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from labkit.stats.paired import Pairs
from labkit.stats.significance import holm
from labkit.stats.table import Table
from labkit.stats.units import Floats

Better = NDArray[np.bool_]
"""`better[i, j]`: contender i is shown to be better than contender j."""

_WEIGHED = 2000
"""More units than these are weighed in so many groups at random: their scatter is known within 2 %."""
_TIED = 1e-12
"""Differences smaller than this share of the largest value are rests of sums."""


def shown_better(pairs: Pairs, contenders: int) -> Better:
    """Which contender is shown to be better than which, by Holm's correction at the level of `pairs`.

    >>> from labkit.stats.paired import pairwise
    >>> from labkit.stats.table import sample_table
    >>> table = sample_table([0] * 20 + [1] * 20, [*range(20)] * 2, [0] * 20 + [1] * 20)
    >>> shown_better(pairwise(table), 2).tolist()
    [[False, False], [True, False]]
    """
    decided = np.nan_to_num(holm(pairs.p_value), nan=1.0) < 1 - pairs.level
    ahead = pairs.difference > 0
    better = np.zeros((contenders, contenders), dtype=bool)
    better[pairs.first[decided & ahead], pairs.second[decided & ahead]] = True
    better[pairs.second[decided & ~ahead], pairs.first[decided & ~ahead]] = True
    return better


def rank_intervals(better: Better) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The best and the worst rank that each contender may have; 1 is the best.

    One more than the contenders shown to be better, and all but those shown to be worse. As long as no
    decision is false, the true ranks of all contenders lie inside (equal contenders share their ranks, and
    all of these lie inside), so the intervals hold together at the level at which the decisions do
    (Al Mohamad, Goeman & van Zwet 2022; Mogstad, Romano, Shaikh & Wilhelm 2024). They are as wide as the
    number of contenders where nothing is decided.

    >>> low, high = rank_intervals(np.array([[False, True, True], [False] * 3, [False] * 3]))
    >>> low.tolist(), high.tolist()
    ([1, 2, 2], [1, 3, 3])
    """
    return np.asarray(1 + better.sum(axis=0)), np.asarray(len(better) - better.sum(axis=1))


def bands(better: Better, order: ArrayLike) -> list[list[int]]:
    """Groups of contenders of whom none is shown to be better than another, in the given order.

    Two contenders share a band exactly where neither is shown to be better, so bands overlap: that neither
    A and B nor B and C can be told apart does not make A and C alike. This is what a compact letter display
    shows (Piepho 2004). No band lies within another.

    >>> bands(np.array([[False, False, True], [False] * 3, [False] * 3]), [0, 1, 2])
    [[0, 1], [1, 2]]
    """
    places = [int(place) for place in np.asarray(order, dtype=np.intp)]
    alike = ~(better | better.T)
    shared = ~alike
    found: list[list[int]] = []
    for at, one in enumerate(places):
        # The furthest first: what lies between the two mostly belongs to their band.
        for two in reversed(places[at:]):
            if shared[one, two]:
                continue
            band = _grown([one, two] if one != two else [one], places, alike)
            shared[np.ix_(band, band)] = True
            found.append(band)
    return found


def _grown(band: list[int], places: list[int], alike: Better) -> list[int]:
    fits: Better = np.asarray(alike[band].all(axis=0))
    chosen = set(band)
    for place in places:
        if place not in chosen and fits[place]:
            chosen.add(place)
            fits = fits & alike[place]
    return [place for place in places if place in chosen]


def best_chances(table: Table, *, draws: int = 4000, seed: int = 0) -> Floats:
    """The chance that each contender has the highest mean, as far as these samples tell; the sum is 1.

    The share of `draws` in which it came out highest; a tie is shared. Each draw weighs the samples, or
    clusters of samples, as wholes by Dirichlet's weights (the Bayesian bootstrap, Rubin 1981). Weights
    alone never draw what was not seen, and 20 right of 20 would be best with certainty; so each contender
    has two imagined samples besides, half a sample in weight each, as far up and down as it differs from
    the others where it does (the root mean square): for two contenders they come to those of
    `labkit.stats.paired`. And the best of many is mostly the luckiest, too: from four contenders on,
    differences shrink by the share of them that noise explains.

    It is no p value and no decision. It supposes that contenders scatter about their mean as a normal
    population does, and nothing of how much (a flat prior of its variance). Simulated with such populations
    of 6, 8 and 40, 0/1 answers, ratings and clusters, the chance told of the one ahead was on average at
    most 14 points above how often that was the best (6 that hardly differ), mostly less than 5; with 10
    samples it is rather too low. For long-tailed scores (lognormal) of contenders that hardly differ it was
    26 points too high at 5 samples and 12 at 20. Of equal contenders each has about 1/k. A single one far
    ahead of many equal ones is best more often than it says. It does not know missing answers: each
    contender is weighed over the samples it has, as if it were chance which. NaN for those with fewer than
    two samples (or clusters), which take no part. The same table and seed give the same chances, in
    whatever order the samples are.

    >>> from labkit.stats.table import sample_table
    >>> table = sample_table([1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0], [0, 1, 2, 3] * 3, list("aaaabbbbcccc"))
    >>> chances = best_chances(table)
    >>> bool(chances[0] > chances[2]), round(float(chances.sum()), 9)
    (True, 1.0)
    """
    chances = np.full(table.means.shape[1], np.nan)
    if not table.means.size:
        return chances
    sums, sizes = _units(table)
    units = (sizes > 0).sum(axis=0)
    taking = units > 1
    sums, sizes, units = sums[:, taking], sizes[:, taking], units[taking]
    if not len(units):
        return chances
    reach = _imagined(sums, sizes) * sizes.sum(axis=0) / units
    tied = _TIED * float(np.abs(sums).max(initial=0.0))
    rng = np.random.default_rng(seed)
    seen = sums.sum(axis=0) / sizes.sum(axis=0)
    places = rng.permutation(len(sums))
    sums, sizes = _pooled(sums, places), _pooled(sizes, places)
    weights = rng.standard_exponential((draws, len(sums)))
    up, down = rng.standard_gamma(0.5, (2, draws, len(units)))
    drawn = (weights @ sums + reach * (up - down)) / (weights @ sizes)
    drawn = _drawn_together(seen, drawn, rng)
    best = drawn >= drawn.max(axis=1, keepdims=True) - tied
    chances[taking] = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return chances


def _pooled(columns: Floats, places: NDArray[np.intp]) -> Floats:
    """The sums of so many groups of units as are weighed."""
    if len(columns) <= _WEIGHED:
        return columns
    starts = np.arange(_WEIGHED) * len(columns) // _WEIGHED
    return np.asarray(np.add.reduceat(columns[places], starts, axis=0))


def _drawn_together(seen: Floats, drawn: Floats, rng: np.random.Generator) -> Floats:
    """Draws in which contenders lie the closer together, the more of their scatter noise explains.

    The share that it explains is drawn, too: with a flat prior of the variance between contenders it has a
    gamma distribution cut at 1, whose mean without the cut is James and Stein's (Morris 1983).
    """
    apart = seen - seen.mean()
    noise = drawn - drawn.mean(axis=1, keepdims=True) - apart
    between, within = float((apart**2).sum()), float((noise**2).sum() / len(noise))
    shape = (len(seen) - 3) / 2
    if shape <= 0 or not between > 0 or not within > 0:
        return drawn
    half = (len(seen) - 1) * between / within / 2
    luck = special.gammaincinv(shape, rng.random(len(noise)) * special.gammainc(shape, half)) / half
    return np.asarray(np.sqrt(1 - luck)[:, np.newaxis] * apart + noise)


def _units(table: Table) -> tuple[Floats, Floats]:
    """Sum of means and number of samples of each unit (row) and contender, units in an order of their own."""
    sums, sizes = np.nan_to_num(table.means), (table.counts > 0).astype(np.float64)
    if table.clusters is not None:
        rows = int(table.clusters.max(initial=-1)) + 1
        summed = np.zeros((2, rows, sums.shape[1]))
        np.add.at(summed[0], table.clusters, sums)
        np.add.at(summed[1], table.clusters, sizes)
        sums, sizes = summed[0], summed[1]
    order = np.lexsort([*sums.T, *sizes.T])
    return np.asarray(sums[order]), np.asarray(sizes[order])


def _imagined(sums: Floats, sizes: Floats) -> Floats:
    """How far each contender differs from others in the units where it does: the root mean square."""
    with np.errstate(invalid="ignore"):
        means = sums / sizes
    found = np.zeros(means.shape[1])
    tied = _TIED * float(np.nanmax(np.abs(means), initial=0.0))
    for place in range(means.shape[1]):
        apart = np.nan_to_num(means[:, [place]] - means)
        differing = np.abs(apart) > tied
        found[place] = np.sqrt((apart**2).sum(where=differing) / max(1, int(differing.sum())))
    return found
