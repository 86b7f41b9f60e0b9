"""labkit.catalog.params: what is sent beside the messages (groups B4, B9, B12, S4)."""

from __future__ import annotations

import datetime as dt
import json
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.catalog.model import Model, Weights
from labkit.catalog.params import check, misspelt, schema_of, unchecked

GPT = Model("openai/gpt-4o", max_output=100)
CLAUDE = Model("anthropic/claude-haiku-4-5")
VLLM = Model("vllm/x", base_url="http://127.0.0.1:1/v1")


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"max_tokens": 100, "temperature": 0, "top_p": 1.0, "n": 1, "seed": -1, "stop": "x"},
        {"temperature": 2, "stop": ["a", "b"], "frequency_penalty": -2},
        {
            "top_k": 40,
            "response_format": {"type": "json_object"},
            "reasoning_effort": "low",
            "logit_bias": {"1": 5},
        },
        {"tools": [{"type": "function", "function": {"name": "f"}}], "user": None, "logprobs": True},
    ],
)
def test_good_params_pass_as_they_are(params):
    """B9: what is within limits, and what labkit does not know, passes through unchanged."""
    assert check(params, GPT) == (params, [])


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("max_tokens", 0, "whole number from 1"),
        ("max_tokens", -5, "whole number from 1"),
        ("max_tokens", 1.5, "whole number from 1"),
        ("max_tokens", 64.0, "whole number from 1"),
        ("max_tokens", True, "whole number from 1"),
        ("max_tokens", "64", "whole number from 1"),
        ("max_tokens", None, "whole number from 1"),
        ("max_tokens", 101, "more than the 100 tokens"),
        ("max_completion_tokens", 101, "more than the 100 tokens"),
        ("temperature", 3, "from 0 to 2"),
        ("temperature", -0.1, "from 0 to 2"),
        ("temperature", "0.5", "from 0 to 2"),
        ("temperature", True, "from 0 to 2"),
        ("top_p", 1.01, "from 0 to 1"),
        ("presence_penalty", 2.5, "from -2 to 2"),
        ("n", 0, "repeats="),
        ("n", 2, "repeats="),
        ("n", True, "repeats="),
        ("seed", 1.5, "whole number"),
        ("stop", ["x"] * 20, "more than 4 texts"),
        ("stop", [], None),
        ("stop", [""], "list of texts"),
        ("stop", [1], "list of texts"),
        ("stop", {"a": 1}, "list of texts"),
    ],
)
def test_values_beyond_the_limits_are_refused(name, value, why):
    """B9: a limit that is passed is named with the parameter, the model and the value."""
    _, faults = check({name: value}, GPT)
    if why is None:
        assert faults == []
    else:
        assert len(faults) == 1
        assert name in faults[0]
        assert "openai/gpt-4o" in faults[0]
        assert why in faults[0]


def test_limits_are_those_of_the_model():
    """B9: a model whose limit is not known takes any; Anthropic's temperature ends at 1; stops differ."""
    assert check({"max_tokens": 10**6}, CLAUDE)[1] == []
    assert "from 0 to 1" in check({"temperature": 1.5}, CLAUDE)[1][0]
    assert check({"stop": ["x"] * 16}, VLLM)[1] == []
    assert "more than 16" in check({"stop": ["x"] * 17}, VLLM)[1][0]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array([1, 2]), [1, 2]),
        (pd.Series([1])[0], 1),
        (Decimal("0.5"), 0.5),
        ((1, 2), [1, 2]),
        ({"a": np.int8(1)}, {"a": 1}),
    ],
)
def test_scalars_of_other_libraries_become_pythons_own(value, kept):
    """B4: numpy and pandas scalars and Decimal are sent as plain numbers."""
    normal, faults = check({"x": value}, GPT)
    assert (normal, faults) == ({"x": kept}, [])
    assert type(normal["x"]) is type(kept)


def test_minus_zero_is_zero():
    """B4: -0.0 and 0.0 ask for the same, so they are the same request."""
    normal, _ = check({"temperature": -0.0, "x": [-0.0]}, GPT)
    assert math.copysign(1, normal["temperature"]) == 1
    assert math.copysign(1, normal["x"][0]) == 1


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("nan"), "is nan"),
        (float("inf"), "is inf"),
        (-np.inf, "is -inf"),
        (np.float32("nan"), "is nan"),
        (Decimal("NaN"), "is nan"),
        (pd.NA, "NAType"),
        (pd.NaT, "NaT|write it as text"),
        (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "write it as text"),
        (dt.date(2026, 1, 1), "write it as text"),
        (pd.Timestamp("2026-01-01", tz="Europe/Berlin"), "write it as text"),
        (b"x", "bytes"),
        ({1}, "set"),
        (object(), "object"),
        (1j, "complex"),
        (lambda: 1, "function"),
        ({1: 2}, "key that is no text"),
        ("a\ud800", "half a character"),
        ([{"a": [{2}]}], "set"),
        (pd.DataFrame({"a": [1]}), "DataFrame"),
    ],
)
def test_what_is_no_json_is_refused(value, why):
    """B4, B12: NaN, dates, bytes, sets, objects and half characters are refused, also deep inside."""
    import re

    for params in ({"x": value}, {"x": [{"y": value}]}):
        normal, faults = check(params, GPT)
        assert normal == {}
        assert len(faults) == 1
        assert re.search(why, faults[0])
        assert faults[0].startswith("x for openai/gpt-4o ")


def test_a_cycle_is_refused():
    """B12: what holds itself ends in a fault, not in a crash."""
    endless: list = []
    endless.append(endless)
    assert "holds itself" in check({"x": endless}, GPT)[1][0]


@pytest.mark.parametrize("params", [None, [], "max_tokens=5", 5, [("a", 1)]])
def test_what_is_no_mapping_is_refused(params):
    """B12: params are a mapping."""
    normal, faults = check(params, GPT)
    assert normal == {}
    assert "not a mapping" in faults[0]


@pytest.mark.parametrize("name", ["api_key", "API_KEY", "Authorization", "x-api-key", "extra_headers"])
def test_a_key_among_the_params_is_refused_and_not_shown(name):
    """S4: params are stored with each run, so a key among them is refused, without showing it."""
    normal, faults = check({name: "sk-canary-1234567890"}, GPT)
    assert normal == {}
    assert "key_env" in faults[0]
    assert "canary" not in faults[0]


@pytest.mark.parametrize("name", ["model", "messages", "stream", "base_url", "timeout", "extra_query"])
def test_what_labkit_sets_itself_is_refused(name):
    """There is one place for model, messages and streaming, and it is not the params."""
    assert "sets itself" in check({name: 1}, GPT)[1][0]


@pytest.mark.parametrize("name", ["stream", "stream_options"])
def test_where_streaming_is_switched_off_is_said(name):
    """Who writes it among the params reads where it is written."""
    assert f"give the model {name}=False" in check({name: False}, GPT)[1][0]


def test_extra_body_is_the_body():
    """What the SDKs put at the top of a body from `extra_body` is a param like others, held to the same."""
    extra = {"chat_template_kwargs": {"enable_thinking": False}, "seed": 2}
    normal, faults = check({"seed": 1, "extra_body": extra}, GPT)
    assert (normal, faults) == (extra, [])
    assert check({"extra_body": None}, GPT)[0] == {}
    found = check({"extra_body": {"model": "y", "max_tokens": 0, "api_key": "sk-canary-1234567890"}}, GPT)[1]
    assert len(found) == 3
    assert "canary" not in repr(found)
    assert "a mapping" in check({"extra_body": "top_k=1"}, GPT)[1][0]


def test_names_are_words():
    """B12: a parameter's name is a printable text."""
    for name in (1, "", " ", "a\n", None):
        assert "no word" in check({name: 1}, GPT)[1][0]


def test_all_faults_are_named_at_once():
    """Every wrong parameter stands in one answer."""
    assert len(check({"max_tokens": 0, "temperature": 9, "x": {1}, "n": 5, "model": "y"}, GPT)[1]) == 5


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1).filter(str.isprintable),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text()
            | st.binary()
            | st.datetimes(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=8,
        ),
    )
)
def test_whatever_passes_is_json_and_passes_again(params):
    """What passes can be written as JSON and read back the same, and checking it again changes nothing."""
    normal, faults = check(params, VLLM)
    if not faults:
        assert json.loads(json.dumps(normal, allow_nan=False)) == normal
        assert check(normal, VLLM) == (normal, [])


SCHEMA = {"type": "object"}


@pytest.mark.parametrize(
    ("params", "dialect", "wrong"),
    [
        ({"reasoning_effort": "low"}, "openai", None),
        ({"reasoning_effort": 3}, "openai", "not a word"),
        ({"response_format": {"type": "text"}}, "anthropic", None),
        ({"response_format": {"type": "json_object"}}, "openai", None),
        ({"response_format": {"type": "json_object"}}, "anthropic", "by a schema only"),
        ({"response_format": "json"}, "openai", "not a mapping with a type"),
        ({"response_format": {"type": "xml"}}, "openai", "not a mapping with a type"),
        ({"response_format": {"type": "json_schema"}}, "openai", "without json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}}, "openai", "without"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}},
            "anthropic",
            None,
        ),
        ({"input": "x"}, "openai", "sets itself"),
        ({"instructions": "x"}, "openai", "sets itself"),
    ],
)
def test_effort_and_format_are_held_to_their_form(params, dialect, wrong):
    """B9: what is written one way for all dialects is refused where it is not written that way."""
    faults = check(params, Model("house/m", dialect=dialect, base_url="http://127.0.0.1:1/v1"))[1]
    assert faults == [] if wrong is None else wrong in faults[0]


@pytest.mark.parametrize(
    "params",
    [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}},
        {"response_format": {"type": "json_object", "schema": SCHEMA}},
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}},
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    ],
)
def test_a_schema_is_found_in_every_dialects_words(params):
    """However the schema is asked for, answers can be held to it; without one there is none."""
    assert schema_of(params) == SCHEMA
    assert schema_of({"text": "x", "response_format": "y", "output_config": 3}) is None


def test_no_limit_is_beyond_the_context():
    """B9: what fits in no context is refused with the number, also where the limit is called
    otherwise or stands in extra_body."""
    small = Model("local/m", weights=Weights(context_tokens=512))
    for model, params, room in (
        (small, {"max_tokens": 513}, "512"),
        (Model("local/m"), {"max_completion_tokens": 10**9}, "2,048"),
        (Model("openai/m", context_window=1000), {"extra_body": {"max_tokens": 1001}}, "1,000"),
        (VLLM.replace(context_window=1000), {"max_tokens": 1001}, "1,000"),
    ):
        (fault,) = check(params, model)[1]
        assert f"more than its context of {room} tokens" in fault
    assert check({"max_tokens": 512}, small)[1] == []
    assert check({"max_tokens": 10**9}, VLLM)[1] == []


def test_a_limit_that_may_be_dated_is_told_with_the_way_out():
    """A listed limit may be dated: the message says how to give another, and that one is taken."""
    (fault,) = check({"max_tokens": 101}, GPT)[1]
    assert "lk.Model('openai/gpt-4o', max_output=…)" in fault
    assert check({"max_tokens": 101}, GPT.replace(max_output=200))[1] == []


def test_names_labkit_speaks_of_itself_are_told_once():
    """Keys and what labkit sets itself have sentences of their own: their names are not told as misspelt."""
    params = {"api_key": "x", "Authorization": "x", "messages": [], "timeout": 1, " ": 1, "a\nb": 1}
    assert misspelt(params, GPT) == unchecked(params, GPT) == []
    assert len(check(params, GPT)[1]) == len(params)
