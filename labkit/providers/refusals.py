"""What an HTTP status, or an `error` payload, means in labkit's own errors, for both dialects.

Reads statuses, headers and JSON; knows no SDK and no socket. How a body is read stands in `refusal_body`,
which error it is in `refusal_kinds`, when to ask again in `reset_times`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from labkit.errors import (
    AuthenticationFailed,
    InvalidRequest,
    Overloaded,
    ProviderError,
    QuotaExceeded,
    RateLimited,
)
from labkit.providers import refusal_body, refusal_kinds
from labkit.providers.refusal_body import Told, kept, plain
from labkit.providers.reset_times import again_in_s

_SHOWN_CHARS = 500
_RAW_CHARS = 4000
_ERROR_TYPE = "x-amzn-errortype"
_RETRY_AFTER = ("retry-after", "retry-after-ms", "date")
_UNPAID = (RateLimited, QuotaExceeded, AuthenticationFailed, InvalidRequest)
"""Kinds of refusal that come before any work was done, unless a part of the answer was there."""
_NOT_STREAMED = "To ask without a stream give the model stream=False."
_NEGATED = r"(\bnot\b|n['’]t\b|\bunsupported\b)"
_NO_STREAM = re.compile(rf"\bstream(ing)?\b.*{_NEGATED}|{_NEGATED}.*\bstream(ing)?\b", re.IGNORECASE)
_ADVICE = (
    (re.compile(r"\bstream_options\b"), "To ask without them give the model stream_options=False."),
    (re.compile(r"\bstream\b", re.IGNORECASE), _NOT_STREAMED),
    (_NO_STREAM, _NOT_STREAMED),
)
_OF_ONE = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|[\w-]*\d[\w-]*")
"""What in a message is of one request only: numbers, ids of letters and digits, and what is quoted."""
_OF_ITS_LENGTH = re.compile(r"context|too long|too large|string_?above|exceeds? the", re.IGNORECASE)
_OF_THE_MODEL = re.compile(
    r"\b(model|deployment)s?:?(/\S+|\s+\S*[^\s:])?\s+((\w+\s+){0,2}not\s+(be\s+)?(found|available|supported|exist)\b"
    r"|doesn['’]t exist|(is|was|has been)\s+(unknown|invalid|decommissioned|retired))"
    r"|(unknown|invalid|no such|unsupported) model\b"
    r"|(model|deployment)_?not_?(found|exist|available|supported)|model_?decommissioned",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"['\"`]([A-Za-z_]\w*)['\"`]|^([A-Za-z_]\w*)[.:\[]"
    r"|\b(?:parameter|argument|field|property|option|key)s?(?: supplied)?:? \[?([A-Za-z_]\w*)",
    re.IGNORECASE,
)
"""What a message quotes, begins with, or calls a parameter."""
# The provider may have answered after the gateway in front of it gave up waiting.
_MAYBE_PAID = frozenset({408, 499, 504, 524})


def from_status(status: int, body: str, headers: Mapping[str, str], *, who: str) -> ProviderError:
    """The error for a response whose status is not 200. `who` names the endpoint in the message."""
    headers = kept(headers)
    told = _told(body, headers)
    kind = _kind(status, told, headers)
    shown = told.said[:_SHOWN_CHARS] or "without a word"
    location = headers.get("location")
    if 300 <= status < 400 and location:
        shown = f"redirects elsewhere, which is not followed; give the final base_url ({location[:200]})"
    return _named(
        told,
        kind(
            f"{who} answered {status}: {shown}{_advice(kind, told)}",
            status=status,
            retry_after_s=_again_in_s(kind, headers, told),
            headers=headers,
            raw=body[:_RAW_CHARS] or None,
            maybe_paid=True if status in _MAYBE_PAID else None,
        ),
    )


def from_payload(payload: bytes, headers: Mapping[str, str], *, who: str, begun: bool) -> ProviderError:
    """The error for what stands in place of an answer behind a status of 200, or of its rest (`begun`).

    Its own code decides, be it a status or a word; `headers` are those of the response, and a gateway may
    tell those of the provider behind it in the payload.
    """
    text = payload.decode("utf-8", "replace")
    headers = kept(headers)
    told = _told(text, headers)
    all_headers = {**headers, **told.headers}
    kind = _kind(told.status, told, all_headers)
    how = "broke off with an error" if begun else "answered 200 with an error"
    return _named(
        told,
        kind(
            f"{who} {how}: {told.said[:_SHOWN_CHARS]}{_advice(kind, told)}",
            status=told.status or 200,
            retry_after_s=_again_in_s(kind, all_headers, told),
            headers=all_headers,
            raw=text[:_RAW_CHARS],
            maybe_paid=begun or kind not in _UNPAID,
        ),
    )


def is_one(payload: bytes) -> bool:
    """Whether a JSON object that is no part of an answer says what went wrong: an error, or a code of one.

    >>> is_one(b'{"code": 429, "message": "slow down"}'), is_one(b'{"type": "status", "message": "loading"}')
    (True, False)
    """
    told = refusal_body.read(payload)
    return bool(told.status) or refusal_kinds.is_known(told) or refusal_body.is_error(payload)


def _told(body: str, headers: Mapping[str, str]) -> Told:
    """What is told in the body and beside it; a body of no known shape is all words."""
    told = refusal_body.read(body)
    codes = (*told.codes, headers[_ERROR_TYPE]) if _ERROR_TYPE in headers else told.codes
    return told._replace(said=told.said or body.strip(), codes=codes)


def _kind(status: int, told: Told, headers: Mapping[str, str]) -> type[ProviderError]:
    waits = again_in_s({**told.headers, **headers}, told.body, told.said)
    asked = again_in_s({name: headers[name] for name in _RETRY_AFTER if name in headers})
    return refusal_kinds.of(status, told, waits=bool(waits), asked_to_wait=asked is not None)


def _again_in_s(kind: type[ProviderError], headers: Mapping[str, str], told: Told) -> float | None:
    body, said = (told.body, told.said) if kind in (RateLimited, Overloaded) else (None, "")
    return again_in_s({**told.headers, **headers}, body, said)


def _named(told: Told, error: ProviderError) -> ProviderError:
    """`error`, and where it is of the request: of which kind it is, and what it names."""
    if isinstance(error, InvalidRequest):
        codes = " ".join(map(plain, told.codes))
        error.alike = f"{error.status} {codes} {told.param} {_OF_ONE.sub('#', told.said)[:_SHOWN_CHARS]}"
        if not _OF_ITS_LENGTH.search(f"{codes} {told.said}"):
            error.names = frozenset(_names(codes, told))
    return error


def _names(codes: str, told: Told) -> Iterable[str]:
    if _OF_THE_MODEL.search(f"{codes} {told.said}"):
        yield "model"
    if _NO_STREAM.search(told.said):
        yield "stream"
    if told.param:
        yield re.split(r"[.\[]", told.param)[0]
    # These two are words that rows have as well.
    yield from {name for found in _NAMED.findall(told.said) for name in found} - {"", "model", "stream"}


def _advice(kind: type[ProviderError], told: Told) -> str:
    if kind not in (InvalidRequest, AuthenticationFailed):
        return ""
    return next((f" {advice}" for words, advice in _ADVICE if words.search(f"{told.param} {told.said}")), "")
