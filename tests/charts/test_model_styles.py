"""labkit.charts.model_styles: one style per model, and text that Plotly cannot read as markup."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.charts.model_styles import COLOURS, plotly_text, styles
from labkit.visible import visible


@pytest.mark.parametrize("number", [2, 12, 40, 56])
def test_no_two_models_look_alike(number):
    """Colour and marker together, and colour and dash together, tell up to 56 models apart."""
    found = styles(f"openai/m{i}" for i in range(number)).values()
    assert len({(style.colour, style.symbol) for style in found}) == number
    assert len({(style.colour, style.dash) for style in found}) == number
    assert len({style.label for style in found}) == number


def test_looks_do_not_depend_on_order():
    """The same models style the same in whatever order they come."""
    names = [f"openai/m{i}" for i in range(9)]
    one = styles(names)
    two = styles(reversed(names))
    assert one == two


def test_colours_are_okabe_and_itos():
    """Eight colours, no black (which no dark theme shows), none twice."""
    assert len(set(COLOURS)) == 8
    assert "#000000" not in COLOURS


def test_models_are_called_as_tables_call_them():
    """By the whole label, which says what kind of model it is, or by the whole id."""
    ids, labels = ["openai/gpt-4o", "azure/gpt-4o", "local/gemma"], {"local/gemma": "Gemma (few-shot base)"}
    found = {style.name: style.label for style in styles(ids, labels=labels).values()}
    assert found == {**{one: one for one in ids}, **labels}


def test_long_names_are_cut_in_the_middle_unless_that_makes_twins():
    """A cut label keeps both ends; two that would style the same stay whole."""
    long = "openai/" + "very-" * 12 + "long"
    assert len(styles([long])[long].label) == 33
    twins = [f"openai/{'a' * 20}{x}{'b' * 20}" for x in "12"]
    assert len({style.label for style in styles(twins).values()}) == 2


@given(st.text(max_size=60))
def test_plotly_text_gives_back_what_is_visible(text):
    """Decoded as HTML it is the visible text; it holds no tag, no dollar and no bare ampersand."""
    shown = plotly_text(text)
    assert html.unescape(shown) == visible(text)
    assert not set(shown) & set("<>$")
