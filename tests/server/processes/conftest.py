"""A fake provider, and `labkit serve` processes that ask it; none is left when a test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.faults.channel import Channel, start
from tests.server.processes.serve_process import ServeProcess


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The address of a fake provider."""
    process, address = start()
    yield address
    process.kill()
    process.communicate()


@pytest.fixture
def channel(provider: str, request: pytest.FixtureRequest) -> Channel:
    """This test's place at the provider."""
    name = "".join(letter for letter in request.node.name if letter.isalnum())
    return Channel(provider, name, "openai")


@pytest.fixture
def serve(tmp_path: Path, channel: Channel) -> Iterator[Callable[..., ServeProcess]]:
    """Makes a `labkit serve` over a lab of its own; it is not started yet."""
    made: list[ServeProcess] = []

    def make(**more: Any) -> ServeProcess:
        made.append(ServeProcess(tmp_path, channel, **more))
        return made[-1]

    yield make
    for one in made:
        with suppress(AssertionError):  # it was never started
            one.kill()
