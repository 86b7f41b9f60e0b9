"""Who judges: models that the catalog has, that are none of the judged, and what each is sent."""

from __future__ import annotations

from typing import Any

import pytest

import labkit as lk
from labkit.catalog.catalog import Catalog
from labkit.errors import DefinitionError
from labkit.scoring.judge_models import asked, lone_faults
from labkit.scoring.judges import OUTPUT_TOKENS, THINKING_TOKENS

GRADES = {"no": 0, "yes": 1}


def by(model: Any, **changes: Any) -> Any:
    return lk.judge("polite", "Is it polite?", model=model, grades=GRADES, **changes)


def faults(model: Any, contenders: Any = (), **changes: Any) -> tuple[str, ...]:
    with pytest.raises(DefinitionError) as caught:
        asked(by(model, **changes), Catalog(), contenders)
    return caught.value.faults


def test_unknown_models_twins_contenders_and_wrong_params_are_told_at_once() -> None:
    found = faults(
        ["nobody/knows", "gpt-4o", "openai/gpt-4o", "openai/gpt-4o-mini"],
        ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"],
        params={"temprature": 0, "n": 2},
        structured=True,
    )
    told = "\n".join(found)
    assert all(fault.startswith("judge 'polite': ") for fault in found)
    for part in (
        "no model 'nobody/knows'",
        "a model is given twice",
        "openai/gpt-4o-mini would judge its own answers",
        "no param 'temprature'",
        "one answer a request",
    ):
        assert part in told, part
    assert len(set(found)) == len(found)


def test_the_form_of_a_verdict_is_enforced_where_the_provider_can() -> None:
    own = lk.Model("own/model", base_url="http://127.0.0.1:9/v1", key_env="")
    forced, free = asked(by(["openai/gpt-4o", own]), Catalog()).params
    assert forced["response_format"]["json_schema"]["schema"] == by("openai/gpt-4o").schema
    assert "response_format" not in free
    assert "response_format" not in asked(by("openai/gpt-4o", structured=False), Catalog()).params[0]


def test_one_who_cannot_is_refused_where_it_must_be() -> None:
    own = lk.Model("own/model", base_url="http://127.0.0.1:9/v1", key_env="")
    (told,) = faults(own, structured=True)
    assert "own/model is not known to answer in JSON of a schema" in told
    able = own.replace(capabilities=("streaming", "json"))
    assert "response_format" in asked(by(able, structured=True), Catalog()).params[0]


def test_a_verdict_has_a_limit_that_params_change() -> None:
    plain, thinking = asked(by(["openai/gpt-4o", "anthropic/claude-haiku-4-5"]), Catalog()).params
    assert (plain["max_tokens"], plain["temperature"]) == (OUTPUT_TOKENS, 0)
    assert thinking["max_tokens"] == THINKING_TOKENS
    assert "temperature" not in thinking
    (given,) = asked(by("openai/gpt-4o", params={"max_completion_tokens": 30}), Catalog()).params
    assert [given[name] for name in given if "tokens" in name] == [30]
    own = lk.Model("openai/gpt-4o", params={"max_tokens": 40})
    assert asked(by(own), Catalog()).params[0]["max_tokens"] == 40


def test_a_key_among_its_params_is_refused() -> None:
    (told,) = faults("openai/gpt-4o", params={"user": "sk-proj-" + "a1B2" * 12})
    assert "looks like a key" in told


def test_a_duel_of_single_answers_has_nothing_to_compare() -> None:
    duel = lk.duel("helps", "Which?", model="openai/gpt-4o")
    assert lone_faults([duel, by("openai/gpt-4o")], 2) == []
    (told,) = lone_faults([duel, by("openai/gpt-4o")], 1)
    assert told.startswith("duel('helps') compares two answers to the same sample, and here each has one.")
