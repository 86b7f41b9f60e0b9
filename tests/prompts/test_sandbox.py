"""labkit.prompts.sandbox: a template reaches nothing and cannot take time or memory (group S14)."""

from __future__ import annotations

import pytest

from labkit.errors import DefinitionError
from labkit.prompts import sandbox
from labkit.prompts.template import Template

ESCAPES = [
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ a.__class__ }}",
    "{{ a['__class__'] }}",
    "{{ a | attr('__class__') }}",
    "{{ [a] | map(attribute='__class__') | list }}",
    "{{ [a] | map('attr', '__class__') | list }}",
    "{{ [a] | sort(attribute='__class__') }}",
    "{{ [a] | groupby('__class__') }}",
    "{{ [a] | selectattr('__class__') | list }}",
    "{{ [a] | sum(attribute='__class__') }}",
    "{{ [a] | join(',', attribute='__class__') }}",
    "{{ range.__self__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ ''.format.__globals__ }}",
    "{{ '{0.__class__}'.format(a) }}",
    "{{ '{a.__class__}'.format_map({'a': a}) }}",
    "{% set x = ''.join %}{{ x.__self__ }}",
    "{{ lipsum.__globals__ }}",
    "{{ dict.mro() }}",
    "{{ joiner.__init__ }}",
    "{{ config }}",
    "{{ request }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ (a, ).__class__ }}",
    "{{ {}.__class__ }}",
    "{{ 1.0.__class__ }}",
    "{{ loop.__class__ }}",
    "{% for x in [1] %}{{ loop.__class__ }}{% endfor %}",
    "{% macro m() %}{{ caller.__class__ }}{% endmacro %}{{ m.__class__ }}",
    "{{ m.__globals__ }}",
    "{{ items.append(1) }}",
    "{{ items.clear() }}",
    "{{ table.update({'a': 1}) }}",
    "{{ table.pop('k') }}",
    "{% import 'os' as os %}{{ os }}",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_a_template_cannot_leave_the_sandbox(source):
    """S14: every known way to a module, a private attribute or a change of the data is refused."""
    items, table = [1], {"k": 2}
    try:
        text = Template(source, what="prompt").render({"a": "x", "items": items, "table": table})
    except DefinitionError:
        text = ""
    assert text in (
        "",
        "['x']",
    )  # the second: a list of the one value, sorted by an attribute that is not there
    assert (items, table) == ([1], {"k": 2})


DOUBLED = {
    "tilde": "{% set a = a ~ a %}",
    "plus": "{% set a = a + a %}",
    "join": "{% set a = [a, a] | join %}",
    "replace": "{% set a = a | replace('x', 'xxx') %}",
    "block set": "{% set a %}{{ a }}{{ a }}{% endset %}",
    "list": "{% set a = [a, a] %}",
    "tuple": "{% set a = (a, a) %}",
    "mapping": "{% set a = {1: a, 2: a} %}",
    "json": "{% set a = [a, a] | tojson %}",
    "string": "{% set a = [a, a] | string %}",
    "filter block": "{% set a %}{% filter upper %}{{ a }}{{ a }}{% endfilter %}{% endset %}",
}
BOMBS = {
    **{name: "{% set a = 'xx' %}" + step * 60 + "{{ a }}" for name, step in DOUBLED.items()},
    "list plus": "{% set a = [1] %}" + "{% set a = a + a %}" * 60 + "{{ a }}",
    "compared": "{% set a = 'x' %}{% set b = 'x' %}"
    + "{% set a = [a, a] %}{% set b = [b, b] %}" * 60
    + "{{ a == b }}",
    "nested loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "loop of text": "{% for i in range(99999) %}{% for j in range(99999) %}xxxxx{% endfor %}{% endfor %}",
    "recursion": "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "bounded recursion": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}"
    "{{ f(60) }}",
    "recursive loop": "{% for x in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}",
    "range": "{{ range(99999999) | list }}",
    "times": "{{ 'x' * 10 ** 10 }}",
    "times list": "{{ [1] * 10 ** 9 }}",
    "power": "{{ 9 ** (9 ** 9) }}",
    "power chain": "{{ ((9 ** 60) ** 60) ** 60 }}",
    "width by percent": "{{ '%0999999999d' % 1 }}",
    "width by format": "{{ '{:>999999999}'.format(1) }}",
    "width by filter": "{{ 'x' | center(999999999) }}",
    "width by method": "{{ 'x'.ljust(999999999) }}",
    "zeros": "{{ '1'.zfill(999999999) }}",
    "tabs": "{{ '\\t'.expandtabs(999999999) }}",
    "indent": "{{ 'a\nb' | indent(999999999) }}",
    "batch": "{{ [1] | batch(999999999, 0) | list }}",
    "json indent": "{{ {'a': 1} | tojson(999999999) }}",
    "words": "{{ lipsum(n=999999) }}",
    "huge number": "{{ ('9' ~ '9' * 1) | int ** 64 ** 9 }}",
    "namespace": "{% set n = namespace(a='xx') %}" + "{% set n.a = n.a ~ n.a %}" * 60 + "{{ n.a }}",
    "translate": "{{ 'x'.translate({120: 'x' }) }}",
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.timeout(60)
def test_a_template_cannot_take_the_machine(name, monkeypatch):
    """S14: whatever grows without end is stopped by the count of steps or characters, or is not there."""
    # Lower limits, to be quick: with the real ones the slowest of them takes 2 s.
    monkeypatch.setattr(sandbox, "MOST_STEPS", 50_000)
    monkeypatch.setattr(sandbox, "MOST_CHARACTERS", 500_000)
    with pytest.raises(DefinitionError):
        Template(BOMBS[name], what="prompt").render({})


def test_a_value_that_holds_itself_is_refused():
    """S14: a list that holds itself is not printed for ever, in a plain template or a full one."""
    endless = [1]
    endless.append(endless)
    for source in ("{{ a }}", "{% if a %}{{ a }}{% endif %}"):
        with pytest.raises(DefinitionError, match="cannot be rendered"):
            Template(source, what="prompt").render({"a": endless})


def test_the_count_begins_anew_with_each_rendering():
    """A rendering that was stopped takes nothing from the next one."""
    heavy = Template(
        "{% for i in range(99999) %}{% for j in range(a) %}{% endfor %}{% endfor %}", what="prompt"
    )
    light = Template("{% for i in range(90000) %}{% endfor %}ok", what="prompt")
    for _ in range(2):
        with pytest.raises(DefinitionError, match="steps"):
            heavy.render({"a": 1000})
        assert light.render({}) == "ok"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ a | upper }} {{ a | trim | title }}", "AB C Ab C"),
        ("{{ a.strip().replace_ is defined }}", "False"),
        ("{{ items | join(', ') }}", "1, 2, 3"),
        ("{{ rows | join('; ', attribute='x') }}", "1; 2"),
        ("{{ items | sum }} {{ items | length }} {{ items | max }}", "6 3 3"),
        ("{% for r in rows if r.x > 1 %}{{ loop.index }}:{{ r.x }}{% endfor %}", "1:2"),
        ("{% for k, v in table | dictsort %}{{ k }}={{ v }} {% endfor %}", "k=2 "),
        ("{% for k, v in table.items() %}{{ k }}={{ v }}{% endfor %}", "k=2"),
        ("{{ table | tojson }}", '{"k": 2}'),
        ("{{ table | tojson(indent=1) }}", '{\n "k": 2\n}'),
        ("{{ '<é>' | tojson }}", '"<é>"'),
        ("{{ a.split(' ') | last }}", "c"),
        ("{{ 'x' if items else 'y' }}", "x"),
        ("{{ 2 * 3 + 4 ** 2 - 5 // 2 % 3 }}", "20"),
        ("{{ 'a' ~ 1 ~ 'b' }}", "a1b"),
        ("{{ [1, [2, 3]] }} {{ {'a': 1} }} {{ (1, 2) }}", "[1, [2, 3]] {'a': 1} (1, 2)"),
        ("{% set x, y = 1, 2 %}{{ x }}{{ y }}", "12"),
        ("{% set n = namespace(c=0) %}{% for i in items %}{% set n.c = n.c + i %}{% endfor %}{{ n.c }}", "6"),
        ("{% macro q(t) %}<{{ t }}>{% endmacro %}{{ q('a') }}{{ q('b') }}", "<a><b>"),
        ("{% filter upper %}x{% endfilter %}{# gone #}", "X"),
        ("{{ a | replace('c', 'd') | string }}", "ab d"),
        ("{{ items | map('string') | join }} {{ items | select('odd') | list }}", "123 [1, 3]"),
        ("{% for x in items %}{{ x }}{{ ',' if not loop.last }}{% endfor %}", "1,2,3"),
        ("{{ 3.14159 | round(2) }} {{ '7' | int + 1 }}", "3.14 8"),
    ],
)
def test_the_language_that_is_left_shapes_text(source, text):
    """What people use in prompts works: filters, loops, conditions, macros, JSON."""
    given = {"a": "ab c", "items": [1, 2, 3], "rows": [{"x": 1}, {"x": 2}], "table": {"k": 2}}
    assert Template(source, what="prompt").render(given) == text


ENDLESS = {
    "filters in a loop": "{% set r = range(100000) %}{% for i in r %}{% set x = r | sum %}{% endfor %}",
    "filters of filters": "{% set r = range(100000) %}{% set l = [r, r, r, r, r, r, r, r, r, r] %}"
    "{% set m = [l, l, l, l, l, l, l, l, l, l] %}{% set k = [m, m, m, m, m, m, m, m, m, m] %}"
    "{{ k | map('map', 'map', 'sum') | map('map', 'sum') | map('sum') | sum }}",
    "in a list": "{% set l = range(100000) | list %}{% for i in l %}{% if -1 in l %}{% endif %}{% endfor %}",
    "the test in": "{% set l = range(100000) | list %}{{ l | select('in', l) | list | length }}",
    "sorting": "{% set r = range(100000) %}{% for i in r %}{% set x = r | sort(reverse=true) %}{% endfor %}",
    "slices": "{% for i in range(100000) %}{% set x = t[::-1] %}{% endfor %}",
    "a text's methods": "{% for i in range(100000) %}{% set x = t.upper() %}{% endfor %}",
    "stripping": "{{ t.strip(u) }}",
    "trimming": "{{ t | trim(u) }}",
    "trimming each": "{{ [t] | map('trim', u) | list | length }}",
    "digits up": "{{ 1 | round(99999999, 'ceil') }}",
    "digits down": "{{ 1 | round(-99999999) }}",
    "digits of each": "{{ [1] | map('round', 99999999, 'floor') | list }}",
    "words": "{% for i in range(100000) %}{% set x = t | wordcount %}{% endfor %}",
    "macros": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
}


@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS)
def test_a_template_that_never_ends_is_ended(source, monkeypatch):
    """S14: what few steps make long is ended by its length or by the clock, which is named."""
    monkeypatch.setattr(sandbox, "MOST_S", 1.0)
    with pytest.raises(DefinitionError, match=r"steps|longer than 1 s|precision"):
        Template(source, what="prompt").render({"t": "ab" * 500_000, "u": "c" * 500_000 + "ab"})


def test_rounding_and_trimming_are_as_ever():
    """What is counted gives what it gave."""
    template = Template(
        "{{ 2.567 | round(1) }} {{ 2.5 | round(0, 'floor') }} {{ ' a ' | trim }} {{ 'xax' | trim('x') }}",
        what="p",
    )
    assert template.render({}) == "2.6 2.0 a a"
