"""Runs that are told of by a script, and a reader of their streams that goes by the specification of
server-sent events."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from msgspec.structs import asdict
from sqlalchemy import select

from labkit.records import Cell, Generation
from labkit.server.accounts import accounts, passwords
from labkit.server.app import make_app
from labkit.server.service import Service
from labkit.server.serving import bounded
from labkit.server.settings import Settings
from labkit.server.state import State
from labkit.server.state.tables import ServedRun, User
from labkit.server.streams.board import Board
from labkit.server.streams.run_stream import RunStream

RUN = "run-1"
PASSWORD = "correct horse"
HOSTILE = (
    "a\u2028b\u0085c\rd\r\ne\x00f\n\ndata: g\nid: 7\n\n: 👩‍🚀🧑🏽 \ud83d"  # the last is half a character
)
NAMES = {"scripted/a": "alias-a", "scripted/b": "scripted/b"}


class Client:
    """What a page has: it takes whole events alone, and keeps them when it comes again."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = defaultdict(str)
        self.events: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.last_id: str | None = None
        self._rest = b""

    def connected(self) -> None:
        self._rest = b""

    def take(self, received: bytes) -> None:
        *whole, self._rest = (self._rest + received).split(b"\n\n")
        for block in whole:
            fields = [line.partition(": ")[::2] for line in block.decode("utf-8").splitlines()]
            named = {name: value for name, value in fields if name}
            if "id" in named:
                self.last_id = named["id"]
                self.ids.append(named["id"])
            if "data" in named:
                event = json.loads(named["data"])
                assert event["type"] == event["data"]["type"] == named["event"]
                self._hear(event)

    def _hear(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        if event["type"] == "start":
            self.texts[event["modelId"]] = ""
        elif event["type"] == "token":
            self.texts[event["modelId"]] += event["data"]["token"]

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    @property
    def over(self) -> bool:
        return any(event["type"] == "end" and "runs" in event["data"] for event in self.events)


class Script:
    """Tells a stream what a run would."""

    def __init__(self, stream: RunStream) -> None:
        self.stream = stream

    def cell(self, model: str) -> Cell:
        return Cell(
            generation_id=f"g-{model}",
            run_id=self.stream.run_id,
            experiment="e",
            workspace="w",
            prompt="p",
            prompt_version=None,
            model=model,
            provider="scripted",
            sample_id="s",
            repeat=0,
            request_id="q",
            draw=0,
        )

    def sent(self, model: str, attempt: int = 1) -> None:
        self.stream.sent(self.cell(model), attempt)

    def text(self, model: str, *pieces: str) -> None:
        for piece in pieces:
            self.stream.text(self.cell(model), piece)

    def ended(self, model: str, text: str | None, status: str = "done", **more: Any) -> None:
        self.stream.ended(
            Generation(
                **asdict(self.cell(model)),
                status=status,  # type: ignore[arg-type]
                text=text,
                **more,
            )
        )

    def end(self) -> None:
        self.stream.end([{"id": f"g-{model}", "modelId": name} for model, name in NAMES.items()])


def admitted(state: State, run_id: str = RUN, workspace: str = "default") -> None:
    with state.writing() as rows:
        if rows.get(User, "u1") is None:
            rows.add(User(id="u1", name="ada", created_us=0))
            rows.flush()
        rows.add(ServedRun(id=run_id, user_id="u1", workspace=workspace, created_us=0, events=0))


@pytest.fixture
def boards(state: State) -> Iterator[Callable[..., Board]]:
    """Makes boards, each of which is what one process has, over one state with one admitted run."""
    made: list[Board] = []

    def make(**given: Any) -> Board:
        given = {
            "holding": lambda rows, let_in: let_in,
            "rebuilt": lambda run: [],
            **given,
        }
        made.append(Board(state, **given))
        return made[-1]

    admitted(state)
    yield make
    for board in made:
        board.close()


@pytest.fixture
def board(boards: Callable[..., Board]) -> Board:
    return boards()


@pytest.fixture
def script(board: Board) -> Script:
    """The script of a run that is driven on `board`."""
    return Script(board.open(RUN, NAMES))


@pytest.fixture
def new_client() -> type[Client]:
    return Client


@pytest.fixture
def new_script() -> type[Script]:
    return Script


@pytest.fixture
def admit(state: State) -> Callable[..., None]:
    return lambda *given: admitted(state, *given)


@pytest.fixture
def hostile() -> str:
    return HOSTILE


@pytest.fixture
def read() -> Callable[..., Client]:
    """Reads a run's stream to its end, or until `enough`."""

    def reading(
        board: Board,
        after: int = 0,
        run_id: str = RUN,
        enough: Callable[[Client], bool] | None = None,
        access: Any = None,
    ) -> Client:
        client = Client()

        async def take() -> None:
            frames: AsyncGenerator[bytes] = board.frames(run_id, after, access=access)
            async for frame in frames:
                client.take(frame)
                if enough is not None and enough(client):
                    break
            await frames.aclose()

        async def in_time() -> None:
            await asyncio.wait_for(take(), 60)

        asyncio.run(in_time())
        return client

    return reading


class Running:
    """No part of a run but that it is one of this process's, until it is to stop."""

    def __init__(self, service: Service, run_id: str) -> None:
        service.asked[run_id] = self
        self.stop = lambda reason: service.asked.pop(run_id, None)


class Serving:
    """The service behind a real port of this machine, with `ada` (member of `default`), `vic` (viewer there)
    and `otto` (member of `other`)."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.listening = socket.create_server(("127.0.0.1", 0))
        bounded(self.listening)
        self.address = self.listening.getsockname()
        service.settings = service.settings.replace(port=self.address[1])
        config = uvicorn.Config(
            make_app(service), log_level="warning", access_log=False, timeout_graceful_shutdown=1
        )
        self.server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening]})

    def begin(self) -> None:
        self._thread.start()
        while not self.server.started:
            assert self._thread.is_alive()
            time.sleep(0.01)

    def end(self) -> None:
        self.server.should_exit = True
        self._thread.join()

    def admit(self, run_id: str, **given: Any) -> RunStream:
        """A run that the test tells of."""
        with self.service.state.writing() as rows:
            user = rows.scalars(select(User).where(User.name == "ada")).one()
            rows.add(ServedRun(id=run_id, user_id=user.id, workspace="default", created_us=0, events=0))
        Running(self.service, run_id)
        return self.service.board.open(run_id, NAMES, **given)

    def bearer(self, name: str) -> dict[str, str]:
        answer = self.ask("POST", "/auth/login/json", json={"username": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def ask(self, method: str, path: str, **given: Any) -> httpx2.Response:
        return httpx2.request(method, f"http://127.0.0.1:{self.address[1]}/api/v1{path}", timeout=20, **given)

    def reader(self, run_id: str, bearer: dict[str, str], last_id: str = "") -> socket.socket:
        """A connection that asked for a stream, and has read nothing yet."""
        connection = socket.create_connection(self.address)
        connection.settimeout(20)
        connection.sendall(
            f"GET /api/v1/runs/{run_id}/events HTTP/1.1\r\nHost: 127.0.0.1:{self.address[1]}\r\n"
            f"Accept: text/event-stream\r\nAuthorization: {bearer['Authorization']}\r\n"
            f"Last-Event-ID: {last_id}\r\nConnection: close\r\n\r\n".encode()
        )
        return connection


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    service = Service(Settings(lab=tmp_path / "lab.duckdb"))
    kept = passwords.hashed(PASSWORD)
    with service.state.writing() as rows:
        accounts.add_user(rows, "ada", kept, workspace="default", role="member")
        accounts.add_user(rows, "vic", kept, workspace="default", role="viewer")
        accounts.add_workspace(rows, "other")
        accounts.add_user(rows, "otto", kept, workspace="other", role="member")
    made = Serving(service)
    made.begin()
    yield made
    made.end()
