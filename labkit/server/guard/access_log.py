"""One line for each request in the log `labkit.server.access`: who, what, status, how long.

Headers, queries and bodies are never written: passwords, tokens and prompts stand in them. Whoever finds out
who asks says so by `request.state.who`. It does not know where lines go.
"""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labkit.visible import visible

log = logging.getLogger("labkit.server.access")


class AccessLog:
    """`app`, whose answers are logged when they are over."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

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
            who = state.get("who") or (scope.get("client") or ("-",))[0]
            took_ms = (time.perf_counter() - begun) * 1000
            what = visible(f"{scope['method']} {scope['path']}")
            log.info("%s %s %s %.0f ms", visible(who), what, status or "unanswered", took_ms)
