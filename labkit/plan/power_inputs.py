"""What a plan can show, from what there is at hand: the lab's history of the score, or a stated guess.

The arithmetic is `labkit.stats.planning`'s. It asks nobody and knows no price.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

from labkit.arguments import check, number, sure, text
from labkit.design import Design
from labkit.errors import DefinitionError
from labkit.nearest import meant
from labkit.plan.estimate import plural
from labkit.plan.past_scores import ENOUGH, KEYS, Past, past_scores
from labkit.plan.power import Power
from labkit.scoring import Scorer
from labkit.stats.scale import UNKNOWN, Scale, agreed, scale_of
from labkit.store import Store
from labkit.store.filters import listed
from labkit.summary.unscored import failure
from labkit.visible import quoted, visible

if TYPE_CHECKING:
    from labkit.stats.planning import Scatter

FAILURES = """
    select count(*) as answers, count(error) as failed, count("value") as scored,
        mode(error) as reason, count(distinct error) as reasons
    from scores where scorer = ?
"""
DECLARED = """select distinct low, high, step from scores where scorer = ? and "value" is not null limit 2"""
ASSUMED = 0.3
"""On so many of the samples two are taken to disagree where nothing is known of a score of 0 or 1."""
NAMED = 4
"""So many contenders of history are named."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a plan: see `plan.power`."""

    effect: float | None = None
    level: float = 0.95
    power: float = 0.8
    guess: float | None = None
    disagreement: float | None = None
    sd: float | None = None

    def faults(self, score: Score) -> list[str]:
        """What cannot be meant of a score on this scale."""
        guesses = {"guess": self.guess, "disagreement": self.disagreement, "sd": self.sd}
        given = {name: value for name, value in guesses.items() if value is not None}
        faults = [
            *number("effect", self.effect, above=0, or_none=True),
            *sure("level", self.level),
            *sure("power", self.power),
            *(fault for name, value in given.items() for fault in number(name, value, above=0)),
        ]
        if len(given) > 1:
            faults.append(f"{' and '.join(f'{name}=' for name in given)} tell the same; give one.")
        if faults:
            return faults
        if self.effect is not None and self.effect > score.scale.width:
            points = f"{self.effect:g} points are {self.effect / 100:g}" if score.scale.unit else ""
            hint = f"; {points}" if points and self.effect <= 100 else ""
            faults.append(f"effect={self.effect:g} is beyond the range of {score}{hint}.")
        for name in given.keys() - {"sd"}:
            if not given[name] < 1:
                faults.append(f"{name} is {given[name]:g}; use a share of samples, below 1.")
            if not score.scale.binary:
                faults.append(f"{name}= is for a score of 0 or 1, not for {score}; give sd=.")
        return faults


@dataclass(frozen=True)
class Score:
    """A score by its name, and what is declared of its values."""

    name: str
    scale: Scale = UNKNOWN

    def __str__(self) -> str:
        ends = f" ({self.scale.low:g} to {self.scale.high:g})" if self.scale.bounded else ""
        return f"score {quoted(self.name)}{ends}"


def power(
    design: Design,
    scorers: Sequence[Scorer],
    store: Store,
    question: Question,
    *,
    score: str | None = None,
    by: str | Sequence[str] | None = None,
) -> Power:
    """See `plan.power`: this is it."""
    asked = _asked(scorers, score)
    if asked.scale == UNKNOWN:  # the plan does not say; the lab may, by answers that were scored
        told = [scale_of(list(row.values())) for row in store.table(DECLARED, [asked.name]).to_pylist()]
        asked = Score(asked.name, agreed(told))
    if asked.scale == UNKNOWN and (question.guess is not None or question.disagreement is not None):
        asked = Score(asked.name, Scale(0, 1, 1))  # nothing is declared, so the guess tells what it is
    check(question.faults(asked))
    scale = asked.scale
    factors = _factors(design, by)
    shape = _shape(design, factors)
    found, seen = _guessed(question, scale, shape), 0
    if found is None:
        past = past_scores(
            design,
            store,
            scorer=asked.name,
            by=factors,
            repeats=shape.repeats,
            levels=shape.levels,
            width=scale.width,
        )
        if past is not None:
            found, seen = _seen(past, scale, factors), past.samples
        elif scale.binary:
            found = _guessed(Question(disagreement=ASSUMED), scale, shape)
    if found is None:
        raise DefinitionError(
            f"How far two lie apart on a sample in score {quoted(asked.name)} is not known: no two in the "
            f"lab share {ENOUGH} scored samples of this dataset{_why_none(asked.name, scorers, store)}. "
            f"{_to_declare(asked, scorers)} some first, plan.pilot(10), or give sd=, the standard deviation "
            "of their difference on a sample."
        )
    scatter, basis = found
    chance, detectable = _chances(
        scatter, question.effect, question.power, shape.samples, shape.pairs, scale, question.level
    )
    return Power(
        scorer=asked.name,
        by=factors,
        samples=shape.samples,
        pairs=shape.pairs,
        effect=question.effect,
        chance=chance,
        power=question.power,
        detectable=detectable,
        level=question.level,
        basis=basis,
        seen=seen,
        scale=scale,
    )


def _to_declare(score: Score, scorers: Sequence[Scorer]) -> str:
    """What to write where a scorer of the plan may answer True or False; then "ask"."""
    function = next((scorer.fn for scorer in scorers if scorer.name == score.name), None)
    if score.scale != UNKNOWN or function is None:
        return "Ask"
    name = getattr(function, "__name__", "")
    name = name if name.isidentifier() else "function"
    return (
        f"If it answers True or False, say so: def {name}(generation, sample) -> bool: …, or "
        f"lk.Scorer({quoted(score.name)}, {name}, low=0, high=1, step=1). Else ask"
    )


def _why_none(score: str, scorers: Sequence[Scorer], store: Store) -> str:
    """Where the lab has no value of a score: that its scorer failed, or that another name was meant."""
    (told,) = store.table(FAILURES, [score]).to_pylist()
    if told["failed"] and not told.pop("scored"):
        return f" ({failure(score, **told)})"
    near = meant(score, [scorer.name for scorer in scorers])
    return f" (did you mean {quoted(near)}?)" if near not in (None, score) else ""


# The same plan is shown again and again: by its line, its table and the workbench.
@lru_cache(maxsize=64)
def _chances(
    scatter: Scatter,
    effect: float | None,
    wanted: float,
    samples: int,
    pairs: int,
    scale: Scale,
    level: float,
) -> tuple[float | None, float | None]:
    from labkit.stats import planning

    detectable = planning.detectable_difference(
        scatter, n=samples, power=wanted, pairs=pairs, scale=scale, level=level
    )
    if effect is None:
        return None, detectable
    chance = planning.power(scatter, effect, n=samples, pairs=pairs, scale=scale, level=level)
    return chance, detectable


# -- what is compared ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shape:
    samples: int
    """That a pair has in common, at least."""
    pairs: int
    """With two samples or more in common."""
    levels: int
    repeats: int


def _asked(scorers: Sequence[Scorer], score: str | None) -> Score:
    check(text("score", score, or_none=True))
    if score is None and not scorers:
        raise DefinitionError(
            "The plan has no scorers, so nothing is decided by it. Give lab.plan scorers=, or name a score."
        )
    for scorer in scorers:
        if score in (None, scorer.name):
            return Score(scorer.name, scorer.scale)
    return Score(str(score))  # as given by run.score: the lab may know it, the plan does not


def _factors(design: Design, by: str | Sequence[str] | None) -> tuple[str, ...]:
    if by is None:
        return ("prompt",) if len({*map(design.contender, design.places)}) == 1 else ("model",)
    chosen = tuple(listed(by))
    if not chosen or len(set(chosen)) < len(chosen) or any(factor not in KEYS for factor in chosen):
        raise DefinitionError(f"by={quoted(by)}: compare by 'model', 'prompt' or ['prompt', 'model']")
    return chosen


def _shape(design: Design, by: tuple[str, ...]) -> _Shape:
    samples: defaultdict[tuple[Any, ...], set[int]] = defaultdict(set)
    levels, repeats = set(), set()
    for place in filter(design.is_last, design.places):
        at = {"prompt": place.prompt, "model": design.contender(place)}
        samples[tuple(at[factor] for factor in by)].add(place.sample)
        levels.add(tuple(at[factor] for factor in KEYS if factor not in by))
        repeats.add(place.repeat)
    sets = set(map(frozenset, samples.values()))
    if len(sets) == 1:
        common = [len(next(iter(sets)))] * math.comb(len(samples), 2)
    else:
        common = [len(one & two) for one, two in combinations(samples.values(), 2)]
    common = [count for count in common if count > 1]
    if not common:
        raise DefinitionError(
            f"No two contenders of the plan (by {' and '.join(by)}) have two samples in common, so there is "
            "nothing to decide."
        )
    return _Shape(min(common), len(common), len(levels), len(repeats))


# -- by what it goes -------------------------------------------------------------------------------


def _guessed(question: Question, scale: Scale, shape: _Shape) -> tuple[Scatter, str] | None:
    if question.guess is question.disagreement is question.sd is None:
        return None
    from labkit.stats.planning import Disagreement, Normal

    if question.sd is not None:
        basis = f"if their difference on a sample has a standard deviation of {question.sd:g}"
        step = None if scale.step is None else scale.step / (shape.repeats * shape.levels)
        return Normal(question.sd, scale.width, step), basis
    if question.guess is not None:
        share = 2 * question.guess * (1 - question.guess)
        basis = f"if {100 * question.guess:g} % are right, and two are right independently of each other"
    else:
        share = question.disagreement or 0.0
        basis = f"if two disagree on {100 * share:g} % of samples"
    return Disagreement(share), basis + "; repeats are taken to agree" * (shape.repeats > 1)


def _seen(past: Past, scale: Scale, by: tuple[str, ...]) -> tuple[Scatter, str]:
    from labkit.stats.planning import Seen

    return Seen(past.differences, scale.width), _history(past, by)


def _history(past: Past, by: tuple[str, ...]) -> str:
    names = [visible(name, limit=60) for name in past.contenders[:NAMED]]
    more = len(past.contenders) - len(names)
    who = ", ".join(names) + (f" and {more} more" if more else "")
    told = who if past.own else f"other {' and '.join(f'{factor}s' for factor in by)} ({who})"
    thin = "; more answers of a sample, as here, can only help" if past.thin else ""
    return f"if they scatter as {told} did on {plural(past.samples, 'sample')}{thin}"
