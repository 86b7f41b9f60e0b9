"""The `anthropic` dialect: messages, at Anthropic or at any endpoint that speaks them.

A request becomes a body (system messages move to `system`, cache marks and a schema to where this dialect
has them), sent through an SDK client; what comes back is read by `anthropic_events`. It reads no clock,
retries nothing and prices nothing; the sockets belong to `wire`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from labkit import images
from labkit.catalog.model import Model
from labkit.catalog.params import schema_of
from labkit.endpoints import is_own_host
from labkit.keys import Key
from labkit.messages import Part
from labkit.providers import bodies, hosts, http, wire
from labkit.providers.anthropic_events import AnthropicReading
from labkit.providers.lenient import count
from labkit.records import Answer, Listener, Message, Request

BASE_URL = "https://api.anthropic.com"
PATH = "/v1/messages"
COUNT_PATH = "/v1/messages/count_tokens"
MAX_TOKENS = 4096
"""Sent where no `max_tokens` is given, since the dialect demands one. A greater value would have the
budget reserve more for each request than most answers ever cost; one that was cut says so."""
_COUNTED = ("system", "messages", "tools", "tool_choice", "thinking", "output_config")


class _Counted(msgspec.Struct):
    input_tokens: int


_decode_counted = msgspec.json.Decoder(_Counted).decode


def identity(model: Model) -> str | None:
    """The normalised base URL: part of every `request_id`."""
    return wire.identity(model, BASE_URL)


def defaults(model: Model, params: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent beside `params`: `max_tokens`, which this dialect demands.

    What may be spent on thinking counts towards it, and the answer comes after that.

    >>> defaults(Model("anthropic/m"), {"thinking": {"type": "enabled", "budget_tokens": 8000}})
    {'max_tokens': 12096}
    """
    wanted = _most(params)
    return {"max_tokens": min(model.max_output or wanted, wanted)}


def _most(params: Mapping[str, Any]) -> int:
    thinking = params.get("thinking")
    budget = count(thinking.get("budget_tokens")) if isinstance(thinking, Mapping) else None
    return MAX_TOKENS + max(0, budget or 0)


def connect(model: Model, key: Key | None) -> AnthropicProvider:
    """A provider for `model` with `key` (None: an endpoint without keys).

    Slow (importing the SDK takes 1.5 s): call it off the loop. `model.client` is used as it is.
    """
    if model.client is not None:
        return AnthropicProvider(model.client, who=model.provider, owned=False, stream=model.streams)
    from anthropic import AsyncAnthropic, DefaultAioHttpClient, Omit

    url = hosts.vetted(model, BASE_URL)
    own = is_own_host(url, "anthropic")
    client = AsyncAnthropic(
        api_key=key.reveal() if key is not None else wire.NO_KEY,
        base_url=url,
        max_retries=0,
        http_client=http.client(DefaultAioHttpClient, url, key=key),
        default_headers=None if own else wire.withheld("ANTHROPIC_CUSTOM_HEADERS", Omit()),
        open_telemetry=False,
    )
    return AnthropicProvider(client, who=model.provider, stream=model.streams)


class AnthropicProvider:
    """Asks one endpoint in the messages dialect, through an `anthropic.AsyncAnthropic` client."""

    def __init__(
        self,
        client: Any,
        *,
        who: str = "anthropic",
        owned: bool = True,
        stream: bool = True,
    ) -> None:
        self._wire = wire.Wire(client, who=who, keys=wire.keys_of(client), owned=owned)
        self._stream = stream

    def __repr__(self) -> str:
        return f"AnthropicProvider({self._wire.who})"

    async def ask(self, request: Request, listener: Listener) -> Answer:
        """Send `request`; see `labkit.providers.base.Provider.ask`."""
        body = await bodies.made(self._body, request)
        heard = self._wire.heard(listener)
        return await self._wire.ask(PATH, body, heard, AnthropicReading(heard, self._wire.who))

    async def count_tokens(self, request: Request) -> int | None:
        """The input tokens of `request` by the endpoint's own count, which is free.

        Raises a `ProviderError` where the endpoint does not answer.
        """
        body = await bodies.made(self._body, request)
        kept = {name: body[name] for name in ("model", *_COUNTED) if name in body}
        payload = await self._wire.fetch(COUNT_PATH, kept)
        try:
            return _decode_counted(payload).input_tokens
        except msgspec.MsgspecError:
            return None

    async def close(self) -> None:
        """Release the connections."""
        await self._wire.close()

    def _body(self, request: Request) -> dict[str, Any]:
        system = [message for message in request.messages if message["role"] == "system"]
        turns = [_spoken(message) for message in request.messages if message["role"] != "system"]
        body: dict[str, Any] = {"model": request.name, "messages": turns, **request.params}
        if system and "system" not in body:
            body["system"] = _joined(system)
        if "stop" in body:
            stops = body.pop("stop")
            body.setdefault("stop_sequences", [stops] if isinstance(stops, str) else list(stops))
        _configure(body)
        bodies.refuse_several(body)
        body.setdefault("max_tokens", _most(body))
        body.setdefault("stream", self._stream)
        return body


def _configure(body: dict[str, Any]) -> None:
    """A schema and an effort, written as in the other dialects, as this one's `output_config`."""
    schema = schema_of({"response_format": body.pop("response_format", None)})
    effort = body.pop("reasoning_effort", None)
    asked: dict[str, Any] = {}
    if schema is not None:
        asked["format"] = {"type": "json_schema", "schema": schema}
    if effort is not None:
        asked["effort"] = effort
    if asked:
        body["output_config"] = {**asked, **(body.get("output_config") or {})}


def _spoken(message: Message) -> Message:
    """The message in the dialect's words: cache marks, and images by address or in base64."""
    content = message["content"]
    if isinstance(content, str):
        return message
    return {**message, "content": [_part(part) for part in content]}


def _part(part: Part) -> Part:
    if part.get("type") == "text" and "cache" in part:
        marked = {"cache_control": {"type": "ephemeral"}} if part["cache"] else {}
        return {"type": "text", "text": part["text"], **marked}
    if part.get("type") != "image":
        return part
    if "url" in part:
        source = {"type": "url", "url": part["url"]}
    else:
        source = {"type": "base64", "media_type": part["media_type"], "data": images.encoded(part)}
    return {"type": "image", "source": source}


def _joined(system: list[Message]) -> Any:
    """Several system messages as one: text, or blocks where any of them is made of blocks."""
    if all(isinstance(message["content"], str) for message in system):
        return "\n\n".join(message["content"] for message in system)
    blocks: list[Any] = []
    for message in system:
        content = message["content"]
        blocks += [{"type": "text", "text": content}] if isinstance(content, str) else content
    return blocks
