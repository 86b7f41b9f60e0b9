"""A choice of several things, without drawing."""

from __future__ import annotations

import pytest

from labkit.errors import DefinitionError
from labkit.widgets.selector import Choice, Selector


@pytest.fixture
def selector() -> Selector:
    """Three things, the second chosen."""
    choices = [
        Choice("a", "Anna", ("red", "small"), frozenset({"kind:x"})),
        Choice("b", "Berta", ("green",), frozenset({"kind:x", "ready"})),
        Choice("c", "Carla", ("red",)),
    ]
    return Selector(choices, value=["b"], call="lk.Selector", heads=("name", "colour"))


def test_found_by_words_and_tags(selector: Selector) -> None:
    """Every word must occur somewhere, every tag must be there; the chosen come first."""
    assert [choice.value for choice in selector.found()] == ["b", "a", "c"]
    assert [choice.value for choice in selector.found("RED")] == ["a", "c"]
    assert [choice.value for choice in selector.found("red small")] == ["a"]
    assert [choice.value for choice in selector.found("", tags=["kind:x", "ready"])] == ["b"]


def test_the_choice_keeps_the_lists_order(selector: Selector) -> None:
    """However it was chosen, the choice is in the list's order and holds nothing twice."""
    selector.choose(["c", "a", "c"])
    assert selector.chosen == ("a", "c")
    selector.toggle("a", False)
    selector.toggle("b", True)
    assert selector.chosen == ("b", "c")


def test_strangers_are_named_at_once(selector: Selector) -> None:
    """What is not in the list is refused by name, and the choice stays as it was."""
    with pytest.raises(DefinitionError, match="'x', 'y'; it lists a, b, c"):
        selector.choose(["x", "a", "y"])
    assert selector.chosen == ("b",)


def test_listeners_hear_each_change(selector: Selector) -> None:
    """Whoever listens is told after the change."""
    heard: list[tuple[str, ...]] = []
    selector.on_change(lambda: heard.append(selector.chosen))
    selector.choose(["a"])
    selector.toggle("c", True)
    assert heard == [("a",), ("a", "c")]


def test_hostile_names_stay_strings(hostile: tuple[str, ...]) -> None:
    """In the code a name is a literal, in the table it is text, in the repr nothing hides."""
    selector = Selector(
        [Choice(name, name) for name in hostile], value=hostile, call="lk.Selector", heads=("name",)
    )
    assert eval(selector.code.partition("value=")[2][:-1]) == list(hostile)
    assert "<img" not in selector._repr_html_()
    assert "\u202e" not in repr(selector)
