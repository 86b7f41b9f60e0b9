"""Runs that are told of by a script, and a reader of their streams that goes by the specification of
server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import pytest

from labkit.records import Cell, Generation
from labkit.server.board import Board
from labkit.server.run_stream import RunStream
from labkit.server.state import State
from labkit.server.state.tables import ServedRun, User

RUN = "run-1"
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
            "holding": lambda rows, who: {one.credential for one in who},
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
        who: Any = None,
    ) -> Client:
        client = Client()

        async def take() -> None:
            frames: AsyncGenerator[bytes] = board.frames(run_id, after, who=who)
            async for frame in frames:
                client.take(frame)
                if enough is not None and enough(client):
                    break
            await frames.aclose()

        async def in_time() -> None:
            await asyncio.wait_for(take(), 20)

        asyncio.run(in_time())
        return client

    return reading
