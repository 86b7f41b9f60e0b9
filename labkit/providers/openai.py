"""The `openai` dialect: chat completions, at OpenAI or at any endpoint that speaks them.

A request becomes a body, the events that come back become text, a stop reason and counts. It reads
no clock, retries nothing and prices nothing; the sockets belong to `wire`. Endpoints that report no
usage are taken as they are (counts None); answers that end without a finish reason are not.
"""

from __future__ import annotations

from typing import Any

import msgspec

from labkit.catalog.model import Model
from labkit.endpoints import is_own_host
from labkit.errors import InvalidRequest, MalformedAnswer, ProviderError
from labkit.keys import Key
from labkit.providers import http, refusals, wire
from labkit.records import Answer, Listener, Request, StopReason, Usage

BASE_URL = "https://api.openai.com/v1"
PATH = "/chat/completions"

_STOPS: dict[str, StopReason] = {
    "stop": "stop",
    "length": "max_tokens",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


class _Part(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Part | None = None
    message: _Part | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


_decode_chunk = msgspec.json.Decoder(_Chunk).decode


def identity(model: Model) -> str | None:
    """The normalised base URL: part of every `request_id`."""
    return wire.identity(model, BASE_URL)


def defaults(model: Model) -> dict[str, Any]:
    """The params that are sent where none are given: this dialect needs none."""
    return {}


def connect(model: Model, key: Key | None) -> OpenAIProvider:
    """A provider for `model` with `key` (None: an endpoint without keys).

    Slow (an SDK client takes 27 ms): call it off the loop. `model.client` is used as it is.
    """
    if model.client is not None:
        return OpenAIProvider(model.client, who=model.provider, owned=False)
    from openai import AsyncOpenAI, DefaultAioHttpClient, Omit

    secret = key.reveal() if key is not None else wire.NO_KEY
    url = model.base_url or BASE_URL
    foreign = not is_own_host(url, "openai")
    client = AsyncOpenAI(
        api_key=secret,
        base_url=url,
        max_retries=0,
        http_client=http.client(DefaultAioHttpClient, url),
        default_headers=wire.withheld("OPENAI_CUSTOM_HEADERS", Omit()) if foreign else None,
    )
    if foreign:
        # These come from the environment too.
        client.organization = client.project = None
    return OpenAIProvider(client, who=model.provider)


class OpenAIProvider:
    """Asks one endpoint in the chat completions dialect, through an `openai.AsyncOpenAI` client."""

    def __init__(self, client: Any, *, who: str = "openai", owned: bool = True) -> None:
        self._wire = wire.Wire(client, who=who, keys=wire.keys_of(client), owned=owned)
        self._official = is_own_host(str(getattr(client, "base_url", "")), "openai")

    def __repr__(self) -> str:
        return f"OpenAIProvider({self._wire.who})"

    async def ask(self, request: Request, listener: Listener) -> Answer:
        """Send `request`; see `labkit.providers.base.Provider.ask`."""
        body = self._body(request)
        return await self._wire.ask(PATH, body, listener, Reading(listener, self._wire.who))

    async def count_tokens(self, request: Request) -> int | None:
        """None: this dialect has no way to count without asking."""
        return None

    async def close(self) -> None:
        """Release the connections."""
        await self._wire.close()

    def _body(self, request: Request) -> dict[str, Any]:
        body = {"model": request.name, "messages": list(request.messages), **request.params}
        if body.setdefault("stream", True):
            body["stream_options"] = {"include_usage": True, **(body.get("stream_options") or {})}
        if self._official and "max_tokens" in body and "max_completion_tokens" not in body:
            # OpenAI's own models refuse the old name where they reason; others know only that one.
            body["max_completion_tokens"] = body.pop("max_tokens")
        if body.get("n", 1) != 1:
            raise InvalidRequest("params n: one request gives one answer; use repeats instead of n")
        return body


class Reading:
    """Puts one answer together from its events, telling the listener the text as it comes."""

    __slots__ = (
        "_calls", "_ended", "_finish", "_id", "_last", "_listener", "_model", "_refused", "_said", "_usage",
        "_who",
    )  # fmt: skip

    def __init__(self, listener: Listener, who: str) -> None:
        self._listener = listener
        self._who = who
        self._id: str | None = None
        self._model: str | None = None
        self._usage: _Usage | None = None
        self._finish: str | None = None
        self._refused = False
        self._said = False
        self._ended: bytes | None = None
        self._last: bytes | None = None
        self._calls: list[dict[str, Any]] = []

    def take(self, data: bytes) -> bool:
        """Read one event of a stream; True: it was the last."""
        if data == b"[DONE]":
            return True
        chunk = self._head(data)
        choices = chunk.choices
        if not choices:
            self._listener.event()
            return False
        choice = choices[0]
        if choice.index == 0:
            self._part(choice.delta)
            if choice.finish_reason:
                self._finish = choice.finish_reason
                self._ended = data
        return False

    def whole(self, payload: bytes) -> None:
        """Read an answer that came in one piece."""
        choices = self._head(payload).choices
        if not choices:
            raise self._malformed("it has no choices")
        self._part(choices[0].message)
        self._finish = choices[0].finish_reason
        self._ended = payload

    def answer(self) -> Answer:
        """How it ended. Raises `MalformedAnswer` for what is no finished answer."""
        if self._finish is None or self._finish == "error":
            raise self._malformed("it ended without a finish reason")
        stop: StopReason = "refusal" if self._refused else _STOPS.get(self._finish, "unknown")
        counts = self._counts()
        if not self._said and not counts.output_tokens and stop in ("stop", "max_tokens", "unknown"):
            raise self._malformed("it is empty")
        return Answer(
            stop_reason=stop,
            usage=counts,
            response_model=self._model,
            response_id=self._id,
            raw=self._raw(),
        )

    def _head(self, data: bytes) -> _Chunk:
        try:
            chunk = _decode_chunk(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            fault = str(error)
        else:
            if chunk.error is not None:
                raise self._broken_off(data)
            if self._id is None:
                self._id, self._model = chunk.id, chunk.model
            if chunk.usage is not None:
                self._usage = chunk.usage
                self._last = data
            return chunk
        raise self._malformed(fault, data)

    def _part(self, part: _Part | None) -> None:
        if part is None:
            self._listener.event()
            return
        if part.content:
            self._said = True
            self._listener.text(part.content)
        elif part.refusal:
            self._said = self._refused = True
            self._listener.text(part.refusal)
        else:
            self._listener.event()
        if part.tool_calls:
            self._calls.extend(part.tool_calls)

    def _counts(self) -> Usage:
        try:
            return usage(self._usage)
        except ValueError:
            # Counts that cannot be are as good as none; the answer itself stands, `raw` shows them.
            return Usage()

    def _raw(self) -> str:
        """The chunk that ended the answer, with the usage that came after it."""
        ended = self._ended or b"{}"
        if (self._last is None or self._last is ended) and not self._calls:
            return ended.decode("utf-8", "replace")
        payload = {**_object(self._last), **_object(ended)}
        if self._last is not None:
            payload["usage"] = _object(self._last).get("usage")
        if self._calls and self._last is not ended:
            payload["tool_calls"] = self._calls
        return msgspec.json.encode(payload).decode()

    def _malformed(self, fault: str, data: bytes | None = None) -> MalformedAnswer:
        seen = data or self._ended or self._last
        raw = None if seen is None else seen[:4000].decode("utf-8", "replace")
        return MalformedAnswer(f"{self._who} sent an answer that is none: {fault}", status=200, raw=raw)

    def _broken_off(self, data: bytes) -> ProviderError:
        return refusals.from_payload(data, {}, who=self._who)


def usage(counts: _Usage | None) -> Usage:
    """The dialect's counts as labkit's: cached and reasoning tokens lie inside their totals already."""
    if counts is None:
        return Usage()
    read = counts.prompt_tokens_details
    written = counts.completion_tokens_details
    return Usage(
        input_tokens=counts.prompt_tokens,
        cache_read_tokens=read.cached_tokens if read else None,
        cache_write_tokens=read.cache_write_tokens if read else None,
        output_tokens=counts.completion_tokens,
        reasoning_tokens=written.reasoning_tokens if written else None,
    )


def _object(data: bytes | None) -> dict[str, Any]:
    found = msgspec.json.decode(data) if data else {}
    return found if isinstance(found, dict) else {}
