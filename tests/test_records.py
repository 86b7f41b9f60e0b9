"""labkit.records: usage arithmetic, canonical JSON, request ids."""

from __future__ import annotations

import json
from contextlib import nullcontext

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.records import Generation, RequestHasher, Usage, canonical_json, content_hash

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
COUNTS = st.none() | st.integers(0, 10_000)


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


@given(COUNTS, COUNTS, COUNTS)
def test_cached_tokens_never_exceed_the_input(total: int | None, read: int | None, write: int | None) -> None:
    """Usage whose cached parts are larger than its input is refused; all other usage is taken as it is."""
    wrong = total is not None and (read or 0) + (write or 0) > total
    with pytest.raises(ValueError, match="input tokens") if wrong else nullcontext():
        usage = Usage(input_tokens=total, cache_read_tokens=read, cache_write_tokens=write)
        assert usage.input_tokens == total


@given(COUNTS, COUNTS)
def test_reasoning_is_a_part_of_output(total: int | None, reasoning: int | None) -> None:
    """Usage whose reasoning is larger than its output is refused."""
    wrong = total is not None and (reasoning or 0) > total
    with pytest.raises(ValueError, match="output tokens") if wrong else nullcontext():
        assert Usage(output_tokens=total, reasoning_tokens=reasoning).output_tokens == total


def test_a_negative_count_is_refused() -> None:
    """A provider that reports less than no tokens is not believed."""
    with pytest.raises(ValueError, match="negative"):
        Usage(input_tokens=-1)


def test_generation_has_the_designs_columns_first() -> None:
    """The fields of a generation are the documented columns, in their order, and four that follow."""
    # fmt: off
    documented = [
        "generation_id", "run_id", "experiment", "workspace", "prompt", "prompt_version", "model",
        "provider", "sample_id", "repeat", "status", "text", "stop_reason", "error_type",
        "error_message", "started_at", "queue_s", "first_event_s", "ttft_s", "latency_s", "retry_s",
        "attempts", "in_flight", "input_tokens", "cache_read_tokens", "cache_write_tokens",
        "output_tokens", "reasoning_tokens", "cost_usd", "price_id", "maybe_paid", "replayed_from",
        "response_model", "response_id", "request_id", "raw",
    ]
    # fmt: on
    assert list(Generation.__struct_fields__) == [*documented, "draw", "parent_id", "step", "user"]
