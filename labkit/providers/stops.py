"""Why an answer ended, in the words of whoever made it, as one of labkit's own reasons.

One table for all dialects: servers that speak one of them bring the words of the runtime behind it, in any
spelling (`STOP`, `FinishReason.MAX_TOKENS`, `eosFound`, `content_filter: SAFETY`). A reason is read word by
word, and the first line of the table that has one of its words is what it means. It knows no event and no
answer.
"""

from __future__ import annotations

import re
from functools import lru_cache

from labkit.records import StopReason

_MEANS: tuple[tuple[StopReason | None, str], ...] = (
    (None, "malformed unexpected"),
    (
        "content_filter",
        "filter filtered safety recitation blocklist blocked prohibited spii sensitive language guardrail "
        "guardrails toxic policy moderation violation armor",
    ),
    (
        None,
        "error abort aborted cancel cancelled canceled interrupted timeout timed failed failure insufficient "
        "rate quota overloaded unavailable disconnect disconnected preempted oom killed unloaded user not "
        "unfinished incomplete progress unspecified",
    ),
    ("refusal", "refusal refused"),
    ("tool_calls", "tool tools function call calls"),
    ("stop_sequence", "sequence string str word"),
    ("max_tokens", "length max limit context exceeded truncated cutoff"),
    ("stop", "stop eos end eot eom im endoftext complete completed finish finished succeeded done"),
)
_RANKS = {word: rank for rank, (_, words) in enumerate(_MEANS) for word in words.split()}
_PREFIX = re.compile(r"^finish_?reason_")
_JOINTS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
_NOTHING = frozenset({"", "null", "none", "undefined"})


def told(said: str | None) -> bool:
    """Whether a reason was told at all: servers write that there is none yet in several ways.

    >>> told("stop"), told("null"), told(""), told(None)
    (True, False, False, False)
    """
    return said is not None and said.strip().casefold() not in _NOTHING


@lru_cache(maxsize=256)
def meaning(said: str) -> StopReason | None:
    """What `said` means; `unknown` for a word that is not known, None where the answer was broken off.

    >>> meaning("STOP"), meaning("FINISH_REASON_MAX_TOKENS"), meaning("new"), meaning("abort")
    ('stop', 'max_tokens', 'unknown', None)
    """
    name = _PREFIX.sub("", _JOINTS.sub("_", said).casefold().strip("_"))
    ranks = [_RANKS[word] for word in name.split("_") if word in _RANKS]
    return _MEANS[min(ranks)][0] if ranks else "unknown"
