"""labkit.prompts.check: what keeps prompts from being asked, all at once and by row (groups B5, B6, B7)."""

from __future__ import annotations

import pytest

from labkit.errors import MissingVariables
from labkit.prompts import Chain, Prompt, Step, check, missing_variables
from labkit.records import Sample


def samples(*rows):
    return [Sample(id=f"r{i}", fields=row) for i, row in enumerate(rows)]


def test_prompts_that_can_be_asked_have_no_faults():
    """Where every row has every value there is nothing to say, extra columns or not."""
    assert check(Prompt("p", "{{ a }}"), samples({"a": "x", "b": None}, {"a": 0})) == []
    assert check(Prompt("p", "no variables"), samples({}, {})) == []


def test_a_slip_in_a_step_s_name_is_told():
    """A chain's column that is not there may have been meant for an earlier answer."""
    chain = Chain("c", Step("facts", "F {{ text }}"), Step("reply", "R {{ fact }}"))
    (fault,) = check(chain, samples({"text": "x"}))
    assert fault == (
        "Chain 'c' needs fact, which sample 'r0' does not have. "
        "The answer of step 'facts' is written {{ facts }}."
    )


def test_missing_values_are_named_with_prompt_variables_and_rows():
    """B7: the message names the prompt, every missing variable, the rows, and what to do."""
    faults = check(
        Prompt("sum", "{{ tone }} {{ text }}"), samples({"text": "x"}, {"text": None}, {"text": "y"})
    )
    assert faults == [
        "Prompt 'sum' needs tone, which samples 'r0', 'r1', 'r2' do not have. "
        "The dataset's columns: 'text'. Add one of that name, or give the prompt a default.",
        "Prompt 'sum' needs text, which sample 'r1' leaves empty (None). "
        "Fill it in, or say what stands there then: {{ text or '' }}.",
    ]


def test_a_missing_column_is_told_with_those_there_are():
    """B7: the nearest first; where there is no column at all a dataset is what is missing."""
    (fault,) = check(Prompt("p", "{{ txt }}"), samples({"target": "x", "text": "y"}))
    assert "The dataset's columns: 'text', 'target'. Add one" in fault
    (fault,) = check(Prompt("p", "{{ txt }}"), samples({}))
    assert fault.endswith("Give a dataset with a column of that name, or give the prompt a default.")


PLACEHOLDERS = [
    "{text}", "{ text }", "{text!r}", "{text:>10}", "{row[text]}", "{row['text']}", '{sample["text"]}',
    "{row.text}", "$text", "${text}", "%(text)s", "<text>", "<<text>>", "[text]", "[TEXT]", "{Text}",
]  # fmt: skip


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
@pytest.mark.parametrize("part", ["text", "system"])
def test_a_placeholder_of_another_language_is_refused_with_what_was_meant(placeholder, part):
    """A prompt without variables that names a column as others do would ask the same for each row."""
    given = {"text": f"Classify: {placeholder}!"} if part == "text" else {"text": "x", "system": placeholder}
    prompt, rows = Prompt("p", **given), samples({"text": "a"}, {"text": "b"})
    (fault,) = check(prompt, rows)
    assert fault == (
        "Prompt 'p' uses no column, so all 2 samples would be asked the same: "
        f"{placeholder!r} would be sent as it stands. Did you mean {{{{ text }}}}?"
    )
    assert check(prompt, rows[:1]) == []
    assert check(prompt, samples({"kind": "a"}, {"kind": "b"})) == []


@pytest.mark.parametrize(
    "text",
    [
        'Answer {"text": 1}.',
        "{texts}, $texts, texts",
        "It costs $5.",
        "[text](https://example.org)",
        "Write <text>your text</text>.",
        "{% raw %}{{ text }}{% endraw %}",
        "A text.",
    ],
)
def test_what_names_no_column_is_left_alone(text):
    """JSON, links, tags that are closed and words are no placeholders; nor is anything beside a variable."""
    assert check(Prompt("p", text), samples({"text": "a"}, {"text": "b"})) == []


def test_placeholders_beside_a_variable_are_not_refused():
    """A prompt that uses a column may well ask for an answer of the form {text}."""
    rows = samples({"text": "a", "kind": "b"}, {"text": "c", "kind": "d"})
    assert check(Prompt("p", "{{ kind }}: answer as {text}, <text> or $text"), rows) == []


def test_all_that_was_meant_is_told_once():
    """Several placeholders are one fault; a column of an odd name is written as it must be."""
    rows = samples({"user name": "a", "q": "b"}, {"user name": "c", "q": "d"})
    (fault,) = check(Prompt("p", "{user name} {q} {q}"), rows)
    assert fault.endswith(
        "'{user name}' and '{q}' would be sent as it stands. Did you mean {{ row['user name'] }} and {{ q }}?"
    )
    (fault,) = check(Prompt("p", "Sample {id}"), rows)
    assert fault.endswith("Did you mean {{ id }}?")


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


def test_the_id_of_a_sample_can_be_printed():
    """`{{ id }}` is the sample's, or its column of that name where the identity is another."""
    prompt = Prompt("p", "Sample {{ id }}: {{ row | tojson }}")
    own, column = Sample(id="r1", fields={"q": 1}), Sample(id="r2", fields={"id": 22})
    assert check(prompt, [own, column]) == []
    assert prompt.render(own.values)[0]["content"] == 'Sample r1: {"q": 1}'
    assert prompt.render(column.values)[0]["content"] == 'Sample 22: {"id": 22}'


@pytest.mark.parametrize("written", ["user-name", "user - name", "name", "user.name"])
def test_a_column_that_seems_to_be_meant_is_told(written):
    """B7: where the names that are missing are words of an odd column's name, the fault tells how."""
    rows = samples({"user-name": "Ann", "q": "x"})
    (fault,) = check(Prompt("p", f"{{{{ {written} }}}}"), rows)
    assert fault.endswith("The column 'user-name' is written {{ row['user-name'] }}.")
    assert check(Prompt("p", "{{ row['user-name'] }}"), rows) == []
    (fault,) = check(Prompt("p", "{{ text }}"), samples({"Text": "x"}))
    assert fault.endswith("The column 'Text' is written {{ Text }}.")
    (fault,) = check(Prompt("p", "{{ name }}"), samples({"name": None, "user-name": "x"}))
    assert fault == (
        "Prompt 'p' needs name, which sample 'r0' leaves empty (None). "
        "Fill it in, or say what stands there then: {{ name or '' }}."
    )
    assert check(Prompt("p", "x {{ name or '' }}"), samples({"name": None})) == []
    (fault,) = check(Prompt("p", "{{ row['a b'] }}"), samples({"a b": None}))
    assert "{{ row['a b'] or '' }}" in fault


def test_a_column_called_by_a_number_is_not_taken_for_it():
    """B7: `{{ 2020 }}` prints a number; where a column has that name, the fault says how to write it."""
    (fault,) = check(Prompt("p", "x {{ 2020 }}"), samples({"2020": 5}))
    assert fault == "Prompt 'p' prints 2020 itself, not the column '2020'. Write {{ row['2020'] }}."
    assert check(Prompt("p", "x {{ 2020 }}"), samples({"a": 5})) == []
    for word in ("true", "none", "False"):
        fault = check(Prompt("p", f"x {{{{ {word} }}}}"), samples({word: "V"}))[0]
        assert fault.startswith(f"Prompt 'p' prints {word} itself")


def test_a_prompt_of_the_whole_row_is_checked_for_each():
    """A prompt that names no column but uses the row is rendered for every sample."""
    (fault,) = check(Prompt("p", "{{ row.a.upper() }}"), samples({"a": "x"}, {"a": 5}))
    assert "'r1'" in fault
