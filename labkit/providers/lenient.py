"""JSON read as far as it can be believed, where its strict reading failed.

A field of another type becomes what it means (`"10"` and `10.0` are 10), or is left out as if it had not been
told; an item that is none is passed over. Half surrogates, bytes that are no UTF-8 and numbers beyond all
bounds make nothing unreadable. It is slow, and is asked only after the strict reading gave up. It knows no
dialect: what to read is the struct it is given.
"""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from labkit.json_bytes import json_bytes

T = TypeVar("T")
_LONGEST_INT = 40
_VALUE = re.compile(r"[\s,]*(?=\S)")


def read(data: bytes, kind: type[T]) -> T | None:
    """`data` as the struct `kind`, or None where it is no JSON object (nor a list that begins with one).

    Raises `ValueError` or `RecursionError` for what is no JSON.

    >>> class Point(msgspec.Struct):
    ...     x: int = 0
    ...     name: str | None = None
    >>> read(b'{"x": "3", "name": 5, "new": null}', Point)
    Point(x=3, name='5')
    """
    found = parsed(data)
    if isinstance(found, list):
        found = next(iter(found), None)
    return _fitted(found, kind) if isinstance(found, dict) else None


def count(value: Any) -> int | None:
    """A whole number, however it is written; None for what is none.

    >>> count(10), count(10.0), count(" 10 "), count(0.5), count("ten"), count(True)
    (10, 10, 10, None, None, None)
    """
    if isinstance(value, str) and len(value) <= _LONGEST_INT:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def parsed(data: bytes) -> Any:
    """What JSON says. Raises `ValueError` or `RecursionError` for what is none.

    >>> parsed(b'{"a": 1e309}')
    {'a': inf}
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError):
        return json.loads(data.decode("utf-8", "replace"), parse_int=_whole, strict=False)


def documents(data: bytes) -> list[bytes]:
    """The JSON values in `data`, one after another, and the items of a list each by itself; what follows them
    and is no JSON is left out. Where there is none it is `data` itself.

    >>> documents(b'{"a": 1}\\n{"b": 2} and more'), documents(b'[{"a": 1}, 2]'), documents(b'{"a')
    ([b'{"a": 1}', b'{"b": 2}'], [b'{"a": 1}', b'2'], [b'{"a'])
    """
    with suppress(msgspec.DecodeError, UnicodeError, RecursionError):
        if data.lstrip()[:1] != b"[":
            return [bytes(msgspec.json.decode(data, type=msgspec.Raw))]
        return [bytes(item) for item in msgspec.json.decode(data, type=list[msgspec.Raw])] or [data]
    text, found, end = data.decode("utf-8", "replace"), [], 0
    with suppress(ValueError, RecursionError):
        while begin := _VALUE.match(text, end):
            _, end = _LENIENT.raw_decode(text, begin.end())
            found.append(text[begin.end() : end].encode())
    return found or [data]


def object_in(data: bytes | None) -> dict[str, Any]:
    """The JSON object in `data`; an empty one where there is none."""
    found = parsed(data) if data else {}
    return found if isinstance(found, dict) else {}


def written(value: Any) -> str:
    """`value` as JSON text, also where it holds half a character."""
    try:
        return json_bytes(value).decode()
    except UnicodeEncodeError:
        return json.dumps(value)


def _whole(digits: str) -> int | float:
    # Python refuses to read an integer of some thousand digits; none of them is a count.
    return int(digits) if len(digits) <= _LONGEST_INT else math.copysign(math.inf, float(digits[:2] + "1"))


_LENIENT = json.JSONDecoder(parse_int=_whole, strict=False)


def _fitted(value: Any, kind: Any) -> Any:
    """`value` as `kind`; None where it is none."""
    if kind is Any:
        return value
    if kind is msgspec.Raw:
        return msgspec.Raw(written(value).encode())
    if isinstance(kind, UnionType):
        return _fitted(value, next(one for one in get_args(kind) if one is not type(None)))
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        items = value if isinstance(value, list) else [value]
        return [found for one in items if (found := _fitted(one, item)) is not None]
    if kind is str:
        if isinstance(value, dict):
            value = value.get("type")
        return value if isinstance(value, str) else str(value) if type(value) is int else None
    if kind is int:
        return count(value)
    if not isinstance(value, dict):
        return None
    fields = [field for field in msgspec.structs.fields(kind) if field.encode_name in value]
    found = {field.name: _fitted(value[field.encode_name], field.type) for field in fields}
    return kind(**{name: one for name, one in found.items() if one is not None})
