"""What a request lets the provider do beside writing: search, fetch, run code, speak. How often at most, and
which of it is charged for beside the tokens.

It reads params and knows no prices, nor what was done in the end: that stands in `labkit.served`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

_OURS = re.compile(
    r"custom|function|namespace|tool_search.*|computer.*|text_editor.*|bash_.*|memory.*|local_shell|apply_patch"
)
"""Tools that the model only asks for: nobody runs them at the provider, or they cost nothing."""
_KINDS = (
    ("web_search_preview", "web_search_preview"),
    ("web_search", "web_search"),
    ("file_search", "file_search"),
    ("web_fetch", ""),
    ("mcp", ""),
)
"""The beginning of a tool's type, and what its calls are charged as; "": for their tokens alone."""
_SEARCH_MODEL = re.compile(r".*-search-(preview|api)(-.*)?")


class ProviderTools(NamedTuple):
    """What a request lets the provider do."""

    calls: int | None = 0
    """At most so many; None: no bound."""
    charged_as: frozenset[str] = frozenset()
    """What a call may be charged as: `web_search`, `file_search`, or the type of a tool of no listed fee."""
    always: bool = False
    """Whether every answer searches, told or not."""


NONE = ProviderTools()


def asked(params: Mapping[str, Any], name: str) -> ProviderTools:
    """What a request of `params` lets the provider of the model called `name` do.

    >>> asked({"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]}, "claude")
    ProviderTools(calls=3, charged_as=frozenset({'web_search'}), always=False)
    """
    tools = [(_charged(kind), _bound(tool)) for tool, kind in _tools(params) if not _OURS.fullmatch(kind)]
    if isinstance(params.get("mcp_servers"), list) and params["mcp_servers"]:
        tools.append(("", None))
    plugins = params.get("plugins")
    if any(isinstance(one, Mapping) and one.get("id") == "web" for one in _listed(plugins)):
        tools.append(("web_search", None))
    if isinstance(params.get("search_parameters"), Mapping):
        tools.append(("live_search", None))
    if "audio" in _listed(params.get("modalities")):
        # Spoken tokens cost many times what written ones do.
        tools.append(("audio", None))
    always = params.get("web_search_options") is not None or bool(_SEARCH_MODEL.fullmatch(name))
    if always:
        tools.append(("web_search", 1))
    if not tools:
        return NONE
    bounds = [bound for _, bound in tools]
    most = sum(bound for bound in bounds if bound is not None) if None not in bounds else None
    limit = params.get("max_tool_calls")
    if isinstance(limit, int) and limit >= 0:
        most = limit if most is None else min(limit, most)
    return ProviderTools(most, frozenset(charged for charged, _ in tools if charged), always)


def keeps_an_hour(params: Any) -> bool:
    """Whether anything in `params` asks that a cache keep it for an hour."""
    if isinstance(params, Mapping):
        return params.get("ttl") == "1h" or any(map(keeps_an_hour, params.values()))
    return isinstance(params, list) and any(map(keeps_an_hour, params))


def _tools(params: Mapping[str, Any]) -> Iterable[tuple[Mapping[str, Any], str]]:
    for tool in _listed(params.get("tools")):
        if isinstance(tool, Mapping):
            yield tool, str(tool.get("type") or "custom")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _charged(kind: str) -> str:
    return next((charged for begin, charged in _KINDS if kind.startswith(begin)), kind)


def _bound(tool: Mapping[str, Any]) -> int | None:
    uses = tool.get("max_uses")
    return uses if isinstance(uses, int) and uses >= 0 else None
