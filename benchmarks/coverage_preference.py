"""Cells of preferences: ratings of pairs, with ties, by several raters, drawn at random or by a rule.

    python benchmarks/coverage_preference.py    # how often the best of five leads after 100 ratings, by both

Contenders lie at equal steps of log-strength. Two answers to a sample have a luck of their own (a normal with
that standard deviation) that all who rate them share. Outcomes are Davidson's, so that ties are the rarer the
further apart two are; the true share is over all samples. Each study tells of one pair, drawn by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from coverage_cell import Cell, count
from numpy.random import Generator

from labkit.stats.next_pair import pair_chances
from labkit.stats.preference import one_fit
from labkit.stats.ratings import Ratings, rated
from labkit.stats.strengths import bradley_terry

CONTENDERS = (2, 3, 5, 8)
RATINGS = (30, 60, 120, 300)
RATERS = ((1, 0.0), (2, 1.0), (3, 0.0), (3, 1.0))
"""How many rate the same two answers, and how much luck these have."""
REACH = 1.1
"""How far the best lies ahead of the worst, in log-strength."""
FIVE = (0.0, 0.25, 0.5, 0.8, 1.1)
"""The strengths of those among whom the best is looked for."""


@dataclass(frozen=True)
class Study:
    """How the ratings of a study come about."""

    strengths: tuple[float, ...]
    ratings: int
    ties: float = 0.0
    """The share of ties between equals without luck."""
    raters: int = 1
    luck: float = 0.0
    by_rule: bool = False
    often: int = 10
    """Where pairs are drawn by the rule, the fit is made anew after so many ratings."""

    @property
    def size(self) -> int:
        """How many contenders there are."""
        return len(self.strengths)

    def chances(self, apart: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of a win of the first and of a tie."""
        nu = 2 * self.ties / (1 - self.ties)
        total = np.exp(apart / 2) + np.exp(-apart / 2) + nu
        return np.exp(apart / 2) / total, nu / total

    def rate(self, rng: Generator, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Outcomes of these pairs of answers, a row each, a column for each rater."""
        strength = np.array(self.strengths)
        apart = strength[first] - strength[second] + self.luck * rng.normal(size=len(first))
        won, tied = (of[:, None] for of in self.chances(apart))
        chance = rng.random((len(first), self.raters))
        return np.where(chance < won, 1.0, np.where(chance < won + tied, 0.5, 0.0))


@cache
def truth(study: Study) -> np.ndarray:
    """`truth(study)[i, j]`: the share of i over j over all samples."""
    places, weights = np.polynomial.hermite_e.hermegauss(61)
    apart = np.subtract.outer(study.strengths, study.strengths)[..., None] + study.luck * places
    won, tied = study.chances(apart)
    return np.asarray(((won + tied / 2) * weights).sum(axis=-1) / weights.sum())


def draw(rng: Generator, study: Study) -> Ratings:
    """The ratings of one study."""
    answers = -(-study.ratings // study.raters)
    if not study.by_rule:
        first = rng.integers(0, study.size, answers)
        second = (first + rng.integers(1, study.size, answers)) % study.size
        return _gathered(study, first, second, study.rate(rng, first, second))
    found = [np.empty(0, dtype=int), np.empty(0, dtype=int), np.empty((0, study.raters))]
    while len(found[0]) < answers:
        fit = bradley_terry(_gathered(study, *found), imagine=True)
        some = min(-(-study.often // study.raters), answers - len(found[0]))
        one, two, chance = pair_chances(fit)
        place = rng.choice(len(one), some, p=chance)
        more = one[place], two[place], study.rate(rng, one[place], two[place])
        found = [np.concatenate(both) for both in zip(found, more, strict=True)]
    return _gathered(study, *found)


def _gathered(study: Study, first: np.ndarray, second: np.ndarray, outcome: np.ndarray) -> Ratings:
    """All raters' ratings of these pairs of answers, as many as the study has."""
    cluster = np.repeat(np.arange(len(first)), study.raters)[: study.ratings]
    one, two, value = first[cluster], second[cluster], outcome.ravel()[: study.ratings]
    return rated(one, two, value, clusters=cluster, contenders=range(study.size))


def _pair(rng: Generator, *, study: Study, best_two: bool) -> bool:
    found = one_fit(draw(rng, study)).pairs
    place = len(found.share) - 1 if best_two else int(rng.integers(len(found.share)))
    true = truth(study)[np.triu_indices(study.size, 1)][place]
    return bool(found.low[place] <= true <= found.high[place])


def _over_all(rng: Generator, *, study: Study) -> bool:
    found, place = one_fit(draw(rng, study)).overall, int(rng.integers(study.size))
    true = (truth(study)[place].sum() - 0.5) / (study.size - 1)
    return bool(found.low[place] <= true <= found.high[place])


def _all_unbeaten(rng: Generator, *, study: Study) -> bool:
    """Whether of equal contenders nobody is shown to beat any."""
    return len(one_fit(draw(rng, study)).unbeaten) == study.size


def _best_leads(rng: Generator, *, study: Study) -> bool:
    return one_fit(draw(rng, study)).strengths.log_strength.argmax() == np.argmax(study.strengths)


def cells() -> Iterator[Cell]:
    """Every cell, with the share of studies in which its claim is to hold at least."""
    for size in CONTENDERS:
        for ratings in RATINGS:
            for raters, luck in RATERS:
                apart = tuple(float(at) for at in np.linspace(0, REACH, size))
                study = Study(apart, ratings, raters=raters, luck=luck)
                yield from _cells_at_random(study)
                yield from _cells_by_rule(study)


def _cells_at_random(study: Study) -> Iterator[Cell]:
    for ties in (0.0, 0.2, 0.4):
        some = replace(study, ties=ties)
        holds = partial(_pair, study=some, best_two=False)
        yield _interval("preferences, share", some, "", 0.93, holds)
        if study.raters != 2 and ties != 0.2:
            equal = replace(some, strengths=(0.0,) * study.size)
            holds = partial(_all_unbeaten, study=equal)
            name = _named(equal, ", equal")
            yield Cell("test", "preferences, unbeaten", name, study.ratings, 0.95, 0.94, holds, 0.5)
    if study.size > 2 and study.raters == 3:
        some = replace(study, ties=0.2)
        yield _interval("preferences, share over all", some, "", 0.93, partial(_over_all, study=some))


def _cells_by_rule(study: Study) -> Iterator[Cell]:
    if study.size > 2 and (study.raters, study.luck) in ((1, 0.0), (2, 1.0)):
        some = replace(study, ties=0.2, by_rule=True)
        yield _interval(
            "preferences, share", some, "", 0.93, partial(_pair, study=some, best_two=False), 0.15
        )
        holds = partial(_pair, study=some, best_two=True)
        yield _interval("preferences, share", some, ", the two best", 0.87, holds, 0.15)
        equal = replace(some, strengths=(0.0,) * study.size)
        holds = partial(_all_unbeaten, study=equal)
        name = _named(equal, ", equal")
        yield Cell("test", "preferences, unbeaten", name, study.ratings, 0.95, 0.94, holds, 0.15)


def _interval(
    method: str, study: Study, more: str, least: float, holds: partial[bool], part: float = 0.5
) -> Cell:
    return Cell("interval", method, _named(study, more), study.ratings, 0.95, least, holds, part)


def _named(study: Study, more: str) -> str:
    by = "by rule" if study.by_rule else "at random"
    raters = f"{study.raters} rater" + "s" * (study.raters > 1)
    return f"{study.size} contenders{more}, {study.ties:.0%} ties, {raters}, luck {study.luck:g}, {by}"


def main() -> None:
    """Print how often the best leads after 100 ratings, drawn at random and by the rule."""
    for by_rule in (False, True):
        study = Study(FIVE, 100, by_rule=by_rule, often=1)
        cell = Cell("test", "best leads", _named(study, ""), 100, 1.0, 0.0, partial(_best_leads, study=study))
        print(f"{cell.data}: {count(cell, studies=2000).held:.3f}")


if __name__ == "__main__":
    main()
