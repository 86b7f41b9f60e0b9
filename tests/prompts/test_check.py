"""labkit.prompts.check: what keeps prompts from being asked, all at once and by row (groups B5, B6, B7)."""

from __future__ import annotations

import pytest

from labkit.errors import MissingVariables
from labkit.prompts import Prompt, check, missing_variables
from labkit.records import Sample


def samples(*rows):
    return [Sample(id=f"r{i}", fields=row) for i, row in enumerate(rows)]


def test_prompts_that_can_be_asked_have_no_faults():
    """Where every row has every value there is nothing to say, extra columns or not."""
    assert check(Prompt("p", "{{ a }}"), samples({"a": "x", "b": None}, {"a": 0})) == []
    assert check(Prompt("p", "no variables"), samples({}, {})) == []


def test_missing_values_are_named_with_prompt_variables_and_rows():
    """B7: the message names the prompt, every missing variable, the rows, and what to do."""
    faults = check(
        Prompt("sum", "{{ tone }} {{ text }}"), samples({"text": "x"}, {"text": None}, {"text": "y"})
    )
    assert faults == [
        "Prompt 'sum' needs tone, which samples 'r0', 'r2' do not have. "
        "Add a column of that name, or give the prompt a default.",
        "Prompt 'sum' needs tone and text, which sample 'r1' does not have. "
        "Add a column of that name, or give the prompt a default.",
    ]


def test_many_rows_are_counted():
    """A fault of 100,000 rows is one sentence."""
    rows = samples(*({"b": 1} for _ in range(100_000)))
    (fault,) = check(Prompt("p", "{{ a }}"), rows)
    assert "'r0', 'r1', 'r2', 'r3', 'r4' and 99,995 more" in fault


def test_blank_renderings_are_found():
    """B6: a row that makes the prompt blank is named, also where the template is plain."""
    (fault,) = check(Prompt("p", "{{ a }}"), samples({"a": "x"}, {"a": "  "}))
    assert "blank" in fault
    assert "'r1'" in fault


def test_failing_renderings_are_found():
    """B7: a row on which the template fails is named with the reason."""
    (fault,) = check(Prompt("p", "x {{ a.b }}"), samples({"a": {"b": 1}}, {"a": {}}))
    assert "no attribute 'b'" in fault
    assert "'r1'" in fault


def test_values_printed_inside_a_condition_are_found():
    """B5: None inside a condition is found by rendering, and is a missing variable."""
    prompt = Prompt("p", "x{% if show %}{{ a }}{% endif %}")
    (fault,) = check(prompt, samples({"show": 0, "a": None}, {"show": 1, "a": None}))
    assert "'r1'" in fault


def test_all_prompts_are_checked_before_anything_is_raised():
    """Faults of several prompts stand in one error."""
    prompts = [Prompt("p", "{{ a }}"), Prompt("q", "{{ b }}"), Prompt("r", "{{ c }}")]
    with pytest.raises(MissingVariables) as caught:
        missing_variables(prompts, samples({"c": 1}))
    assert len(caught.value.faults) == 2
    assert missing_variables(prompts[2:], samples({"c": 1})) is None
