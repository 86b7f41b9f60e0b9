"""labkit.plan.past_scores: which scores tell how far two contenders lie apart on a sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import labkit as lk
from labkit.plan.past_scores import Past, past_scores

Echo = Callable[..., Any]
ROWS = [{"n": n} for n in range(12)]


def value(generation: Any, sample: Any) -> float:
    """The number the answer ends with."""
    return float(generation.text.split()[-1])


def planned(lab: lk.Lab, *models: Any, name: str = "value", **more: Any) -> lk.Plan:
    """A plan whose answers are numbers that are their own scores."""
    given = {"prompts": ["Say {{ n }}"], "dataset": ROWS, "scorers": [lk.Scorer(name, value)]} | more
    return lab.plan(models=list(models), **given)


def seen(plan: lk.Plan, *, repeats: int = 1, width: float = math.inf, scorer: str = "value") -> Past | None:
    """What the lab saw of it between models."""
    store = plan.services.store
    levels = len(plan.design.prompts)
    return past_scores(
        plan.design, store, scorer=scorer, by=("model",), repeats=repeats, levels=levels, width=width
    )


def shifted(echo: Echo, name: str, by: Callable[[int], float]) -> Any:
    """A model that answers with the number and something added."""
    return echo(name, answers=lambda r: str((n := int(r.messages[-1]["content"].split()[-1])) + by(n)))


def test_an_empty_lab_and_another_score_tell_nothing(lab: lk.Lab, echo: Echo) -> None:
    """Without scores of that name there is nothing to go by."""
    plan = planned(lab, echo("a"), shifted(echo, "b", lambda n: n % 3))
    assert seen(plan) is None
    plan.run()
    assert seen(plan, scorer="other") is None
    assert seen(plan) is not None


def test_differences_are_turned_to_the_one_ahead_with_two_imagined(lab: lk.Lab, echo: Echo) -> None:
    """Each sample's difference, as the better one sees it, and one imagined on each side as large as those
    that are not 0."""
    plan = planned(lab, echo("a"), shifted(echo, "b", lambda n: 2.0 * (n < 6)))
    plan.run()
    found = seen(plan)
    assert found is not None
    assert found.differences == (-2.0, *[0.0] * 6, *[2.0] * 7)
    assert (found.samples, found.own, found.thin) == (12, True, False)
    assert found.contenders == ("scripted/a", "scripted/b")


def test_a_replayed_answer_counts_once(lab: lk.Lab, echo: Echo) -> None:
    """A second run over the same cells adds nothing; a score given to a replay alone does count."""
    plan = planned(lab, echo("a"), shifted(echo, "b", lambda n: n % 2))
    plan.run()
    before = seen(plan)
    again = planned(lab, echo("a"), shifted(echo, "b", lambda n: n % 2), name="later")
    again.run()
    assert seen(plan) == before
    assert seen(again, scorer="later") == before


def test_as_many_repeats_as_planned_are_looked_at(lab: lk.Lab, echo: Echo) -> None:
    """Of more answers the first are taken; of fewer it is told that they were fewer."""
    plan = planned(lab, echo("a"), shifted(echo, "b", lambda n: n % 2), repeats=2)
    plan.run()
    assert [seen(plan, repeats=times).thin for times in (1, 2, 3)] == [False, False, True]


def test_a_pair_that_never_differed_could_have_by_the_scale(lab: lk.Lab, echo: Echo) -> None:
    """Ties on all samples are history where the scale is declared, and none where it is not."""
    plan = planned(lab, echo("a"), echo("b"))
    plan.run()
    assert seen(plan) is None
    found = seen(plan, width=4)
    assert found is not None
    assert found.differences == (-4.0, *[0.0] * 12, 4.0)


def test_rounding_rests_are_ties(lab: lk.Lab, echo: Echo) -> None:
    """A difference that is left of adding in another order is none."""
    plan = planned(lab, echo("a"), shifted(echo, "b", lambda n: 1e-13 if n else 1.0))
    plan.run()
    found = seen(plan)
    assert found is not None
    assert found.differences.count(0.0) == 11


@pytest.mark.parametrize(
    ("rows", "experiment", "counts"), [(30, "x", True), (30, "y", False), (5, "x", True)]
)
def test_the_dataset_or_the_experiment_is_the_same(
    lab: lk.Lab, echo: Echo, rows: int, experiment: str, counts: bool
) -> None:
    """A dataset that grew has the history of its experiment; other samples elsewhere have none."""
    models = [echo("a"), shifted(echo, "b", lambda n: n % 2)]
    planned(lab, *models, experiment="x").run()
    later = planned(lab, *models, dataset=[{"n": n} for n in range(rows)], experiment=experiment)
    assert (seen(later) is not None) is counts


def test_too_few_common_samples_tell_nothing(lab: lk.Lab, echo: Echo) -> None:
    """Seven samples are too few to go by, eight are enough."""
    plan = planned(lab, echo("a"), shifted(echo, "b", lambda n: n % 2))
    plan.head(7).run()
    assert seen(plan) is None
    plan.head(8).run()
    assert seen(plan) is not None


def test_samples_that_most_contenders_answered_are_looked_at(
    lab: lk.Lab, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are too many, those that one model answered later do not take the place of common ones."""
    monkeypatch.setattr("labkit.plan.past_scores.SAMPLES", 8)
    plan = planned(lab, echo("a"), shifted(echo, "b", lambda n: n % 2))
    plan.head(9).run()
    frame = plan.frame()
    plan.select(frame["model"] == "scripted/a").run()
    found = seen(plan)
    assert found is not None
    assert found.samples == 8
