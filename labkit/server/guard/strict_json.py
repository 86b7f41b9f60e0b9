"""JSON that means one thing only: nothing doubled, no number or character that others cannot hold.

What passes here, any reader reads alike, and any database takes. It does not know what it should say.
"""

from __future__ import annotations

import json
import math
from typing import Any

from labkit.server.problems import Problem
from labkit.visible import quoted

DEPTH = 64
"""How many objects and lists may stand in each other."""
_LARGEST = 2**63 - 1


def check(body: bytes) -> None:
    """Raise 400 with one sentence where `body` is not such an object or list."""
    try:
        found = _DECODER.decode(body.decode())
    except UnicodeDecodeError:
        raise _malformed("is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"is not JSON: line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _too_deep() from None
    if not isinstance(found, (dict, list)):
        raise _malformed("is a bare value, not an object")
    _look_through(found)


def _look_through(found: Any) -> None:
    level, depth = [found], 1
    while level:
        if depth > DEPTH:
            raise _too_deep()
        inner: list[Any] = []
        for one in level:
            for value in (*one.keys(), *one.values()) if isinstance(one, dict) else one:
                if isinstance(value, str):
                    _check_text(value)
                elif isinstance(value, (dict, list)):
                    inner.append(value)
        level, depth = inner, depth + 1


def _check_text(text: str) -> None:
    if "\0" in text:
        raise _malformed("holds the character NUL (\\u0000)")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _malformed("holds half a character (a lone surrogate)") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _malformed(f"names {quoted(name)} twice")
        found[name] = value
    return found


def _whole_number(text: str) -> int:
    # Longer texts would be refused by Python itself, or take long.
    if len(text) > 20 or abs(number := int(text)) > _LARGEST:
        raise _malformed("holds a number that is too large")
    return number


def _fraction(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _malformed("holds a number that is too large")
    return number


def _no_number(text: str) -> float:
    raise _malformed(f"holds {text}, which JSON does not have")


def _malformed(what: str) -> Problem:
    return Problem(400, f"The body {what}. Send one JSON object, in UTF-8.")


def _too_deep() -> Problem:
    return _malformed(f"is nested more than {DEPTH} deep")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_whole_number, parse_float=_fraction, parse_constant=_no_number
)
