"""labkit.plan.show: a plan as one line and as a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import labkit as lk
from labkit.plan import show

Echo = Callable[..., Any]
ROWS = [{"n": f"number {n}"} for n in range(12)]


def planned(lab: lk.Lab, echo: Echo, **more: Any) -> lk.Plan:
    """A plan of one model that costs something."""
    model = echo().replace(prices={"input": 1000, "output": 1000})
    return lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=ROWS, **more)


def test_a_product_is_told_as_one(lab: lk.Lab, echo: Echo) -> None:
    """A whole product has an equals sign, a cut one an arrow, and counts agree in number."""
    plan = planned(lab, echo, repeats=2)
    assert show.product(plan.design) == "1 prompt × 1 model × 12 samples × 2 repeats = 24 requests"
    cut = plan.select([True] * 13 + [False] * 11)
    assert show.product(cut.design) == "1 prompt × 1 model × 12 samples × 2 repeats → 13 requests"


def test_the_line_grows_with_what_is_known(lab: lk.Lab, echo: Echo) -> None:
    """Before a pilot a range; after it what is likely and how long it takes; after the run neither."""
    plan = planned(lab, echo, params={"max_tokens": 50})
    assert "12 requests; 0 known; USD" in str(plan)
    assert "likely" not in str(plan)
    plan.pilot(6)
    assert "12 requests; 6 known; USD" in str(plan)
    assert ", likely " in str(plan)
    assert "; about " in str(plan)
    plan.run()
    assert str(plan).endswith("12 requests; 12 known; USD 0.00")


def test_the_line_says_what_a_far_limit_makes_of_it(lab: lk.Lab, echo: Echo) -> None:
    """After a pilot of short answers under a far max_tokens both ends are told, in the table as well."""
    plan = planned(lab, echo, params={"max_tokens": 4096})
    plan.pilot(6)
    for told in (str(plan), plan._repr_html_()):
        assert " if none is longer than those seen, up to " in told
        assert "run to their token limit" in told
    assert "assumes" not in str(plan)
    assert "; assumes at most 4,096 tokens an answer, as no limit is known" in str(planned(lab, echo))


def test_the_table_tells_assumptions_reasons_and_missing_keys(lab: lk.Lab, echo: Echo) -> None:
    """The table has what is assumed, why cells are to be asked, and which keys are missing; all escaped."""
    told = planned(lab, echo, experiment="a & b")._repr_html_()
    assert "a &amp; b" in told
    assert "plan.pilot(10) narrows it" in told
    assert "never asked" in told
    keyless = lab.plan(prompts=["Say {{ n }}"], models=["openai/gpt-4o"], dataset=ROWS)
    assert "OPENAI_API_KEY" in keyless._repr_html_()


def test_the_table_shows_what_a_base_model_reads(lab: Any) -> None:
    """A chat template of labkit's stands in the plan's table, filled with the first prompt and escaped."""
    plan = lab.plan(
        prompts=["Is <{{ w }}> hot?"], models=["local/gemma-3-270m"], dataset=[{"w": "ice"}, {"w": "fire"}]
    )
    told = plan._repr_html_()
    assert "What local/gemma-3-270m reads of the first prompt, by its chat template" in told
    assert "Question: Is &lt;ice&gt; hot?\nAnswer:" in told
    assert "fire" not in told
    assert plan.design.params[0]["grammar"]
