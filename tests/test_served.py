"""labkit.served: how an answer was served, by its payload, read in Python and in SQL."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labkit import served
from labkit.served import AS_ASKED, Served


def of(**payload: Any) -> Served:
    """What a payload says."""
    return served.of(json.dumps(payload))


def test_the_tier_is_that_of_the_answer() -> None:
    """OpenAI tells the tier beside the usage, Anthropic inside it; `auto` and null tell nothing."""
    assert of(service_tier="flex").service_tier == "flex"
    assert of(usage={"service_tier": "Priority"}).service_tier == "priority"
    assert of(service_tier=None, usage={"service_tier": "batch"}).service_tier == "batch"
    for nothing in ("auto", "", None, 5, {}):
        assert of(service_tier=nothing) == AS_ASKED


def test_anthropic_tells_speed_place_retention_and_searches() -> None:
    """The usage of Anthropic's messages tells all that decides their price."""
    usage = {
        "input_tokens": 10,
        "cache_creation": {"ephemeral_1h_input_tokens": 7, "ephemeral_5m_input_tokens": 3},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 9},
        "inference_geo": "us",
        "speed": "fast",
        "service_tier": "standard",
        "iterations": [{"type": "message"}],
    }
    assert of(usage=usage) == Served(
        service_tier="standard",
        speed="fast",
        inference_geo="us",
        cache_write_1h_tokens=7,
        tells_kept=True,
        web_searches=2,
    )


def test_what_a_response_did_is_counted() -> None:
    """Of a response's calls searches are counted, but not the opening of what was found; calls that cost
    their tokens only are left out; what has no known fee is named. The provider's own count wins."""
    output = [
        {"type": "reasoning"},
        {"type": "web_search_call", "action": {"type": "search", "query": "x"}},
        {"type": "web_search_call"},
        {"type": "web_search_call", "action": {"type": "open_page"}},
        {"type": "file_search_call"},
        {"type": "function_call"},
        {"type": "mcp_call"},
        {"type": "message", "content": []},
    ]
    assert of(output=output) == Served(web_searches=2, file_searches=1)
    assert of(output=output, tool_usage={"web_search": {"num_requests": 1}}).web_searches == 1
    done = of(output=[{"type": "code_interpreter_call"}, {"type": "image_generation_call"}])
    assert done.unpriced == "code_interpreter_call, image_generation_call"


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        ({"container": {"id": "c1"}}, "code execution"),
        ({"delta": {"stop_reason": "end_turn", "container": {"id": "c1"}}}, "code execution"),
        ({"annotations": [{"type": "url_citation"}]}, "a web search"),
        ({"choices": [{"message": {"annotations": [{"type": "url_citation"}]}}]}, "a web search"),
        ({"usage": {"num_sources_used": 3}}, "sources of a live search"),
        ({"usage": {"completion_tokens_details": {"audio_tokens": 90, "text_tokens": 1}}}, "audio tokens"),
        ({"usage": {"prompt_tokens_details": {"audio_tokens": 9}}}, "audio tokens"),
        ({"usage": {"completion_tokens_details": {"audio_tokens": 0}}}, ""),
        ({"usage": {"iterations": [{"type": "message"}, {"type": "compaction"}]}}, "a pass of compaction"),
        ({"usage": {"server_tool_use": {"web_search_requests": -1}}}, "a number of searches that is none"),
        (
            {"usage": {"input_tokens_details": {"cache_write_tokens_details": {"ttl_12h_tokens": 5}}}},
            "cache writes kept for 12 hours",
        ),
    ],
)
def test_what_nothing_counts_is_named(payload: dict[str, Any], what: str) -> None:
    """What is charged for beside the tokens and has no count with a price stands in words."""
    assert of(**payload).unpriced == what


def test_a_count_is_read_however_it_is_written() -> None:
    """`"3"`, `3.0` and 3 are three searches; nothing and null are none; no count is no count."""
    for written in (3, "3", 3.0):
        usage = {"num_search_queries": written, "cache_creation": {"ephemeral_1h_input_tokens": written}}
        assert of(usage=usage) == Served(web_searches=3, cache_write_1h_tokens=3, tells_kept=True)
    for nothing in ({}, {"cache_creation": None}, {"cache_creation": {"ephemeral_1h_input_tokens": None}}):
        assert of(usage=nothing) == AS_ASKED
    for wrong in (-1, "many", True, [1], 1.5, 1e308):
        usage = {"cache_creation": {"ephemeral_1h_input_tokens": wrong}}
        assert of(usage=usage).cache_write_1h_tokens is None


@pytest.mark.parametrize(
    "payload", [None, "", "{", "[1]", "null", '{"usage": [1], "output": {"type": "x_call"}}']
)
def test_a_payload_that_says_nothing_is_as_asked(payload: str | None) -> None:
    """Without a payload, or with one that is none, an answer was served as it was asked."""
    assert served.of(payload) == AS_ASKED


values = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 5), st.floats(0, 9), st.sampled_from(["flex", "auto", "3", ""])
)
types = st.sampled_from(
    ["web_search_call", "file_search_call", "code_interpreter_call", "message", "url", None, 3]
)
items = st.lists(
    st.one_of(
        values,
        st.fixed_dictionaries(
            {"type": types},
            optional={"action": st.fixed_dictionaries({"type": st.sampled_from(["search", "open_page"])})},
        ),
    ),
    max_size=4,
)
payloads = st.fixed_dictionaries(
    {},
    optional={
        "service_tier": values,
        "output": st.one_of(values, items),
        "annotations": st.one_of(values, items),
        "container": st.one_of(values, st.just({"id": "c"})),
        "tool_usage": st.one_of(values, st.just({"web_search": {"num_requests": 2}})),
        "choices": st.lists(
            st.fixed_dictionaries({"message": st.fixed_dictionaries({"annotations": items})}), max_size=2
        ),
        "usage": st.one_of(
            values,
            st.fixed_dictionaries(
                {},
                optional={
                    "service_tier": values,
                    "speed": values,
                    "inference_geo": values,
                    "num_sources_used": values,
                    "num_search_queries": values,
                    "server_tool_use": st.fixed_dictionaries({"web_search_requests": values}),
                    "iterations": st.one_of(values, items),
                },
            ),
        ),
    },
)


@settings(deadline=None, max_examples=200)
@given(payload=payloads)
@example(payload={"usage": {"iterations": [{"type": 3}, {"type": "compaction"}]}})
def test_sql_reads_a_stored_payload_as_python_does(payload: dict[str, Any]) -> None:
    """`FACTS` takes out of a stored payload what `facts` takes out of one that just came."""
    text = json.dumps(payload)
    found = duckdb.execute(f"select {served.FACTS} from (select ?::json as payload)", [text]).fetchone()
    assert found is not None
    assert served.read(found[0]) == served.of(text)
