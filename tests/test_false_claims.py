"""Studies with nothing to find, done as a user does them: plan, run, verdict, more, compare.

All contenders answer alike at random, so that every decision is a false one; of these there are to be
no more than the level allows. `benchmarks/coverage.py` simulates the same without the asking.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pandas as pd
import pytest
from scipy.stats import binom

import labkit as lk

RATINGS = (1, 2, 3, 4, 5), (1, 1, 1, 6, 6)
MOST_AT_ONCE = 10
LOOKS = 4


def rater(study: int, name: str) -> Any:
    """A model that rates at random, anew at each asking, the same in each run of the tests."""
    asked: Counter[str] = Counter()

    def answer(request: Any) -> str:
        said = str(request.messages[-1]["content"])
        asked[said] += 1
        chance = random.Random(f"{study}/{name}/{said}/{asked[said]}")
        return str(chance.choices(*RATINGS)[0])

    return lk.Model(f"scripted/{name}", client=lk.Script(answer, version="1"))


def planned(lab: Any, study: int, samples: int, models: int) -> Any:
    """A plan of equal models over some of 60 samples, with a score that declares its bounds and step."""
    plan = lab.plan(
        prompts=[lk.Prompt("p", "{{ text }}")],
        models=[rater(study, f"m{place}") for place in range(models)],
        dataset=[{"text": f"study {study}, sample {place}"} for place in range(60)],
        scorers=[lk.Scorer("rating", lambda generation, sample: int(generation.text), low=1, high=5, step=1)],
        experiment=f"study {study}",
    )
    return plan.sample(samples)


def decided(found: Any) -> bool:
    """Whether a verdict or a comparison decides anything."""
    return bool(found.frame()["decided"].any())


def grown_by_advice(run: Any) -> bool:
    """Whether looking, and asking for as many more as are advised, ever decides something."""
    for look in range(LOOKS):
        verdict = run.verdict("rating")
        assert verdict.watched == (look > 0)
        if decided(verdict):
            return True
        advised = verdict.frame()["samples_needed"].min()
        more = MOST_AT_ONCE if pd.isna(advised) else min(MOST_AT_ONCE, int(advised))
        run = run.more(rows=more)
    return False


def allowed(studies: int) -> int:
    """As many false claims among studies as one in a hundred times at a level of 5 %."""
    return int(binom.ppf(0.99, studies, 0.05))


MANY = pytest.param(40, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])


@pytest.mark.parametrize("studies", [12, MANY])
def test_equal_models_are_hardly_ever_decided(lab: Any, studies: int) -> None:
    """Four models over two samples each: six pairs, where absent scatter is no certainty."""
    false = sum(decided(planned(lab, study, 2, 4).run().verdict("rating")) for study in range(studies))
    assert false <= allowed(studies)


@pytest.mark.parametrize("studies", [2, MANY])
def test_following_the_advice_hardly_ever_decides_equal_models(lab: Any, studies: int) -> None:
    """An ordinary look, then as many more samples as are advised, four looks in all."""
    false = sum(grown_by_advice(planned(lab, study, 10, 2).run()) for study in range(studies))
    assert false <= allowed(studies)


@pytest.mark.parametrize("studies", [2, MANY])
def test_the_same_models_asked_again_are_hardly_ever_told_changed(lab: Any, studies: int) -> None:
    """Two runs of one plan, the second afresh."""
    false = 0
    for study in range(studies):
        plan = planned(lab, study, 8, 2)
        false += decided(lab.compare(plan.run(), plan.run(fresh=True), score="rating"))
    assert false <= allowed(studies)
