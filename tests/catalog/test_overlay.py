"""labkit.catalog.overlay: models in TOML files, labkit's own and a user's."""

from __future__ import annotations

from datetime import date

import pytest

from labkit.catalog import listed
from labkit.catalog.check import faults
from labkit.catalog.model import CAPABILITIES, Model, Weights
from labkit.catalog.overlay import bundled, read
from labkit.errors import DefinitionError

ORIGINS = {
    "claude-3.5-sonnet": ("Claude 3.5 Sonnet", date(2025, 10, 28)),
    "claude-3.5-haiku": ("Claude 3.5 Haiku", date(2026, 2, 19)),
    "gpt-4-turbo": ("GPT-4 Turbo", date(2026, 10, 23)),
    "gpt-4o": ("GPT-4o", date(2027, 1, 14)),
    "gpt-3.5-turbo": ("GPT-3.5 Turbo", date(2026, 10, 23)),
}


def test_labkits_own_models_are_well_defined():
    """Every model labkit lists passes its own check, and no id or alias stands twice."""
    models = bundled()
    assert [fault for model in models for fault in faults(model)] == []
    names = [name for model in models for name in (model.id, *model.aliases)]
    assert len(names) == len(set(names))


def test_the_origins_five_are_there():
    """The five models of the older workbench stand under friendly names, with the day they were retired."""
    found = {alias: model for model in bundled() for alias in model.aliases}
    assert {alias: (found[alias].label, found[alias].retired) for alias in ORIGINS} == ORIGINS


def test_what_is_listed_agrees_with_the_price_data():
    """Each model has a price in genai-prices, and no context window contradicts it beyond its rounding."""
    for model in bundled():
        if model.provider != "local":
            found = listed.find(model.provider, model.name)
            assert not isinstance(found, str), found
            context = found[1].context_window
            assert context is None or abs(context - model.context_window) <= 0.05 * context, model.id
            assert model.max_output <= model.context_window
            assert model.capabilities | model.lacks <= set(CAPABILITIES)


def test_retirement_dates_agree_with_the_sdk():
    """The dates for Anthropic's models are those its SDK warns with."""
    from anthropic.resources.messages.messages import DEPRECATED_MODELS

    assert DEPRECATED_MODELS["claude-3-5-haiku-20241022"] == "February 19th, 2026"
    for model in bundled():
        if model.provider == "anthropic" and model.retired is None:
            assert model.name not in DEPRECATED_MODELS


def test_the_base_model_is_labelled_as_one():
    """Gemma is a base model: its label says so, and a few-shot chat template makes it answer."""
    gemma = next(model for model in bundled() if model.name == "gemma-3-270m")
    assert "base model" in gemma.label
    assert "Question:" in gemma.weights.chat_template


FULL = """
[[model]]
id = "vllm/qwen3"
base_url = "http://127.0.0.1:8000/v1"
key_env = "VLLM_KEY"
label = "Qwen 3"
aliases = ["qwen"]
context_window = 32768
max_output = 4096
capabilities = ["streaming", "tools"]
lacks = ["vision"]
retired = 2030-01-01
concurrency = 8
params = { temperature = 0.5, stop = ["x"] }
prices = { input = 0.0, output = 0.5 }

[[model]]
id = "local/mine"
weights = { path = "mine.gguf", context_tokens = 512, slots = 1, chat_template_file = "mine.jinja" }
"""


def test_a_users_models_are_read(tmp_path):
    """Every field of a model can stand in the file; paths in it are relative to it."""
    (tmp_path / "models.toml").write_text(FULL)
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")
    (tmp_path / "mine.jinja").write_text("{{ messages }}")
    assert read(tmp_path / "models.toml") == [
        Model(
            "vllm/qwen3",
            base_url="http://127.0.0.1:8000/v1",
            key_env="VLLM_KEY",
            label="Qwen 3",
            aliases=("qwen",),
            context_window=32768,
            max_output=4096,
            capabilities=frozenset({"streaming", "tools"}),
            lacks=frozenset({"vision"}),
            retired=date(2030, 1, 1),
            concurrency=8,
            params={"temperature": 0.5, "stop": ["x"]},
            prices={"input": 0.0, "output": 0.5},
        ),
        Model(
            "local/mine",
            weights=Weights(
                path=tmp_path / "mine.gguf", context_tokens=512, slots=1, chat_template="{{ messages }}"
            ),
        ),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is to hold"),
        ("model = 5", "is to hold"),
        ("model = [1]", "is to hold"),
        ("[[model]]\nid='a/b'\n[other]\nx=1", "is to hold"),
        ("[[models]]\nid='a/b'", "is to hold"),
        ("[[model]\n", "is no TOML"),
        ("[[model]]\nid = 'openai/x'\nid = 'y'", "is no TOML"),
        ("[[model]]\nlabel = 'x'", "not of the form provider/name"),
        ("[[model]]\nid = 5", "id as text"),
        ("[[model]]\nid = 'openai/x'\nmax_outptu = 5", "Did you mean 'max_output'"),
        ("[[model]]\nid = 'openai/x'\nclient = 'x'", "has no 'client'"),
        ("[[model]]\nid = 'openai/x'\nmax_output = -5", "max_output"),
        ("[[model]]\nid = 'local/x'\nweights = { size = 1 }", "size"),
        ("[[model]]\nid = 'local/x'\nweights = 5", "cannot be read"),
        ("[[model]]\nid = 'local/x'\nweights = { path = 'nope.gguf' }", "no model file"),
        ("[[model]]\nid = 'local/x'\nweights = { chat_template_file = 'nope' }", "no chat template"),
        ("[[model]]\nid = 'openai/x'\nkey_env = 'sk-1234567890'", "never the key itself"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, text, why):
    """A file that cannot be used is a fault that names it and the entry."""
    (tmp_path / "models.toml").write_text(text)
    with pytest.raises(DefinitionError, match=why) as caught:
        read(tmp_path / "models.toml")
    assert "models.toml" in str(caught.value)
    assert "1234567890" not in str(caught.value)


def test_every_entry_is_looked_at(tmp_path):
    """Faults of several entries stand in one error, each with its number."""
    entries = ["id = 'gpt'", "id = 'openai/x'\nn = 1", "id = 'openai/y'\nmax_output = 0"]
    (tmp_path / "m.toml").write_text("".join(f"[[model]]\n{entry}\n" for entry in entries))
    with pytest.raises(DefinitionError) as caught:
        read(tmp_path / "m.toml")
    assert [fault[-9:] for fault in caught.value.faults] == [" entry 1)", " entry 2)", " entry 3)"]
