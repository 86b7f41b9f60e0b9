"""Choosing models, headless."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError
from labkit.widgets import models as module
from labkit.widgets.models import ModelSelector


@pytest.fixture
def lab(here: Path, echo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A lab with two scripted models beside the catalog's, and the weights of one local model."""
    monkeypatch.setattr(module, "weights_here", lambda: frozenset({"smollm2-135m"}))
    return lk.Lab(here / "lab.duckdb", models=[echo("one"), echo("two")])


def test_ready_local_models_are_chosen(lab: Any) -> None:
    """Without a choice, the local models whose weights are here are chosen, and no other."""
    assert ModelSelector(lab).value == ("local/smollm2-135m",)


def test_aliases_are_understood(lab: Any) -> None:
    """A model can be chosen by its alias; what is chosen is its id."""
    assert ModelSelector(lab, value=["gpt-4o"]).value == ("openai/gpt-4o",)
    assert ModelSelector(lab, value="gpt-4o").value == ("openai/gpt-4o",)


def test_unknown_models_are_named(lab: Any) -> None:
    """A model the lab does not list is refused by name."""
    with pytest.raises(DefinitionError, match="nobody/x"):
        ModelSelector(lab, value=["nobody/x"])


def test_retired_models_are_listed_only_when_asked_for(lab: Any) -> None:
    """A retired model is no choice to stumble on, but a notebook that names it still works."""
    retired = next(row for row in lab.models.frame().to_dict("records") if str(row["retired"]) != "NaT")
    assert retired["id"] not in {choice.value for choice in ModelSelector(lab).choices}
    assert ModelSelector(lab, value=[retired["id"]]).value == (retired["id"],)


def test_facts_are_words(lab: Any) -> None:
    """Price, context window, key and weights are told in words, not by colour alone."""
    facts = {choice.value: choice.facts for choice in ModelSelector(lab).choices}
    assert facts["openai/gpt-4o"][2] == "key missing"
    assert facts["local/smollm2-135m"][1:] == ("free", "weights here")
    assert facts["local/gemma-3-270m"][2] == "weights missing"
    assert " in · " in facts["openai/gpt-4o"][1]


def test_params_make_models(lab: Any) -> None:
    """Where params are set the value is a model that carries them, over its own; None takes one back."""
    selector = ModelSelector(lab, value=["scripted/one", "scripted/two"])
    selector.set_params("scripted/one", temperature=0.5, max_tokens=9)
    selector.set_params("scripted/one", max_tokens=None)
    one, two = selector.value
    assert one.params == {"temperature": 0.5}  # type: ignore[union-attr]
    assert two == "scripted/two"


def test_the_value_makes_a_plan(lab: Any) -> None:
    """What the selector gives is what `lab.plan` takes."""
    selector = ModelSelector(lab, value=["scripted/one"], params={"scripted/one": {"max_tokens": 5}})
    plan = lab.plan(prompts=["Say hi"], models=selector.value)
    assert plan.design.params[0]["max_tokens"] == 5


def test_the_code_makes_the_same_choice(lab: Any) -> None:
    """The code that is shown makes a selector with the same value."""
    selector = ModelSelector(lab, value=["scripted/two"], params={"scripted/two": {"seed": 3}})
    again = eval(selector.code, {"lk": lk, "lab": lab})
    assert again.value == selector.value
    assert [eval(code, {"lab": lab}) for code in selector.value_code] == list(selector.value)


def test_filters(lab: Any) -> None:
    """Provider, capability and readiness narrow the list."""
    selector = ModelSelector(lab)
    assert {c.value for c in selector.found(tags=["provider:scripted"])} == {"scripted/one", "scripted/two"}
    assert "openai/gpt-4o" in {c.value for c in selector.found(tags=["can:vision"])}
    assert "openai/gpt-4o" not in {c.value for c in selector.found(tags=["ready"])}


def test_weights_that_arrive_are_seen(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a pull the model is listed as ready, without a new selector."""
    selector = ModelSelector(lab)
    monkeypatch.setattr(module, "weights_here", lambda: frozenset({"smollm2-135m", "gemma-3-270m"}))
    selector.renew("local/gemma-3-270m")
    assert "local/gemma-3-270m" in {c.value for c in selector.found(tags=["ready"])}


def test_no_key_is_held(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is only ever told as found: it is in no state, table or bundle."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-1234567890")
    selector = ModelSelector(lab, value=["openai/gpt-4o"])
    said = selector._repr_html_() + repr(vars(selector)) + str(selector.form.widget.get_state())
    assert "key found" in said
    assert "canary" not in said


def test_models_per_step_go_where_models_go(lab: Any) -> None:
    """What is given per step is chosen, can be left out, and stands in the code; its ids are checked."""
    first, second = (choice.value for choice in ModelSelector(lab, value=[]).choices[:2])
    given = lk.per_step(facts=[first, second], reply=second)
    models = ModelSelector(lab, value=[first, given])
    assert models.value == (first, given)
    assert eval(models.code, {"lk": lk, "lab": lab}).value == models.value
    models.use_per_step(given, False)
    assert (models.value, models.per_step) == ((first,), (given,))
    models.value = given
    models.set_params(second, temperature=0.5)
    assert [eval(code, {"lk": lk, "lab": lab}) for code in models.value_code] == list(models.value)
    assert models.value[0].models["reply"][0].params["temperature"] == 0.5
    with pytest.raises(DefinitionError, match="'nobody', named per step"):
        ModelSelector(lab, value=lk.per_step(facts="nobody"))
