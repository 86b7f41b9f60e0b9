"""Every exception of the SDKs and their HTTP clients is one of labkit's own errors."""

from __future__ import annotations

import errno
import inspect
import pickle
import ssl
from types import ModuleType, SimpleNamespace

import aiohttp
import anthropic
import httpx2
import openai
import pytest

from labkit.errors import (
    ConnectionFailed,
    ConnectionLost,
    MalformedAnswer,
    ProviderError,
    RateLimited,
    TimedOut,
)
from labkit.keys import Key
from labkit.providers import failures

SECRET = "sk-test-0123456789abcdef"
KEYS = [Key(SECRET, source="the test")]


def exceptions_of(module: ModuleType, root: str) -> list[type[BaseException]]:
    """The exception classes of a package: those it shows, those it keeps, and all their children."""
    found = {
        value
        for part in (
            module,
            getattr(module, "_exceptions", module),
            getattr(module, "client_exceptions", module),
        )
        for value in list(vars(part).values())
        if inspect.isclass(value) and issubclass(value, Exception) and not issubclass(value, Warning)
    }
    queue = list(found)
    while queue:
        for child in queue.pop().__subclasses__():
            if child not in found and child.__module__.startswith(root):
                found.add(child)
                queue.append(child)
    return sorted((one for one in found if one.__module__.startswith(root)), key=lambda one: one.__name__)


ALL = [
    one
    for module, root in (
        (openai, "openai"),
        (anthropic, "anthropic"),
        (httpx2, "httpx2"),
        (aiohttp, "aiohttp"),
    )
    for one in exceptions_of(module, root)
]
NOT_OF_A_CALL = {
    # aiohttp's server and websocket sides, which no call here can meet
    "HTTPException", "WebSocketError", "WSMessageTypeError", "WSServerHandshakeError", "ContentTypeError",
    "TooManyRedirects", "PayloadAccessError", "BadContentDispositionHeader", "BadContentDispositionParam",
    "CookieLoadError", "EofStream", "RequestPayloadError", "NotAppKeyWarning",
}  # fmt: skip


def test_the_walk_finds_the_known_ones() -> None:
    """The list of classes walked is the real one: it holds what each package is known to raise."""
    names = {one.__name__ for one in ALL}
    assert {"RateLimitError", "OverloadedError", "ReadTimeout", "ServerDisconnectedError"} <= names
    assert len(ALL) > 80


@pytest.mark.parametrize("exception", ALL, ids=lambda one: f"{one.__module__}.{one.__name__}")
def test_every_exception_is_mapped(exception: type[BaseException]) -> None:
    """An SDK's new exception class fails this test until somebody says what it means."""
    kind = failures.kind_of(exception)
    if exception.__module__.startswith("aiohttp") and exception.__name__ in NOT_OF_A_CALL:
        return
    assert kind is not None, f"{exception} is not in labkit/providers/failures.py"
    assert kind == failures.BY_STATUS or issubclass(kind, ProviderError)  # type: ignore[arg-type]


def chained(outer: BaseException, inner: BaseException) -> BaseException:
    """`outer`, raised from `inner`."""
    outer.__cause__ = inner
    return outer


def test_the_innermost_cause_decides() -> None:
    """A refused connection that the SDK calls a time-out is a refused connection."""
    request = httpx2.Request("POST", "http://x")
    refused = aiohttp.ClientConnectorError(None, OSError(111, "refused"))  # type: ignore[arg-type]
    error = chained(openai.APITimeoutError(request), chained(httpx2.ConnectTimeout("x"), refused))
    assert type(failures.translate(error, who="x", keys=[])) is ConnectionFailed
    cut = chained(httpx2.ReadError("x"), aiohttp.ClientPayloadError("cut"))
    assert type(failures.translate(cut, who="x", keys=[])) is ConnectionLost
    silent = chained(httpx2.ReadTimeout("x"), aiohttp.SocketTimeoutError("x"))
    assert type(failures.translate(silent, who="x", keys=[])) is TimedOut


def plain_http() -> Exception:
    """What the TLS layer says of a server that speaks plain http."""
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


@pytest.mark.parametrize(
    ("error", "for_good", "said"),
    [
        (plain_http(), True, "speaks plain http, not https. Correct base_url"),
        (httpx2.ProxyError("407 Proxy Authentication Required"), True, "the proxy refuses it (407). Give"),
        # Its request and its history are not looked at, and are only for aiohttp to make.
        (aiohttp.ClientHttpProxyError(None, (), status=403), True, "the proxy refuses it (403). Give"),  # type: ignore[arg-type]
        (httpx2.ProxyError("503 Service Unavailable"), False, "could not be made"),
        (ssl.SSLError(1, "handshake"), False, ""),
    ],
)
def test_an_address_that_can_never_be_reached_is_told_apart(
    error: Exception, for_good: bool, said: str
) -> None:
    """A server without TLS, or a proxy that refuses: no other attempt changes that, and it says what does."""
    found = failures.translate(chained(httpx2.ConnectError("x"), error), who="x", keys=[])
    assert getattr(found, "for_good", False) is for_good
    assert said in str(found)


def test_a_status_error_is_read_as_a_response() -> None:
    """An SDK's status error becomes what its status, body and headers say."""
    response = httpx2.Response(
        429,
        json={"error": {"message": "slow"}},
        headers={"retry-after": "3"},
        request=httpx2.Request("POST", "http://x"),
    )
    error = openai.RateLimitError("x", response=response, body=None)
    found = failures.translate(error, who="acme", keys=[])
    assert isinstance(found, RateLimited)
    assert (found.retry_after_s, found.status, str(found)) == (3.0, 429, "acme answered 429: slow")


def test_what_nobody_foresaw_is_an_error_too() -> None:
    """An exception of no known class becomes a malformed answer that names it."""

    class Strange(Exception):
        pass

    found = failures.translate(Strange("huh"), who="acme", keys=[])
    assert type(found) is MalformedAnswer
    assert "Strange" in str(found)
    assert "huh" in str(found)


def test_a_circle_of_causes_ends() -> None:
    """Exceptions that cause each other are walked once."""
    one, other = ValueError("1"), ValueError("2")
    one.__cause__, other.__cause__ = other, one
    assert isinstance(failures.translate(one, who="x", keys=[]), ProviderError)


@pytest.mark.parametrize("sdk", [openai, anthropic])
def test_no_key_survives_translation(sdk: ModuleType) -> None:
    """Neither message, raw text, headers nor pickle of the error hold any piece of the key."""
    request = httpx2.Request("POST", "http://x", headers={"authorization": f"Bearer {SECRET}"})
    response = httpx2.Response(
        401, text=f"bad key {SECRET}, tail {SECRET[-10:]}", headers={"x-echo": SECRET}, request=request
    )
    error = sdk.AuthenticationError(f"bad {SECRET}", response=response, body=None)
    found = failures.translate(error, who="x", keys=KEYS)
    shown = repr([found, str(found), found.raw, found.headers, vars(found)]) + repr(pickle.dumps(found))
    assert not [SECRET[i : i + 8] for i in range(len(SECRET) - 7) if SECRET[i : i + 8] in shown]
    local = chained(httpx2.LocalProtocolError("x"), ValueError(f"Illegal header value b'Bearer {SECRET}'"))
    assert SECRET[3:11] not in str(failures.translate(local, who="x", keys=KEYS))


@pytest.mark.parametrize(
    ("host", "words", "here"),
    [
        ("127.0.0.1", "[Errno 111] Connect call failed ('127.0.0.1', 9)", True),
        ("localhost", "Multiple exceptions: [Errno 111] Connect … , [Errno 111] Connect …", True),
        ("::1", "[Errno 111] Connect call failed", True),
        ("far.example", "[Errno 111] Connect call failed", False),
    ],
)
def test_a_closed_port_is_told_by_its_address(host: str, words: str, here: bool) -> None:
    """Nothing listens: the address is in the words, what to do, and whether it is this machine's; also where
    a name has several addresses, none of which answers."""
    several = words.startswith("Multiple")
    key = SimpleNamespace(host=host, port=9, ssl=None)
    cause = OSError(words) if several else OSError(errno.ECONNREFUSED, words)
    refused = aiohttp.ClientConnectorError(key, cause)  # type: ignore[arg-type] # all that is read of a key
    found = failures.translate(chained(httpx2.ConnectTimeout("x"), refused), who="x", keys=[])
    assert type(found) is ConnectionFailed
    assert f"nothing listens at {f'[{host}]' if ':' in host else host}:9" in str(found)
    assert "correct base_url" in str(found)
    assert found.nobody_here is here


def test_a_name_of_which_one_address_is_only_slow_is_not_told_as_closed() -> None:
    """Where one of several addresses failed otherwise, something may listen there."""
    key = SimpleNamespace(host="localhost", port=9, ssl=None)
    mixed = OSError("Multiple exceptions: [Errno 111] Connect …, [Errno 101] Network is unreachable")
    refused = aiohttp.ClientConnectorError(key, mixed)  # type: ignore[arg-type] # all that is read of a key
    found = failures.translate(refused, who="x", keys=[])
    assert not found.nobody_here


def test_a_closed_proxy_is_told_as_one() -> None:
    """The address that nobody answers at is the proxy's, and the advice is about that."""
    key = SimpleNamespace(host="127.0.0.1", port=3128, ssl=None)
    cause = OSError(errno.ECONNREFUSED, "refused")
    refused = aiohttp.ClientProxyConnectionError(key, cause)  # type: ignore[arg-type] # all that is read of a key
    found = failures.translate(refused, who="x", keys=[])
    assert "nothing listens at 127.0.0.1:3128" in str(found)
    assert "NO_PROXY" in str(found)
