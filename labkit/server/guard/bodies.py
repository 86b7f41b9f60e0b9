"""The body of a request: at most 1 MiB, not compressed, and JSON that can be read in one way only.

It is read here as a whole, so that a route never meets another. It does not know what a body should say.
"""

from __future__ import annotations

from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labkit.server.guard import strict_json
from labkit.server.guard.own_pages import SAFE
from labkit.server.problems import Problem

LIMIT_BYTES = 2**20
LARGE_BYTES = 2**15
"""What is larger is looked through in a thread: streams go on meanwhile."""
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
FORM_PATHS = ("/api/v1/auth/login",)


class Bodies:
    """`app`, which gets good bodies only. Raises 400, 413 and 415 before it is called."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > LIMIT_BYTES:
            raise _too_large()
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Problem(415, "The body is compressed. Send it as it is, without Content-Encoding.")
        if scope["method"] in SAFE or (length == "0" and "transfer-encoding" not in headers):
            await self.app(scope, receive, send)
            return
        form = _form(scope, headers)
        body = await _whole(receive)
        if body is None:
            return
        if form == JSON and len(body) > LARGE_BYTES:
            await run_in_threadpool(strict_json.check, body)
        elif form == JSON:
            strict_json.check(body)
        await self.app(scope, _again(body, receive), send)


def _form(scope: Scope, headers: Headers) -> str:
    form = headers.get("content-type", "").partition(";")[0].strip().lower()
    if form == JSON or (form == FORM and scope["path"] in FORM_PATHS):
        return form
    forms = f"{JSON} or {FORM}" if scope["path"] in FORM_PATHS else JSON
    raise Problem(415, f"The body is not of a kind that is read here. Send it with Content-Type: {forms}.")


async def _whole(receive: Receive) -> bytes | None:
    """All of the body; None where the other side left before its end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > LIMIT_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


def _too_large() -> Problem:
    # What is still on its way is not read: the connection cannot be used again.
    return Problem(
        413,
        f"The body is larger than {LIMIT_BYTES:,} bytes. Send less at once.",
        headers={"Connection": "close"},
    )
