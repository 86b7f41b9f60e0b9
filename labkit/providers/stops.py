"""Why an answer ended, in the words of whoever made it, as one of labkit's own reasons.

One table for all dialects: servers that speak one of them bring the words of the runtime behind it, in any
spelling (`STOP`, `FinishReason.MAX_TOKENS`, `end_turn`). It knows no event and no answer.
"""

from __future__ import annotations

import re

from labkit.records import StopReason

_MEANS: dict[StopReason, str] = {
    "stop": "stop eos eos_token end_turn end complete completed finished finish done stop_token endoftext",
    "max_tokens": "length max_tokens max_output_tokens max_completion_tokens max_new_tokens max_length "
    "model_length model_context_window_exceeded context_length context_length_exceeded token_limit "
    "length_limit length_capped",
    "stop_sequence": "stop_sequence stop_string stop_str",
    "tool_calls": "tool_calls tool_call tool_use tool function_call function_calls call_function",
    "refusal": "refusal refused",
    "content_filter": "content_filter content_filtered safety recitation blocklist prohibited_content spii "
    "sensitive image_safety language guardrail_intervened guardrails error_toxic content_policy_violation "
    "model_armor",
}
_STOPS = {word: stop for stop, words in _MEANS.items() for word in words.split()}
_BROKEN = frozenset(
    {"error", "abort", "aborted", "cancel", "cancelled", "canceled", "interrupted", "timeout", "timed_out",
     "network_error", "failed", "failure", "insufficient_system_resource"}
)  # fmt: skip
_PREFIX = re.compile(r"^finish_?reason[._]")


def meaning(said: str) -> StopReason | None:
    """What `said` means; `unknown` for a word that is not known, None where the answer was broken off.

    >>> meaning("STOP"), meaning("FINISH_REASON_MAX_TOKENS"), meaning("new"), meaning("abort")
    ('stop', 'max_tokens', 'unknown', None)
    """
    found = _STOPS.get(said)
    if found is not None:
        return found
    word = _PREFIX.sub("", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", said.strip()).casefold().replace("-", "_"))
    word = word.replace(" ", "_")
    return None if word in _BROKEN else _STOPS.get(word, "unknown")
