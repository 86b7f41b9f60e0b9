"""The service as an ASGI application: its routes behind its guard.

Every route stands in a router of `ROUTERS` and names what a caller needs; a test walks them all. It does
not know how a process of it is started (see `serving`).
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from labkit.server import openapi, pages, problems
from labkit.server.guard import guarded
from labkit.server.lifespan import lifespan
from labkit.server.routes import (
    auth,
    blocks,
    estimates,
    execute,
    executions,
    models,
    oidc,
    providers,
    runs,
    tokens,
    workspaces,
)
from labkit.server.service import Service

BASE = "/api/v1"
ROUTERS: tuple[APIRouter, ...] = (
    auth.router,
    oidc.router,
    tokens.router,
    workspaces.router,
    models.router,
    providers.router,
    blocks.router,
    estimates.router,
    execute.router,
    runs.router,
    executions.router,
)


class Guarded(FastAPI):
    """An application whose guard also stands around the answer to an exception nobody expected, and whose
    description names every error."""

    def build_middleware_stack(self) -> ASGIApp:
        """Called once, by Starlette."""
        service: Service = self.state.service
        return guarded(super().build_middleware_stack(), service.settings)

    def openapi(self) -> dict[str, Any]:
        """The description, made once."""
        if self.openapi_schema is None:
            openapi.complete(super().openapi())
        return super().openapi()


def make_app(service: Service) -> FastAPI:
    """The application over `service`.

    >>> app = make_app(Service(Settings(lab=Path("lab.duckdb"))))              # doctest: +SKIP
    """
    app = Guarded(
        title="labkit",
        description="Which prompt and which model to use, how sure that is, and at what price.",
        version="1",
        openapi_url=f"{BASE}/openapi.json",
        docs_url=None,  # the viewers load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,  # an address is right or it is not
    )
    app.state.service = service
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router, prefix=BASE)
    app.include_router(pages.router)
    return app
