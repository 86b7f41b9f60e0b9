"""labkit.cli.parameters: text on the command line becomes the value it stands for."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.cli.parameters import UNKNOWN, defaults_of, values
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
    ],
)
def test_a_wrong_parameter_is_refused_by_name(name: str, text: str, why: str) -> None:
    """A name that the notebook does not have, or a text that cannot be meant, ends the run before it asks."""
    with pytest.raises(DefinitionError, match=why):
        values([(name, text)], {"dry_run": True, "limit": 1})


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Two wrong parameters are two faults of one error."""
    with pytest.raises(DefinitionError) as caught:
        values([("a", "1"), ("b", "2")], {"c": 1})
    assert len(caught.value.faults) == 2


@given(st.text(), st.sampled_from([UNKNOWN, "", 1, True, None, []]))
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


def test_without_a_tagged_cell_any_name_that_is_used_is_one() -> None:
    """A notebook may use what it never sets, and leave that to the command."""
    found = defaults_of(book("print(limit)", tag=False))
    assert found is not None
    assert "limit" in found
    assert "limmit" not in found


def test_code_that_cannot_be_read_allows_any_name() -> None:
    """What the cell cannot tell is not refused."""
    assert defaults_of(book("rows <- 4")) is not None  # reads as a comparison
    assert defaults_of(book("x = = 1")) is None
    assert values([("anything", "1")], None) == {"anything": 1}
