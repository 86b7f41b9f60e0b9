"""The form of a model selector, driven without a browser."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.widgets import models as module
from labkit.widgets import pulling
from labkit.widgets.modelform import ModelForm
from labkit.widgets.models import ModelSelector


@pytest.fixture
def selector(here: Path, echo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> ModelSelector:
    """A selector over a scripted model and the catalog's, no weights here."""
    monkeypatch.setattr(module, "weights_here", frozenset)
    return ModelSelector(lk.Lab(here / "lab.duckdb", models=[echo("one")]), value=["scripted/one"])


def field(form: ModelForm, model: str, name: str) -> Any:
    """The field of one param of one model."""
    return next(box for box in form._fields[model].children if getattr(box, "description", "") == name)


def test_fields_set_params(selector: ModelSelector) -> None:
    """What is typed is a param of that model; an empty field is the default again."""
    form = selector.form
    field(form, "scripted/one", "temperature").value = "0.5"
    field(form, "scripted/one", "max tokens").value = "12"
    assert selector.params("scripted/one") == {"temperature": 0.5, "max_tokens": 12}
    field(form, "scripted/one", "temperature").value = ""
    assert selector.params("scripted/one") == {"max_tokens": 12}


def test_what_is_no_number_is_said(selector: ModelSelector) -> None:
    """Words where a number belongs are refused in the status line, and the param stays."""
    form = selector.form
    field(form, "scripted/one", "max tokens").value = "many"
    assert "write a number" in form._status.widget.value
    assert selector.params("scripted/one") == {}


def test_effort_only_where_a_model_reasons(selector: ModelSelector) -> None:
    """Reasoning effort is offered for models that reason, and no other."""
    reasoning = next(c.value for c in selector.choices if "can:reasoning" in c.tags)
    selector.choose(["scripted/one", reasoning])
    field(selector.form, reasoning, "effort").value = "low"
    assert selector.params(reasoning) == {"reasoning_effort": "low"}
    with pytest.raises(StopIteration):
        field(selector.form, "scripted/one", "effort")


def test_pull_shows_progress_and_readiness(selector: ModelSelector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pull fetches in a thread, says how far it is, and lists the model as ready when it is."""
    said: list[str] = []

    def pull(name: str, *, progress: Callable[[str], None]) -> None:
        progress("50 %")
        said.append(form._status.widget.value)
        monkeypatch.setattr(module, "weights_here", lambda: frozenset({name}))

    monkeypatch.setattr(pulling.weights, "pull", pull)
    form = selector.form
    form._pulls["local/smollm2-135m"].click()
    for thread in [t for t in threading.enumerate() if t.name.startswith("labkit-pull")]:
        thread.join(10)
    assert "50 %" in said[0]
    assert "weights are here" in form._status.widget.value
    assert "ready" in next(c for c in selector.choices if c.value == "local/smollm2-135m").tags


def test_a_failing_pull_is_said(selector: ModelSelector, monkeypatch: pytest.MonkeyPatch) -> None:
    """What went wrong with a pull stands in the status line, and the button can be pressed again."""

    def pull(name: str, *, progress: Callable[[str], None]) -> None:
        raise lk.errors.WeightsError("the checksum is another")

    monkeypatch.setattr(pulling.weights, "pull", pull)
    form = selector.form
    form._pulls["local/smollm2-135m"].click()
    for thread in [t for t in threading.enumerate() if t.name.startswith("labkit-pull")]:
        thread.join(10)
    assert "the checksum is another" in form._status.widget.value
    assert not form._pulls["local/smollm2-135m"].disabled


def test_show_code_follows_the_choice(selector: ModelSelector) -> None:
    """The code, once shown, is that of the present choice; pressed again it goes."""
    form = selector.form
    form._show.click()
    assert "scripted/one" in form._code.value
    selector.choose(["gpt-4o" if "gpt-4o" in selector._choices else "openai/gpt-4o"])
    assert "openai/gpt-4o" in form._code.value
    form._show.click()
    assert form._code.value == ""


def test_models_per_step_have_a_tick(selector: ModelSelector) -> None:
    """What was given per step stands below the list; its tick is the choice, and follows it."""
    given = lk.per_step(facts=["scripted/one"], reply=["scripted/one"])
    form = selector.form
    selector.value = given
    (tick,) = form._per_step.children
    assert (tick.description, tick.value) == (repr(given), True)
    tick.value = False
    assert selector.value == ()
    selector.use_per_step(given, True)
    assert tick.value
    selector.value = ["scripted/one"]
    assert form._per_step.children == ()
