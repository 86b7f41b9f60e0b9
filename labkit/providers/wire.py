"""The one wire: an SDK's client, asked with a plain dict, its raw response read as it comes in.

The SDK brings credentials, base URLs, headers and its aiohttp transport; its retries, redirects and
typed models stay out. It knows no dialect: what is inside an event is for the dialect's own module.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from labkit.errors import MalformedAnswer, ProviderError
from labkit.providers import failures
from labkit.providers.endpoint import is_loopback
from labkit.providers.scrub import Scrubber
from labkit.providers.sse import EventParser
from labkit.records import Listener

CONNECT_S = 10.0
_CONNECTIONS = 4096
_CLOSING_S = 2.0
_ERROR_CHARS = 2000
_OPTIONS = {"max_retries": 0, "follow_redirects": False}


def http_client(kind: type[Any], base_url: str) -> Any:
    """An HTTP client for an SDK, of the SDK's own `DefaultAioHttpClient` class (`kind`).

    Without redirects, since a redirect could carry a prompt to a host nobody chose; without read
    time-out, since the engine watches for silence; around any proxy for this machine itself.
    """
    import httpx2

    return kind(
        follow_redirects=False,
        trust_env=not is_loopback(base_url),
        timeout=httpx2.Timeout(None, connect=CONNECT_S),
        limits=httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
    )


class Wire:
    """Asks one endpoint through one SDK client, and turns whatever goes wrong into a `ProviderError`."""

    def __init__(self, client: Any, *, who: str, scrubber: Scrubber, owned: bool = True) -> None:
        import httpx2

        self._client = client
        self._who = who
        self._scrubber = scrubber
        self._owned = owned
        self._response = httpx2.Response

    def __repr__(self) -> str:
        return f"Wire({self._who})"

    @property
    def who(self) -> str:
        """The endpoint, as messages name it."""
        return self._who

    async def stream(
        self, path: str, body: Mapping[str, Any], listener: Listener, take: Callable[[bytes], bool]
    ) -> None:
        """Send `body` to `path` and give every event's data to `take`, which says whether it was the last."""
        failure: ProviderError
        try:
            return await self._stream(path, body, listener, take)
        except Exception as error:  # noqa: BLE001 - every failure of a call becomes a row, none may pass by
            failure = failures.translate(error, who=self._who, scrubber=self._scrubber)
        raise failure

    async def fetch(self, path: str, body: Mapping[str, Any], listener: Listener | None = None) -> bytes:
        """Send `body` to `path` and give back the whole payload of the answer."""
        failure: ProviderError
        try:
            response = await self._client.post(
                path, body=dict(body), cast_to=self._response, options=_OPTIONS
            )
            if listener is not None:
                listener.opened(_headers(response))
            return bytes(response.content)
        except Exception as error:  # noqa: BLE001 - as above
            failure = failures.translate(error, who=self._who, scrubber=self._scrubber)
        raise failure

    async def close(self) -> None:
        """Close the client, if it was made for this wire: a client of the user's own stays open."""
        if self._owned:
            await self._client.close()

    async def _stream(
        self, path: str, body: Mapping[str, Any], listener: Listener, take: Callable[[bytes], bool]
    ) -> None:
        response = await self._client.post(
            path,
            body=dict(body),
            cast_to=self._response,
            options=_OPTIONS,
            stream=True,
            stream_cls=_NoTypedStream,
        )
        try:
            headers = _headers(response)
            listener.opened(headers)
            kind = headers.get("content-type", "text/event-stream")
            if not kind.startswith("text/event-stream"):
                raise await self._not_a_stream(response, kind)
            async with aclosing(response.aiter_bytes()) as chunks:
                await self._read(chunks, take)
        finally:
            await response.aclose()

    async def _read(self, chunks: AsyncIterator[bytes], take: Callable[[bytes], bool]) -> None:
        parser = EventParser()
        async for chunk in chunks:
            for data in parser.feed(chunk):
                if take(data):
                    await _drain(chunks)
                    return
        for data in parser.rest():
            take(data)

    async def _not_a_stream(self, response: Any, kind: str) -> MalformedAnswer:
        begin = b""
        async with aclosing(response.aiter_bytes()) as chunks:
            async for chunk in chunks:
                begin += chunk
                if len(begin) > _ERROR_CHARS:
                    break
        text = self._scrubber.clean(begin[:_ERROR_CHARS].decode("utf-8", "replace"))
        return MalformedAnswer(
            f"{self._who} answered 200 with {kind.partition(';')[0]} instead of a stream: {text[:200]!r}",
            status=200,
            raw=text,
        )


class _NoTypedStream:
    """Stands where the SDKs want the class of a typed stream; a raw response never makes one."""


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read what follows the last event, so that the connection can be used again.

    The answer is whole by now: a connection that stays open or breaks here takes nothing from it.
    """
    try:
        async with asyncio.timeout(_CLOSING_S):
            async for _ in chunks:
                continue
    except Exception:  # noqa: BLE001 - see above
        return


def _headers(response: Any) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw}
