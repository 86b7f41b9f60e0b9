"""labkit.plan.power_inputs: what `plan.power` goes by, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError

Echo = Callable[..., Any]
ROWS = [{"n": n} for n in range(40)]


def scorer(name: str = "ok", **scale: Any) -> lk.Scorer:
    """Whether the answer ends in an even digit; on a scale of 0 and 1 unless told otherwise."""
    return lk.Scorer(
        name,
        lambda generation, sample: int(generation.text[-1]) % 2 == 0,
        **{"low": 0, "high": 1, "step": 1} | scale,
    )


def planned(lab: lk.Lab, *models: Any, prompts: Any = ("Say {{ n }}",), **more: Any) -> lk.Plan:
    """A plan with a 0/1 score."""
    more = {"dataset": ROWS, "scorers": [scorer()]} | more
    return lab.plan(prompts=list(prompts), models=list(models), **more)


def differing(echo: Echo, name: str, *, wrong: int = 5) -> Any:
    """A model that answers otherwise than `echo` on every so-manieth number."""

    def answer(request: Any) -> str:
        number = int(request.messages[-1]["content"].split()[-1])
        return str(number + (number % wrong == 0))

    return echo(name, answers=answer)


def test_without_history_a_score_of_0_or_1_is_told_from_an_assumption(lab: lk.Lab, echo: Echo) -> None:
    """The assumption stands in the sentence and the value says that nothing was seen."""
    found = planned(lab, echo("a"), echo("b")).power()
    assert "if two disagree on 30 % of samples" in str(found)
    assert found.seen == 0
    assert found.detectable is not None
    assert 0.2 < found.detectable < 0.35


def test_history_of_the_plans_own_models_goes_before_the_assumption(lab: lk.Lab, echo: Echo) -> None:
    """After a run the scatter is what was seen: models that hardly differ show smaller differences."""
    plan = planned(lab, echo("a"), differing(echo, "b", wrong=20))
    before = plan.power()
    plan.run()
    after = plan.power()
    assert after.seen == 40
    assert "as scripted/a, scripted/b did on 40 samples" in after.basis
    assert after.detectable < before.detectable


def test_other_models_stand_in_for_new_ones(lab: lk.Lab, echo: Echo) -> None:
    """A plan of models that were never asked goes by others on the same samples, and says so."""
    planned(lab, echo("a"), differing(echo, "b")).run()
    found = planned(lab, echo("c"), echo("d"), repeats=2).power()
    assert "as other models (scripted/a, scripted/b) did on 40 samples" in found.basis
    assert "more answers of a sample, as here, can only help" in found.basis


def test_prompts_are_compared_where_there_is_one_model(lab: lk.Lab, echo: Echo) -> None:
    """By default what the plan has several of; both together where asked."""
    one = planned(lab, echo(), prompts=["Say {{ n }}", "Tell {{ n }}"])
    assert one.power().by == ("prompt",)
    two = planned(lab, echo("a"), echo("b"), prompts=["Say {{ n }}", "Tell {{ n }}"])
    assert (two.power().by, two.power().pairs) == (("model",), 1)
    both = two.power(by=["prompt", "model"])
    assert both.pairs == 6
    assert both.detectable > two.power().detectable


def test_a_cut_plan_is_told_by_the_samples_that_are_left(lab: lk.Lab, echo: Echo) -> None:
    """Fewer samples show only larger differences; cells without a partner count for nothing."""
    plan = planned(lab, echo("a"), echo("b"))
    cut = plan.head(12)
    assert cut.power().samples == 12
    assert cut.power().detectable > plan.power().detectable
    frame = plan.frame()
    uneven = plan.select((frame["model"] == "scripted/a") | (frame["sample.n"] < 15))
    assert uneven.power().samples == 15


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"disagreement": 0.2}, "if two disagree on 20 % of samples"),
        ({"guess": 0.7}, "if 70 % are right, and two are right independently of each other"),
        ({"sd": 0.4}, "if their difference on a sample has a standard deviation of 0.4"),
    ],
)
def test_a_guess_goes_before_history(lab: lk.Lab, echo: Echo, given: dict[str, float], words: str) -> None:
    """What is stated is gone by, also where the lab has scores, and told."""
    plan = planned(lab, echo("a"), differing(echo, "b"))
    plan.run()
    found = plan.power(effect=0.2, **given)
    assert words in str(found)
    assert found.seen == 0
    assert found.chance is not None


def test_a_guess_of_0_and_1_says_what_repeats_are_taken_for(lab: lk.Lab, echo: Echo) -> None:
    """How often repeats agree nobody said, so they are taken to bring nothing."""
    plan = planned(lab, echo("a"), echo("b"), repeats=3)
    assert "repeats are taken to agree" in plan.power(disagreement=0.2).basis
    assert "repeats" not in plan.head(20).power(sd=0.2).basis


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"effect": 5}, r"effect=5 is beyond the range of score 'ok' \(0 to 1\); 5 points are 0.05"),
        ({"effect": 0}, "effect is 0"),
        ({"effect": "much"}, "effect is 'much'"),
        ({"effect": -1, "level": 2}, r"(?s)effect is -1.*level is 2"),
        ({"power": 1}, "power is 1"),
        ({"guess": 0.3, "sd": 1}, "guess= and sd= tell the same"),
        ({"guess": 1.2}, "guess is 1.2; use a share"),
        ({"sd": float("nan")}, "sd is nan"),
        ({"by": "colour"}, "compare by"),
        ({"by": "prompt"}, "nothing to decide"),
        ({"score": "absent"}, r"'absent' is not known.*plan\.pilot\(10\)"),
        ({"score": 3}, "score is 3"),
    ],
)
def test_what_cannot_be_meant_is_refused(lab: lk.Lab, echo: Echo, given: dict[str, Any], words: str) -> None:
    """Each in a sentence that says what to give."""
    with pytest.raises(DefinitionError, match=words):
        planned(lab, echo("a"), echo("b")).power(**given)


def test_a_rating_without_history_needs_a_guess(lab: lk.Lab, echo: Echo) -> None:
    """Nothing is assumed of other scores; a share is no guess for them, and an effect has their unit."""
    plan = planned(lab, echo("a"), echo("b"), scorers=[scorer("rating", low=1, high=5)])
    with pytest.raises(DefinitionError, match="or give sd="):
        plan.power()
    with pytest.raises(DefinitionError, match="is for a score of 0 or 1"):
        plan.power(disagreement=0.3)
    with pytest.raises(DefinitionError, match=r"\(1 to 5\)\."):
        plan.power(effect=5)
    assert "a difference of 0." in str(plan.power(sd=1, effect=3))
    assert plan.power(sd=1, effect=3).chance > 0.99


def test_a_score_that_failed_or_is_misspelt_says_so(lab: lk.Lab, echo: Echo) -> None:
    """What there is no value of has its reason told: the scorer failed throughout, or another was meant."""

    def tone(generation: Any, sample: Any) -> float:
        raise KeyError("nothing")

    scorer = lk.Scorer("tone", tone, low=1, high=5)
    plan = lab.plan(
        prompts=["Say {{ n }}"], models=[echo("a"), echo("b")], dataset=[{"n": n} for n in range(9)],
        scorers=[scorer],
    )  # fmt: skip
    plan.run()
    with pytest.raises(DefinitionError, match=r"\(scorer 'tone' failed on 18 of 18 answers: KeyError"):
        plan.power()
    with pytest.raises(DefinitionError, match=r"did you mean 'tone'\?"):
        plan.power(score="tones")


def ends_even(generation: Any, sample: Any) -> bool:
    """An own scorer as a person writes it, in a file that defers annotations."""
    return int(generation.text[-1]) % 2 == 0


def test_an_own_scorer_that_says_bool_is_one_of_0_or_1(lab: lk.Lab, echo: Echo) -> None:
    """Its annotation declares it, so that nothing needs to be asked first; its differences are points."""
    told = str(planned(lab, echo("a"), echo("b"), scorers=[ends_even]).power())
    assert "points with chance 0.8" in told
    assert "if two disagree on 30 % of samples" in told


def test_an_own_scorer_that_does_not_say_is_told_what_to_write(lab: lk.Lab, echo: Echo) -> None:
    """What the sentence says to write is taken; once answers are scored, the lab knows by itself."""

    # Without annotations, as many are written: that is what is tried.
    def even(generation, sample):  # type: ignore[no-untyped-def]
        return ends_even(generation, sample)

    plan = planned(lab, echo("a"), differing(echo, "b"), scorers=[even])
    with pytest.raises(DefinitionError, match=r"def even\(generation, sample\) -> bool") as told:
        plan.power()
    (written,) = re.findall(r"lk\.Scorer\(.*?\)", str(told.value))
    declared = eval(written, {"lk": lk, "even": even})
    assert "points" in str(planned(lab, echo("a"), echo("b"), scorers=[declared]).power())
    plan.pilot(10)
    assert "points" in str(plan.power())


def test_a_share_says_that_an_undeclared_score_is_0_or_1(lab: lk.Lab, echo: Echo) -> None:
    """Its differences are then told in points, none larger than 1; of a graded score it is no guess."""
    plan = planned(lab, echo("a"), echo("b"), scorers=[lk.Scorer("plain", lambda generation, sample: 1)])
    assert "points with chance" in str(plan.power(disagreement=0.2))
    with pytest.raises(DefinitionError, match=r"beyond the range.*5 points are 0\.05"):
        plan.power(effect=5, disagreement=0.2)
    graded = planned(lab, echo("a"), echo("b"), scorers=[scorer("f1", step=None)])
    with pytest.raises(DefinitionError, match="is for a score of 0 or 1"):
        graded.power(guess=0.5)


def test_a_plan_without_scores_or_with_one_contender_shows_nothing(lab: lk.Lab, echo: Echo) -> None:
    """Its table and line are as before, and `power` says why."""
    for plan in (planned(lab, echo("a"), echo("b"), scorers=[]), planned(lab, echo("a"))):
        assert "decide" not in repr(plan) + plan._repr_html_()
        with pytest.raises(DefinitionError, match=r"no scorers|nothing to decide"):
            plan.power()


def test_it_stands_in_the_plans_table_and_where_it_was_seen_in_its_line(lab: lk.Lab, echo: Echo) -> None:
    """The table tells the assumption too; the line only what the lab saw."""
    plan = planned(lab, echo("a"), differing(echo, "b"))
    assert str(plan.power()) in plan._repr_html_()
    assert "decides" not in str(plan)
    plan.pilot(10)
    assert str(plan).endswith(plan.power().short)
    assert "did on 10 samples" in str(plan)
