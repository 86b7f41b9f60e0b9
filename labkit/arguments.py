"""What a person gave for an argument: is it a text, a number, a mapping? One sentence where it is not.

Each gives the faults it finds, as a list, so that one error can name those of several arguments. It does
not know what an argument is for.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import TypeGuard

from labkit.errors import DefinitionError
from labkit.visible import quoted


def check(*faults: Sequence[str]) -> None:
    """Raise one `DefinitionError` that names all faults, if there is any.

    >>> check(text("reason", 3), whole("rows", 0))
    Traceback (most recent call last):
    labkit.errors.DefinitionError: 2 things to mend:
      1. reason is 3; give a text.
      2. rows is 0; use a whole number from 1 up.
    """
    if found := [fault for some in faults for fault in some]:
        raise DefinitionError(found)


def text(name: str, value: object, *, or_none: bool = False) -> list[str]:
    """A text, and one that can be written down: half a character cannot."""
    if value is None and or_none:
        return []
    try:
        if isinstance(value, str) and (value.isascii() or value.encode()):
            return []
    except UnicodeEncodeError:
        return [f"{name} is {quoted(value)}, which holds half a character; give a text that can be written."]
    return [f"{name} is {quoted(value)}; give a text."]


def whole(name: str, value: object, *, least: int = 1, most: int = sys.maxsize) -> list[str]:
    """A whole number from `least` to `most`."""
    if isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most:
        return []
    ends = f"from {least:,} up" if most == sys.maxsize else f"from {least:,} to {most:,}"
    return [f"{name} is {quoted(value)}; use a whole number {ends}."]


def number(
    name: str,
    value: object,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = math.inf,
    or_none: bool = False,
) -> list[str]:
    """A number within the ends given; `below=None` lets it be infinite.

    >>> number("speed", 0, above=0)
    ['speed is 0; use a number above 0.']
    """
    if value is None and or_none:
        return []
    if is_number(value) and all(
        (least is None or value >= least, above is None or value > above, below is None or value < below)
    ):
        return []
    ends = [f"from {least:g} up"] if least is not None else []
    ends += [f"above {above:g}"] if above is not None else []
    ends += [f"below {below:g}"] if below is not None and below != math.inf else []
    said = " ".join(["a number", " and ".join(ends)]).rstrip()
    return [f"{name} is {quoted(value)}; use {said}."]


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number, and one that can be counted with: not NaN, and not beyond all floats."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)
    except OverflowError:
        return False


def seed(value: object) -> list[str]:
    """What random draws begin from: a whole number that fits into 64 bits."""
    return whole("seed", value, least=-(2**63), most=2**64)


def sure(name: str, value: object) -> list[str]:
    """How sure an interval is to be, as 0.95: between 0 and 1."""
    return number(name, value, above=0, below=1)


def mapping(name: str, value: object, *, like: str) -> list[str]:
    """A mapping whose keys are texts."""
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return []
    return [f"{name} is {quoted(value)}; use a mapping such as {like}."]


def switch(name: str, value: object) -> list[str]:
    """True or False."""
    return [] if isinstance(value, bool) else [f"{name} is {quoted(value)}; use True or False."]


def able(name: str, value: object, *needs: str, like: str) -> list[str]:
    """A thing that has the attributes it is needed for."""
    if all(hasattr(value, need) for need in needs):
        return []
    return [f"{name} is {quoted(value)}; give {like}."]
