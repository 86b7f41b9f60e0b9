"""When a limit ends or a provider may be asked again, in any of the ways it is told.

In `Retry-After`, in headers that tell of a reset, in the body or in its words; as seconds, as a span
(`1m30s`), as a moment or as seconds or milliseconds since 1970. Moments are taken against the response's own
`date`, where it has one, so that a wrong clock here does not matter. Whether and how long to wait is the
engine's decision.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

from labkit.providers.refusal_body import parsed

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(
    r"(\d+(?:\.\d+)?)\s*(ms|milli(?:second)?s?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z])",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"(\d{1,3}):(\d\d):(\d\d)")
_BETWEEN = re.compile(r"[\s,]*(?:and\s*)?")
_SAID = re.compile(
    r"\b(?:again|retry|retrying|try|wait|resets?|available|(?:next|another) request|reset[a-z ]*)\s+"
    r"(?:(?:in|after|for|at least|about|another)\s+){0,3}(?=\d)",
    re.IGNORECASE,
)
_SAID_AT = re.compile(
    r"\b(?:again|resets?|reset time|available|until|retry)\s*(?:is|at|on|after|:|until)*\s*"
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|\s?UTC|[+-]\d\d:?\d\d)?)",
    re.IGNORECASE,
)
_RESET = re.compile(r"rate-?limit.*(reset|timeremaining)")
"""Headers that tell of a reset; beside each may stand what is `remaining` of the same limit."""
_DRAFT = re.compile(r"\b(?:r|remaining)=0\b.*?\b(?:t|reset)=(\d+)")
"""The header `RateLimit` of the IETF's drafts: nothing is left, for so many seconds."""
_FIELDS = {
    "retrydelay", "retryafter", "retryafters", "retryafterseconds", "resetat", "resetsat", "resettime",
    "resetsinseconds", "estimatedtime", "resetinseconds", "resetafter", "ratelimitreset",
    "xratelimitreset", "reset",
}  # fmt: skip
_FIELDS_MS = {"retryafterms", "resetinms", "resetms"}
_DEPTH = 6
_SECONDS, _MILLISECONDS = 1e9, 1e12
"""Numbers from here on are no spans, but moments since 1970 in seconds, in milliseconds."""


def again_in_s(headers: Mapping[str, str], body: Any = None, said: str = "") -> float | None:
    """How long a refusal asks to wait, in seconds; None where it does not say, or says nonsense.

    `body` is the parsed JSON, `said` its message.

    >>> again_in_s({"retry-after": "1.5"}), again_in_s({"retry-after": "-1"})
    (1.5, None)
    >>> again_in_s({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1m30s"})
    90.0
    >>> again_in_s({}, said="Please try again in 6m0.5s.")
    360.5
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    date = headers.get("date")
    if (told := headers.get("retry-after")) is not None:
        found = seconds_until(told, date)
        if found is None:
            # Two servers, one after the other, may each have written theirs.
            found = seconds_until(told.partition(",")[0], date)
        if found is not None:
            return found
    waits = [*_of_headers(headers, date), *_of_body(body, date), *_of_words(said, date)]
    return next((wait_s for wait_s in waits if wait_s is not None and wait_s > 0), None)


def seconds_until(text: str | float | None, date: str | None) -> float | None:
    """Seconds to a moment, told as a span (`6m0s`, `20ms`), as seconds, or as the moment itself.

    >>> seconds_until("6m0s", None), seconds_until("1764244800", "Thu, 27 Nov 2025 11:59:00 GMT")
    (360.0, 60.0)
    """
    if text is None:
        return None
    number = _number(text)
    if number is not None:
        if number < _SECONDS:
            return number
        number = number / 1000 if number >= _MILLISECONDS else number
        return max(0.0, number - _now(date).timestamp())
    text = str(text).strip()
    span_s, end = _span(text, 0)
    if span_s is not None and end == len(text):
        return span_s
    if (clock := _CLOCK.fullmatch(text)) is not None:
        return sum(float(part) * unit_s for part, unit_s in zip(clock.groups(), (3600, 60, 1), strict=True))
    if text[:1] in "Pp" and text[1:2] in tuple("Tt0123456789"):
        # The spans of ISO 8601 are the same but for their letters.
        return seconds_until(re.sub("[PT]", "", text.upper()), date)
    moment = _moment(parsedate_to_datetime, text) or _moment(
        datetime.fromisoformat, text.replace(" UTC", "Z")
    )
    return None if moment is None else max(0.0, (moment - _now(date)).total_seconds())


def _of_headers(headers: Mapping[str, str], date: str | None) -> Iterator[float | None]:
    used_up: list[float] = []
    unsure: list[float] = []
    for name in sorted((name for name in headers if _RESET.search(name)), key=len):
        wait_s = seconds_until(headers[name], date)
        left = headers.get(re.sub("reset(-after)?|timeremaining", "remaining", name))
        if wait_s is not None and not _number(left):
            (unsure if left is None else used_up).append(wait_s)
    # Where several are used up the last decides; where something is left, it was another that refused.
    yield max(used_up, default=None)
    yield from unsure
    if (draft := _DRAFT.search(headers.get("ratelimit", ""))) is not None:
        yield float(draft[1])


def _of_body(body: Any, date: str | None, depth: int = 0) -> Iterator[float | None]:
    if depth > _DEPTH:
        return
    if isinstance(body, list):
        for one in body[:20]:
            yield from _of_body(one, date, depth + 1)
    elif isinstance(body, str) and body[:1] == "{":
        yield from _of_body(parsed(body), date, depth + 1)
    elif isinstance(body, dict):
        for name, value in body.items():
            plain = "".join(filter(str.isalnum, str(name))).casefold()
            if plain in _FIELDS and isinstance(value, str | int | float):
                yield seconds_until(value, date)
            elif plain in _FIELDS_MS and (number := _number(value)) is not None:
                yield number / 1000
            else:
                yield from _of_body(value, date, depth + 1)


def _of_words(said: str, date: str | None) -> Iterator[float | None]:
    for found in _SAID.finditer(said):
        yield _span(said, found.end())[0]
    if (at := _SAID_AT.search(said)) is not None:
        yield seconds_until(at[1], date)


def _span(text: str, begin: int) -> tuple[float | None, int]:
    """The span that is written from there on, in seconds, and where it ends."""
    total, end = None, begin
    while (part := _SPAN.match(text, end)) is not None:
        unit = part[2].lower()
        total = (total or 0.0) + float(part[1]) * _UNIT_S["ms" if unit.startswith(("ms", "mil")) else unit[0]]
        following = _BETWEEN.match(text, part.end())
        end = following.end() if following and _SPAN.match(text, following.end()) else part.end()
    return total, end


def _number(told: Any) -> float | None:
    try:
        value = float(told)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if isfinite(value) and value >= 0 else None


def _now(date: str | None) -> datetime:
    return _moment(parsedate_to_datetime, date or "") or datetime.now(UTC)


def _moment(read: Callable[[str], datetime], text: str) -> datetime | None:
    try:
        moment = read(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
