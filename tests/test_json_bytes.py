"""JSON in bytes: what msgspec writes, and no more."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.json_bytes import json_bytes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_what_is_written_is_read_back(value: object) -> None:
    """Any value comes back, and by an encoder of one's own in the form that it gives."""
    assert json.loads(json_bytes(value)) == value
    encoder = msgspec.json.Encoder(order="sorted")
    assert json_bytes(value, encoder) == encoder.encode(value)


def test_what_has_no_json_raises() -> None:
    """As the encoder does: half a character, and a value of an unknown kind."""
    with pytest.raises(UnicodeEncodeError):
        json_bytes("\ud800")
    with pytest.raises(TypeError):
        json_bytes(object())
