"""Which params a model's endpoint takes, by name: so that a misspelt one is refused and not ignored.

Providers' own endpoints refuse names they do not have, after the request was sent; other servers ignore
them without a word, and the answers are those of other params than were written down. So a name near a known
one is refused, and one that is near nothing is sent as it stands, and told. What stands in `extra_body` is
sent on purpose, and not looked up.

A table and nothing more: it does not know what a param means, which values it takes (see `params`), nor how
it is sent. A test compares it with the SDKs that are installed, so that none of them is imported for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from labkit.catalog.model import Model
from labkit.endpoints import is_own_host
from labkit.nearest import meant
from labkit.visible import quoted


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CHAT = _words("""
    audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens
    metadata modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key
    prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed
    service_tier stop store temperature tool_choice tools top_logprobs top_p user verbosity
    web_search_options
""")
"""OpenAI's chat completions."""
RESPONSES = _words("""
    access_programs background background_options context_management conversation image include
    max_output_tokens max_tool_calls metadata moderation parallel_tool_calls previous_response_id prompt
    prompt_cache_key prompt_cache_options prompt_cache_retention reasoning safety_identifier
    service_tier store temperature text tool_choice tools top_logprobs top_p truncation user
""")
"""OpenAI's responses."""
MESSAGES = _words("""
    billing_policy cache_control compaction container context_management diagnostics
    fallback_credit_token fallbacks inference_geo max_tokens mcp_servers metadata output_config
    service_tier speed stop_sequences thinking thread tool_choice tools user_profile_id workspace_id
""")
"""Anthropic's messages, those in beta too."""
_SAMPLED = _words("temperature top_k top_p")
"""Anthropic's SDK lists them no more; its older models take them."""
_OUR_WORDS = {
    "openai-responses": _words("max_tokens max_completion_tokens reasoning_effort response_format"),
    "anthropic": _words("stop reasoning_effort response_format") | _SAMPLED,
}
"""What labkit sends in the dialect's own words."""
LLAMA_CPP = _words("""
    adaptive_decay adaptive_target add_generation_prompt backend_sampling cache_prompt
    chat_template_kwargs continue_final_message dry_allowed_length dry_base dry_multiplier
    dry_penalty_last_n dry_sequence_breakers dynatemp_exponent dynatemp_range frequency_penalty grammar
    grammar_lazy grammar_triggers id_slot ignore_eos json_schema logit_bias lora min_keep min_p mirostat
    mirostat_eta mirostat_tau n_discard n_indent n_keep n_probs post_sampling_probs presence_penalty
    preserved_tokens reasoning_budget_message reasoning_budget_tokens reasoning_format repeat_last_n
    repeat_penalty response_fields return_progress return_tokens samplers seed t_max_predict_ms
    thinking_budget_tokens timings_per_token top_k top_n_sigma typical_p xtc_probability xtc_threshold
""")
"""llama.cpp's server, beside those of chat completions."""
SERVERS = LLAMA_CPP | _words("""
    add_special_tokens allowed_token_ids bad_words best_of cache_salt chat_template
    custom_logit_processor custom_params documents ebnf echo guided_choice guided_decoding_backend
    guided_grammar guided_json guided_regex guided_whitespace_pattern include_reasoning
    include_stop_str_in_output kv_transfer_params length_penalty logits_processors lora_path
    min_new_tokens min_tokens mm_processor_kwargs no_stop_trim priority prompt_logprobs regex
    repetition_penalty return_hidden_states return_token_ids return_tokens_as_token_ids
    separate_reasoning session_params skip_special_tokens spaces_between_special_tokens stop_regex
    stop_token_ids stream_reasoning structural_tag structured_outputs thinking_token_budget
    truncate_prompt_tokens use_beam_search vllm_xargs allowed_openai_params data_sources draft_model
    drop_params guardrails image_config models num_retries plugins provider reasoning route session_id
    tags top_a trace transforms ttl usage citation_options clear_thinking compound_custom
    context_length_exceeded_behavior disable_reasoning enable_search enable_thinking nvext prefix
    prompt_mode prompt_truncate_len raw_output random_seed return_citations return_images
    return_related_questions safe_prompt safety_model search_after_date_filter search_before_date_filter
    search_domain_filter search_mode search_options search_parameters search_recency_filter
    search_settings thinking thinking_budget anthropic_beta anthropic_version
""")
"""Servers that speak a dialect of somebody else: what their users write at the top level."""
_MEANT = {
    "temp": ("temperature",),
    "maxnewtokens": ("max_tokens", "max_output_tokens"),
    "maxlength": ("max_tokens", "max_output_tokens"),
    "maxcompletiontokens": ("max_tokens",),
    "maxoutputtokens": ("max_tokens",),
    "npredict": ("max_tokens",),
    "numpredict": ("max_tokens",),
    "stopsequences": ("stop",),
    "stopsequence": ("stop",),
    "stopwords": ("stop", "stop_sequences"),
    "repetitionpenalty": ("repeat_penalty",),
    "randomseed": ("seed",),
    "effort": ("reasoning_effort",),
    "jsonschema": ("response_format",),
    "format": ("response_format",),
}
"""Other servers' and libraries' words, without their joints, for what a dialect calls otherwise."""
_NEAR = 0.75
_BY_DIALECT = {
    "openai": CHAT,
    "openai-responses": RESPONSES | _OUR_WORDS["openai-responses"],
    "anthropic": MESSAGES | _OUR_WORDS["anthropic"],
    "local": CHAT | LLAMA_CPP,
}
_ALL = frozenset.union(SERVERS, *_BY_DIALECT.values())


def known(model: Model) -> frozenset[str]:
    """The names that the endpoint of `model` takes, as far as is known.

    >>> "top_k" in known(Model("openai/gpt-4o")), "top_k" in known(Model("local/m"))
    (False, True)
    """
    own = _BY_DIALECT.get(model.dialect, _ALL)
    return own | SERVERS if _of_others(model) else own


def _of_others(model: Model) -> bool:
    """Whether it may be asked at an endpoint that is not its dialect's maker's."""
    maker = model.dialect.partition("-")[0]
    url = model.base_url
    return model.client is not None or (isinstance(url, str) and not is_own_host(url, maker))


def faults(names: Iterable[str], model: Model) -> list[str]:
    """A sentence for each of `names` that is near one that `model` takes, with the one that was meant.

    >>> faults(["temprature"], Model("openai/gpt-4o"))
    ["openai/gpt-4o has no param 'temprature'. Did you mean temperature? To send it as it stands: ..."]
    """
    taken = known(model)
    found = []
    for name in names:
        if name not in taken and (meant := _meant(name, taken)) is not None:
            word = quoted(name, limit=40)
            found.append(
                f"{model.id} has no param {word}. Did you mean {meant}? "
                f"To send it as it stands: params={{'extra_body': {{{word}: …}}}}."
            )
    return found


def unknown(names: Iterable[str], model: Model) -> list[str]:
    """Those of `names` that `model` is not known to take; a script takes all.

    >>> unknown(["seed", "house"], Model("anthropic/claude-haiku-4-5"))
    ['seed', 'house']
    """
    taken = known(model)
    return [] if model.dialect == "scripted" else [name for name in names if name not in taken]


def _meant(name: str, names: frozenset[str]) -> str | None:
    """The known name that `name` is near, or None."""
    plain = _plain(name)
    for other in _MEANT.get(plain, ()):
        if other in names:
            return other
    if name in _ALL:
        return None
    by_plain = {_plain(one): one for one in sorted(names)}
    near = meant(plain, by_plain, likeness=_NEAR)
    return None if near is None else by_plain[near]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def as_written(params: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """Params that were sent, as a person would have had to write them: what is not known in `extra_body`.

    >>> as_written({"seed": 1, "house": 2}, Model("local/m"))
    {'seed': 1, 'extra_body': {'house': 2}}
    """
    names = known(model)
    extra = {name: value for name, value in params.items() if name not in names}
    rest = {name: value for name, value in params.items() if name in names}
    return {**rest, **({"extra_body": extra} if extra else {})}
