"""Pages of other origins: those in the list may ask, with a bearer, and read what they get (CORS).

Cookies do not travel with their requests: credentials are never allowed. It does not know the own page.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from labkit.server.problems import Problem

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
HEADERS = ("Authorization", "Content-Type", "X-User-Id", "Idempotency-Key", "Prefer", "Last-Event-ID")
EXPOSED = ("Link", "Location", "Idempotency-Replayed", "Retry-After")


class CrossOrigin(CORSMiddleware):
    """Starlette's CORS for `origins`, where a refusal is a problem and an origin outside the list is told
    nothing."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        super().__init__(app, allow_origins=origins, allow_methods=METHODS, allow_headers=HEADERS)

    def preflight_response(self, request_headers: Headers) -> Response:
        """What a browser asks before it lets a page ask: allowed, or 403."""
        answer = super().preflight_response(request_headers)
        if answer.status_code == 200:
            return Response(status_code=204, headers=_without_length(answer.headers))
        if self.is_allowed_origin(request_headers["origin"]):
            return Problem(403, "Pages may not ask with this method or these headers.").response()
        return Problem(
            403, "Pages of this origin may not ask. Whoever runs the service allows one by --origin."
        ).response()

    @staticmethod
    def allow_explicit_origin(headers: MutableHeaders, origin: str) -> None:
        """Called for origins in the list only."""
        CORSMiddleware.allow_explicit_origin(headers, origin)
        headers["Access-Control-Expose-Headers"] = ", ".join(EXPOSED)


def _without_length(headers: MutableHeaders) -> dict[str, str]:
    return {name: value for name, value in headers.items() if not name.startswith("content-")}
