"""labkit.records: usage arithmetic, and the columns of a generation."""

from __future__ import annotations

import copy
import pickle
from contextlib import nullcontext

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.records import Generation, Sample, Usage

COUNTS = st.none() | st.integers(0, 10_000)


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
    """The fields of a generation are the documented columns, in their order, and those that follow."""
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
    follow = ["draw", "parent_id", "step", "user", "step_name", "steps", "failed_step", "call_id"]
    assert list(Generation.__struct_fields__) == [*documented, *follow]


WORDS = st.text(min_size=1, max_size=12)


@given(st.dictionaries(WORDS, st.none() | st.integers() | st.text()))
def test_every_column_of_a_sample_is_had_by_its_name(fields: dict[str, object]) -> None:
    """By item always; by attribute too, unless it is a name of the sample's own or begins with `_`."""
    sample = Sample(id="s1", fields=fields)
    assert list(sample) == list(fields)
    for column, cell in fields.items():
        assert column in sample
        assert sample[column] == cell
        if not column.startswith("_") and column not in ("id", "fields", "values"):
            assert getattr(sample, column) == cell
    assert sample["id"] == fields.get("id", "s1")
    assert sample.id == "s1"


def test_a_column_that_is_not_there_is_told_with_those_that_are() -> None:
    """A scorer's error names the columns, the nearest first, however the column was written."""
    sample = Sample(id="s1", fields={"text": "x", "label": "y"})
    told = "there is no column 'lable'; columns: 'label', 'text'"
    with pytest.raises(KeyError) as by_item:
        sample["lable"]
    with pytest.raises(AttributeError) as by_attribute:
        _ = sample.lable
    assert (by_item.value.args[0], str(by_attribute.value)) == (told, told)
    assert not hasattr(sample, "target")
    assert "target" not in sample


def test_columns_are_not_taken_for_methods() -> None:
    """Copies, pickles, JSON and what notebooks look for are as of any value, whatever columns are called."""
    fields = {"__reduce__": 1, "__deepcopy__": 2, "_repr_html_": 3, "fields": 4, "id": "own", "a": 5}
    sample = Sample(id="s1", fields=fields)
    for same in (
        copy.copy(sample),
        copy.deepcopy(sample),
        pickle.loads(pickle.dumps(sample)),
        msgspec.structs.replace(sample),
        msgspec.json.decode(msgspec.json.encode(sample), type=Sample),
    ):
        assert same == sample
        assert same.fields == fields
    assert not hasattr(sample, "_repr_html_")
    assert not hasattr(sample, "__deepcopy__")
    assert repr(sample).startswith("Sample(id='s1', fields={")
    assert sample.id == "s1"
    assert sample["id"] == "own"


def test_a_generation_says_where_its_answer_is() -> None:
    """A name that a generation has not is told with the text and the nearest names."""
    fields = dict.fromkeys(("experiment", "workspace", "prompt", "model", "provider", "sample_id"), "x")
    row = Generation(
        generation_id="g", run_id="r", prompt_version=1, repeat=0, status="done", request_id="q", **fields
    )
    with pytest.raises(AttributeError, match=r"no 'latency'; its answer is generation\.text.* latency_s"):
        _ = row.latency
    assert not hasattr(row, "_ipython_display_")
