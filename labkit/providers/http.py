"""The SDKs' own aiohttp client, without what a stateless JSON API has no use for.

Passed to an SDK as its `http_client`. It is the SDK's `DefaultAioHttpClient` with the same transport; on
the way there it leaves out cookies, redirects, auth flows and header guessing, which together cost more
than the request itself. Whatever is not a plain POST of bytes goes the ordinary way. It knows no dialect.

Redirects are never followed: one could carry a prompt, or a key, to a host nobody chose. There is no
read time-out: the engine watches for silence. Nothing meant for this machine goes through a proxy.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import httpx2

from labkit.endpoints import is_loopback
from labkit.keys import Key, scrub

CONNECT_S = 10.0
IDLE_S = 3.0
"""How long an idle connection is kept. llama.cpp, uvicorn and others close theirs after 5 s, and a request
written just then would be lost."""
_CONNECTIONS = 4096
_KEPT = 64
_ERROR_BYTES = 256 * 1024
"""So much of a refusal is read: an SDK would read all of it, whatever it is."""
_ENCODED = (b"content-encoding", b"content-length", b"transfer-encoding")
_LATIN = "iso-8859-1"
_LOGS = tuple(map(logging.getLogger, ("openai", "anthropic")))
"""They write the headers of every response, at level DEBUG."""
_UNUSUAL = ("params", "files", "data", "json", "cookies")

if TYPE_CHECKING:
    _Base = httpx2.AsyncClient
else:
    # Each SDK has a class of its own to lay this over.
    _Base = object


def client(kind: Any, base_url: str, *, key: Key | None = None) -> httpx2.AsyncClient:
    """An HTTP client for an SDK; `kind` is that SDK's `DefaultAioHttpClient`.

    `key` is what the SDK sends: it is taken out of headers that send it back, where they would be logged.
    """
    lean: type[httpx2.AsyncClient] = _lean(kind)
    made = lean(
        follow_redirects=False,
        trust_env=not is_loopback(base_url),
        timeout=httpx2.Timeout(None, connect=CONNECT_S),
        limits=httpx2.Limits(
            max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS, keepalive_expiry=IDLE_S
        ),
    )
    made.key = key  # type: ignore[attr-defined]
    return made


@lru_cache
def _lean(kind: Any) -> type[httpx2.AsyncClient]:
    return type("LeanClient", (_Lean, kind), {})


class _Lean(_Base):
    """What is laid over an SDK's client class; see the module."""

    key: Key | None = None

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._targets: dict[str, httpx2.URL] = {}
        self._heads: dict[tuple[tuple[str, str], ...], httpx2.Headers] = {}

    def build_request(self, method: str, url: Any, **parts: Any) -> httpx2.Request:
        content, given = parts.get("content"), parts.get("headers")
        if not isinstance(content, bytes) or not isinstance(given, list) or any(map(parts.get, _UNUSUAL)):
            return super().build_request(method, url, **parts)
        target, head = self._targets.get(str(url)), self._heads.get(tuple(given))
        if target is None or head is None:
            # The first of its kind is built the ordinary way; the next ones take after it.
            request = super().build_request(method, url, **parts)
            if len(self._heads) < _KEPT and len(self._targets) < _KEPT:
                self._targets[str(url)] = request.url
                self._heads[tuple(given)] = httpx2.Headers(request.headers)
            return request
        headers = httpx2.Headers(head, encoding=_LATIN)
        headers["content-length"] = str(len(content))
        timeout = httpx2.Timeout(parts.get("timeout", self.timeout)).as_dict()
        body = httpx2.ByteStream(content)
        request = httpx2.Request(
            method, target, headers=headers, stream=body, extensions={"timeout": timeout}
        )
        request.read()
        return request

    async def send(self, request: httpx2.Request, *, stream: bool = False, **flow: Any) -> httpx2.Response:
        if flow.get("follow_redirects") or flow.get("auth") is not None:
            return await super().send(request, stream=stream, **flow)
        if self.is_closed:
            raise RuntimeError("this client is closed: the loop it belonged to has ended")
        response = await self._transport_for_url(request.url).handle_async_request(request)
        response.request = request
        response.headers.encoding = _LATIN
        told = response.status_code >= 300 or any(log.isEnabledFor(logging.DEBUG) for log in _LOGS)
        if told and self.key is not None:
            # A server may send back what it got.
            response.headers = httpx2.Headers(
                [(name, scrub(value, [self.key])) for name, value in response.headers.multi_items()],
                encoding=_LATIN,
            )
        if response.status_code >= 300:
            return await _cut_short(response, request)
        if not stream:
            try:
                await response.aread()
            except BaseException:
                await response.aclose()
                raise
        return response


async def _cut_short(response: httpx2.Response, request: httpx2.Request) -> httpx2.Response:
    """A refusal with at most so much of its body, read and decoded."""
    body = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) >= _ERROR_BYTES:
                break
    finally:
        await response.aclose()
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _ENCODED]
    short = httpx2.Response(
        response.status_code, headers=headers, content=bytes(body[:_ERROR_BYTES]), request=request
    )
    short.headers.encoding = _LATIN
    return short
