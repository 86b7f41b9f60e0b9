"""Judges and duels as they are defined: what is refused, what they are asked with, what they declare."""

from __future__ import annotations

from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError, LabkitError
from labkit.records import Sample
from labkit.scoring.judges import Judge
from labkit.scoring.recipe import kept, made_again
from labkit.scoring.verdict_request import CANNOT_TELL
from labkit.stats.scale import Scale

GRADES = {"no": 0, "yes": 1}


def polite(**changes: Any) -> Judge:
    given = {"model": "openai/gpt-4o", "grades": GRADES, **changes}
    return lk.judge(given.pop("name", "polite"), given.pop("question", "Is it polite?"), **given)


def refused(**changes: Any) -> str:
    with pytest.raises(DefinitionError) as caught:
        polite(**changes)
    return str(caught.value)


@pytest.mark.parametrize(
    ("grades", "told"),
    [
        ({}, "give two or more"),
        ({"yes": 1}, "give two or more"),
        (["no", "yes"], "give two or more"),
        ({"no": 1, "yes": 1}, "have one value"),
        ({"no": 0, "yes": "1"}, "which is no number"),
        ({"no": 0, "yes": True}, "which is no number"),
        ({"no": 0, "yes": float("nan")}, "which is no number"),
        ({"no": 0, "yes": float("inf")}, "which is no number"),
        ({"no": 0, "yes": 10**400}, "which is no number"),
        ({"no": 0, 1: 1}, "is no word"),
        ({"no": 0, " ": 1}, "is no word"),
        ({"no": 0, CANNOT_TELL: 1}, "other than 'cannot tell'"),
        ({"yes": 0, "Yes": 1}, "differ only in how they are written"),
        ({"yes": 0, "yes ": 1}, "differ only in how they are written"),
        ({"no": 0, "y\u200bes": 1}, "cannot be seen"),
        ({"no": 0, "yes\nno": 1}, "cannot be seen"),
        ({"no": 0, "{{ yes }}": 1}, "it is no template"),
        ({"no": 0, "{% raw %}": 1}, "it is no template"),
    ],
)
def test_grades_are_different_words_with_different_numbers(grades: Any, told: str) -> None:
    assert told in refused(grades=grades)


def test_all_that_is_wrong_is_told_at_once() -> None:
    told = refused(
        name="a/b",
        question="Is it {% if %} good?",
        model=[],
        grades={"no": "0", "No": 1, 3: 1},
        meanings={"maybe": "{{ text }}"},
        reference=3,
        reason="first",
        params=["max_tokens"],
        structured=1,
    )
    for part in (
        "name 'a/b'",
        "it is no template",
        "model of judge",
        "no number",
        "differ only",
        "is no word",
        "none of its grades",
        "names no column",
        "reference of judge",
        "reason of judge",
        "params of judge",
        "structured of judge",
    ):
        assert part in told, part
    with pytest.raises(DefinitionError) as caught:
        lk.duel("", 3, model={"a": 1}, ties=None, reference="", reason=0, structured="yes")  # type: ignore[arg-type]
    assert len(caught.value.faults) == 6


def test_the_name_leaves_room_for_that_of_its_prompt() -> None:
    assert polite(name="x" * 94).prompt.name == "judge " + "x" * 94
    assert "longer than 100 characters" in refused(name="x" * 95)


def test_a_meaning_is_plain_text_and_of_one_of_the_grades() -> None:
    prompt = polite(meanings={"no": "It is rude.", CANNOT_TELL: "It is empty."}).prompt
    assert '- "no": It is rude.\n- "yes"\n- "cannot tell": It is empty.' in (prompt.system or "")
    assert "none of its grades: no, yes" in refused(meanings={"maybe": "?"})
    assert "it is no template, and names no column" in refused(meanings={"no": "{{ text }}"})
    assert "use a mapping" in refused(meanings=["rude"])


def test_a_question_may_name_columns_and_is_no_template() -> None:
    judge = polite(question="Does it answer {{ text }} and {{text}}?", reference="gold")
    assert judge.columns == ("gold", "text")
    assert "Question: Does it answer [text] and [text]?" in (judge.prompt.system or "")
    for question in ("{% if a %}", "{# a #}", "{{ a.b }}", "{{ 1 }}", "{{ a", "a }}"):
        assert "it is no template" in refused(question=question)


def test_it_declares_its_values() -> None:
    assert polite().scale == polite(grades={"yes": 1, "no": 0}).scale
    assert polite(grades={"bad": 1, "so": 2, "good": 3}).scale == Scale(1, 3, 1)
    assert polite(grades={"bad": 0, "so": 1, "good": 5}).step is None
    several = polite(model=["openai/gpt-4o", "anthropic/claude-haiku-4-5"])
    assert (several.low, several.high, several.step) == (0, 1, None)
    assert lk.duel("helps", "Which?", model="openai/gpt-4o").scale == Scale(0, 1)


def test_whether_ties_are_allowed_decides_what_can_be_answered() -> None:
    for ties in (True, False):
        duel = lk.duel("helps", "Which?", model="openai/gpt-4o", ties=ties)
        assert list(duel.verdicts) == ["first", "second", *(["tie"] if ties else []), CANNOT_TELL]
        assert duel.schema["properties"]["verdict"]["enum"] == list(duel.verdicts)
        assert ('"tie"' in (duel.prompt.system or "")) is ties


def test_the_reason_comes_where_it_is_wanted() -> None:
    orders = {"before": ["reason", "verdict"], "after": ["verdict", "reason"], None: ["verdict"]}
    for reason, fields in orders.items():
        judge = polite(reason=reason)
        assert list(judge.schema["properties"]) == judge.schema["required"] == fields
        asked = (judge.prompt.system or "").rpartition("nothing else: ")[2]
        assert (
            asked.index('"verdict"') == min(asked.index(f'"{name}"') for name in fields) or reason == "before"
        )
        assert ("reason" in asked) is (reason is not None)


def test_editing_a_word_makes_another_prompt_and_only_its_words_do() -> None:
    same = polite(
        grades={"no": 0, "yes": 5}, params={"max_tokens": 9}, reference="gold", model="openai/gpt-4o-mini"
    )
    assert polite().prompt.hash == same.prompt.hash
    for changed in (
        polite(question="Is it polite"),
        polite(grades={"no": 0, "Yes": 1}),
        polite(meanings={"no": "rude"}),
        polite(reason=None),
    ):
        assert changed.prompt.hash != polite().prompt.hash


def test_the_reference_is_shown_once_and_empty_columns_are_not() -> None:
    judge = polite(question="Does it fit {{ gold }} and {{ text }}?", reference="gold")
    sample = Sample(
        id="s", fields={"text": "hi", "gold": ["a", 1], "none": None, "blank": " ", "nan": float("nan")}
    )
    parts = judge.parts(sample, ["text", "none", "blank", "gold", "gone"])
    assert [(part.heading, part.text) for part in parts if part.heading != "nan"] == [
        ("text", "hi"),
        ("reference", '["a", 1]'),
    ]


@pytest.mark.parametrize("fields", [{}, {"gold": None}, {"gold": "  "}])
def test_answers_to_a_sample_without_a_reference_are_not_judged(fields: dict[str, Any]) -> None:
    sample = Sample(id="s", fields=fields)
    assert polite(reference="gold").lacks(sample) == "not scored: sample s has no 'gold'"
    assert polite().lacks(sample) is None
    assert polite(reference="gold").lacks(Sample(id="s", fields={"gold": 0})) is None


def test_it_is_asked_by_runs_alone() -> None:
    with pytest.raises(LabkitError, match=r"a judge is asked by a run"):
        polite().fn(None, None)  # type: ignore[arg-type]


def test_it_is_kept_by_its_definition_and_its_models_by_their_ids() -> None:
    for made in (
        polite(
            meanings={"no": "rude"}, reference="gold", reason=None, params={"max_tokens": 9}, structured=False
        ),
        polite(model=[lk.Model("openai/gpt-4o"), "anthropic/claude-haiku-4-5"]),
        lk.duel("helps", "Which?", model=lk.Model("openai/gpt-4o"), ties=False),
    ):
        again = made_again(kept(made))
        assert isinstance(again, Judge)
        assert (again.prompt.hash, dict(again.verdicts)) == (made.prompt.hash, dict(made.verdicts))
        assert [getattr(one, "id", one) for one in made.models] == list(again.models)
        assert (again.reference, again.params, again.structured) == (
            made.reference,
            made.params,
            made.structured,
        )
