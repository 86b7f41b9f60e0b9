"""Every exception the SDKs and their HTTP clients can raise, as one of labkit's own errors.

Tables by class name, read along the chain of causes from the innermost outwards: the SDKs' aiohttp
transport reports a refused connection as a time-out, and only the cause below it tells the truth. It
imports no SDK, so it also serves clients it has never seen. What an HTTP status means stands in
`refusals`. The errors made here hold no SDK object: those carry keys into pickles and tracebacks.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Iterator, Sequence

from labkit.endpoints import is_loopback_host
from labkit.errors import (
    AuthenticationFailed,
    CertificateRefused,
    ConnectionFailed,
    ConnectionLost,
    InvalidRequest,
    MalformedAnswer,
    Overloaded,
    ProviderError,
    TimedOut,
)
from labkit.keys import Key, scrub
from labkit.providers import certificates, refusals

BY_STATUS = "its HTTP status decides"
"""In the table: the exception stands for a response, and `refusals` reads it."""

Kind = type[ProviderError] | str

AIOHTTP: dict[str, Kind] = {
    "ConnectionTimeoutError": ConnectionFailed,
    "ClientConnectorError": ConnectionFailed,
    "ClientConnectorDNSError": ConnectionFailed,
    "ClientConnectorCertificateError": CertificateRefused,
    "ClientSSLError": ConnectionFailed,
    "ClientHttpProxyError": ConnectionFailed,
    "SocketTimeoutError": TimedOut,
    "ServerTimeoutError": TimedOut,
    "ServerDisconnectedError": ConnectionLost,
    "ServerFingerprintMismatch": ConnectionFailed,
    # Raised where the request was to be written and the connection was closing: nothing was sent whole.
    "ClientConnectionResetError": ConnectionFailed,
    "ClientOSError": ConnectionLost,
    "ClientConnectionError": ConnectionLost,
    "ClientPayloadError": ConnectionLost,
    "ClientResponseError": MalformedAnswer,
    "InvalidURL": InvalidRequest,
    "ClientError": ConnectionLost,
}

CLIENTS: dict[str, Kind] = {
    # httpx2
    "ConnectTimeout": ConnectionFailed,
    "PoolTimeout": ConnectionFailed,
    "ConnectError": ConnectionFailed,
    "ProxyError": ConnectionFailed,
    "ReadTimeout": TimedOut,
    "WriteTimeout": TimedOut,
    "TimeoutException": TimedOut,
    "ReadError": ConnectionLost,
    "WriteError": ConnectionLost,
    "CloseError": ConnectionLost,
    "NetworkError": ConnectionLost,
    "RemoteProtocolError": ConnectionLost,
    "LocalProtocolError": InvalidRequest,
    "UnsupportedProtocol": InvalidRequest,
    "ProtocolError": ConnectionLost,
    "DecodingError": MalformedAnswer,
    "TooManyRedirects": InvalidRequest,
    "HTTPStatusError": BY_STATUS,
    "TransportError": ConnectionLost,
    "RequestError": ConnectionLost,
    "HTTPError": ConnectionLost,
    "CookieConflict": MalformedAnswer,
    "StreamError": ConnectionLost,
    "StreamConsumed": ConnectionLost,
    "StreamClosed": ConnectionLost,
    "ResponseNotRead": ConnectionLost,
    "RequestNotRead": ConnectionLost,
    # the SDKs
    "APITimeoutError": TimedOut,
    "APIConnectionError": ConnectionLost,
    "APIResponseValidationError": MalformedAnswer,
    "APIWebhookValidationError": MalformedAnswer,
    "APIStatusError": BY_STATUS,
    "APIError": MalformedAnswer,
    "LengthFinishReasonError": MalformedAnswer,
    "ContentFilterFinishReasonError": MalformedAnswer,
    "InvalidWebhookSignatureError": MalformedAnswer,
    "WebSocketConnectionClosedError": ConnectionLost,
    "WebSocketQueueFullError": Overloaded,
    "SubjectTokenProviderError": AuthenticationFailed,
    "CredentialsError": AuthenticationFailed,
    "RetryableError": Overloaded,
    "OpenAIError": InvalidRequest,
    "AnthropicError": InvalidRequest,
}

PYTHON: dict[str, Kind] = {
    # what parsing an answer raises
    "HttpProcessingError": MalformedAnswer,
    "JSONDecodeError": MalformedAnswer,
    "DecodeError": MalformedAnswer,
    "MsgspecError": MalformedAnswer,
    "UnicodeError": MalformedAnswer,
    # what writing a request raises
    "UnicodeEncodeError": InvalidRequest,
    "TypeError": InvalidRequest,
    # what the clients of clouds raise that find no credentials, or not the package that reads them
    "ImportError": InvalidRequest,
    "NoCredentialsError": AuthenticationFailed,
    "PartialCredentialsError": AuthenticationFailed,
    "ProfileNotFound": AuthenticationFailed,
    "SSOError": AuthenticationFailed,
    "GoogleAuthError": AuthenticationFailed,
    "ClientAuthenticationError": AuthenticationFailed,
    "EventTooLarge": MalformedAnswer,
    "FrameBroken": MalformedAnswer,
    # the system's own
    "TimeoutError": TimedOut,
    "gaierror": ConnectionFailed,
    "SSLCertVerificationError": CertificateRefused,
    "ConnectionRefusedError": ConnectionFailed,
    "ConnectionError": ConnectionLost,
    "OSError": ConnectionLost,
}

_PLAIN = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST")
"""OpenSSL's words for an answer that is not encrypted."""
_OF_A_PROXY = ("ClientHttpProxyError", "ProxyError")
_SAID = {
    AuthenticationFailed: "no usable credentials",
    CertificateRefused: "the certificate is not trusted",
    ConnectionFailed: "the connection could not be made",
    ConnectionLost: "the connection broke while the answer was on its way",
    InvalidRequest: "the request could not be sent as it is",
    MalformedAnswer: "what came back is not an answer",
    Overloaded: "too busy",
    TimedOut: "no answer in time",
}


def kind_of(exception: type[BaseException]) -> Kind | None:
    """What the tables say of an exception class: its own line, or its nearest ancestor's."""
    return next((kind for table in (AIOHTTP, CLIENTS, PYTHON) if (kind := _in(table, exception))), None)


def translate(error: BaseException, *, who: str, keys: Sequence[Key]) -> ProviderError:
    """`error` as one of labkit's own, naming `who` was asked and holding no key.

    Raise the result outside the `except` block that caught `error`, so that it is not chained.
    """
    if isinstance(error, ProviderError):
        error.args = (scrub(str(error), keys),)
        error.raw = None if error.raw is None else scrub(error.raw, keys)
        error.headers = {name: scrub(value, keys) for name, value in error.headers.items()}
        # What it was raised for is told in its words.
        error.__cause__ = error.__context__ = None
        return error
    causes = list(_chain(error))[::-1]
    refused = next((one for one in causes if isinstance(one, ssl.SSLCertVerificationError)), None)
    if refused is not None:
        return CertificateRefused(_certificate(refused, causes, who))
    if advice := next(filter(None, map(_wrong_way, causes)), ""):
        failed = ConnectionFailed(f"{who}: {_SAID[ConnectionFailed]}: {advice}")
        failed.for_good = True
        return failed
    if (port := next(filter(None, map(_closed_port, causes)), None)) is not None:
        return _nobody_listens(*port, who)
    for table in (AIOHTTP, CLIENTS, PYTHON):
        for cause in causes:
            kind = _in(table, type(cause))
            if kind == BY_STATUS:
                return _from_response(cause, who=who, keys=keys)
            if isinstance(kind, type):
                said = _words(cause, keys)
                return kind(f"{who}: {_SAID[kind]}: {type(cause).__name__}{f' ({said})' if said else ''}")
    return MalformedAnswer(f"{who}: an unforeseen {type(error).__name__} while asking: {_words(error, keys)}")


def _closed_port(cause: BaseException) -> tuple[str, int, bool] | None:
    """Host and port where nothing listens, and whether they are a proxy's; None: it tells something else."""
    host, port = getattr(cause, "host", None), getattr(cause, "port", None)
    if not isinstance(cause, OSError) or not isinstance(host, str) or not isinstance(port, int):
        return None
    # Of a name with several addresses each was tried; their errors then stand in the words alone.
    tried = str(getattr(cause, "os_error", ""))
    all_refused = 0 < tried.count("[Errno ") == tried.count(f"[Errno {errno.ECONNREFUSED}]")
    if cause.errno != errno.ECONNREFUSED and not all_refused:
        return None
    return host, port, "Proxy" in type(cause).__name__


def _nobody_listens(host: str, port: int, of_a_proxy: bool, who: str) -> ConnectionFailed:
    way = (
        "That is the proxy: correct HTTPS_PROXY or ALL_PROXY, or name the host that is asked in NO_PROXY."
        if of_a_proxy
        else "Start the server that is to answer there, or correct base_url."
    )
    at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    failed = ConnectionFailed(f"{who}: nothing listens at {at} (connection refused). {way}")
    failed.nobody_here = is_loopback_host(host)
    return failed


def _certificate(refused: ssl.SSLCertVerificationError, causes: Sequence[BaseException], who: str) -> str:
    """Whose certificate was refused, why, and what to do."""
    at = next(
        (f"{one.host}:{one.port}" for one in causes if hasattr(one, "host") and hasattr(one, "port")), ""
    )
    why = getattr(refused, "verify_message", "") or str(refused)
    shown = f"{who}: the certificate of {at or 'its address'} is not trusted: {why:.200}."
    return f"{shown} {certificates.advice(refused)}"


def _wrong_way(cause: BaseException) -> str:
    """Why no connection can be made this way, and what to do; nothing where another attempt may succeed."""
    if isinstance(cause, ssl.SSLError) and getattr(cause, "reason", "") in _PLAIN:
        return "what answers there speaks plain http, not https. Correct base_url, or the proxy's address."
    if type(cause).__name__ not in _OF_A_PROXY:
        return ""
    status = str(getattr(cause, "status", "")) or str(cause)[:3]
    if status not in ("401", "403", "407"):
        return ""
    return (
        f"the proxy refuses it ({status}). Give the user and the password that it asks for in HTTPS_PROXY "
        "(http://user:password@host:port), or leave that host out in NO_PROXY."
    )


def _words(error: BaseException, keys: Sequence[Key]) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - some of aiohttp's cannot be written without their connection
        return ""
    return scrub(text[:2000], keys)[:300]


def _in(table: dict[str, Kind], exception: type[BaseException]) -> Kind | None:
    return next((table[kind.__name__] for kind in exception.__mro__ if kind.__name__ in table), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _from_response(error: BaseException, *, who: str, keys: Sequence[Key]) -> ProviderError:
    response = getattr(error, "response", None)
    try:
        body = str(response.text) if response is not None else ""
    except Exception:  # noqa: BLE001 - a body that cannot be read must not hide the refusal itself
        body = ""
    headers = {
        name: scrub(value, keys) for name, value in dict(getattr(response, "headers", None) or {}).items()
    }
    status = int(getattr(response, "status_code", 0) or getattr(error, "status_code", 0) or 500)
    return refusals.from_status(status, scrub(body[:20_000], keys), headers, who=who)
