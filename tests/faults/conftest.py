"""The fault server, started once, and a channel of it for each test; jobs and sinks are the engine's."""

from __future__ import annotations

import importlib.util
import itertools
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from labkit.catalog.model import Model
from labkit.keys import Key
from tests.faults.channel import Channel, start

HERE = Path(__file__).parent


def _beside(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("labkit_engine_test_kit", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_engine = _beside(HERE.parent / "engine" / "conftest.py")
ask = _engine.ask
kit = _engine.kit
KEY = Key("sk-test-0123456789abcdef", source="the test")


@pytest.fixture(scope="session")
def fault_server() -> Iterator[str]:
    """The address of the fault server."""
    process, address = start()
    yield address
    process.terminate()
    process.wait()


_numbers = itertools.count()


@pytest.fixture
def channel_for(fault_server: str) -> Callable[[str], Channel]:
    """A new channel for a dialect."""
    return lambda dialect: Channel(fault_server, f"{dialect}-{next(_numbers)}-{time.monotonic_ns()}", dialect)


@pytest.fixture(params=["openai", "anthropic"])
def channel(request: pytest.FixtureRequest, channel_for: Callable[[str], Channel]) -> Channel:
    """A channel, once for each dialect."""
    return channel_for(request.param)


@pytest.fixture
def own_channel() -> Iterator[Callable[[str], Channel]]:
    """Channels at a fault server that this test has for itself, to take off the network."""
    process, address = start()
    yield lambda dialect: Channel(address, f"{dialect}-{next(_numbers)}", dialect)
    process.terminate()
    process.wait()


@pytest.fixture
def late_server() -> Iterator[tuple[int, Callable[[], None]]]:
    """A port where nobody listens yet, and a function that starts the fault server on it."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    running: list[subprocess.Popen[str]] = []
    yield port, lambda: running.append(start(port)[0])
    for process in running:
        process.terminate()
        process.wait()


@pytest.fixture
def conserved() -> Callable[..., None]:
    """Checks rows against what the server saw; see `_conserved`."""
    return _conserved


def _conserved(ran: Any, *channels: Channel, exact: bool = True) -> None:
    """Every job has one row; as many requests came as its attempts reached the server (`exact`: none was
    lost on its way there); and no finished answer was paid for twice, unless its row counts that."""
    rows = ran.sink.generations
    assert len({row.generation_id for row in rows}) == len(rows)
    reached = Counter(a.generation_id for a in ran.sink.attempts if a.error_type != "ConnectionFailed")
    asked = {(channel.name, text): seen for channel in channels for text, seen in channel.asked().items()}
    by_model = {name: channel.name for channel in channels for name in channel.models}
    for row in rows:
        number = row.sample_id.rpartition("#")[2]
        seen = asked.get((by_model[row.model], f"question {number}"), [])
        whole = sum(one["whole"] for one in seen)
        assert whole <= (row.status == "done") + row.maybe_paid, row
        assert whole >= (row.status == "done"), row
        assert len(seen) <= reached[row.generation_id], row
        assert len(seen) == reached[row.generation_id] or not exact, row


@pytest.fixture
def key() -> Key:
    """The key every model is asked with."""
    return KEY


@pytest.fixture
def put(ask: Callable[..., Any], kit: Any, key: Key) -> Callable[..., Any]:
    """Ask a channel's model `count` times, with little patience, and give what came of it."""

    def run(*models: Model, count: int = 1, params: dict[str, Any] | None = None, **settings: Any) -> Any:
        from labkit.engine.retry import Policy

        patience = {"backoff_s": 0.01, "backoff_cap_s": 0.05, "timeout_s": 5.0, "deadline_s": 20.0}
        settings["policy"] = Policy(**{**patience, **settings.pop("policy", {})})
        usd = settings.pop("usd", 0.0)
        return ask(
            models,
            kit.jobs_for(models, count, params=params, usd=usd),
            keys={model.id: key for model in models},
            **settings,
        )

    return run
