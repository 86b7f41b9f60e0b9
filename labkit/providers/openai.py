"""The `openai` dialect: chat completions, at OpenAI or at any endpoint that speaks them.

A request becomes a body, sent through an SDK client; what comes back is read by `openai_events`. It
reads no clock, retries nothing and prices nothing; the sockets belong to `wire`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit.catalog.model import Model
from labkit.endpoints import is_own_host
from labkit.keys import Key
from labkit.messages import Part, unmarked
from labkit.providers import bodies, hosts, http, wire
from labkit.providers.openai_events import OpenAIReading
from labkit.records import Answer, Listener, Message, Request

BASE_URL = "https://api.openai.com/v1"
PATH = "/chat/completions"


def identity(model: Model) -> str | None:
    """The normalised base URL: part of every `request_id`."""
    return wire.identity(model, BASE_URL)


def defaults(model: Model, params: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent beside `params`: this dialect needs nothing."""
    return {}


def connect(model: Model, key: Key | None) -> OpenAIProvider:
    """A provider for `model` with `key` (None: an endpoint without keys).

    Slow (an SDK client takes 27 ms): call it off the loop. `model.client` is used as it is.
    """
    how = {"stream": model.streams, "stream_options": model.stream_options}
    if model.client is not None:
        return OpenAIProvider(model.client, who=model.provider, owned=False, **how)
    return OpenAIProvider(sdk_client(model, key), who=model.provider, **how)


def sdk_client(model: Model, key: Key | None) -> Any:
    """An `openai.AsyncOpenAI` for the endpoint of `model`; see `connect`."""
    from openai import AsyncOpenAI, DefaultAioHttpClient, Omit

    url = hosts.vetted(model, BASE_URL)
    foreign = not is_own_host(url, "openai")
    client = AsyncOpenAI(
        api_key=key.reveal() if key is not None else wire.NO_KEY,
        base_url=url,
        max_retries=0,
        http_client=http.client(DefaultAioHttpClient, url, key=key),
        default_headers=wire.withheld("OPENAI_CUSTOM_HEADERS", Omit()) if foreign else None,
    )
    if foreign:
        # These come from the environment too.
        client.organization = client.project = None
    return client


class OpenAIProvider:
    """Asks one endpoint in the chat completions dialect, through an `openai.AsyncOpenAI` client."""

    def __init__(
        self,
        client: Any,
        *,
        who: str = "openai",
        owned: bool = True,
        stream: bool = True,
        stream_options: bool = True,
    ) -> None:
        self._wire = wire.Wire(client, who=who, keys=wire.keys_of(client), owned=owned)
        self._stream = stream
        self._stream_options = stream_options
        self._official = is_own_host(str(getattr(client, "base_url", "")), "openai")

    def __repr__(self) -> str:
        return f"OpenAIProvider({self._wire.who})"

    async def ask(self, request: Request, listener: Listener) -> Answer:
        """Send `request`; see `labkit.providers.base.Provider.ask`."""
        body = await bodies.made(self._body, request)
        heard = self._wire.heard(listener)
        return await self._wire.ask(PATH, body, heard, OpenAIReading(heard, self._wire.who))

    async def count_tokens(self, request: Request) -> int | None:
        """None: this dialect has no way to count without asking."""
        return None

    async def close(self) -> None:
        """Release the connections."""
        await self._wire.close()

    def _body(self, request: Request) -> dict[str, Any]:
        messages = [_spoken(message) for message in unmarked(request.messages)]
        body = {"model": request.name, "messages": messages, **request.params}
        if body.setdefault("stream", self._stream) and self._stream_options:
            body["stream_options"] = {"include_usage": True, **(body.get("stream_options") or {})}
        if self._official and "max_tokens" in body and "max_completion_tokens" not in body:
            # OpenAI's own models refuse the old name where they reason; others know only that one.
            body["max_completion_tokens"] = body.pop("max_tokens")
        bodies.refuse_several(body)
        return body


def _spoken(message: Message) -> Message:
    """The message in the dialect's words: images as addresses, those at hand in base64."""
    content = message["content"]
    if isinstance(content, str):
        return message
    return {**message, "content": [_part(part) for part in content]}


def _part(part: Part) -> Part:
    if part.get("type") != "image":
        return part
    return {"type": "image_url", "image_url": {"url": bodies.image_url(part)}}
