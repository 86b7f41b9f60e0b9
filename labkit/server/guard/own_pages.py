"""Requests that change something and carry no `Authorization` come from the own page, or from no page at all.

A browser sends the session's cookie also with what a foreign page makes it send, and such a page can log
somebody in under a name of its choice. The browser says where a request comes from in `Sec-Fetch-Site`, older
ones in `Origin`. It does not know whether a cookie is good.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from labkit.server.problems import Problem
from labkit.server.settings import Settings

COOKIES = ("__Host-labkit", "labkit")
"""The names of the session's cookie: over https, and on this machine over http."""
SAFE = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing."""


class OwnPages:
    """Lets requests of the own page pass, and without a cookie those of no page and of the listed origins.
    Raises 403."""

    def __init__(self, settings: Settings) -> None:
        url = urlsplit(settings.url)
        self.scheme = url.scheme
        self.own = f"{url.scheme}://{url.netloc}".lower()
        self.listed = frozenset(settings.origins)

    def __call__(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if scope["method"] in SAFE or "authorization" in headers or self._is_own(headers):
            return
        if _has_cookie(headers) or not self._is_allowed(headers):
            raise Problem(
                403,
                "This request came from a page of another origin, or hides where it came from. "
                "Use the service's own page, or send a token.",
            )

    def _is_own(self, headers: Headers) -> bool:
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        return headers.get("origin") in (self.own, f"{self.scheme}://{headers['host']}")

    def _is_allowed(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        return origin in self.listed or (origin is None and "sec-fetch-site" not in headers)


def _has_cookie(headers: Headers) -> bool:
    pairs = ";".join(headers.getlist("cookie")).split(";")
    return any(pair.partition("=")[0].strip() in COOKIES for pair in pairs)
