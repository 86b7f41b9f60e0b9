"""JSON read as far as it can be believed."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.providers import lenient


class Inner(msgspec.Struct):
    """A struct in a struct."""

    index: int = 0
    text: str | None = None


class Outer(msgspec.Struct):
    """With a field of every kind that events have."""

    id: str | None = None
    count: int | None = None
    any: Any = None
    inner: Inner | None = None
    items: list[Inner] | None = None
    raw: msgspec.Raw = msgspec.Raw(b"")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ('{"id": 5, "count": "10"}', Outer(id="5", count=10)),
        ('{"count": 10.0, "new": 1e400}', Outer(count=10)),
        ('{"count": 1.5, "id": {}, "inner": [], "any": [1]}', Outer(any=[1])),
        ('{"count": true, "inner": {"index": "1", "text": null}}', Outer(inner=Inner(index=1))),
        ('{"items": [null, {"index": 2.0}, 5]}', Outer(items=[Inner(index=2)])),
        ('{"items": {"index": 2}}', Outer(items=[Inner(index=2)])),
        ('[{"id": "a"}]', Outer(id="a")),
        ('{"id": {"type": "a"}}', Outer(id="a")),
        ('{"id": "a\tb"}', Outer(id="a\tb")),
        ('{"id": "\\ud83d"}', Outer(id="\ud83d")),
        ('{"count": ' + "9" * 5000 + "}", Outer()),
        ("null", None),
        ("[]", None),
        ("5", None),
    ],
)
def test_what_can_be_read_is(data: str, found: Outer | None) -> None:
    """A field of another type is what it means, or is not there; all else stands."""
    assert lenient.read(data.encode(), Outer) == found


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ('{"a": 1}', ['{"a": 1}']),
        ('[{"a": 1}, {"a": 2}]', ['{"a": 1}', '{"a": 2}']),
        ('{"a": 1}\n{"a": 2}\n', ['{"a": 1}', '{"a": 2}']),
        ('{"a": 1}\n\ndata: [DONE]\n\n', ['{"a": 1}']),
        ('{"a": "\t"}{"a": 2}', ['{"a": "\t"}', '{"a": 2}']),
        ('{"a": 1', ['{"a": 1']),
        ("[]", ["[]"]),
        ("[" * 5000, ["[" * 5000]),
    ],
)
def test_values_one_after_another(data: str, found: list[str]) -> None:
    """Each is one, on lines or in a list; what follows them is left out."""
    assert lenient.documents(data.encode()) == [one.encode() for one in found]


def test_what_is_passed_on_unread_is_json() -> None:
    """Also with half a character in it, or with a number beyond all bounds."""
    found = lenient.read(b'{"raw": {"a": "\\ud83d"}, "any": 1e400}', Outer)
    assert found is not None
    assert json.loads(bytes(found.raw)) == {"a": "\ud83d"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["id", "count", "inner", "items", "raw"]), inner)
    ),
)


@given(st.dictionaries(st.sampled_from(["id", "count", "any", "inner", "items", "raw"]), json_values))
def test_any_object_can_be_read(value: dict[str, Any]) -> None:
    """Whatever stands in a JSON object, reading it raises nothing, and gives each field its own type."""
    found = lenient.read(json.dumps(value).encode(), Outer)
    assert found is not None
    assert isinstance(found.id, str | None)
    assert isinstance(found.count, int | None)
    assert all(isinstance(item, Inner) for item in found.items or [])


@given(st.binary(max_size=40))
def test_what_is_no_json_is_said_to_be_none(data: bytes) -> None:
    """Bytes that are no JSON raise one of two errors."""
    try:
        lenient.read(data, Outer)
    except (ValueError, RecursionError):
        return
