"""labkit.catalog.param_names: which names of params an endpoint takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.catalog.model import Model
from labkit.catalog.param_names import CHAT, MESSAGES, RESPONSES, as_written, faults, known, unknown
from labkit.catalog.params import flat, misspelt, unchecked

GPT = Model("openai/gpt-4o")
RESPONDING = Model("openai/gpt-5", api="responses")
CLAUDE = Model("anthropic/claude-haiku-4-5")
LOCAL = Model("local/smollm2-135m")
VLLM = Model("vllm/x", base_url="http://127.0.0.1:1/v1")
ECHO = Model("scripted/echo")
ALL = (GPT, RESPONDING, CLAUDE, LOCAL, VLLM, ECHO)


def _names(*requests: Any) -> set[str]:
    said_elsewhere = {"model", "messages", "input", "instructions", "system", "stream_options", "betas"}
    return {
        name for one in requests for base in one.__mro__ for name in getattr(base, "__annotations__", {})
    } - (said_elsewhere)


def test_the_tables_are_those_of_the_sdks_installed():
    """A name that an SDK has and the table lacks would be refused: each SDK's requests are compared."""
    from anthropic.types import message_create_params as messages
    from anthropic.types.beta import message_create_params as beta
    from openai.types.chat import completion_create_params as chat
    from openai.types.responses import response_create_params as responses

    assert _names(chat.CompletionCreateParamsBase) == CHAT
    assert _names(responses.ResponseCreateParamsBase) == RESPONSES
    assert _names(messages.MessageCreateParamsBase, beta.MessageCreateParamsBase) == MESSAGES


@pytest.mark.parametrize(
    ("name", "meant", "model"),
    [
        ("temprature", "temperature", LOCAL),
        ("max_token", "max_tokens", LOCAL),
        ("top-p", "top_p", GPT),
        ("maxTokens", "max_tokens", CLAUDE),
        ("Temperature", "temperature", GPT),
        ("max_output_tokens", "max_tokens", LOCAL),
        ("max_new_tokens", "max_tokens", VLLM),
        ("repetition_penalty", "repeat_penalty", LOCAL),
        ("stop_sequences", "stop", GPT),
        ("stop_sequence", "stop", CLAUDE),
        ("max_completion_tokens", "max_tokens", CLAUDE),
        ("temprature", "temperature", ECHO),
        ("reasoning_efort", "reasoning_effort", RESPONDING),
    ],
)
def test_a_name_near_a_known_one_is_told_with_it(name, meant, model):
    """A misspelt param is refused: the message names the nearest, and the way to send it on purpose."""
    (fault,) = faults([name], model)
    assert fault.startswith(f"{model.id} has no param '{name}'. Did you mean {meant}? ")
    assert f"params={{'extra_body': {{'{name}': …}}}}" in fault


@pytest.mark.parametrize("model", [GPT, RESPONDING, CLAUDE, LOCAL, VLLM])
def test_a_name_near_nothing_is_sent_and_told(model):
    """What no endpoint is known to take is no misspelt word: it passes, and is listed; a script takes all."""
    assert faults(["zorkmids"], model) == faults(["zorkmids"], ECHO) == []
    assert unknown(["zorkmids", "temperature"], model)[0] == "zorkmids"
    assert unknown(["zorkmids"], ECHO) == []


def test_a_name_of_another_dialect_is_none_misspelt():
    """`seed` is right for most models: Anthropic's has none, and no other name is guessed for it."""
    assert faults(["seed"], CLAUDE) == []
    assert unknown(["seed"], CLAUDE) == ["seed"]
    assert unknown(["seed"], CLAUDE.replace(base_url="https://claude.example/v1")) == []


def test_servers_of_others_take_what_their_users_write():
    """What servers' own users write stands at the top level as ever, but not for OpenAI itself."""
    own = ["top_k", "min_p", "repetition_penalty", "chat_template_kwargs", "guided_json", "provider", "seed"]
    assert unknown(own, VLLM) == []
    assert len(unknown(own, GPT)) == len(own) - 1
    assert unknown(["top_k", "min_p", "repeat_penalty", "grammar", "cache_prompt", "seed"], LOCAL) == []
    azure = Model("openai/gpt-4o", client=object())
    assert unknown(["data_sources"], azure) == []


@pytest.mark.parametrize("model", ALL)
def test_what_labkit_sends_in_each_dialects_words_is_known_in_all(model):
    """max_tokens, reasoning_effort and response_format are written one way for every model."""
    assert unknown(["max_tokens", "reasoning_effort", "response_format"], model) == []


@given(st.dictionaries(st.text(min_size=1, max_size=60), st.integers(), max_size=5), st.sampled_from(ALL))
def test_what_was_sent_can_be_written_again(params, model):
    """Any params that were sent come back as a person may write them: the same body, and no fault."""
    params = {name: value for name, value in params.items() if name != "extra_body"}
    written = as_written(params, model)
    assert flat(written) == params
    assert misspelt(written, model) == unchecked(written, model) == []


def test_known_names_are_words():
    """The tables hold plain words, none of which labkit sets itself."""
    for model in ALL:
        assert all(name.isidentifier() and name.islower() for name in known(model))
        assert not known(model) & {"model", "messages", "stream", "timeout", "extra_body"}
