"""labkit.cli.parameters: text on the command line becomes the value it stands for."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.cli.parameters import ITS_OWN, TEXT_OR_NONE, UNKNOWN, defaults_of, values
from labkit.errors import DefinitionError


def book(*sources: str, tag: bool = True) -> Any:
    """A notebook of code cells, the first tagged `parameters`."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    if tag:
        cells[0].metadata["tags"] = ["parameters"]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.mark.parametrize(
    ("text", "default", "value"),
    [
        ("False", True, False),
        ("false", True, False),
        ("None", 1, None),
        ("null", 1, None),
        ("0", True, 0),
        ("3", 1, 3),
        ("0.70", 0.5, 0.7),
        ("1.10", "", "1.10"),
        ("12e4567", "", "12e4567"),
        ("1e3", "", "1e3"),
        ("007", "", "007"),
        ("12e4567", UNKNOWN, "12e4567"),
        ("NaN", UNKNOWN, "NaN"),
        ("true", "", "true"),
        ("None", "x", "None"),
        ("007", UNKNOWN, "007"),
        ('"7"', 1, "7"),
        ('"7"', "", "7"),
        ("a b", None, "a b"),
        ('["a", 1]', [], ["a", 1]),
        ("[" * 100_000, "", "[" * 100_000),
        ("1" * 5_000, "", "1" * 5_000),
        ("1.10", TEXT_OR_NONE, "1.10"),
        ("None", TEXT_OR_NONE, None),
        ("true", TEXT_OR_NONE, "true"),
        ("['a', None]", ["b"], ["a", None]),
        ('["a", null]', ("b",), ["a", None]),
        ("('a',)", ("b",), ["a"]),
        ("{'a': 1}", {}, {"a": 1}),
        ("None", ["a"], None),
        ('"a"', ["a"], "a"),
    ],
)
def test_a_text_becomes_what_it_stands_for(text: str, default: object, value: object) -> None:
    """Numbers, truth and None are themselves, text stays text where the notebook has text or in quotes."""
    (found,) = values([("x", text)], {"x": default}).values()
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("dry_rnu", "true", "Did you mean dry_run"),
        ("dry_run", "no", "nothing of that kind"),
        ("dry_run", "FALSE", "nothing of that kind"),
        ("limit", "1O", "nothing of that kind"),
        ("limit", "1" * 5_000, "nothing of that kind"),
        ("x; import os", "1", "is no name"),
        ("class", "1", "is no name"),
        ("limit", '"\\ud800"', "half a character"),
        ("limit", "\udcff", "nothing of that kind"),
        ("models", "a,b", "nothing of that kind"),
        ("models", "7", "nothing of that kind"),
        ("models", "['a'", "nothing of that kind"),
        ("models", "{1, 2}", "nothing of that kind"),
        ("models", "['\\ud800']", "half a character"),
        ("prices", "cheap", "nothing of that kind"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(name: str, text: str, why: str) -> None:
    """A name that the notebook does not have, or a text that cannot be meant, ends the run before it asks."""
    with pytest.raises(DefinitionError, match=why):
        values([(name, text)], {"dry_run": True, "limit": 1, "models": ["a"], "prices": {}})


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Two wrong parameters are two faults of one error."""
    with pytest.raises(DefinitionError) as caught:
        values([("a", "1"), ("b", "2")], {"c": 1})
    assert len(caught.value.faults) == 2


@given(st.text(), st.sampled_from([UNKNOWN, TEXT_OR_NONE, ITS_OWN, "", 1, True, None, [], {}]))
def test_any_text_is_a_value_or_refused(text: str, default: object) -> None:
    """No text makes it fail otherwise, and where the notebook has text, text without quotes is kept."""
    try:
        found = values([("x", text)], {"x": default})["x"]
    except DefinitionError:
        return
    assert default != "" or found == text or text.strip().startswith('"')


def test_the_tagged_cell_says_which_names_there_are() -> None:
    """Names set in the cell tagged `parameters` are its parameters, with the defaults that are literal."""
    source = "%matplotlib inline\nrows: int = 4\nname = 'x'\na, b = 1, 2\nhere = make()\n!ls"
    expected = {"rows": 4, "name": "x", "a": UNKNOWN, "b": UNKNOWN, "here": UNKNOWN}
    assert defaults_of(book(source, "other = 1")) == expected


@pytest.mark.parametrize(
    ("source", "default"),
    [
        ("x: str = None", TEXT_OR_NONE),
        ("x: str | None = None", TEXT_OR_NONE),
        ("x: 'str'", TEXT_OR_NONE),
        ("x: Optional[str] = make()", TEXT_OR_NONE),
        ("x: str = '1'", "1"),
        ("x: list[str] = None", None),
        ("x: int | str = make()", UNKNOWN),
        ("x = f'v{1}'", ""),
    ],
)
def test_what_is_written_beside_a_name_says_whether_it_is_text(source: str, default: object) -> None:
    """An annotation with `str` and an f-string are text, in which 1.10 stays 1.10."""
    assert defaults_of(book(source)) == {"x": default}


SETS_LIMIT = [
    "limit = 1",
    "limit: int = 1",
    "limit, other = 1, 2",
    "for limit in range(3): pass",
    "with made() as limit: pass",
    "if other: limit = 1",
    "def double(): return 2 * limit\nlimit = 1",
    "rows = [limit for limit in range(3)]\nlimit = 1",
    "print((limit := 1))",
]
TAKES_LIMIT = [
    "print(limit)",
    "print(limit)\nlimit = 1",
    "limit = int(limit)",
    "limit += 1",
    "limit: int\nprint(limit)",
    "limit = globals().get('limit', 1)",
    "if 'limit' not in globals():\n    limit = 1",
    "try:\n    limit\nexcept NameError:\n    limit = 1",
    "def double(limit): limit = 2 * limit",
    "rows = [limit for limit in range(3)]",
]


@pytest.mark.parametrize("source", SETS_LIMIT)
def test_a_name_that_the_notebook_sets_in_no_tagged_cell_is_refused(source: str) -> None:
    """A value put in above would be overwritten, and the command would have no effect and say nothing."""
    with pytest.raises(DefinitionError, match="not tagged `parameters`"):
        values([("limit", "5")], defaults_of(book("import x", source, "print(limit)", tag=False)))
    assert values([("limit", "5")], defaults_of(book(f"{source}\nlimit = 1"))) == {"limit": 5}


@pytest.mark.parametrize("source", TAKES_LIMIT)
def test_a_name_that_the_notebook_looks_for_first_is_a_parameter(source: str) -> None:
    """What is read, or asked for, before it is set may be given without a tagged cell."""
    assert values([("limit", "5")], defaults_of(book("import x", source, tag=False))) == {"limit": 5}


def test_without_a_tagged_cell_any_name_that_is_used_is_one() -> None:
    """A notebook may use what it never sets, and leave that to the command."""
    found = defaults_of(book("print(limit)", tag=False))
    assert found is not None
    assert "limit" in found
    assert "limmit" not in found
    assert "print" not in found


def test_the_nearest_name_comes_first() -> None:
    """Who misspelt one looks for it; names that cannot be given, as the notebook sets them, are not told."""
    with pytest.raises(DefinitionError, match=r"Did you mean rows\? It has: rows, \w+, \w+\."):
        values([("row", "1")], {"budget": 1, "experiment": "", "rows": 1, "own": ITS_OWN})
    with pytest.raises(DefinitionError, match="It has none: tag a cell `parameters`"):
        values([("x", "1")], {"y": ITS_OWN})


def test_code_that_cannot_be_read_allows_any_name() -> None:
    """What the cell cannot tell is not refused."""
    assert defaults_of(book("rows <- 4")) is not None  # reads as a comparison
    assert defaults_of(book("x = = 1")) is None
    assert values([("anything", "1")], None) == {"anything": 1}
