"""Cells of judged answers: few labels by people, a judge for all samples, and what is corrected from both.

n counts labels; *others* are the samples beside them that only the judge has valued. The judge is wrong on
15 of 100 answers (*fair*), so but kinder by 8 points to all answers, or to those of one side (*kind*), or
draws its values blindly (*useless*). Of scores that are not right or wrong it is off by 0.7 of their standard
deviation, and kinder by 8 points of the scale. A study is a column; hundreds are drawn at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from coverage_cell import Cell
from coverage_draws import answers, inside
from coverage_scores import KINDS, draw, mean
from numpy.random import Generator
from scipy import special

from labkit import stats
from labkit.stats.corrected import Corrected, corrected_difference, corrected_mean
from labkit.stats.scale import UNKNOWN

SIZES = (20, 30, 50, 100)
OTHERS = (100, 300, 1000)
JUDGES = ("fair", "kind", "useless")
MANY = 4.0
"""As many times the studies of other cells: 8,000."""
AT_ONCE = 400
RIGHT = stats.Scale(0, 1, 1)
GRADES, SKEWED = "ratings 1 to 5", ("ratings, nine in ten a 5", "graded, near 1", "lognormal")
KINDER, WRONG, OFF = 0.08, 0.15, 0.7
AHEAD = 0.3
"""How far the better contender's grades lie ahead, in standard deviations."""


def verdicts(rng: Generator, values: np.ndarray, judge: str, scale: stats.Scale) -> np.ndarray:
    """What a judge says of answers worth `values`."""
    kinder = KINDER if judge == "kind" else 0.0
    if scale.binary:
        passed = np.where(values == 1, 1 - WRONG + kinder, WRONG + kinder)
        return (rng.random(values.shape) < (0.5 if judge == "useless" else passed)) * 1.0
    if judge == "useless":
        return draw(rng, GRADES, values.shape, (0.0,))[0]
    spread = values.std()
    width = scale.width if scale.bounded else 4 * spread
    given = values + OFF * spread * rng.normal(size=values.shape) + kinder * width
    return np.clip(np.round(given) if scale.step else given, scale.low, scale.high)


def labels_of(values: np.ndarray, n: int) -> np.ndarray:
    """The values of the first n samples: they come in no order."""
    found = values.copy()
    found[n:] = np.nan
    return found


def _rates(
    rng: Generator, n: int, others: int, judge: str, rates: tuple[float, ...], repeats: int = 1
) -> list:
    """Values and verdicts at these rates, repeats averaged; a kind judge is kind to the last."""
    values = answers(rng, n + others, repeats, rates, 0.5, AT_ONCE)
    judges = [judge if judge != "kind" else "fair"] * (len(rates) - 1) + [judge]
    judged = [verdicts(rng, one, of, RIGHT) for one, of in zip(values, judges, strict=True)]
    return [(one.mean(axis=1), of.mean(axis=1)) for one, of in zip(values, judged, strict=True)]


def _grades(rng: Generator, n: int, others: int, judge: str, shifts: tuple[float, ...], kind: str) -> list:
    values, scale = draw(rng, kind, (n + others, AT_ONCE), shifts), KINDS[kind].scale
    judges = [judge if judge != "kind" else "fair"] * (len(shifts) - 1) + [judge]
    return [(one, verdicts(rng, one, of, scale)) for one, of in zip(values, judges, strict=True)]


def _one_rate(
    rng: Generator, *, n: int, others: int, judge: str, rate: float, repeats: int = 1
) -> np.ndarray:
    ((values, judged),) = _rates(rng, n, others, judge, (rate,), repeats)
    return inside(corrected_mean(labels_of(values, n), judged, scale=RIGHT).limits(0.95), rate)


def _one_grade(
    rng: Generator, *, n: int, others: int, judge: str, kind: str = GRADES, told: bool = True
) -> np.ndarray:
    ((values, judged),) = _grades(rng, n, others, judge, (0.0,), kind)
    scale = KINDS[kind].scale if told else UNKNOWN
    found = corrected_mean(labels_of(values, n), judged, scale=scale)
    return inside(found.limits(0.95), mean(kind))


def _pair(n: int, pair: list, scale: stats.Scale) -> Corrected:
    (one, of_one), (two, of_two) = pair
    return corrected_difference(
        labels_of(scale.without_rests(one - two, one), n), of_one - of_two, scale=scale
    )


def _two_rates(
    rng: Generator, *, n: int, others: int, judge: str, rates: tuple[float, float], repeats: int = 1
) -> np.ndarray:
    found = _pair(n, _rates(rng, n, others, judge, rates, repeats), RIGHT)
    return inside(found.limits(0.95), rates[0] - rates[1])


def _two_grades(
    rng: Generator, *, n: int, others: int, judge: str, kind: str = GRADES, told: bool = True
) -> np.ndarray:
    scale = KINDS[kind].scale if told else UNKNOWN
    found = _pair(n, _grades(rng, n, others, judge, (AHEAD, 0.0), kind), scale)
    return inside(found.limits(0.95), mean(kind, AHEAD) - mean(kind))


def _silent(rng: Generator, *, n: int, others: int, rate: float | None, repeats: int = 1) -> np.ndarray:
    """Whether nothing is claimed of equal contenders, to the second of which the judge is kind."""
    if rate is None:
        return (
            _pair(n, _grades(rng, n, others, "kind", (0.0, 0.0), GRADES), KINDS[GRADES].scale).p_value >= 0.05
        )
    return _pair(n, _rates(rng, n, others, "kind", (rate, rate), repeats), RIGHT).p_value >= 0.05


def _fooled(rng: Generator, *, n: int, others: int, rate: float) -> np.ndarray:
    """The same by the judge alone."""
    return _pair(n, _rates(rng, n, others, "kind", (rate, rate)), RIGHT).judge.p_value() >= 0.05


def _student(rng: Generator, *, n: int, others: int, judge: str, rate: float) -> np.ndarray:
    """Student's t around the same estimate, without imagined samples."""
    ((values, judged),) = _rates(rng, n, others, judge, (rate,))
    found = corrected_mean(labels_of(values, n), judged, scale=RIGHT)
    reach = special.stdtrit(found.freedom, 0.975) * found.t.plain_error
    return inside((found.estimate - reach, found.estimate + reach), rate)


def _clustered(
    rng: Generator, *, n: int, others: int, clusters: int, judge: str, rates: tuple[float, ...]
) -> np.ndarray:
    """Clusters that differ in what they are worth and in how the judge takes them; labels lie anywhere."""
    rows = n + others
    code = rng.permutation(np.arange(rows) * clusters // rows)
    pair = []
    for place, rate in enumerate(rates):
        of, own = rng.normal(size=(clusters, AT_ONCE))[code], rng.normal(size=(rows, AT_ONCE))
        values = (np.sqrt(0.2) * of + np.sqrt(0.8) * own < special.ndtri(rate)) * 1.0
        of, own = rng.normal(size=(clusters, AT_ONCE))[code], rng.normal(size=(rows, AT_ONCE))
        kinder = KINDER if judge == "kind" and place == len(rates) - 1 else 0.0
        passed = np.where(values == 1, 1 - WRONG, WRONG) + kinder
        pair.append((values, (np.sqrt(0.2) * of + np.sqrt(0.8) * own < special.ndtri(passed)) * 1.0))
    if len(rates) == 1:
        ((values, judged),) = pair
        found = corrected_mean(labels_of(values, n), judged, clusters=code, scale=RIGHT)
        return inside(found.limits(0.95), rates[0])
    (one, of_one), (two, of_two) = pair
    found = corrected_difference(labels_of(one - two, n), of_one - of_two, clusters=code, scale=RIGHT)
    return inside(found.limits(0.95), rates[0] - rates[1])


def _unread(rng: Generator, *, n: int, others: int, rate: float) -> np.ndarray:
    """Where the judge's verdict can mostly not be read of wrong answers."""
    ((values, judged),) = _rates(rng, n, others, "fair", (rate,))
    judged = np.where(rng.random(values.shape) < np.where(values == 1, 0.05, 0.4), np.nan, judged)
    return inside(corrected_mean(labels_of(values, n), judged, scale=RIGHT).limits(0.95), rate)


def _carried(rng: Generator, *, n: int, labels: int, rate: float) -> bool:
    """Rogan and Gladen's with as many labels of right and wrong answers; refusing is no false claim."""
    passed = rng.binomial(n, rate * (1 - WRONG) + (1 - rate) * WRONG)
    right, wrong = rng.binomial(labels, 1 - WRONG, size=2)
    try:
        found = stats.rogan_gladen_interval(
            (passed, n), sensitivity=(right, labels), specificity=(wrong, labels)
        )
    except ValueError:
        return True
    return bool(found.low <= rate <= found.high)


def cells() -> Iterator[Cell]:
    """Every cell, with the share of studies in which its claim is to hold at least."""
    for n in SIZES:
        for others in OTHERS:
            for judge in JUDGES:
                yield from _cells_of(n, others, judge)
            yield from _cells_of_tests(n, others)
        yield from _cells_of_units(n)
        yield from _contrasts(n)
    for labels in (20, 50, 200):
        for rate in (0.1, 0.5, 0.9):
            holds = partial(_carried, n=500, labels=labels, rate=rate)
            data = f"rate {rate}, {labels} labels of right and of wrong answers"
            yield Cell("interval", "rogan_gladen_interval", data, 500, 0.95, 0.93, holds)


def _cells_of(n: int, others: int, judge: str) -> Iterator[Cell]:
    interval = partial(Cell, "interval", n=n, nominal=0.95, least=0.93, part=MANY)
    alike = {"n": n, "others": others, "judge": judge}
    by = f"{judge} judge, {others:,} others"
    for rate in (0.1, 0.5, 0.9):
        yield interval("corrected_mean", f"rate {rate}, {by}", holds=partial(_one_rate, rate=rate, **alike))
    yield interval("corrected_mean", f"{GRADES}, {by}", holds=partial(_one_grade, **alike))
    for rates in ((0.7, 0.6), (0.95, 0.9)):
        data = f"rates {rates[0]} and {rates[1]}, {by}"
        yield interval("corrected_difference", data, holds=partial(_two_rates, rates=rates, **alike))
    yield interval("corrected_difference", f"{GRADES}, apart, {by}", holds=partial(_two_grades, **alike))


def _cells_of_tests(n: int, others: int) -> Iterator[Cell]:
    for rate in (0.5, 0.9, None):
        holds = partial(_silent, n=n, others=others, rate=rate)
        data = f"equal, {GRADES if rate is None else f'both {rate}'}, kind judge, {others:,} others"
        yield Cell("test", "corrected_difference", data, n, 0.95, 0.94, holds, MANY)


def _cells_of_units(n: int) -> Iterator[Cell]:
    """Repeats, clusters and verdicts that could not be read, beside 300 others."""
    interval = partial(Cell, "interval", n=n, nominal=0.95, least=0.93, part=MANY)
    for rates in ((0.5,), (0.9,), (0.7, 0.6)):
        method = "corrected_mean" if len(rates) == 1 else "corrected_difference"
        told = " and ".join(str(rate) for rate in rates)
        for many, of in ((5, "5 clusters"), (10, "10 clusters"), ((n + 300) // 5, "clusters of 5")):
            holds = partial(_clustered, n=n, others=300, clusters=many, judge="kind", rates=rates)
            yield interval(method, f"rates {told}, {of}, kind judge, 300 others", holds=holds)
        alike = {"n": n, "others": 300, "judge": "kind", "repeats": 3}
        one, two = partial(_one_rate, rate=rates[0], **alike), partial(_two_rates, rates=rates, **alike)
        holds = one if len(rates) == 1 else two
        yield interval(method, f"rates {told}, 3 repeats, kind judge, 300 others", holds=holds)
    holds = partial(_silent, n=n, others=300, rate=0.5, repeats=3)
    data = "equal, both 0.5, 3 repeats, kind judge, 300 others"
    yield Cell("test", "corrected_difference", data, n, 0.95, 0.94, holds, MANY)
    by = "kind judge, 300 others"
    undeclared = [(kind, False) for kind in (GRADES, *SKEWED[:2])]
    for kind, told in (*((kind, True) for kind in SKEWED), *undeclared):
        alike = {"n": n, "others": 300, "judge": "kind", "kind": kind, "told": told}
        # What the docstring names: nothing tells of a tail that few labels have not seen.
        one = partial(interval, least=0.91) if kind == "lognormal" else interval
        name = f"{kind}{', not declared' * (not told)}"
        yield one("corrected_mean", f"{name}, {by}", holds=partial(_one_grade, **alike))
        yield interval("corrected_difference", f"{name}, apart, {by}", holds=partial(_two_grades, **alike))
    for rate in (0.5, 0.9):
        data = f"rate {rate}, verdicts on wrong answers unread, 300 others"
        yield interval("corrected_mean", data, holds=partial(_unread, n=n, others=300, rate=rate))


def _contrasts(n: int) -> Iterator[Cell]:
    for rate in (0.1, 0.9):
        holds = partial(_student, n=n, others=300, judge="kind", rate=rate)
        data = f"a contrast: Student's t around the corrected mean, rate {rate}, kind judge, 300 others"
        yield Cell("interval", "no method of labkit", data, n, 0.95, 0.0, holds, MANY)
    holds = partial(_fooled, n=n, others=300, rate=0.5)
    data = "a contrast: the judge alone, equal, both 0.5, kind judge, 300 others"
    yield Cell("test", "no method of labkit", data, n, 0.95, 0.0, holds, MANY)
