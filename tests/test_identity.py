"""labkit.identity: canonical JSON, hashes of content, request ids."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.identity import RequestHasher, canonical_json, content_hash

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_canonical_json_is_json_and_stable(value: object) -> None:
    """Canonical JSON reads back as the value, and encoding what was read gives the same bytes."""
    encoded = canonical_json(value)
    assert json.loads(encoded) == value
    assert canonical_json(json.loads(encoded)) == encoded


@given(st.dictionaries(st.text("abcd", min_size=1, max_size=4), st.integers(), max_size=6))
def test_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    """Two dicts that are equal have the same hash, whatever the order they were filled in."""
    turned = dict(reversed(list(value.items())))
    assert content_hash("x", value) == content_hash("x", turned)


@given(VALUES, VALUES)
def test_request_ids_differ_exactly_when_messages_do(one: object, other: object) -> None:
    """Under one model and one set of params, equal messages and only those share a request_id."""
    hasher = RequestHasher("openai", "openai", "https://api.openai.com/v1", "gpt-4o", {"seed": 1})
    same = canonical_json(one) == canonical_json(other)
    assert (hasher.request_id(one) == hasher.request_id(other)) == same


@pytest.mark.parametrize("position", range(5))
def test_all_that_decides_the_answer_is_in_the_request_id(position: int) -> None:
    """Changing provider, dialect, endpoint, name or params changes the id."""
    base = ["openai", "openai", "https://a/v1", "m", {"temperature": 0}]
    changed = list(base)
    changed[position] = {"temperature": 1} if position == 4 else base[position] + "x"
    messages = [{"role": "user", "content": "hi"}]
    assert RequestHasher(*base).request_id(messages) != RequestHasher(*changed).request_id(messages)


def test_the_request_id_is_a_documented_contract() -> None:
    """The id of a known request never changes: stored answers would no longer be found."""
    hasher = RequestHasher("openai", "openai", "https://api.openai.com/v1", "gpt-4o", {"max_tokens": 8})
    assert hasher.request_id([{"role": "user", "content": "hi"}]) == "r1:be482abd88a8df2939c4e5e182f7976e"


def test_an_encoded_message_list_hashes_like_the_list() -> None:
    """Messages that are canonical JSON already give the same id as the list itself."""
    hasher = RequestHasher("p", "d", "e", "n", {})
    messages = [{"role": "user", "content": "héllo"}]
    assert hasher.request_id(msgspec.Raw(canonical_json(messages))) == hasher.request_id(messages)
