"""A service that runs: real uvicorn on a port of this machine, in a thread, over a lab of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

import labkit as lk
from labkit.server.accounts import accounts, passwords, sessions
from labkit.server.accounts.access_tokens import Claims
from labkit.server.app import make_app
from labkit.server.http_protocol import HttpProtocol
from labkit.server.service import Service
from labkit.server.settings import Settings

PASSWORD = "correct horse"
KEPT = passwords.hashed(PASSWORD)
PEOPLE = {
    "root": ("default", "admin"),
    "ada": ("default", "member"),
    "vic": ("default", "viewer"),
    "otto": ("other", "member"),
}


class Running:
    """A service at `url`; `ask` sends as a user who logged in."""

    def __init__(self, service: Service, url: str) -> None:
        self.service = service
        self.url = url
        self._bearers: dict[str, str] = {}

    def bearer(self, name: str) -> dict[str, str]:
        """The header of one who logged in."""
        if name not in self._bearers:
            self._bearers[name] = log_in(self.service, name)
        return {"Authorization": self._bearers[name]}

    def ask(
        self,
        method: str,
        path: str,
        *,
        as_: str | None = "ada",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> httpx2.Response:
        """The answer to a request under /api/v1."""
        shown = {} if as_ is None else self.bearer(as_)
        return httpx2.request(
            method, f"{self.url}/api/v1{path}", headers={**shown, **(headers or {})}, timeout=60, **more
        )

    def execute(self, prompt: str, *models: str, as_: str = "ada", **body: Any) -> list[dict[str, Any]]:
        """The answers of `POST /execute`."""
        asked = {"prompt": prompt, "model_ids": models, **body}
        answer = self.ask("POST", "/execute", as_=as_, json=asked)
        assert answer.status_code == 200, answer.text
        answers: list[dict[str, Any]] = answer.json()
        return answers


def log_in(service: Service, name: str) -> str:
    """An `Authorization` of one who logged in; without the password, whose hash takes long to compute."""
    with service.state.writing(durable=False) as rows:
        user = accounts.user(rows, name)
        begun = sessions.begin(rows, user.id, service.settings, cookie=False)
    claims = Claims(user_id=user.id, name=name, sid=begun.id)
    return f"Bearer {service.signer.signed(claims, ends_s=begun.ends_us / 1e6)}"


def people(service: Service) -> None:
    """`root`, `ada` and `vic` are in `default`, `otto` is in `other`."""
    with service.state.writing() as rows:
        accounts.add_workspace(rows, "other")
        for name, (workspace, role) in PEOPLE.items():
            accounts.add_user(rows, name, KEPT, workspace=workspace, role=role)


@contextmanager
def running(folder: Path, models: Sequence[lk.Model] = (), **settings: Any) -> Iterator[Running]:
    """A service over a new lab in `folder`, with `models` beside the catalog's, and some people."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = folder / "lab.duckdb"
        settings = {"index_every_s": 1.0, **settings}
        service = Service(Settings(lab=path, port=port, **settings), lk.Lab(path, models=list(models)))
        people(service)
        config = uvicorn.Config(
            make_app(service),
            lifespan="on",
            http=HttpProtocol,
            log_level="warning",
            ws="none",
            access_log=False,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)  # until it listens
            yield Running(service, f"http://127.0.0.1:{port}")
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the service did not end"
