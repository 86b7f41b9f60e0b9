"""labkit.arguments: what was given for an argument is what it is to be, or is named in one sentence."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import arguments
from labkit.errors import DefinitionError


class Unspeakable:
    """An object that cannot even be printed."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


ODD = [10**5000, -(10**5000), object(), Unspeakable(), (), [[]], {}, {"a": 10**5000}, {1: 2}]
ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary()
    | st.sampled_from(range(len(ODD))).map(lambda place: ODD[place])  # of ODD itself there is no repr
)  # fmt: skip
CHECKS: dict[str, Callable[[object], list[str]]] = {
    "text": lambda value: arguments.text("x", value),
    "whole": lambda value: arguments.whole("x", value),
    "number": lambda value: arguments.number("x", value, least=0),
    "sure": lambda value: arguments.sure("x", value),
    "seed": arguments.seed,
    "mapping": lambda value: arguments.mapping("x", value, like="{}"),
    "switch": lambda value: arguments.switch("x", value),
    "able": lambda value: arguments.able("x", value, "no_such_thing", like="a lab"),
}


@pytest.mark.parametrize("check", CHECKS)
@given(value=ANYTHING)
def test_whatever_is_given_is_right_or_one_sentence(check: str, value: object) -> None:
    """No value raises, and what is said of it can be written down."""
    found = CHECKS[check](value)
    assert len(found) <= 1
    assert all("\n" not in fault and fault.endswith(".") for fault in found)
    if found:
        with pytest.raises(DefinitionError):
            arguments.check(found)


@pytest.mark.parametrize(
    ("found", "right"),
    [
        (arguments.text("x", ""), True),
        (arguments.text("x", None), False),
        (arguments.text("x", None, or_none=True), True),
        (arguments.text("x", "\ud800"), False),
        (arguments.whole("x", 1), True),
        (arguments.whole("x", True), False),
        (arguments.whole("x", 1.0), False),
        (arguments.whole("x", 11, most=10), False),
        (arguments.number("x", 0, least=0), True),
        (arguments.number("x", 0, above=0), False),
        (arguments.number("x", math.inf), False),
        (arguments.number("x", math.inf, below=None), True),
        (arguments.number("x", math.nan, below=None), False),
        (arguments.number("x", 10**5000, below=None), False),
        (arguments.sure("x", 0.95), True),
        (arguments.sure("x", 95), False),
        (arguments.mapping("x", {"a": 1}, like="{}"), True),
        (arguments.mapping("x", {1: 1}, like="{}"), False),
        (arguments.switch("x", 1), False),
    ],
)
def test_ends_and_kinds(found: list[str], right: bool) -> None:
    """What lies at an end is within where it says so; a truth is no number, NaN is none."""
    assert (found == []) is right
