"""The SDKs' own aiohttp client, without what a stateless JSON API has no use for.

Passed to an SDK as its `http_client`. It is the SDK's `DefaultAioHttpClient` with the same transport; on
the way there it leaves out cookies, redirects and auth flows. What the SDK builds for a request is the same
for all that go to one address, but for the body, and costs three times what sending it does: so it is built
once, and `again` sends the next ones with the head of the first over the same connections. It knows no
dialect.

Redirects are never followed: one could carry a prompt, or a key, to a host nobody chose. There is no
read time-out: the engine watches for silence. Nothing meant for this machine goes through a proxy; all else
goes where the environment's proxy variables say, and every certificate is checked as `certificates` says.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx2
from multidict import CIMultiDict

from labkit.endpoints import is_loopback
from labkit.errors import ConnectionLost, DefinitionError
from labkit.keys import Key, scrub
from labkit.providers import certificates

CONNECT_S = 10.0
IDLE_S = 3.0
"""How long an idle connection is kept. llama.cpp, uvicorn and others close theirs after 5 s, and a request
written just then would be lost."""
_JUST_S = 1.0
"""A connection that breaks later than this was not closed while it was idle: the request was on its way."""
_CONNECTIONS = 4096
_ERROR_BYTES = 256 * 1024
"""So much of a refusal is read: an SDK would read all of it, whatever it is."""
_ENCODED = (b"content-encoding", b"content-length", b"transfer-encoding")
_PATIENT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
_LATIN = "iso-8859-1"
_LOGS = tuple(map(logging.getLogger, ("openai", "anthropic")))
"""They write the headers of every response, at level DEBUG."""
_CLOSED = "this client is closed: the loop it belonged to has ended"

_kept: ContextVar[bool] = ContextVar("labkit_kept", default=False)
"""Whether this task's request went out on a connection kept from an earlier one."""


async def _note_kept(*_: object) -> None:
    _kept.set(True)


_WATCH = aiohttp.TraceConfig()
_WATCH.on_connection_reuseconn.append(_note_kept)
_WATCH.freeze()

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
        verify=certificates.context(),
        trust_env=not is_loopback(base_url),
        timeout=httpx2.Timeout(None, connect=CONNECT_S),
        limits=httpx2.Limits(
            max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS, keepalive_expiry=IDLE_S
        ),
    )
    made.key = key  # type: ignore[attr-defined]
    proxy = getattr(made._transport_for_url(httpx2.URL(base_url)), "proxy", None)
    if proxy is not None and proxy.url.scheme not in ("http", "https"):
        raise DefinitionError(
            f"The environment names a {proxy.url.scheme} proxy for {base_url}; labkit goes through http and "
            "https proxies only. Name one in HTTPS_PROXY, or leave that host out in NO_PROXY."
        )
    return made


@lru_cache
def _lean(kind: Any) -> type[httpx2.AsyncClient]:
    return type("LeanClient", (_Lean, kind), {})


class _Lean(_Base):
    """What is laid over an SDK's client class; see the module."""

    key: Key | None = None

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._firsts: dict[str, _First] = {}
        self._lost: set[int] = set()
        """Which contents went out on a kept connection that was closed just then, by their hashes."""

    async def again(self, url: str, content: bytes) -> Arrived | httpx2.Response | None:
        """The response to another request like the SDK's first to `url`, with its body to be read.

        None: there is no first yet, or something is wanted that only the SDK and its transport do, which is
        to go through a proxy or to write a log. Raises `httpx2.HTTPStatusError` for a refusal, and
        `ConnectionLost` where a kept connection was closed as the request went out: the next with this
        content goes over one made for it, so that the second loss is the request's own.
        """
        first = self._firsts.get(url)
        session = None if first is None else first.session()
        if first is None or session is None or _logged():
            return None
        if self.is_closed:
            raise RuntimeError(_CLOSED)
        alone = bool(self._lost) and hash(content) in self._lost
        self._lost.discard(hash(content) if alone else 0)
        _kept.set(False)
        began_s = monotonic()
        try:
            response = await session.post(
                first.url,
                headers=first.head_alone if alone else first.head,
                data=content,
                allow_redirects=False,
                auto_decompress=False,
                timeout=_PATIENT,
                # Connections of another name are another's: none was kept for one that is to be alone.
                server_hostname=first.server_name or (first.host if alone else None),
            )
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if not _kept.get() or monotonic() - began_s > _JUST_S:
                raise
            self._lost.add(hash(content))
            lost = ConnectionLost(
                f"{first.host}: a kept connection was closed as the request went out: {type(error).__name__}"
            )
            lost.kept = True
            raise lost from None
        if response.status < 300 and response.headers.get("content-encoding", "identity") == "identity":
            return Arrived(response)
        request = httpx2.Request("POST", first.url)
        made = httpx2.Response(response.status, headers=response.raw_headers, stream=Arrived(response))
        return (await self._received(made, request)).raise_for_status()

    async def send(self, request: httpx2.Request, *, stream: bool = False, **flow: Any) -> httpx2.Response:
        if flow.get("follow_redirects") or flow.get("auth") is not None:
            return await super().send(request, stream=stream, **flow)
        if self.is_closed:
            raise RuntimeError(_CLOSED)
        transport = self._transport_for_url(request.url)
        if request.method == "POST":
            self._firsts.setdefault(str(request.url), _First(request, transport))
        response = await self._received(await transport.handle_async_request(request), request)
        if not stream and not response.is_closed:
            try:
                await response.aread()
            except BaseException:
                await response.aclose()
                raise
        return response

    async def _received(self, response: httpx2.Response, request: httpx2.Request) -> httpx2.Response:
        """The response as it may be seen: a refusal short, and no key where others look."""
        response.request = request
        response.headers.encoding = _LATIN
        if self.key is not None and (response.status_code >= 300 or _logged()):
            # A server may send back what it got.
            response.headers = httpx2.Headers(
                [(name, scrub(value, [self.key])) for name, value in response.headers.multi_items()],
                encoding=_LATIN,
            )
        return await _cut_short(response, request) if response.status_code >= 300 else response


class _First:
    """What an SDK first sent to one address."""

    __slots__ = ("_transport", "head", "head_alone", "host", "server_name", "url")

    def __init__(self, request: httpx2.Request, transport: Any) -> None:
        self.url = str(request.url)
        self.head = CIMultiDict(request.headers.multi_items())
        self.head.pop("content-length", None)
        self.head_alone = CIMultiDict(self.head)
        self.head_alone["connection"] = "close"
        self.host = request.url.host
        self.server_name = request.extensions.get("sni_hostname")
        self._transport = transport

    def session(self) -> aiohttp.ClientSession | None:
        """What it was sent with; None: through a proxy, or not yet."""
        session = getattr(self._transport, "client", None)
        direct = getattr(self._transport, "proxy", None) is None
        if not direct or not isinstance(session, aiohttp.ClientSession):
            return None
        if _WATCH not in session.trace_configs:
            session.trace_configs.append(_WATCH)
        return session


class Arrived(httpx2.AsyncByteStream):
    """A response of aiohttp's whose head is here: its body as it comes, and its end."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.raw_headers = response.raw_headers

    @property
    def ended(self) -> bool:
        """Whether all of its body is here and was read."""
        return self._response.content.at_eof()

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        content = self._response.content
        while chunk := await content.readany():
            yield chunk

    async def aclose(self) -> None:
        # Of one that was read to its end the connection serves another by now.
        if not self._response.closed:
            self._response.release()
            await self._response.wait_for_close()


def _logged() -> bool:
    return any(log.isEnabledFor(logging.DEBUG) for log in _LOGS)


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
