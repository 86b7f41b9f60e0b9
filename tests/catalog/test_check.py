"""labkit.catalog.check: whether a model is well defined (groups B2, B3, B9, B10)."""

from __future__ import annotations

from datetime import date

import openai
import pytest

from labkit.catalog.check import faults, id_fault
from labkit.catalog.model import Model, Weights

URL = "http://127.0.0.1:1/v1"


@pytest.mark.parametrize(
    "model",
    [
        Model("openai/gpt-4o"),
        Model("openai/ft:gpt-4o-mini:my-org:custom:id"),
        Model(
            "openrouter/meta-llama/llama-3.1-8b:free", base_url="https://openrouter.ai/api/v1", key_env="K"
        ),
        Model("cf/@cf/meta/llama", base_url="https://api.cloudflare.com/x/ai/v1", key_env="K"),
        Model(
            "azure/gpt-4o",
            dialect="openai",
            client=openai.AsyncOpenAI(api_key="k", base_url="http://x.example"),
        ),
        Model("scripted/echo", prices={"input": 0, "output": 0.5, "cache_read": 0, "reasoning": 1}),
        Model("local/x", weights=Weights(context_tokens=10, slots=1)),
        Model("house/x", base_url="http://gpu-box:8000/v1", allow_host="gpu-box", key_env=""),
        Model(
            "a/b", base_url=URL, max_output=1, context_window=10**9, concurrency=1, retired=date(2026, 1, 1)
        ),
        Model("a/b", base_url=URL, label="A B", aliases=("ab",), capabilities={"vision"}, lacks={"tools"}),
    ],
)
def test_good_models_have_no_faults(model):
    """What people write for OpenAI, gateways, local servers and tests is taken."""
    assert faults(model) == []


@pytest.mark.parametrize(
    "id",
    [
        "",
        "gpt-4o",
        "/gpt-4o",
        "openai/",
        "openai/ gpt",
        "openai/gpt 4o",
        "OpenAI/gpt-4o",
        "openai/'; drop table runs; --",
        "openai/<img src=x>",
        "openai/a\nb",
        "openai/a\0",
        "openai/" + "x" * 300,
        "x" * 300,
        "openai/\u202egpt",
        "openai/\ud800",
        "../openai/gpt",
        "-x/y",
        None,
        5,
    ],
)
def test_ids_that_are_none_are_refused(id):
    """B3: empty, overlong and hostile ids are refused in a sentence of bounded length."""
    fault = id_fault(id)
    assert fault is not None
    assert len(fault) < 350
    if isinstance(id, str) and id:
        assert len(faults(Model(id))) == 1


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (Model("nowhere/x"), "does not know where nowhere answers"),
        (Model("openai/x", dialect="klingon"), "dialect 'klingon'"),
        (Model("a/b", base_url="http://example.com/v1"), "not encrypted"),
        (Model("a/b", base_url="https://example.com/v1/v1"), "/v1 twice"),
        (Model("a/b", base_url="https://u:p@example.com"), "user or a password"),
        (Model("a/b", base_url=5), "empty"),
        (Model("a/b", base_url=URL, allow_host="other"), "not the host"),
        (Model("openai/x", allow_host="x"), "has no base_url"),
        (Model("openai/x", key_env="sk-1234567890abcdef"), "never the key itself"),
        (Model("openai/x", key_env="a b"), "never the key itself"),
        (Model("openai/x", params={"temperature": 9}), "temperature"),
        (Model("openai/x", max_output=10, params={"max_tokens": 11}), "more than the 10"),
        (Model("openai/x", prices=5), "mapping"),
        (Model("openai/x", prices={"input": 1}), "lacks output"),
        (Model("openai/x", prices={"input": -1, "output": 1}), "input of openai/x is -1"),
        (Model("openai/x", prices={"input": float("nan"), "output": 1}), "is nan"),
        (Model("openai/x", prices={"input": "1", "output": 1}), "is '1'"),
        (Model("openai/x", prices={"input": True, "output": 1}), "is True"),
        (Model("openai/x", prices={"input": 1, "output": 1, "inputs": 1}), "'inputs'"),
        (Model("openai/x", context_window=0), "context_window"),
        (Model("openai/x", max_output=1.5), "max_output"),
        (Model("openai/x", concurrency=0), "concurrency"),
        (Model("openai/x", concurrency=-1), "concurrency"),
        (Model("openai/x", concurrency="8"), "concurrency"),
        (Model("openai/x", concurrency=True), "concurrency"),
        (Model("openai/x", stream="no"), "stream of openai/x is 'no', not True or False"),
        (Model("openai/x", stream_options=None), "stream_options of openai/x is None"),
        (Model("openai/x", think_tag="<think>"), "think_tag of openai/x is '<think>'"),
        (Model("openai/x", capabilities={"streaming", "json"}, lacks={"streaming"}), "both has and lacks"),
        (Model("openai/x", retired="2026-01-01"), "not a date"),
        (Model("openai/x", label="a\nb"), "one line"),
        (Model("openai/x", label=""), "one line"),
        (Model("openai/x", aliases="abc"), "tuple of names"),
        (Model("openai/x", aliases=("",)), "tuple of names"),
        (Model("openai/x", aliases=5), "tuple of names"),
        (Model("openai/x", capabilities={"flight"}), "flight"),
        (Model("openai/x", capabilities=5), "capabilities"),
        (Model("openai/x", capabilities={"tools"}, lacks={"tools"}), "both has and lacks tools"),
        (Model("openai/x", weights=Weights()), "dialect is 'openai'"),
        (Model("local/x", weights="x.gguf"), "Weights value"),
        (Model("local/x", weights=Weights(slots=0)), "slots"),
        (Model("local/x", weights=Weights(context_tokens=1.5)), "context_tokens"),
        (Model("local/x", weights=Weights(path="/nowhere/x.gguf")), "no model file"),
    ],
)
def test_each_wrong_field_is_named(model, why):
    """B2, B3, B9, B10: each field that is wrong has its own sentence, which names the model."""
    found = faults(model)
    assert any(why in fault for fault in found), found
    assert not any("1234567890abcdef" in fault for fault in found)


def test_all_faults_are_named_at_once():
    """Everything wrong with a model stands in one list."""
    model = Model(
        "openai/x",
        base_url="http://a/v1/v1",
        key_env="a b",
        params={"n": 2},
        prices={},
        max_output=0,
        label="",
    )
    assert len(faults(model)) == 7


def test_a_file_of_another_kind_is_no_weights(tmp_path):
    """A file that does not begin as a GGUF file does is refused by name."""
    (tmp_path / "x.gguf").write_bytes(b"PK\x03\x04")
    (tmp_path / "y.gguf").write_bytes(b"GGUF\x03")
    assert "no GGUF file" in faults(Model("local/x", weights=Weights(path=tmp_path / "x.gguf")))[0]
    assert faults(Model("local/y", weights=Weights(path=tmp_path / "y.gguf"))) == []
