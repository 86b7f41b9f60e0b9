"""What every request passes before a route sees it, and every answer on its way out, errors too.

From the outside in: the access log, the headers of answers, HEAD, the name of the host, the pages of other
origins, the address, the form of the answer, the own page's requests, the body. It does not know routes, and
not who asks.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from labkit.server.guard.access_log import AccessLog
from labkit.server.guard.address import Hosts, readable
from labkit.server.guard.bodies import Bodies
from labkit.server.guard.checked import Checked
from labkit.server.guard.cross_origin import CrossOrigin
from labkit.server.guard.head import HeadAsGet
from labkit.server.guard.negotiation import acceptable
from labkit.server.guard.own_pages import OwnPages
from labkit.server.guard.response_headers import ResponseHeaders
from labkit.server.settings import Settings

__all__ = ["guarded"]


def guarded(app: ASGIApp, settings: Settings) -> ASGIApp:
    """`app` behind its guard. A websocket is closed before it opens: the service has none.

    >>> app = guarded(app, Settings(lab=Path("lab.duckdb")))                   # doctest: +SKIP
    """
    inner: ASGIApp = Checked(Bodies(app), (readable, acceptable, OwnPages(settings)))
    inner = CrossOrigin(inner, settings.origins)
    inner = Checked(inner, (Hosts(settings.hosts),))
    http = AccessLog(ResponseHeaders(HeadAsGet(inner)), settings.trusted_proxies)

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            await http(scope, receive, send)
        else:
            await app(scope, receive, send)

    return guard
