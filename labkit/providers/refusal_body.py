"""What an error body says, in any of the shapes the dialects' endpoints and the gateways before them use.

Its own status, its codes, its words, the parameter it names and the headers it passes on. It knows no
meaning of any of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from labkit.providers import lenient
from labkit.providers.lenient import count

_HOMES = ("error", "errors", "base_resp", "detail", "x_groq")
_CODES = (
    "code", "status", "status_code", "statusCode", "error_code", "errorCode", "Code",
    "type", "error_type", "__type", "reason",
)  # fmt: skip
_WORDS = ("message", "detail", "status_msg", "error_msg", "errorMessage", "Message", "msg", "title")
_CAUSES = ("details", "detail", "errors", "error", "innererror", "metadata", "raw")
"""Where a body tells of what is behind its error."""
_DEPTH = 4
_ERRORS = ("error", "errors", "base_resp")
_FINE = frozenset({"", "0", "200", "ok", "none", "null", "false", "success", "succeeded"})
"""What stands in the place of an error or its code where there is none."""
_LETTERS = re.compile("[^a-z]+")


class Told(NamedTuple):
    """What an error body says."""

    status: int = 0
    """Of HTTP, by the body's own account; 0: none."""
    codes: tuple[str, ...] = ()
    said: str = ""
    param: str = ""
    headers: Mapping[str, str] = {}
    body: Any = None


def read(body: str | bytes) -> Told:
    """What `body` says; nothing at all where it is no JSON object, nor a list that begins with one.

    >>> read('{"error": {"message": "slow down", "code": "429"}}')[:3]
    (429, (), 'slow down')
    """
    found = parsed(body)
    if isinstance(found, list) and found:
        found = found[0]
    if not isinstance(found, dict):
        return Told()
    inner = _inner(found)
    if inner is None:
        return Told()
    codes = [place.get(name) for place in (inner, found) for name in _CODES]
    status = next((number for number in map(count, codes) if number is not None and 300 <= number < 600), 0)
    said = next((inner[name] for name in _WORDS if inner.get(name)), "")
    texts = [code for code in (*codes, *_behind(found)) if isinstance(code, str) and plain(code)]
    return Told(
        status=status,
        codes=tuple(dict.fromkeys(texts)),
        said=said if isinstance(said, str) else lenient.written(said),
        param=str(inner.get("param") or ""),
        headers=_passed_on(inner),
        body=found,
    )


def is_error(payload: bytes) -> bool:
    """Whether a JSON object tells of an error: by that word, or by a code that is not the one for success.

    >>> is_error(b'{"type": "status", "message": "loading"}'), is_error(b'{"code": 1004, "message": "no"}')
    (False, True)
    """
    found = parsed(payload)
    if not isinstance(found, dict):
        return False
    error = next((found[name] for name in _ERRORS if found.get(name)), None)
    if isinstance(error, list):
        error = error[0]
    if error is not None and not isinstance(error, dict):
        return _word(error) not in _FINE
    codes = {name: value for name in _CODES if (value := (error or found).get(name)) not in (None, "")}
    if error is None:
        # Notices have a type and a status too: only a word for an error makes one of them an error.
        kinds = [str(codes.pop(name, "")).casefold() for name in ("type", "status", "reason")]
        if any("error" in kind or "exception" in kind for kind in kinds):
            return True
    if any(_word(code) in _FINE for code in codes.values()) or _word(read(payload).said) in _FINE - {""}:
        return False
    return bool(codes or error)


def _word(value: Any) -> str:
    return str(value).strip().casefold()


def plain(code: str) -> str:
    """A code without what servers write around it and how they spell it.

    >>> plain("com.amazon.coral#ThrottlingException:http://x/"), plain("rate_limit_exceeded")
    ('throttlingexception', 'ratelimitexceeded')
    """
    return _LETTERS.sub("", code.partition(":")[0].rpartition("#")[2].casefold())


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by their names in small letters, without cookies."""
    return {name.lower(): value for name, value in headers.items() if name.lower() != "set-cookie"}


def parsed(text: str | bytes) -> Any:
    """What JSON says; None for what is none."""
    try:
        return lenient.parsed(text.encode("utf-8", "replace") if isinstance(text, str) else text)
    except (ValueError, RecursionError):
        return None


def _inner(found: dict[str, Any]) -> dict[str, Any] | None:
    """The part of it that is the error itself."""
    for depth in range(_DEPTH):
        if depth and any(isinstance(found.get(name), str) and found[name] for name in _WORDS):
            return found
        name = next((name for name in _HOMES if found.get(name)), None)
        inner = None if name is None else found[name]
        if isinstance(inner, list) and name != "detail":
            inner = inner[0]
        if isinstance(inner, str) and name != "detail":
            # Some put the word for it beside the message.
            return {**found, "message": found.get("message") or inner, "type": inner}
        if not isinstance(inner, dict):
            return found if inner is None or name == "detail" else None
        found = inner
    return found


def _behind(found: Any, depth: int = 0) -> Iterator[Any]:
    """The codes of what caused it, the outer first."""
    if isinstance(found, str) and found[:1] == "{":
        found = parsed(found)
    if isinstance(found, list):
        for one in found[:20]:
            yield from _behind(one, depth + 1)
    elif isinstance(found, dict) and depth < 2 * _DEPTH:
        yield from (found.get(name) for name in _CODES)
        for name in _CAUSES:
            yield from _behind(found.get(name), depth + 1)


def _passed_on(inner: Mapping[str, Any]) -> dict[str, str]:
    """Headers of the provider behind a gateway, as the gateway tells them."""
    beside = inner.get("metadata")
    headers = beside.get("headers") if isinstance(beside, Mapping) else None
    if not isinstance(headers, Mapping):
        return {}
    return kept({name: str(value) for name, value in headers.items()})
