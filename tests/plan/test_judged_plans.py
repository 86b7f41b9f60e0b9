"""Plans whose answers are judged: all that is wrong at once, before anything is asked; what judging takes."""

from __future__ import annotations

from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError
from tests.run.judging_kit import GRADES, ROWS, USD_MTOK, Judged, longer, writer


def polite(model: Any, **more: Any) -> Any:
    return lk.judge(more.pop("name", "polite"), "Is it polite?", model=model, grades=GRADES, **more)


def test_a_wrong_judge_is_told_with_all_else_that_is_wrong(lab: lk.Lab) -> None:
    """Prompts, models, columns, judges and duels in one error; nothing is asked, and the lab has nothing."""
    judge = Judged("yes")
    with pytest.raises(DefinitionError) as caught:
        lab.plan(
            prompts=["Say {{ nn }}"],
            models=[writer()],
            dataset=ROWS,
            repeats=0,
            scorers=[
                polite("nobody/knows"),
                polite(judge.model, name="ref", reference="golden"),
                lk.judge("rubric", "Does it fit {{ hint }}?", model=judge.model, grades=GRADES),
                polite(writer(), name="self"),
                polite("openai/gpt-4o", name="params", params={"temprature": 0}),
                polite(
                    lk.Model("own/m", base_url="http://127.0.0.1:9/v1", key_env=""),
                    name="form",
                    structured=True,
                ),
                lk.duel("helps", "Which?", model=judge.model),
            ],
        )
    told = str(caught.value)
    for part in (
        "nn",
        "repeats is 0",
        "judge 'polite': There is no model 'nobody/knows'",
        "scorer 'ref' reads column 'golden'",
        "scorer 'rubric' reads column 'hint'",
        "judge 'self': scripted/writer would judge its own answers",
        "judge 'params': openai/gpt-4o has no param 'temprature'",
        "judge 'form': own/m is not known to answer in JSON of a schema",
        "duel('helps') compares two answers to the same sample",
    ):
        assert part in told, part
    assert len(caught.value.faults) == 9
    assert not judge.asked
    assert lab.runs(kind=None).empty


def test_two_judges_of_one_name_are_refused(lab: lk.Lab) -> None:
    judge = Judged("yes").model
    with pytest.raises(DefinitionError, match="two scorers are called 'polite'"):
        lab.plan(prompts=["{{ n }}"], models=[writer()], dataset=ROWS, scorers=[polite(judge), polite(judge)])


@pytest.mark.parametrize("competing", ["prompts", "models", "steps"])
def test_a_duel_takes_two_who_compete(lab: lk.Lab, competing: str) -> None:
    """Prompts, models, or the models of a chain's steps."""
    duel = lk.duel("helps", "Which?", model=Judged("first").model)
    a, b = writer("a"), writer("b")
    chain = lk.Chain("c", lk.Step("facts", "F {{ n }}"), lk.Step("reply", "R {{ facts }}"))
    prompts, models = {
        "prompts": (["One {{ n }}", "Two {{ n }}"], [a]),
        "models": (["One {{ n }}"], [a, b]),
        "steps": ([chain], [lk.per_step(facts=[a, b], reply=a)]),
    }[competing]
    assert len(lab.plan(prompts=prompts, models=models, dataset=ROWS, scorers=[duel])) > 0
    with pytest.raises(DefinitionError, match="here each has one"):
        lab.plan(prompts=prompts[:1], models=[a], dataset=ROWS, repeats=3, scorers=[duel])


def test_the_plan_counts_the_verdicts_of_judges_juries_and_duels(lab: lk.Lab) -> None:
    """Of a duel both orders of each two, of a jury each one's."""
    judge, other = Judged("yes"), Judged("yes", "other")
    made = lab.plan(
        prompts=["Say {{ n }}"],
        models=[writer("a"), writer("b"), writer("c")],
        dataset=ROWS,
        scorers=[
            polite([judge.model, other.model]),
            lk.duel("helps", "Which?", model=Judged(longer, "third").model),
        ],
    )
    assert [part.requests for part in made.estimate().judging] == [18, 18, 36]
    assert "; judges: 72 verdicts, 0 known" in str(made)
    assert made.estimate().requests == 18
    assert "judge(&#x27;polite&#x27;): scripted/other: the answer is to be asked" in made._repr_html_()
    made.run()
    assert "; judges: 72 verdicts, 72 known" in str(made)
    part = lab.plan(
        prompts=["Say {{ n }}"],
        models=[writer("a"), writer("d", str.upper)],
        dataset=ROWS,
        scorers=made.scorers,
    )
    assert [one.requests for one in part.estimate().judging] == [6, 6, 12]


def test_the_price_of_judging_is_told_with_its_part(lab: lk.Lab) -> None:
    judge = Judged("yes", prices=USD_MTOK)
    made = lab.plan(prompts=["Say {{ n }}"], models=[writer()], dataset=ROWS, scorers=[polite(judge.model)])
    estimate = made.estimate()
    (part,) = estimate.judging
    assert estimate.cost_high_usd == part.cost_high_usd > part.cost_low_usd > 0
    assert " of it" in str(estimate)
    unpriced = lab.plan(
        prompts=["Say {{ n }}"],
        models=[writer()],
        dataset=ROWS,
        scorers=[polite(lk.Model("own/m", base_url="http://127.0.0.1:9/v1", key_env=""))],
    )
    assert "at a price that is not known" in str(unpriced)


def test_asked_afresh_all_verdicts_are_to_come(lab: lk.Lab) -> None:
    judge = Judged("yes")
    made = lab.plan(prompts=["Say {{ n }}"], models=[writer()], dataset=ROWS, scorers=[polite(judge.model)])
    made.run()
    assert made.estimate().judging[0].requests == 0
    assert made.estimate(fresh=True).judging[0].requests == 6


def test_answers_to_samples_without_a_reference_are_not_counted(lab: lk.Lab) -> None:
    rows = [{"n": "1", "gold": "one"}, {"n": "2", "gold": None}]
    judge = Judged("yes")
    made = lab.plan(
        prompts=["Say {{ n }}"],
        models=[writer()],
        dataset=rows,
        scorers=[polite(judge.model, reference="gold")],
    )
    assert made.estimate().judging[0].requests == 1
    made.run()
    assert len(judge.asked) == 1
