"""labkit.plan: definitions, what is known, how a plan reads."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

import labkit as lk
from labkit.engine.clients import warm_up
from labkit.errors import DefinitionError

Echo = Callable[..., Any]
ROWS = [{"text": "a"}, {"text": "b"}]


@pytest.mark.parametrize("repeats", [0, -1, 1.5, "3", True, None, 10**9])
def test_repeats_are_whole_and_positive(lab: lk.Lab, echo: Echo, repeats: Any) -> None:
    """B9: a number of repeats that is none is refused when planning."""
    with pytest.raises(DefinitionError, match="repeats"):
        lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS, repeats=repeats)


@pytest.mark.parametrize("name", ["", "a/b", "..", "x\0y", "-x", "con", "n" * 300, 7])
def test_experiment_names_are_plain(lab: lk.Lab, echo: Echo, name: Any) -> None:
    """B11: an experiment's name that could not be a file's or a chart's is refused when planning."""
    with pytest.raises(DefinitionError, match="experiment"):
        lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS, experiment=name)


@pytest.mark.parametrize("params", [{"x": {1, 2}}, {"x": b"1"}, {"x": object()}, {"x": float("nan")}])
def test_params_have_a_json_form(lab: lk.Lab, echo: Echo, params: Any) -> None:
    """B4, B12: a param without a JSON form is refused when planning, and named."""
    with pytest.raises(DefinitionError, match="x"):
        lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS, params=params)


@pytest.mark.parametrize("concurrency", [0, -1, "8", 1.5, True])
def test_concurrency_is_a_number_of_requests(lab: lk.Lab, echo: Echo, concurrency: Any) -> None:
    """B13: a model's concurrency that is no positive whole number is refused when planning."""
    with pytest.raises(DefinitionError, match="concurrency"):
        lab.plan(prompts=["{{ text }}"], models=[echo().replace(concurrency=concurrency)], dataset=ROWS)


@pytest.mark.parametrize("given", [[], "", None, 3])
def test_a_plan_needs_prompts_and_models(lab: lk.Lab, echo: Echo, given: Any) -> None:
    """Nothing to ask, or nobody to ask, is refused with a sentence and not with a traceback of ours."""
    with pytest.raises(DefinitionError):
        lab.plan(prompts=given, models=[echo()], dataset=ROWS)
    with pytest.raises(DefinitionError):
        lab.plan(prompts=["{{ text }}"], models=given, dataset=ROWS)


def test_duplicates_has_two_words(lab: lk.Lab, echo: Echo) -> None:
    """`duplicates` is ask or share; anything else is refused and both are named."""
    with pytest.raises(DefinitionError, match=r"'ask'.*'share'"):
        lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS, duplicates="once")


def test_a_plan_reads_as_one_line_and_as_a_table(lab: lk.Lab, echo: Echo) -> None:
    """The line has the product, what is known and the cost; the HTML is escaped."""
    plan = lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS, repeats=3, experiment="e & f")
    assert repr(plan) == "1 prompt × 1 model × 2 samples × 3 repeats = 6 requests; 0 known; USD 0.00"
    assert "e &amp; f" in plan._repr_html_()


def test_a_cut_plan_says_that_it_is_no_product(lab: lk.Lab, echo: Echo) -> None:
    """Where cells are missing the line has an arrow in place of the equals sign."""
    plan = lab.plan(prompts=["{{ text }}"], models=[echo("a"), echo("b")], dataset=ROWS)
    assert "→ 3 requests" in repr(plan.select([True, True, True, False]))


def test_warming_up_needs_no_sdk_that_is_not_used(echo: Echo) -> None:
    """A plan of scripted models imports no SDK."""
    before = set(sys.modules)
    warm_up([echo()])
    assert not {"openai", "anthropic"} & (set(sys.modules) - before)


def test_a_misspelt_param_is_refused_and_a_new_one_is_told(lab: Any, echo: Any) -> None:
    """A name near a known one raises, in the plan and in the model; one that is near nothing is sent as it
    stands, which the plan tells; in extra_body neither is looked at, and the request is the same."""
    mine = lk.Model("vllm/m", base_url="http://127.0.0.1:1/v1", key_env="", params={"house": 1})

    def plan(params: Any, model: Any = mine) -> Any:
        return lab.plan(prompts=["Say {{ w }}"], models=[model], dataset=[{"w": "a"}], params=params)

    with pytest.raises(DefinitionError, match=r"Did you mean temperature.*\n.*Did you mean max_tokens"):
        plan({"temprature": 0, "max_token": 8})
    with pytest.raises(DefinitionError, match="Did you mean max_tokens"):
        plan({}, mine.replace(params={"max_tokns": 8}))
    told = plan({"garden": 2})
    for name in ("house", "garden"):
        assert f"'{name}' is sent as it stands: vllm/m is not known to take it" in str(told)
    assert "is not known to take" in told._repr_html_()
    meant = plan({"extra_body": {"garden": 2}}, mine.replace(params={"extra_body": {"house": 1}}))
    assert "is not known" not in str(meant)
    assert meant.plan_id == told.plan_id
