"""labkit.plan.remarks: what is odd about a plan is told wherever it is shown, and refuses nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import labkit as lk

Echo = Callable[..., Any]
ROWS = [{"text": "a", "label": "x"}, {"text": "b", "label": None}, {"text": "c", "label": " "}]


def planned(lab: lk.Lab, echo: Echo, *texts: str, **more: Any) -> lk.Plan:
    prompts = [lk.Prompt(f"p{at}", text) for at, text in enumerate(texts)]
    return lab.plan(prompts=prompts, models=[echo()], dataset=ROWS, **more)


def test_an_ordinary_plan_has_none(lab: lk.Lab, echo: Echo) -> None:
    """Prompts that use their columns, and tags around them, are nothing to remark on."""
    plan = planned(lab, echo, "<text>{{ text }}</text> $5 {x}", "{{ row | tojson }} [text]")
    assert plan.remarks() == []
    single = lab.plan(prompts=["Say hi"], models=[echo()])
    assert single.remarks() == []


def test_a_prompt_that_uses_no_column_is_asked_and_told(lab: lk.Lab, echo: Echo) -> None:
    """The same request for each sample is allowed, as a control is, and counted."""
    plan = planned(lab, echo, "Guess: positive or negative?", "{{ text }}")
    (told,) = plan.remarks()
    assert told == "prompt 'p0' uses no column: the same is asked for each of 3 samples"
    assert str(plan).endswith(f"; {told}")
    assert "the same is asked for each of 3 samples" in plan._repr_html_()
    assert plan.title(plan.design.places)().endswith(told)
    assert plan.head(1).remarks() == []


def test_a_placeholder_beside_a_variable_is_told(lab: lk.Lab, echo: Echo) -> None:
    """`{label}` may be what an answer is to look like, or a slip: it is sent as it stands, and said so."""
    (told,) = planned(lab, echo, "{{ text }}: answer {label}, {text}").remarks()
    assert told == "prompt 'p0' sends {label} as it stands; the column is {{ label }}"
    one = lab.plan(prompts=["Say {text}"], models=[echo()], dataset=ROWS[:1])
    assert [" sends {text} as it stands" in remark for remark in one.remarks()] == [True]


def test_a_variable_in_a_block_is_told(lab: lk.Lab, echo: Echo) -> None:
    """Blocks are put in front as they are, so a column in one is not filled in."""
    block = lk.Block("notes", "About {{ text }} and {{ other }}.")
    (told,) = planned(lab, echo, "{{ text }}", context=[block]).remarks()
    assert told == "block 'notes' sends {{ text }} as it stands: a block is no template"


def test_samples_that_cannot_be_scored_are_counted(lab: lk.Lab, echo: Echo) -> None:
    """Before anything is asked a plan says how many of its samples have nothing to be compared with."""
    plan = planned(lab, echo, "{{ text }}", scorers=[lk.exact("label")])
    assert plan.remarks() == ["score 'exact': 'label' is empty in 2 of 3 samples"]
    assert plan.head(1).remarks() == []
