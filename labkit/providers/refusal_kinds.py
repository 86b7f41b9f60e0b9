"""Which of labkit's errors a refusal is: by its status, the codes of its body and its words.

A status that tells what is wrong decides (401, 402, 503 …); of one that says little (400, 403, 500, and the
200 of an answer that never came) the body's own account does: first a code that names the cause, then its
words, last a code that says no more than a status does. What it quotes is not its own words. Adding to the
lists is all that another provider's words for the same need.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from labkit.errors import (
    AuthenticationFailed,
    InvalidRequest,
    MalformedAnswer,
    Overloaded,
    ProviderError,
    QuotaExceeded,
    RateLimited,
)
from labkit.providers.refusal_body import Told, plain

Kind = type[ProviderError]

_CODES: dict[Kind, str] = {
    QuotaExceeded: """
        insufficient_quota billing_hard_limit_reached billing_not_active billing_error
        payment_required credit_balance_too_low insufficient_credits insufficient_balance insufficient_funds
        exceeded_current_quota_error account_overdue_error arrearage
    """,
    RateLimited: """
        rate_limit rate_limit_error rate_limit_exceeded rate_limit_reached rate_limited too_many_requests
        too_many_requests_error too_many_requests_exception
        throttling throttled throttling_exception resource_exhausted engine_overloaded_error slow_down
        requests_limit_exceeded model_rate_limit_exceeded
    """,
    Overloaded: """
        overloaded_error overloaded engine_overloaded timeout_error timeout service_unavailable
        service_unavailable_error service_unavailable_exception
        unavailable_error unavailable internal_failure internal_server_exception bad_gateway
        gateway_timeout deadline_exceeded model_overloaded server_overloaded model_not_ready_exception
        model_timeout_exception capacity_exceeded
    """,
    AuthenticationFailed: """
        authentication_error invalid_api_key unauthorized unauthenticated
        invalid_authentication invalid_authentication_error expired_token
        unrecognized_client_exception incorrect_api_key missing_api_key api_key_invalid api_key_expired
        api_key_service_blocked key_invalid key_expired account_deactivated
    """,
    InvalidRequest: """
        exceed_context_size_error
        request_too_large invalid_prompt invalid_image invalid_image_format invalid_base64_image
        invalid_image_url image_too_large image_too_small image_parse_error image_content_policy_violation
        invalid_image_mode image_file_too_large unsupported_image_media_type empty_image_file
        failed_to_download_image image_file_not_found bio_policy misalignment_policy_violation
        data_residency_mismatch invalid_parameter invalid_parameter_error unsupported_parameter
        unsupported_value context_length_exceeded string_above_max_length model_not_found model_not_exist
        content_policy_violation content_filter data_inspection_failed
    """,
}
_VAGUE_CODES: dict[Kind, str] = {
    Overloaded: """
        server_error internal_error internal_server_error api_error internal upstream_error provider_error
    """,
    AuthenticationFailed: """
        permission_error permission_denied forbidden access_denied access_denied_exception invalid_token
    """,
    InvalidRequest: """
        invalid_request_error invalid_request not_found_error not_found bad_request bad_request_error
        invalid_argument validation validation_error validation_exception unprocessable_entity
        failed_precondition out_of_range method_not_allowed
    """,
}
"""They say no more than a status does."""


def _by_name(table: dict[Kind, str]) -> dict[str, Kind]:
    return {code.replace("_", ""): kind for kind, codes in table.items() for code in codes.split()}


_OF_CODE, _OF_VAGUE_CODE = _by_name(_CODES), _by_name(_VAGUE_CODES)


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_KEY = r"(api|secret|access)\W?keys?\b"
_BAD = r"invalid|not valid|incorrect|missing|expired|wrong|revoked|disabled|no|not found|required|deactivated"
_LOADING = _words(r"\bloading\b")
_OF_A_QUOTA = _words(
    r"exceeded your current quota|\bquota exceeded\b",
    r"\b(daily|weekly|monthly|spending|usage)( \w+){0,3} (limits?|quota)\b",
)
"""It may be there again tomorrow, or in a minute: where a moment is told it is waited for."""
_OF_WORDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        QuotaExceeded,
        _words(
            r"credit balance is too low",
            r"\b(insufficient|not enough|out of) (credits?|(account )?balance|funds|quota)\b",
        ),
    ),
    (RateLimited, _words(r"\brate limit", r"too many requests", r"\bthrottl(ed|ing)\b")),
    (
        AuthenticationFailed,
        _words(
            rf"\b({_BAD})( \w+)? {_KEY}",
            rf"\b{_KEY}( \w+){{0,4}} ({_BAD})\b",
            r"\bno auth credentials\b|\bunauthori[sz]ed\b|\bauthentication (error|failed)\b|\blogin fail",
        ),
    ),
    (
        Overloaded,
        _words(
            r"overloaded|\bservice( is)?( \w+)? unavailable|\binternal (server )?error|\bbad gateway",
            r"\bcapacity( \w+)? exceeded|\b(at|over|out of|no) capacity|\bout of memory",
            r"\bunexpectedly stopped|\bmodel( is)?( \w+)? (unloaded|loading)\b",
        ),
    ),
    (
        InvalidRequest,
        _words(r"\bcontext (length|window|size)\b", r"\bvalidation error\b", r"\bunsupported parameter\b"),
    ),
)
"""In the order in which they are looked for."""
_PER_MINUTE = _words(r"per (second|minute)\b|\b[rt]pm\b")
"""Such a quota is soon there again."""
_OF_CONTENT = _words(
    r"\bmoderat|\bguard ?rail|\bsafety\b|\bflagged\b|\bcontent (was |is )?(filter|polic|block|violat)",
    r"\b(input|prompt|request|message|text|image)s? (\w+ ){0,2}(contain|violat|block|reject)",
    r"\b(usage|content) (guidelines|policy)\b",
)
_OF_THE_ACCOUNT = _words(
    r"\b(account|organi[sz]ation|access|user|subscription|project) (\w+ ){0,4}"
    r"(suspend|terminat|disabl|deactivat|ban|block|flag|restrict|revok)"
)
_TOO_LARGE = re.compile(
    r"\blimit:? ([\d,]*\d)(?!\.?\w).{0,40}?\brequested:? ([\d,]*\d)(?!\.?\w)", re.IGNORECASE
)
_QUOTED = re.compile(r"(?<!\w)'[^']*'|\"[^\"]*\"|`[^`]*`|(?<!\w)‘[^’]*’|“[^”]*”")
_SEPARATORS = re.compile(r"[_\-\s]+")
_VAGUE = frozenset({400, 403, 404, 406, 409, 412, 422, 424, 498, 500})
"""Statuses that servers give for whatever went wrong."""


class Account(NamedTuple):
    """What a body tells of its cause."""

    code: Kind | None
    words: Kind | None
    vague: Kind | None
    text: str
    """Its codes and its own words."""

    @property
    def own(self) -> Kind | None:
        """What it is by the cause it names; credit that is used up counts wherever it stands."""
        return QuotaExceeded if QuotaExceeded in (self.code, self.words) else self.code or self.words


def of(status: int, told: Told, *, waits: bool, asked_to_wait: bool) -> Kind:
    """Which error it is. A status of 0 is the one of an answer, 200.

    `waits`: a moment is told, anywhere, at which to ask again; `asked_to_wait`: it is told in `Retry-After`.
    """
    account = _account(told)
    own = account.own
    if status in _VAGUE and told.status:
        status = told.status
    if _more_than_the_limit(told.said):
        # It can never pass, however long it waits.
        return InvalidRequest
    if own is not QuotaExceeded and _OF_A_QUOTA.search(account.text):
        own = RateLimited if waits or _PER_MINUTE.search(account.text) else QuotaExceeded
    if status == 402 or own is QuotaExceeded:
        return QuotaExceeded
    if status == 403:
        return _forbidden(account, own, asked_to_wait)
    if status == 0:
        return own or account.vague or MalformedAnswer
    return own if own is not None and status in _VAGUE else _of_status(status)


def is_known(told: Told) -> bool:
    """Whether its codes or words are known for an error's. That a model is loading may be a mere notice."""
    account = _account(told)
    by_words = account.words is not None and not _LOADING.search(account.text)
    return by_words or account.code is not None or account.vague is not None


def _forbidden(account: Account, own: Kind | None, asked_to_wait: bool) -> Kind:
    """It may be the key, the speed, or what this one request says."""
    if own is not None:
        return own
    if _OF_CONTENT.search(account.text) and not _OF_THE_ACCOUNT.search(account.text):
        return InvalidRequest
    return RateLimited if asked_to_wait else AuthenticationFailed


def _of_status(status: int) -> Kind:
    if status in (401, 403):
        return AuthenticationFailed
    if status == 429:
        return RateLimited
    if status in (408, 409, 424, 425, 498, 499) or (status >= 500 and status not in (501, 505)):
        return Overloaded
    return InvalidRequest if status >= 300 else MalformedAnswer


def _account(told: Told) -> Account:
    names = [plain(code) for code in told.codes]
    text = _SEPARATORS.sub(" ", _QUOTED.sub("#", " ".join((*told.codes, told.said))))
    return Account(
        code=_first(_OF_CODE, names),
        words=next((kind for kind, words in _OF_WORDS if words.search(text)), None),
        vague=_first(_OF_VAGUE_CODE, names),
        text=text,
    )


def _first(table: dict[str, Kind], names: list[str]) -> Kind | None:
    known = [table[name] for name in names if name in table]
    return QuotaExceeded if QuotaExceeded in known else next(iter(known), None)


def _more_than_the_limit(said: str) -> bool:
    found = _TOO_LARGE.search(said)
    limit, asked = (int(number.replace(",", "")) for number in found.groups()) if found else (1, 0)
    return asked > limit
