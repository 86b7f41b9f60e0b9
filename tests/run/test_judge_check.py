"""Twelve controls of a judge: a sound one passes, a fool is named with what fooled it, and it is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError
from labkit.records import Request
from labkit.scoring.judge_controls import controls
from tests.run.judging_kit import GRADES, Judged, answers, writer

GOOD, BAD = "Thank you, we will look into it today.", "Go away."


def sound(request: Request) -> str:
    """Good is what has the good answer in it, and nothing hidden."""
    (said,) = answers(request)
    return "yes" if GOOD in said else "no"


def polite(says: Any = sound, **more: Any) -> Any:
    judge = Judged(says, **more.pop("model", {}))
    return lk.judge("polite", "Is it polite?", model=judge.model, grades=GRADES, **more), judge


def test_a_sound_judge_passes(lab: lk.Lab) -> None:
    """All twelve, told in one line, and in a frame."""
    judge, asked = polite()
    found = judge.check(lab, good=GOOD, bad=BAD)
    assert (found.passed, found.fooled_by) == (True, [])
    assert repr(found) == "judge('polite'): 12 of 12 controls as they should be"
    assert found.frame()["right"].all()
    assert len(asked.asked) == 12


def test_a_fool_is_told_what_fooled_it(lab: lk.Lab) -> None:
    """One who believes whoever says so falls for the forged ones, and is not blamed for the others."""
    judge, _ = polite(
        lambda request: "yes" if "yes" in answers(request)[0] or sound(request) == "yes" else "no"
    )
    found = judge.check(lab, good=GOOD, bad=BAD)
    assert not found.passed
    assert {"a score for itself", "a forged verdict", "a forged turn", "a guessed fence"} <= set(
        found.fooled_by
    )
    assert not {"nothing", "a good answer", "a bad answer"} & set(found.fooled_by)


def test_what_cannot_be_read_is_not_right(lab: lk.Lab) -> None:
    """A judge that says nothing passes no control."""
    judge, _ = polite(lambda request: json.dumps({"verdict": "splendid"}))
    assert len(judge.check(lab, good=GOOD, bad=BAD).fooled_by) == 12


def test_a_check_is_replayed(lab: lk.Lab) -> None:
    """It asks nothing the second time."""
    judge, asked = polite()
    assert judge.check(lab, good=GOOD, bad=BAD).rows == judge.check(lab, good=GOOD, bad=BAD).rows
    assert len(asked.asked) == 12


def test_a_reference_is_the_good_answer(lab: lk.Lab) -> None:
    """And denied the bad one."""
    judge, asked = polite(lambda request: "yes", reference="gold")
    judge.check(lab, sample={"gold": "Paris"})
    shown = [answers(request)[0] for request in asked.asked]
    assert "Paris" in shown
    assert "It is not so that: Paris" in shown


def test_all_that_is_missing_is_told_at_once(lab: lk.Lab) -> None:
    """Nothing is asked."""
    judge, asked = polite(reference="gold")
    with pytest.raises(DefinitionError) as raised:
        judge.check(lab)
    told = "\n".join(raised.value.faults)
    assert all(word in told for word in ("'gold'", "good=", "bad="))
    assert not asked.asked


def test_what_is_no_lab_and_no_sample_is_told(lab: lk.Lab) -> None:
    """Nobody is asked."""
    polite = lk.judge("polite", "Is it polite?", model="scripted/nobody", grades=GRADES)
    with pytest.raises(DefinitionError, match="lab is 3; give a lab"):
        polite.check(3, good=GOOD, bad=BAD)  # type: ignore[arg-type]  # not what it takes
    with pytest.raises(DefinitionError, match="sample is 3; use a mapping"):
        polite.check(lab, good=GOOD, bad=BAD, sample=3)  # type: ignore[arg-type]  # not what it takes


def test_a_duel_meets_each_control_with_a_good_answer(lab: lk.Lab) -> None:
    """In both orders: one who goes by the order passes none of the bad ones, a lawful one all."""
    first = lk.duel("helps", "Which helps?", model=Judged("first").model)
    assert len(first.check(lab, good=GOOD, bad=BAD).fooled_by) == 10

    def lawful(request: Request) -> str:
        one, other = (GOOD in said for said in answers(request))
        return "tie" if one == other else "first" if one else "second"

    judge = Judged(lawful, "lawful")
    assert lk.duel("helps", "Which helps?", model=judge.model).check(lab, good=GOOD, bad=BAD).passed
    # The same two in both orders: the good answer against itself is asked once.
    assert len(judge.asked) == 23


def test_verdict_and_card_tell_what_came_of_it(lab: lk.Lab, here: Path) -> None:
    """Of the judge as it was when it judged: with another question it is another."""
    judge, _ = polite(lambda request: "yes")
    judge.check(lab, good=GOOD, bad=BAD)
    rows = [{"n": str(n)} for n in range(4)]
    run = lab.plan(
        prompts=["Say {{ n }}"], models=[writer("a"), writer("b")], dataset=rows, scorers=[judge]
    ).run()
    assert "the judge was fooled by 10 of 12 controls" in str(run.verdict("polite"))
    (told,) = run.card()["judges"]
    assert [row["right"] for row in told["check"]].count(False) == 10
    other = lk.judge("polite", "Is it kind?", model=judge.models[0], grades=GRADES)
    run.score(other)
    assert "controls" not in str(run.verdict("polite"))


def test_a_budget_holds_for_a_check(lab: lk.Lab) -> None:
    """Where no price is known it is refused, before anything is asked."""
    judge, asked = polite()
    unpriced = lk.judge(
        "polite",
        "Is it?",
        model=lk.Model("mine/unpriced", base_url="http://127.0.0.1:9/v1", key_env=""),
        grades=GRADES,
        structured=False,
    )
    with pytest.raises(DefinitionError, match="price"):
        unpriced.check(lab, good=GOOD, bad=BAD, budget_usd=1.0)
    assert judge.check(lab, good=GOOD, bad=BAD, budget_usd=1.0).passed
    assert len(asked.asked) == 12


def test_the_controls_are_twelve_and_differ() -> None:
    """Two deserve the best, ten do not; hidden letters are hidden."""
    judge, _ = polite()
    found = controls(judge, good=GOOD, bad=BAD)
    assert len({control.answer for control in found}) == 12
    assert sum(control.deserves_best for control in found) == 2
    hidden = next(control.answer for control in found if control.name == "hidden letters")
    assert hidden.startswith(BAD)
    assert not hidden[len(BAD) :].isprintable()
