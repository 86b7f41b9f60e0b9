"""What an HTTP status, or an `error` payload, means in labkit's own errors, for both dialects.

Reads statuses, headers and JSON; knows no SDK and no socket. When to ask again stands in `reset_times`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from labkit.errors import (
    AuthenticationFailed,
    InvalidRequest,
    MalformedAnswer,
    Overloaded,
    ProviderError,
    QuotaExceeded,
    RateLimited,
)
from labkit.providers import lenient
from labkit.providers.lenient import count
from labkit.providers.reset_times import again_in_s

_SHOWN_CHARS = 500
_RAW_CHARS = 4000
_HOMES = ("error", "errors", "base_resp")
_CODES = (
    "code", "status", "status_code", "statusCode", "error_code", "errorCode", "Code",
    "type", "__type", "reason",
)  # fmt: skip
_FINE = frozenset({"", "0", "200", "ok", "none", "null", "false", "success", "succeeded"})
"""What stands in the place of an error or its code where there is none."""
_WORDS = ("message", "detail", "status_msg", "error_msg", "errorMessage", "Message", "msg", "title")

_MEANS: dict[type[ProviderError], str] = {
    QuotaExceeded: """
        insufficient_quota billing_hard_limit_reached billing_not_active billing_error quota_exceeded
        payment_required credit_balance_too_low insufficient_credits insufficient_balance insufficient_funds
        exceeded_current_quota_error account_overdue_error arrearage
    """,
    RateLimited: """
        rate_limit rate_limit_error rate_limit_exceeded rate_limit_reached rate_limited too_many_requests
        throttling throttled throttling_exception resource_exhausted engine_overloaded_error slow_down
        requests_limit_exceeded model_rate_limit_exceeded
    """,
    Overloaded: """
        overloaded_error overloaded engine_overloaded server_error internal_error internal_server_error
        api_error timeout_error timeout service_unavailable service_unavailable_error
        service_unavailable_exception
        unavailable_error unavailable internal internal_failure internal_server_exception bad_gateway
        gateway_timeout deadline_exceeded model_overloaded server_overloaded model_not_ready_exception
        model_timeout_exception upstream_error provider_error
    """,
    AuthenticationFailed: """
        authentication_error invalid_api_key permission_error permission_denied unauthorized unauthenticated
        invalid_authentication invalid_authentication_error invalid_token expired_token forbidden
        access_denied
        access_denied_exception unrecognized_client_exception incorrect_api_key missing_api_key
        api_key_invalid
    """,
    InvalidRequest: """
        invalid_request_error invalid_request not_found_error not_found exceed_context_size_error
        request_too_large invalid_prompt invalid_image invalid_image_format invalid_base64_image
        invalid_image_url image_too_large image_too_small image_parse_error image_content_policy_violation
        invalid_image_mode image_file_too_large unsupported_image_media_type empty_image_file
        failed_to_download_image image_file_not_found bio_policy misalignment_policy_violation
        data_residency_mismatch bad_request bad_request_error invalid_argument invalid_parameter
        invalid_parameter_error unsupported_parameter unsupported_value validation_error validation_exception
        context_length_exceeded string_above_max_length model_not_found model_not_exist
        content_policy_violation unprocessable_entity failed_precondition out_of_range method_not_allowed
    """,
}
_BY_CODE = {code.replace("_", ""): kind for kind, codes in _MEANS.items() for code in codes.split()}
_BY_WORDS: tuple[tuple[type[ProviderError], tuple[str, ...]], ...] = (
    (
        QuotaExceeded,
        (
            "credit balance is too low",
            "exceeded your current quota",
            "insufficient credits",
            "insufficient balance",
        ),
    ),
    (RateLimited, ("rate limit", "too many requests")),
    (AuthenticationFailed, ("no auth credentials", "invalid api key", "incorrect api key", "unauthorized")),
    (Overloaded, ("overloaded", "service unavailable", "internal server error", "bad gateway")),
)
"""Read where no code is told."""
_UNPAID = (RateLimited, QuotaExceeded, AuthenticationFailed, InvalidRequest)
"""Kinds of refusal that come before any work was done, unless a part of the answer was there."""
_NOT_STREAMED = "To ask without a stream give the model stream=False."
_ADVICE = (
    (re.compile(r"\bstream_options\b"), "To ask without them give the model stream_options=False."),
    (re.compile(r"\bstream\b", re.IGNORECASE), _NOT_STREAMED),
    (re.compile(r"\bstreaming\b.*\bnot\b|\bnot\b.*\bstreaming\b", re.IGNORECASE), _NOT_STREAMED),
)
_OF_ONE = re.compile(r"\d+|'[^']*'|\"[^\"]*\"|`[^`]*`")
"""What in a message is of one request only: numbers, and what is quoted."""
_OF_ITS_LENGTH = re.compile(r"context|too long|too large|string_?above|exceeds? the", re.IGNORECASE)
_OF_THE_MODEL = re.compile(
    r"model_?not_?(found|exist)|\bmodel\b.{0,120}\b(not (found|exist|available)|does ?n[o']t exist|unknown)"
    r"|(unknown|invalid|no such|unsupported) model",
    re.IGNORECASE | re.DOTALL,
)
_OF_A_PARAM = re.compile(
    r"(?:parameter|value|argument|field|property|option)s?:?\s*['\"`](\w+)['\"`]|^(\w+):\s", re.IGNORECASE
)
_OF_THE_ROW = {"messages", "message", "input", "prompt", "content", "system", "image", "imageurl"}
"""Parameters that are another for each row: a refusal that names one says nothing of the next."""
# The provider may have answered after the gateway in front of it gave up waiting.
_MAYBE_PAID = frozenset({408, 499, 504, 524})


def from_status(status: int, body: str, headers: Mapping[str, str], *, who: str) -> ProviderError:
    """The error for a response whose status is not 200. `who` names the endpoint in the message."""
    told = _read(body)
    kind = _by_status(status, told)
    shown = told.said or body.strip()[:_SHOWN_CHARS] or "without a word"
    location = headers.get("location")
    if 300 <= status < 400 and location:
        shown = f"redirects elsewhere, which is not followed; give the final base_url ({location[:200]})"
    return _named(
        told,
        kind(
            f"{who} answered {status}: {shown[:_SHOWN_CHARS]}{_advice(kind, told)}",
            status=status,
            retry_after_s=_again_in_s(kind, headers, told),
            headers=_kept(headers),
            raw=body[:_RAW_CHARS] or None,
            maybe_paid=True if status in _MAYBE_PAID else None,
        ),
    )


def from_payload(payload: bytes, headers: Mapping[str, str], *, who: str, begun: bool) -> ProviderError:
    """The error for what stands in place of an answer behind a status of 200, or of its rest (`begun`).

    Its own code decides, be it a status or a word; `headers` are those of the response, and a gateway may
    tell those of the provider behind it in the payload.
    """
    told = _read(payload)
    kind = _by_status(told.status, told) if told.status else _by_code(told) or MalformedAnswer
    text = payload.decode("utf-8", "replace")
    all_headers = {**_kept(headers), **told.headers}
    how = "broke off with an error" if begun else "answered 200 with an error"
    return _named(
        told,
        kind(
            f"{who} {how}: {(told.said or text)[:_SHOWN_CHARS]}{_advice(kind, told)}",
            status=told.status or 200,
            retry_after_s=_again_in_s(kind, all_headers, told),
            headers=all_headers,
            raw=text[:_RAW_CHARS],
            maybe_paid=begun or kind not in _UNPAID,
        ),
    )


def _named(told: _Told, error: ProviderError) -> ProviderError:
    """`error`, and where it is of the request: of which kind it is, and what it names."""
    if isinstance(error, InvalidRequest):
        codes = " ".join(map(_plain, told.codes))
        error.alike = f"{error.status} {codes} {told.param} {_OF_ONE.sub('#', told.said)[:_SHOWN_CHARS]}"
        if not _OF_ITS_LENGTH.search(f"{codes} {told.said}"):
            error.names = "model" if _OF_THE_MODEL.search(f"{codes} {told.said}") else _param(told)
    return error


def _param(told: _Told) -> str | None:
    found = _OF_A_PARAM.search(told.said)
    name = told.param or (found[1] or found[2] if found else "")
    return name if name and _plain(name.split(".")[0].split("[")[0]) not in _OF_THE_ROW else None


def is_one(payload: bytes) -> bool:
    """Whether a JSON object that is no part of an answer says what went wrong: an error, or a code of one.

    >>> is_one(b'{"code": 429, "message": "slow down"}'), is_one(b'{"type": "status", "message": "loading"}')
    (True, False)
    """
    told = _read(payload)
    if told.status or _by_code(told):
        return True
    try:
        found = lenient.object_in(payload)
    except (ValueError, RecursionError):
        return False
    error = next((found[name] for name in _HOMES if found.get(name)), None)
    if isinstance(error, list):
        error = error[0]
    if error is not None and not isinstance(error, dict):
        return _plain_word(error) not in _FINE
    codes = {name: value for name in _CODES if (value := (error or found).get(name)) not in (None, "")}
    if error is None:
        # Notices have a type and a status too: only a word for an error makes one of them an error.
        kinds = [str(codes.pop(name, "")).casefold() for name in ("type", "status", "reason")]
        if any("error" in kind or "exception" in kind for kind in kinds):
            return True
    if any(_plain_word(code) in _FINE for code in codes.values()) or _plain_word(told.said) in _FINE - {""}:
        return False
    return bool(codes or error)


def _plain_word(value: Any) -> str:
    return str(value).strip().casefold()


class _Told(NamedTuple):
    """What an error body says, in any of the shapes the dialects' endpoints and gateways use."""

    status: int = 0
    """Of HTTP, by the body's own account; 0: none."""
    codes: tuple[str, ...] = ()
    said: str = ""
    param: str = ""
    headers: Mapping[str, str] = {}
    body: Any = None


def _again_in_s(kind: type[ProviderError], headers: Mapping[str, str], told: _Told) -> float | None:
    body, said = (told.body, told.said) if kind in (RateLimited, Overloaded) else (None, "")
    return again_in_s({**told.headers, **_kept(headers)}, body, said)


def _by_status(status: int, told: _Told) -> type[ProviderError]:
    if status == 402 or _by_code(told) is QuotaExceeded:
        return QuotaExceeded
    if status in (401, 403):
        return AuthenticationFailed
    if status == 429:
        return RateLimited
    if status in (408, 409, 425, 499) or status >= 500:
        return Overloaded
    if status >= 300:
        return InvalidRequest
    return MalformedAnswer


def _by_code(told: _Told) -> type[ProviderError] | None:
    """What its words mean: the first code that is known, or else the message."""
    said = told.said.casefold()
    quota, words = _BY_WORDS[0]
    if any(word in said for word in words):
        return quota
    known = [_BY_CODE[code] for code in map(_plain, told.codes) if code in _BY_CODE]
    if QuotaExceeded in known:
        return QuotaExceeded
    found = next((kind for kind, words in _BY_WORDS if any(word in said for word in words)), None)
    return known[0] if known else found


def _plain(code: str) -> str:
    return "".join(filter(str.isalpha, code)).casefold()


def _advice(kind: type[ProviderError], told: _Told) -> str:
    if kind not in (InvalidRequest, AuthenticationFailed):
        return ""
    return next((f" {advice}" for words, advice in _ADVICE if words.search(f"{told.param} {told.said}")), "")


def _read(body: str | bytes) -> _Told:
    try:
        found: Any = lenient.parsed(body.encode("utf-8", "replace") if isinstance(body, str) else body)
    except (ValueError, RecursionError):
        return _Told()
    if isinstance(found, list) and found:
        found = found[0]
    if not isinstance(found, dict):
        return _Told()
    inner = next((found[name] for name in _HOMES if found.get(name)), found)
    if isinstance(inner, list):
        inner = inner[0]
    if isinstance(inner, str):
        # Some put the word for it beside the message.
        inner = {**found, "message": found.get("message") or inner, "type": inner}
    if not isinstance(inner, dict):
        return _Told()
    codes = [place.get(name) for place in (inner, found) for name in _CODES]
    status = next((number for number in map(count, codes) if number is not None and 300 <= number < 600), 0)
    said = next((inner[name] for name in _WORDS if inner.get(name)), "")
    return _Told(
        status=status,
        codes=tuple(code for code in codes if isinstance(code, str) and _plain(code)),
        said=said if isinstance(said, str) else lenient.written(said),
        param=str(inner.get("param") or ""),
        headers=_passed_on(inner),
        body=found,
    )


def _passed_on(inner: Mapping[str, Any]) -> dict[str, str]:
    """Headers of the provider behind a gateway, as the gateway tells them."""
    beside = inner.get("metadata")
    headers = beside.get("headers") if isinstance(beside, Mapping) else None
    if not isinstance(headers, Mapping):
        return {}
    return _kept({name: str(value) for name, value in headers.items()})


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower() != "set-cookie"}
