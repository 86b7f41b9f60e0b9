"""The service as an ASGI application: its routes behind its guard.

Every route stands in a router of `ROUTERS` and names what a caller needs; a test walks them all. It does
not know how a process of it is started (see `serving`).
"""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from labkit.server import auth, own_tokens, problems, workspaces
from labkit.server.service import Service

BASE = "/api/v1"
ROUTERS: tuple[APIRouter, ...] = (auth.router, own_tokens.router, workspaces.router)


def make_app(service: Service) -> FastAPI:
    """The application over `service`.

    >>> app = make_app(Service(Settings(lab=Path("lab.duckdb"))))              # doctest: +SKIP
    """
    app = FastAPI(
        title="labkit",
        description="Which prompt and which model to use, how sure that is, and at what price.",
        version="1",
        openapi_url=f"{BASE}/openapi.json",
        docs_url=None,  # the viewers load scripts from elsewhere
        redoc_url=None,
    )
    app.state.service = service
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router, prefix=BASE)
    return app
