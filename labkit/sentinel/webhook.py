"""One HTTP request to an address that is itself a secret, and in words why it was not taken.

Neither the address nor a piece of it is in what comes back or in a log; its host may be. The whole takes ten
seconds at most, whatever the server does; redirects are not followed, nothing is tried twice. Certificates
and proxies are those of labkit's calls of models. It knows neither what is sent nor why.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from time import monotonic
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from labkit.endpoints import addresses_of, check_hook, is_loopback_host
from labkit.errors import DefinitionError
from labkit.keys import Key, scrub
from labkit.providers import certificates
from labkit.visible import visible

LIMIT_S = 10.0
_BODY_S = 1.0
"""So long the words of a refusal are waited for: that it is one is known by then."""
_BODY_BYTES = 4096
_TAKEN = (200, 201, 202, 204)
_NOT_COUNTED = re.compile(rb"OK \((not found|rate limited)\)\s*")
"""What healthchecks.io answers, with status 200, to a ping that it does not count."""
_SHORTEST = 4
"""A shorter piece of an address tells nothing and is in every other word."""
_WHY: Sequence[tuple[type[Exception], str]] = (
    (aiohttp.ClientProxyConnectionError, "the proxy cannot be reached. Correct HTTPS_PROXY or ALL_PROXY."),
    (aiohttp.ClientConnectorDNSError, "its host has no address. Correct the name, or look at the network."),
    (aiohttp.ClientSSLError, "no encrypted connection comes about. Is https spoken at that port?"),
    (aiohttp.ClientConnectorError, "no connection comes about. Is the server up, and the port right?"),
    (aiohttp.ClientPayloadError, "it hung up without an answer."),
    (aiohttp.ClientResponseError, "what it answers is not HTTP."),
)
"""The first that fits; the errors' own words may hold the address."""


def request(
    method: str, address: str, *, called: str, allow_host: str | None, content: bytes | None
) -> str | None:
    """Send one request, with or without JSON; why it was not taken, or None.

    `address` stands in the variable `called` and was held to `check_hook` as it is written. May be called
    whether or not an event loop runs in this thread.
    """
    began_s = monotonic()
    parts = urlsplit(address)
    host = parts.hostname or ""
    at = f"{called} ({host})"
    late = f"{at}: it did not answer within {LIMIT_S:g} s."
    try:
        proxy = _proxy(parts.scheme, host, parts.port)
        tls = certificates.context() if "https" in (parts.scheme, proxy and proxy.scheme) else True
    except DefinitionError as error:
        return f"{at}: {' '.join(str(error).split())}"
    told: list[str | None] = []

    def ask() -> None:
        known = {name: addresses_of(name) for name in {host, (proxy and proxy.host) or host}}
        faults = check_hook(address, called=called, allow_host=allow_host, resolve=known.__getitem__)
        left_s = LIMIT_S - (monotonic() - began_s)
        if faults or left_s <= 0:  # nobody waits any longer: what was sent now would count as not sent
            told.append(" ".join(faults) or late)
            return
        sending = _exchange(method, address, content, known=known, proxy=proxy, tls=tls)
        try:
            status, body = asyncio.run(asyncio.wait_for(sending, left_s))
            refused = _refused(status, body, address)
        except TimeoutError:
            refused = f"it did not answer within {LIMIT_S:g} s."
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with a notice must not end a run
            refused = _why(error, called)
        told.append(refused and f"{at}: {refused}")

    # A name server may hold up the thread that asks it, and a notebook's thread has a loop of its own.
    thread = threading.Thread(target=ask, name="labkit-webhook", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return f"{at}: this machine has no thread left to ask it with."
    thread.join(LIMIT_S + _BODY_S)
    return told[0] if told else late


async def _exchange(
    method: str,
    address: str,
    content: bytes | None,
    *,
    known: Mapping[str, Sequence[str]],
    proxy: URL | None,
    tls: ssl.SSLContext | bool,
) -> tuple[int, bytes]:
    """Status of the answer, and the beginning of its body where that says something."""
    # aiohttp would name itself and Python, with their versions, and ask for what has to be unpacked.
    headers = {"User-Agent": f"labkit/{_version()}", "Accept-Encoding": "identity"}
    if content is not None:
        headers["Content-Type"] = "application/json"
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=_Known(known), ssl=tls, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        middlewares=[_once],
        trust_env=False,  # it would read passwords from ~/.netrc, too
    ) as session:
        # As it is written: a signature in it counts every character.
        url = URL(address, encoded=True)
        response = await session.request(
            method, url, data=content, headers=headers, allow_redirects=False, proxy=proxy
        )
        body = b""
        try:
            if method == "GET" or response.status not in _TAKEN:
                with suppress(TimeoutError, aiohttp.ClientError, OSError):
                    body = await asyncio.wait_for(response.content.read(_BODY_BYTES), _BODY_S)
        finally:
            response.close()  # of a body without end the rest is not read
        return response.status, body


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """What aiohttp does for a request, but for its second try of a GET that was cut off."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise aiohttp.ClientPayloadError from None


class _Known(AbstractResolver):
    """Gives the addresses that were looked up and judged, so that none else is gone to."""

    def __init__(self, known: Mapping[str, Sequence[str]]) -> None:
        self._known = known

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        listed = self._known.get(host.lower(), ())  # an address is sent as it is written, also in capitals
        found = [(one, socket.AF_INET6 if ":" in one else socket.AF_INET) for one in listed]
        if not found:
            raise OSError("no address")
        return [
            ResolveResult(
                hostname=host, host=one, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST
            )
            for one, kind in found
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def close(self) -> None:
        """Nothing is open."""


def _proxy(scheme: str, host: str, port: int | None) -> URL | None:
    """The proxy to go through. Raises `DefinitionError` for one that speaks no http."""
    if is_loopback_host(host) or proxy_bypass(f"{host}:{port}" if port else host):
        return None
    proxies = getproxies()
    named = proxies.get(scheme) or proxies.get("all")
    if not named:
        return None
    try:
        found = URL(named if "://" in named else f"http://{named}")
    except ValueError:
        raise DefinitionError("the environment names a proxy whose address cannot be read.") from None
    if found.scheme not in ("http", "https"):
        raise DefinitionError(
            f"the environment names a {visible(found.scheme, limit=20)} proxy; labkit goes through http and "
            "https proxies only. Name one in HTTPS_PROXY, or leave that host out in NO_PROXY."
        )
    return found


def _refused(status: int, body: bytes, address: str) -> str | None:
    """Why an answer means that it was not taken; None: it was."""
    if status in _TAKEN:
        not_counted = _NOT_COUNTED.fullmatch(body)
        return f"it answered: {not_counted[1].decode()}." if not_counted else None
    if 300 <= status < 400:
        return f"it answered {status}, which leads elsewhere. Give the address that it leads to."
    words = visible(_without(body.decode("utf-8", "replace").strip(), address), limit=120)
    return f"it answered {status}{words and f': “{words}”'}."


def _without(text: str, address: str) -> str:
    """`text` without a piece of the address, which servers like to send back."""
    secret = address.partition("://")[2].partition("/")[2]
    pieces = [secret, *(piece for piece in re.split(r"[/?&=]", secret) if len(piece) >= _SHORTEST)]
    return scrub(text, [Key(piece, source="an address") for piece in pieces if piece])


def _why(error: Exception, called: str) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        refused = error.certificate_error
        if isinstance(refused, ssl.SSLCertVerificationError):
            said = visible(refused.verify_message)
            return f"its certificate is not trusted: {said}. {certificates.advice(refused, called=called)}"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy refuses the way there ({error.status})."
    return next(
        (why for kind, why in _WHY if isinstance(error, kind)), f"an unforeseen {type(error).__name__}."
    )


def _version() -> str:
    try:
        return version("labkit")
    except PackageNotFoundError:  # run from its folder
        return "0"
