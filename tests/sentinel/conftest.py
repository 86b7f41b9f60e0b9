"""A planted lab, a chat that hears of it, and a clock that tests set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from labkit.sentinel import sentinel
from tests.sentinel.hook_server import HookServer
from tests.sentinel.planted import Plant, Planted


@pytest.fixture(autouse=True)
def nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """No hook of the person who runs the tests is called."""
    for name in ("LABKIT_WEBHOOK", "LABKIT_HEARTBEAT", "LABKIT_CHECKS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[HookServer]:
    """A chat that takes what is sent, at the address in LABKIT_WEBHOOK."""
    server = HookServer()
    monkeypatch.setenv("LABKIT_WEBHOOK", server.address)
    yield server
    server.close()


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Make a planted lab in the test's folder."""
    return lambda **wanted: Planted(tmp_path, **wanted)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Set the clock of sentinels."""

    def at(moment: datetime) -> None:
        monkeypatch.setattr(sentinel, "now", lambda: moment)

    return at
