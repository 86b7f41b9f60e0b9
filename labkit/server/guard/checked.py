"""Checks of a request by what stands in its head, each of which lets it pass or raises a `Problem`.

It does not know what is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from labkit.server.problems import Problem


class Checked:
    """`app` behind `checks`, in their order. A `Problem` they or `app` raise is the answer."""

    def __init__(self, app: ASGIApp, checks: Sequence[Callable[[Scope], None]]) -> None:
        self.app = app
        self.checks = tuple(checks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            for check in self.checks:
                check(scope)
            await self.app(scope, receive, send)
        except Problem as problem:
            await problem.response()(scope, receive, send)
