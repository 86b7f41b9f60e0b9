"""A list of things to tick."""

from __future__ import annotations

from typing import Any

import ipywidgets
import pytest

from labkit.widgets.forms import Status
from labkit.widgets.listbox import ROWS, Listbox
from labkit.widgets.selector import Choice, Selector


@pytest.fixture
def selector() -> Selector:
    """Thirty things, every third red."""
    choices = [
        Choice(f"v{n:02}", f"thing {n:02}", ("red" if n % 3 == 0 else "blue",), frozenset({f"c:{n % 3}"}))
        for n in range(30)
    ]
    return Selector(choices, value=["v20"], call="lk.Selector", heads=("colour",))


@pytest.fixture
def listbox(selector: Selector) -> Listbox:
    """The list of them, with a filter."""
    filters = {"Colour": {"red": "c:0", "blue": "c:1"}}
    return Listbox(
        selector, noun="things", heads=("thing", "colour"), widths="1fr", status=Status(), filters=filters
    )


def boxes(listbox: Listbox) -> dict[str, ipywidgets.Checkbox]:
    """The boxes that are shown, by their names."""
    rows: Any = listbox._list.children[1:]
    return {row.children[0].description: row.children[0] for row in rows}


def test_a_page_of_rows_the_chosen_first(listbox: Listbox) -> None:
    """A page holds so many rows; what is chosen comes first and is ticked."""
    shown = boxes(listbox)
    assert len(shown) == ROWS
    assert next(iter(shown)) == "thing 20"
    assert [name for name, box in shown.items() if box.value] == ["thing 20"]


def test_ticking_chooses(listbox: Listbox, selector: Selector) -> None:
    """A tick in a row is a choice, taking it away is none, and drawing anew chooses nothing."""
    boxes(listbox)["thing 00"].value = True
    assert selector.chosen == ("v00", "v20")
    boxes(listbox)["thing 20"].value = False
    assert selector.chosen == ("v00",)
    listbox.refresh()
    assert selector.chosen == ("v00",)


def test_search_filter_and_pages(listbox: Listbox, selector: Selector) -> None:
    """Search and filters narrow the list from its first page on; what is chosen and hidden stays chosen."""
    listbox._turn(1)
    assert "thing 11" in boxes(listbox)
    listbox._search.value = "red"
    assert set(boxes(listbox)) == {f"thing {n:02}" for n in range(0, 30, 3)}
    listbox._filters[0].value = "c:1"
    assert boxes(listbox) == {}
    assert selector.chosen == ("v20",)


def test_pages_end(listbox: Listbox) -> None:
    """There is no page before the first and none after the last."""
    listbox._turn(-5)
    assert listbox._before.disabled
    for _ in range(9):
        listbox._turn(1)
    assert listbox._after.disabled
    assert len(boxes(listbox)) == 30 - 2 * ROWS


def test_hostile_names_are_set_as_text(hostile: tuple[str, ...]) -> None:
    """Names are descriptions without markup, facts are escaped."""
    choices = [Choice(str(n), name, (name,)) for n, name in enumerate(hostile)]
    made = Listbox(
        Selector(choices, value=(), call="x", heads=("a",)),
        noun="things",
        heads=("a", "b"),
        widths="1fr",
        status=Status(),
    )
    rows: Any = made._list.children[1:]
    assert all(row.children[0].description_allow_html is False for row in rows)
    assert not any("<img" in row.children[1].value or "<script" in row.children[1].value for row in rows)


def test_thousands_cost_a_page() -> None:
    """However many things there are, there are as many widgets as on a page."""
    choices = [Choice(str(n), f"thing {n}") for n in range(5_000)]
    made = Listbox(
        Selector(choices, value=(), call="x", heads=()),
        noun="things",
        heads=("a",),
        widths="",
        status=Status(),
    )
    assert len(made._list.children) == ROWS + 1
