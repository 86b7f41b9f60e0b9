"""What an HTTP status, or an `error` payload, means in labkit's own errors, for both dialects.

Reads statuses, headers and JSON; knows no SDK and no socket. `Retry-After` is read here and judged
elsewhere: whether and how long to wait is the engine's decision.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from labkit.errors import (
    AuthenticationFailed,
    InvalidRequest,
    MalformedAnswer,
    Overloaded,
    ProviderError,
    QuotaExceeded,
    RateLimited,
)

_SHOWN_CHARS = 500
_RAW_CHARS = 4000

_QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "billing_error",
        "quota_exceeded",
        "payment_required",
        "credit_balance_too_low",
    }
)
_QUOTA_WORDS = ("credit balance is too low", "exceeded your current quota", "insufficient credits")

_BY_CODE: dict[str, type[ProviderError]] = {
    "rate_limit_error": RateLimited,
    "rate_limit_exceeded": RateLimited,
    "too_many_requests": RateLimited,
    "overloaded_error": Overloaded,
    "overloaded": Overloaded,
    "engine_overloaded": Overloaded,
    "server_error": Overloaded,
    "internal_error": Overloaded,
    "internal_server_error": Overloaded,
    "api_error": Overloaded,
    "timeout_error": Overloaded,
    "service_unavailable": Overloaded,
    "unavailable_error": Overloaded,
    "authentication_error": AuthenticationFailed,
    "invalid_api_key": AuthenticationFailed,
    "permission_error": AuthenticationFailed,
    "invalid_request_error": InvalidRequest,
    "not_found_error": InvalidRequest,
    "exceed_context_size_error": InvalidRequest,
    "request_too_large": InvalidRequest,
    "invalid_prompt": InvalidRequest,
    "invalid_image": InvalidRequest,
    "invalid_image_format": InvalidRequest,
    "invalid_base64_image": InvalidRequest,
    "invalid_image_url": InvalidRequest,
    "image_too_large": InvalidRequest,
    "image_too_small": InvalidRequest,
    "image_parse_error": InvalidRequest,
    "image_content_policy_violation": InvalidRequest,
    "invalid_image_mode": InvalidRequest,
    "image_file_too_large": InvalidRequest,
    "unsupported_image_media_type": InvalidRequest,
    "empty_image_file": InvalidRequest,
    "failed_to_download_image": InvalidRequest,
    "image_file_not_found": InvalidRequest,
    "bio_policy": InvalidRequest,
    "misalignment_policy_violation": InvalidRequest,
    "data_residency_mismatch": InvalidRequest,
}
# The provider may have answered after the gateway in front of it gave up waiting.
_MAYBE_PAID = frozenset({408, 499, 504, 524})


def from_status(status: int, body: str, headers: Mapping[str, str], *, who: str) -> ProviderError:
    """The error for a response whose status is not 200. `who` names the endpoint in the message."""
    code, said = _read(body)
    kind = _by_status(status, code, said)
    shown = said or body.strip()[:_SHOWN_CHARS] or "without a word"
    location = headers.get("location")
    if 300 <= status < 400 and location:
        shown = f"redirects elsewhere, which is not followed; give the final base_url ({location[:200]})"
    return kind(
        f"{who} answered {status}: {shown[:_SHOWN_CHARS]}",
        status=status,
        retry_after_s=retry_after_s(headers),
        headers=_kept(headers),
        raw=body[:_RAW_CHARS] or None,
        maybe_paid=True if status in _MAYBE_PAID else None,
    )


def from_payload(payload: bytes, headers: Mapping[str, str], *, who: str) -> ProviderError:
    """The error for an `error` object that came in the middle of an answer that began well."""
    code, said = _read(payload)
    status = int(code) if code.isdecimal() and len(code) == 3 else 0
    if code in _QUOTA_CODES or any(word in said.lower() for word in _QUOTA_WORDS):
        kind: type[ProviderError] = QuotaExceeded
    else:
        kind = _BY_CODE.get(code) or (_by_status(status, code, said) if status else MalformedAnswer)
    text = payload.decode("utf-8", "replace")
    return kind(
        f"{who} broke off with an error: {(said or text)[:_SHOWN_CHARS]}",
        status=status or 200,
        retry_after_s=retry_after_s(headers),
        headers=_kept(headers),
        raw=text[:_RAW_CHARS],
        maybe_paid=True,
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the provider asks to wait, in seconds; None where it does not say, or says nonsense.

    Reads `retry-after-ms`, then `retry-after` as seconds or as a date. A date is taken against the
    response's own `date`, where it has one, so that a wrong clock here does not matter.

    >>> retry_after_s({"retry-after": "1.5"}), retry_after_s({"retry-after": "-1"})
    (1.5, None)
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return seconds
    until = _date(text)
    if until is None:
        return None
    now = _date(headers.get("date") or "") or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _date(text: str) -> datetime | None:
    try:
        value = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def _by_status(status: int, code: str, said: str) -> type[ProviderError]:
    if status == 402 or code in _QUOTA_CODES or any(word in said.lower() for word in _QUOTA_WORDS):
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


def _read(body: str | bytes) -> tuple[str, str]:
    """The code and the message of an error body, in any of the shapes the dialects' endpoints use."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return "", ""
    if isinstance(found, list) and found:
        found = found[0]
    inner = found.get("error", found) if isinstance(found, dict) else found
    if isinstance(inner, str):
        return "", inner
    if not isinstance(inner, dict):
        return "", ""
    named = [inner.get(name) for name in ("code", "type")]
    known = [str(code) for code in named if code is not None]
    code = next(
        (code for code in known if code in _QUOTA_CODES or code in _BY_CODE), known[0] if known else ""
    )
    said = inner.get("message") or inner.get("detail") or ""
    return code, said if isinstance(said, str) else msgspec.json.encode(said).decode()


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower() != "set-cookie"}
