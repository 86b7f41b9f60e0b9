"""labkit.catalog.model: a model as a value."""

from __future__ import annotations

import pytest

from labkit.catalog.model import Model, Weights
from labkit.errors import DefinitionError


@pytest.mark.parametrize(
    ("id", "provider", "name", "dialect"),
    [
        ("openai/gpt-4o", "openai", "gpt-4o", "openai"),
        ("anthropic/claude-haiku-4-5", "anthropic", "claude-haiku-4-5", "anthropic"),
        ("local/smollm2-135m", "local", "smollm2-135m", "local"),
        ("scripted/echo", "scripted", "echo", "scripted"),
        ("openrouter/meta-llama/llama-3:free", "openrouter", "meta-llama/llama-3:free", "openai"),
    ],
)
def test_an_id_is_a_provider_and_a_name(id, provider, name, dialect):
    """The provider stands before the first slash, the name after it; the dialect follows from it."""
    model = Model(id)
    assert (model.provider, model.name, model.dialect) == (provider, name, dialect)


def test_a_model_is_a_frozen_value():
    """A model cannot be changed, also not through what it was made from, and can be a dict's key."""
    params = {"seed": 1}
    model = Model("openai/gpt-4o", params=params, capabilities={"vision"}, aliases=["a"])
    params["seed"] = 2
    assert model.params["seed"] == 1
    assert (model.capabilities, model.aliases) == (frozenset({"vision"}), ("a",))
    with pytest.raises(AttributeError):
        model.id = "x"
    with pytest.raises(TypeError):
        model.params["seed"] = 3
    assert model.replace(label="L").label == "L"
    assert {model: 1}[model.replace()] == 1
    assert hash(Model("local/x", weights=Weights(slots=2), prices={"input": 1}))


@pytest.mark.parametrize(
    "make", [lambda: Model(None), lambda: Model(5), lambda: Model("openai/x", params=[1])]
)
def test_what_cannot_be_a_model_is_refused_at_once(make):
    """B3, B12: an id that is no text, or params that are no mapping, are refused where they are written."""
    with pytest.raises(DefinitionError, match="A model is its id as text"):
        make()


def test_it_shows_itself_without_secrets():
    """S3: the repr is one line of code without passwords, queries, texts of params or keys."""
    model = Model(
        "openai/x",
        base_url="https://me:hunter2@example.com/v1?key=hunter2",
        key_env="sk-hunter2-not-a-name",
        params={"seed": 1, "api_key": "hunter2"},
        client="hunter2",
    )
    assert "hunter2" not in repr(model)
    assert repr(Model("openai/gpt-4o")) == "Model('openai/gpt-4o')"
    assert repr(Model("a/b", base_url="http://127.0.0.1:1/v1", key_env="K", params={"seed": 1})) == (
        "Model('a/b', base_url='http://127.0.0.1:1/v1', key_env='K', params=dict(seed=1))"
    )


def test_the_api_is_a_short_way_to_say_the_dialect():
    """`api="responses"` is the dialect openai-responses, told apart from chat; others have no such choice."""
    model = Model("openai/m", api="responses")
    assert model.dialect == "openai-responses"
    assert model == Model("openai/m", dialect="openai-responses")
    assert repr(model) == "Model('openai/m', api='responses')"
    assert model.replace(params={"seed": 1}).dialect == "openai-responses"
    assert model.replace(api="chat") == Model("openai/m")
    for wrong in (
        lambda: Model("openai/m", api="completions"),
        lambda: Model("anthropic/m", api="responses"),
    ):
        with pytest.raises(DefinitionError, match="chat and responses"):
            wrong()


def test_streaming_is_switched_off_by_either_word():
    """`stream=False` and `lacks={"streaming"}` mean the same; a model that lacks it has it not by default."""
    assert Model("a/b").streams
    assert not Model("a/b", stream=False).streams
    lacking = Model("a/b", lacks={"streaming"})
    assert (lacking.streams, lacking.capabilities) == (False, frozenset())
    model = Model("a/b", stream=False, stream_options=False, think_tag=None)
    assert repr(model) == "Model('a/b', stream=False, stream_options=False, think_tag=None)"
