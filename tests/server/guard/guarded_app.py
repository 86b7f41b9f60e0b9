"""A small application behind the real guard, with routes that show what reaches one.

Not a test; it knows nothing of labkit's own routes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import httpx2
from fastapi import Body, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from labkit.errors import DefinitionError, StoreLocked
from labkit.server.app import make_app
from labkit.server.problems import Problem
from labkit.server.service import Service
from labkit.server.settings import Settings

HERE = "http://127.0.0.1:8000"


class Asked(BaseModel):
    """What `/api/v1/echo` takes."""

    prompt: str = Field(min_length=1)
    model_ids: list[str] = Field(min_length=1, max_length=2)


def raises(error: Exception) -> Callable[[], None]:
    """A route that fails."""

    def fail() -> None:
        raise error

    return fail


def client(folder: Path, **settings: Any) -> TestClient:
    """Asks that application, as a browser on this machine would."""
    app = make_app(Service(Settings(lab=folder / "lab.duckdb", **settings)))

    @app.patch("/api/v1/echo")
    @app.api_route("/api/v1/echo", methods=["POST", "PUT"])
    def echo(asked: Asked) -> Asked:
        return asked

    @app.post("/api/v1/free")
    def free(said: Annotated[Any, Body()] = None) -> Any:
        return {"said": said}

    @app.get("/api/v1/things")
    def things(request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 1) -> list[int]:
        request.state.who = "ada"
        return [limit]

    @app.get("/api/v1/endless")
    def endless() -> StreamingResponse:
        def forever() -> Any:
            while True:
                yield b"data: more\n\n"

        return StreamingResponse(
            forever(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"}
        )

    @app.get("/api/v1/named/{name:path}")
    def named(name: str) -> str:
        raise Problem(404, f"Nothing is called {name}.")

    faults = {
        "fault": ZeroDivisionError("a secret of the inside"),
        "definition": DefinitionError(["One is wrong.", "Two is wrong."]),
        "locked": StoreLocked("PID 7 holds the file."),
        "state": OperationalError("select secret", {"password": "hunter2"}, Exception("gone")),
        "budget": Problem(402, "Nothing is left.", left_usd=0.5),
        "twice": Problem(409, "It is under way."),
        "fast": Problem(429, "Too fast.", headers={"Retry-After": "9"}),
    }
    for name, error in faults.items():
        app.get(f"/api/v1/{name}")(raises(error))
    return TestClient(app, base_url=HERE, raise_server_exceptions=False)


def problem(answer: httpx2.Response, status: int) -> str:
    """The sentence of an answer that has to be a problem of that status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert set(told) >= {"type", "title", "status", "detail"}
    assert isinstance(told["detail"], str)
    assert told["detail"].endswith((".", "…"))
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    return told["detail"]
