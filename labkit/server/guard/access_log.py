"""One line for each request in the log `labkit.server.access`: who, what, status, how long.

Headers, queries and bodies are never written: passwords, tokens and prompts stand in them. Whoever finds out
who asks says so by `request.state.who`; of others stands the address. It does not know where lines go.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labkit.server.client_address import client_address
from labkit.visible import visible

log = logging.getLogger("labkit.server.access")


class AccessLog:
    """`app`, whose answers are logged when they are over."""

    def __init__(self, app: ASGIApp, trusted_proxies: Sequence[str]) -> None:
        self.app = app
        self.trusted = trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, status = time.perf_counter(), 0
        state = scope.setdefault("state", {})

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            who = state.get("who") or client_address(HTTPConnection(scope), self.trusted)
            took_ms = (time.perf_counter() - begun) * 1000
            what = visible(f"{scope['method']} {scope['path']}")
            log.info("%s %s %s %.0f ms", visible(who), what, status or "unanswered", took_ms)
