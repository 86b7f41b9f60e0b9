"""labkit.prompts.template: what becomes of a template and its values (groups B5, B6, B7, S14)."""

from __future__ import annotations

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import DefinitionError, MissingVariables
from labkit.prompts.template import Template, in_row


def make(source):
    return Template(source, what="prompt 'p'")


def test_variables_stand_in_the_order_of_their_first_use():
    """A form asks for the values in the order in which a reader meets them."""
    template = make(
        "{{ b }} {% if c %}{{ a | upper }}{% endif %} {{ b }} {% for x in d %}{{ x }}{% endfor %}"
    )
    assert template.variables == ("b", "c", "a", "d")


def test_names_the_template_makes_itself_are_no_variables():
    """What is set, looped over or passed to a macro inside the template is not asked for."""
    source = (
        "{% set a = 1 %}{% macro m(b) %}{{ b }}{% endmacro %}{{ m(a) }}{% for c in [1] %}{{ c }}{% endfor %}"
    )
    assert make(source).variables == ()


ODD = [
    "Clutch Completion",
    "user-name",
    "Culmen Length (mm)",
    "2020",
    "it's",
    'a "b"',
    "a.b",
    "for",
    "é\\n{{",
]


@pytest.mark.parametrize("name", ODD)
def test_a_column_of_any_name_is_a_variable(name):
    """`row['…']` is looked up, missed, guarded and printed as any other variable, whatever its name is."""
    written = in_row(name)
    assert make(f"x {written}").is_plain
    for source in (
        f"x {written}",
        "x " + written.replace("}}", "| string }}"),
        f"x {{% if true %}}{written}{{% endif %}}",
    ):
        template = make(source)
        assert template.variables == template.required == (name,)
        assert template.missing({}) == [name]
        assert template.render({name: "Yes"}) == "x Yes"
        with pytest.raises(MissingVariables, match="needs"):
            template.render({})
    assert make(written).missing({name: None}) == [name]
    guarded = make(written.replace("}}", "| default('none') }}"))
    assert (guarded.missing({}), guarded.render({})) == ([], "none")


def test_the_row_as_a_whole_can_be_used():
    """`row` is every value, and is not asked for; a template may use the name for its own."""
    template = make("{{ row | tojson }}{% for name in row %} {{ name }}{% endfor %} {{ row.a }} {{ row[b] }}")
    assert template.variables == ("b",)
    assert template.render({"a": 1, "b": "a"}) == '{"a": 1, "b": "a"} a b 1 1'
    own = make("{% for row in rows %}{{ row['a b'] }}{% endfor %}")
    assert own.variables == ("rows",)
    assert own.render({"rows": [{"a b": 1}]}) == "1"


@pytest.mark.parametrize(
    "name", ["Clutch Completion", "Culmen Length (mm)", "is ok?", "Total %", "2nd place", "not"]
)
def test_the_fault_says_how_such_a_column_is_written(name):
    """B7: what stands in braces and is no expression is told as a column, in the way that works."""
    with pytest.raises(DefinitionError) as caught:
        make(f"{{{{ fine }}}} {{{{ {name} }}}}")
    assert f"If {name!r} is a column, write {in_row(name)}. " in str(caught.value)
    assert make(in_row(name)).variables == (name,)


def test_values_are_put_in_as_they_are():
    """S14: braces, HTML and backslashes in a value come out as they went in, in plain and full templates."""
    hostile = "{{ 7*7 }} {% raw %} <b>&amp;</b> \\1 %s {0} ${x}"
    for source in ("[{{ text }}]", "{% if text %}[{{ text }}]{% endif %}"):
        assert make(source).render({"text": hostile}) == f"[{hostile}]"


def test_extra_values_are_ignored():
    """B7: a sample may have columns the prompt does not use."""
    assert make("{{ a }}").render({"a": "x", "b": "y", "__class__": "z"}) == "x"


@pytest.mark.parametrize("source", ["{{ a }} {{ b }}", "{% if true %}{{ a }} {{ b }}{% endif %}"])
def test_all_missing_values_are_named_at_once(source):
    """B7: every missing variable stands in one message."""
    with pytest.raises(MissingVariables, match="needs a, b"):
        make(source).render({})


def test_none_is_never_printed():
    """B5, B6: a value that is None counts as missing where it is printed, and is fine where it is tested."""
    assert make("{{ a }}").missing({"a": None}) == ["a"]
    assert make("{{ a | upper }}").missing({"a": None}) == ["a"]
    template = make("x{% if a %} {{ a }}{% endif %}")
    assert template.missing({"a": None}) == []
    assert template.render({"a": None}) == "x"
    with pytest.raises(MissingVariables, match="empty"):
        make("{% if true %}{{ a }}{% endif %}").render({"a": None})


def test_a_template_can_do_without_a_value():
    """A variable that is tested with `is defined`, or has a default in the template, is not required."""
    template = make("{{ a | default('x') }}{% if b is defined %}{{ b }}{% endif %}")
    assert template.variables == ("a", "b")
    assert template.missing({}) == []
    assert template.render({}) == "x"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{", "line 1"),
        ("{{ a", "line 1"),
        ("one\ntwo {% if %}", "line 2"),
        ("{% for x in y %}", "line 1"),
        ("{% nonsense %}", "line 1"),
        ("{{ a | no_such_filter }}", "no_such_filter"),
        ("{% include 'x' %}", "includes or imports"),
        ("{% import 'x' as y %}", "includes or imports"),
        ("{% from 'x' import y %}", "includes or imports"),
        ("{% extends 'x' %}", "includes or imports"),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "nested too deep"),
        ("{% if a %}" * 2000 + "{% endif %}" * 2000, "nested too deep"),
        ("{% for a in b %}" * 40 + "{% endfor %}" * 40, "nested too deep"),
    ],
)
def test_what_is_no_template_is_refused_with_its_line(source, why):
    """B7: a template that cannot be read is refused when it is defined, with the line and the way out."""
    with pytest.raises(DefinitionError, match=why) as caught:
        make(source)
    assert ".." not in str(caught.value)


def test_braces_can_be_written_as_they_are():
    """B7: the message for a lone brace says how to write one, and that way works."""
    with pytest.raises(DefinitionError, match=r"{% raw %}"):
        make("Use {{ and }} in JSON: {{")
    assert make("{% raw %}{{ x }}{% endraw %} {{ a }}").render({"a": 1}) == "{{ x }} 1"
    assert make("{ not a variable }").render({}) == "{ not a variable }"


def test_a_failing_template_is_a_definition_error():
    """Whatever goes wrong inside a template is one kind of error that says what it was."""
    for source, values, why in (
        ("{{ a.b }}", {"a": {}}, "no attribute 'b'"),
        ("{{ a[3] }}", {"a": [1]}, "no element 3"),
        ("{{ 1 / a }}", {"a": 0}, "division by zero"),
        ("{{ a + 1 }}", {"a": "x"}, "can only concatenate|unsupported|str"),
        ("{{ a() }}", {"a": "x"}, "not callable"),
        ("{{ a | int + [] }}", {"a": "1"}, "unsupported|only concatenate|int"),
        ("{% for x in a %}{% endfor %}", {"a": 5}, "not iterable"),
        ("{{ a | tojson }}", {"a": float("nan")}, "JSON"),
    ):
        with pytest.raises(DefinitionError, match=f"cannot be rendered: .*({why})"):
            make(source).render(values)


def test_control_characters_pass_through():
    """B6: NUL, escapes and line separators in templates and values come out unharmed."""
    odd = "\x00\x07\x1b[31m\u2028\ufeff\u202e"
    assert make(f"a{odd}{{{{ v }}}}").render({"v": odd}) == f"a{odd}{odd}"


def test_two_megabytes_pass_through():
    """B6: a prompt of 2 MB is a prompt, and so is a value of 2 MB."""
    big = "word " * 400_000
    assert make(big + "{{ a }}").render({"a": big}) == big + big


def test_line_ends_of_values_stay():
    """A value's line ends are its own; only the template's own are unified."""
    assert make("a\r\n{{ v }}\n").render({"v": "x\r\ny\n"}) == "a\nx\r\ny\n\n"


values = st.one_of(
    st.text(max_size=20),
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
)
texts = st.text(st.characters(exclude_characters="{}#%\r", exclude_categories=["Cs"]), max_size=20)


@settings(deadline=None)
@given(
    pieces=st.lists(st.tuples(texts, st.sampled_from(["a", "b", "c"])), max_size=6),
    given_values=st.tuples(values, values, values),
)
def test_the_short_way_gives_what_jinja_gives(pieces, given_values):
    """A template of text and names, which is rendered without Jinja, has the same text as with it."""
    source = "".join(f"{text}{{{{ {name} }}}}" for text, name in pieces)
    given_map = dict(zip("abc", given_values, strict=True))
    template = make(source)
    assert template.is_plain
    plain = jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    assert template.render(given_map) == plain.from_string(source).render(given_map)


def text_or_fault(source):
    try:
        template = make(source)
        found = template.render(dict.fromkeys(template.variables, "x"))
    except DefinitionError as error:
        found = str(error)
    assert isinstance(found, str)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_template_or_a_fault(source):
    """No text makes the reading of a template fail in another way than by a fault."""
    text_or_fault(source)


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "{{",
                "}}",
                "{%",
                "%}",
                "a",
                "if",
                "for",
                "in",
                "end",
                "|",
                "(",
                ")",
                "[",
                "]",
                "*",
                ".",
                "'",
                "-",
                "~",
                "1",
                " ",
            ]
        ),
        max_size=14,
    ).map("".join)
)
def test_any_heap_of_syntax_is_a_template_or_a_fault(source):
    """B7: random pieces of template syntax end in a text or in a fault, never in anything else."""
    text_or_fault(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ [text.upper] }}",
        "{{ {'a': text.upper} }}",
        "{{ [text.upper] | string | upper }}",
        "{{ words | map('upper') }}",
        "{{ words | map('upper') ~ '!' }}",
        "{{ words | select }}",
        "{{ words }}",
    ],
)
def test_an_address_is_never_printed(source):
    """What Python prints with its address would be another request in each process: it is refused."""
    values = {"text": "a", "words": ["x", "y"]}
    if source == "{{ words }}":
        values["words"] = [object()]
    with pytest.raises(
        DefinitionError, match="prompt 'p' cannot be rendered: it prints an object, not a text"
    ):
        make(source).render(values)


def test_an_address_in_a_text_is_text():
    """A sample, or the template itself, may say what looks like one: it is the same in each process."""
    said = "<function f at 0x7f00deadbeef>"
    assert make("{{ text }} {{ text | lower }}").render({"text": said}) == f"{said} {said}"
    assert make("{{ [row] }}").render({"row": {"a": [said]}}) == f"[{{'a': ['{said}']}}]"
    assert make(f"{said} {{{{ text | upper }}}}").render({"text": "a"}) == f"{said} A"
