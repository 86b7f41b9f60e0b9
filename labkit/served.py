"""How an answer was served, by what its last payload says beside its tokens.

Which tier and speed it had and where it was made, how long what it wrote to a cache is kept, and what the
provider did for it (searches, code): all that decides a price and may differ from what was asked. The
payloads of all dialects are read alike. `facts` takes what matters out of one, `FACTS` does the same in SQL
for a stored row, and `read` makes sense of either. It does not know what anything costs, nor what was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import replace

from labkit.records import Record

TTL_1H = "usage.cache_creation.ephemeral_1h_input_tokens"
_WORDS = {
    "service_tier": ("service_tier", "usage.service_tier"),
    "speed": ("usage.speed",),
    "inference_geo": ("usage.inference_geo",),
}
_SEARCHES = (
    "tool_usage.web_search.num_requests",
    "usage.server_tool_use.web_search_requests",
    "usage.num_search_queries",
    "usage.tool_calls_details.search_web.invocation",
)
"""Where a payload tells how many searches are charged, the surest first."""
_UNPRICED = {
    "usage.input_tokens_details.cache_write_tokens_details.ttl_12h_tokens": "cache writes kept for 12 hours",
    "usage.prompt_tokens_details.cache_write_tokens_details.ttl_12h_tokens": "cache writes kept for 12 hours",
    **{
        f"usage.{way}_tokens_details.audio_tokens": "audio tokens"
        for way in ("prompt", "completion", "input", "output")
    },
    "usage.num_sources_used": "sources of a live search",
    "usage.num_server_side_tools_used": "tools of the provider",
}
"""Counts of what is charged for, for which no list has a price."""
_VALUES = (*(path for paths in _WORDS.values() for path in paths), *_SEARCHES, *_UNPRICED)
_THERE = {
    "container.id": "code execution",
    "delta.container.id": "code execution",
    "annotations[0].type": "a web search",
    "choices[0].message.annotations[0].type": "a web search",
}
"""What was done where a payload has this at all."""
_SEEN = (*_THERE, TTL_1H)
_CITED = "a web search"
_FREE_CALLS = frozenset(
    {
        "function_call",
        "custom_tool_call",
        "computer_call",
        "mcp_call",
        "local_shell_call",
        "apply_patch_call",
        "tool_search_call",
    }
)
"""Calls among the output of a response that cost nothing but their tokens."""
_OPENED = ("open_page", "find_in_page", "find")
"""What a search call does that is no search, and free."""

FACTS = f"""to_json([
    to_json(json_extract(payload, {[f"$.{path}" for path in _VALUES]})),
    to_json([x is not null for x in json_extract_string(payload, {[f"$.{path}" for path in _SEEN]})]),
    to_json([
        [x ->> '$.type', x ->> '$.action.type'] for x in json_extract(payload, '$.output[*]')
        if ends_with(x ->> '$.type', '_call')
    ]),
    to_json(list_sort(list_distinct([
        x ->> '$' for x in json_extract(payload, '$.usage.iterations[*].type') if json_type(x) = 'VARCHAR'
    ])))
])"""
"""`facts` in DuckDB's SQL, of a column `payload` of JSON."""

Facts = Sequence[Sequence[Any] | None]


class Served(Record, frozen=True, kw_only=True):
    """How one answer was served. None: not told."""

    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    cache_write_1h_tokens: int | None = 0
    """Of the tokens written to a cache, those that are kept there for an hour; None: not known."""
    tells_kept: bool = False
    """Whether it is told how long what was written is kept."""
    web_searches: int = 0
    """Searches the provider charges for."""
    file_searches: int = 0
    unpriced: str = ""
    """What else is charged for beside the tokens, in words, where nothing tells how much."""


AS_ASKED = Served()
"""Of an answer that tells nothing of it."""


def of(payload: str | None) -> Served:
    """What the payload of an answer, as JSON text, says of how it was served.

    >>> of('{"service_tier": "flex", "usage": {"server_tool_use": {"web_search_requests": 2}}}')
    Served(service_tier='flex', ... web_searches=2, ...)
    """
    try:
        found = msgspec.json.decode(payload or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return AS_ASKED
    served, hour = read(msgspec.json.encode(facts(found))), count(_at(found, _HOUR_STEPS))
    return served if hour == 0 else replace(served, cache_write_1h_tokens=hour)


def facts(payload: Any) -> Facts:
    """What matters of a decoded payload: values, what is there at all, calls, and kinds of passes."""
    output, passes = _at(payload, ("output",)), _at(payload, ("usage", "iterations"))
    calls = [
        (_at(one, ("type",)), _at(one, ("action", "type")))
        for one in (output if isinstance(output, list) else ())
    ]
    kinds = [_at(one, ("type",)) for one in (passes if isinstance(passes, list) else ())]
    return (
        [_at(payload, steps) for steps in _VALUE_STEPS],
        [_at(payload, steps) is not None for steps in _SEEN_STEPS],
        [call for call in calls if isinstance(call[0], str) and call[0].endswith("_call")],
        sorted({kind for kind in kinds if isinstance(kind, str)}),
    )


@lru_cache(maxsize=4096)
def read(found: bytes | str) -> Served:
    """How an answer was served by its `facts`, as JSON text: all but what `TTL_1H` tells.

    Kept, since of a thousand answers nearly all tell the same.
    """
    listed, there, calls, kinds = (part or () for part in msgspec.json.decode(found))
    values = dict(zip(_VALUES, listed, strict=False))
    told = next((values[path] for path in _SEARCHES if values.get(path) is not None), None)
    done = [kind for kind, action in calls if kind != "web_search_call" or action not in _OPENED]
    searches = done.count("web_search_call") if told is None else count(told)
    unpriced = {kind for kind in done if kind not in _FREE_CALLS} - {"web_search_call", "file_search_call"}
    unpriced |= {what for path, what in _UNPRICED.items() if count(values.get(path)) != 0}
    unpriced |= {what for what, seen in zip(_THERE.values(), there, strict=False) if seen}
    if told is not None:
        unpriced.discard(_CITED)
    # The tokens of other passes (compaction, advice) stand beside the usage, at prices of their own.
    unpriced |= {f"a pass of {kind}" for kind in kinds if kind != "message"}
    if searches is None:
        unpriced.add("a number of searches that is none")
    words = {name: _word(values.get(path) for path in paths) for name, paths in _WORDS.items()}
    return Served(
        service_tier=words["service_tier"],
        speed=words["speed"],
        inference_geo=words["inference_geo"],
        tells_kept=any(there[len(_THERE) :]),
        web_searches=searches or 0,
        file_searches=done.count("file_search_call"),
        unpriced=", ".join(sorted(unpriced)),
    )


def count(value: Any) -> int | None:
    """A count as servers write it, 0 where nothing is written; None for what is no count.

    >>> count("10"), count(10.0), count(None), count(-1), count("many")
    (10, 10, 0, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str, type(None))):
        return None
    try:
        number = 0.0 if value is None else float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if 0 <= number < 2**53 and number == int(number) else None


def _word(values: Iterable[Any]) -> str | None:
    """The first that tells something; `auto` only repeats the question."""
    words = (value.lower() for value in values if isinstance(value, str))
    return next((word for word in words if word not in ("", "auto")), None)


def _steps(path: str) -> tuple[str | int, ...]:
    flat = path.replace("[", ".").replace("]", "").split(".")
    return tuple(int(step) if step.isdecimal() else step for step in flat)


def _at(found: Any, steps: Iterable[str | int]) -> Any:
    for step in steps:
        if type(step) is str:
            if type(found) is not dict:
                return None
            found = found.get(step)
        else:
            found = found[0] if type(found) is list and found else None
    return found


_HOUR_STEPS = _steps(TTL_1H)
_VALUE_STEPS = tuple(map(_steps, _VALUES))
_SEEN_STEPS = tuple(map(_steps, _SEEN))
