"""The `openai-responses` dialect: responses, at OpenAI or at any endpoint that has them.

A request becomes a body, sent through an SDK client; what comes back is read by `responses_events`. It
reads no clock, retries nothing and prices nothing; the sockets belong to `wire`. Nothing is kept at the
provider unless `store` says so: an answer that depends on what a server remembers could not be replayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit.catalog.model import Model
from labkit.endpoints import is_own_host
from labkit.keys import Key
from labkit.messages import Part, unmarked
from labkit.providers import bodies, openai, wire
from labkit.providers.responses_events import ResponsesReading
from labkit.records import Answer, Listener, Message, Request

PATH = "/responses"


def identity(model: Model) -> str | None:
    """The normalised base URL: part of every `request_id`, beside the dialect."""
    return wire.identity(model, openai.BASE_URL)


def defaults(model: Model, params: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent beside `params`: `store` off, as it is in chat completions."""
    return {"store": False}


def connect(model: Model, key: Key | None) -> ResponsesProvider:
    """A provider for `model` with `key` (None: an endpoint without keys).

    Slow (an SDK client takes 27 ms): call it off the loop. `model.client` is used as it is.
    """
    how = {"stream": model.streams, "stream_options": model.stream_options}
    if model.client is not None:
        return ResponsesProvider(model.client, who=model.provider, owned=False, **how)
    return ResponsesProvider(openai.sdk_client(model, key), who=model.provider, **how)


class ResponsesProvider:
    """Asks one endpoint in the responses dialect, through an `openai.AsyncOpenAI` client."""

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
        return f"ResponsesProvider({self._wire.who})"

    async def ask(self, request: Request, listener: Listener) -> Answer:
        """Send `request`; see `labkit.providers.base.Provider.ask`."""
        body = await bodies.made(self._body, request)
        heard = self._wire.heard(listener)
        return await self._wire.ask(PATH, body, heard, ResponsesReading(heard, self._wire.who))

    async def count_tokens(self, request: Request) -> int | None:
        """None: not every endpoint of this dialect can count."""
        return None

    async def close(self) -> None:
        """Release the connections."""
        await self._wire.close()

    def _body(self, request: Request) -> dict[str, Any]:
        params = dict(request.params)
        bodies.refuse_several(params)
        limits = [params.pop(name, None) for name in ("max_tokens", "max_completion_tokens")]
        for limit in limits:
            if limit is not None:
                params.setdefault("max_output_tokens", limit)
        effort, asked = params.pop("reasoning_effort", None), params.pop("response_format", None)
        if effort is not None:
            params["reasoning"] = {"effort": effort, **(params.get("reasoning") or {})}
        if asked is not None:
            params["text"] = {"format": _format(asked), **(params.get("text") or {})}
        turns = [_spoken(message) for message in unmarked(request.messages)]
        body = {"model": request.name, "input": turns, **params}
        if body.setdefault("stream", self._stream) and self._official and self._stream_options:
            # Else every event is padded with random characters to a length that says nothing of its text.
            body["stream_options"] = {"include_obfuscation": False, **(body.get("stream_options") or {})}
        return body


def _format(asked: dict[str, Any]) -> dict[str, Any]:
    """The format of chat completions as that of responses, which has no level in between."""
    inner = asked.get("json_schema")
    return {"type": asked["type"], **inner} if isinstance(inner, dict) else asked


def _spoken(message: Message) -> Message:
    content = message["content"]
    if isinstance(content, str):
        return message
    said = "output_text" if message["role"] == "assistant" else "input_text"
    return {**message, "content": [_part(part, said) for part in content]}


def _part(part: Part, said: str) -> Part:
    if part.get("type") == "text":
        return {**part, "type": said}
    if part.get("type") == "image":
        return {"type": "input_image", "detail": "auto", "image_url": bodies.image_url(part)}
    return part
