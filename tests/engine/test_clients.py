"""Providers are made once per endpoint and key, off the loop, and closed with it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from labkit import providers
from labkit.catalog.model import Model
from labkit.engine import clients
from labkit.keys import Key


class Made:
    """A provider that remembers where it was made, and whether it was closed."""

    def __init__(self, model: Model, key: Any) -> None:
        self.model, self.key, self.thread = model, key, threading.get_ident()
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Made]:
    """Every provider that is made while the test runs."""
    found: list[Made] = []

    class Dialect:
        @staticmethod
        def connect(model: Model, key: Any) -> Made:
            if model.name == "broken":
                raise OSError("no such endpoint")
            found.append(Made(model, key))
            return found[-1]

    monkeypatch.setattr(providers, "load", lambda dialect: Dialect)
    return found


def got(*wanted: tuple[Model, Key | None]) -> list[Any]:
    """The providers for these, asked for all at once; then all are closed."""

    async def get() -> list[Any]:
        found = await asyncio.gather(*(clients.provider(model, key) for model, key in wanted))
        await clients.close_all()
        return list(found)

    return asyncio.run(get())


ONE, TWO = Key("sk-one-0123456789", source="a"), Key("sk-two-0123456789", source="b")


def test_models_of_one_endpoint_and_key_share_one(made: list[Made]) -> None:
    """Two models of one endpoint with one key have one client, made off the loop, even when asked at once."""
    one, other = got((Model("openai/a"), ONE), (Model("openai/b"), ONE))
    assert one is other
    assert len(made) == 1
    assert made[0].thread != threading.get_ident()
    assert made[0].closed == 1


def test_nothing_else_is_shared(made: list[Made]) -> None:
    """Another key, endpoint, dialect or client, or another way to ask, makes another provider."""
    script = object()
    wanted = [
        (Model("openai/a"), ONE),
        (Model("openai/a"), TWO),
        (Model("openai/a"), None),
        (Model("openai/a", base_url="https://example.com/v1"), ONE),
        (Model("openai/a", stream=False), ONE),
        (Model("openai/a", stream_options=False), ONE),
        (Model("anthropic/a"), ONE),
        (Model("scripted/a", client=script), None),
        (Model("scripted/a", client=object()), None),
        (Model("local/a"), None),
        (Model("local/b"), None),
    ]
    assert len(set(map(id, got(*wanted)))) == len(made) == len(wanted)
    assert all(one.closed == 1 for one in made)


def test_each_loop_has_its_own(made: list[Made]) -> None:
    """A client never crosses from one loop to another."""
    assert got((Model("openai/a"), ONE)) != got((Model("openai/a"), ONE))


def test_a_failure_is_told_and_not_kept(made: list[Made]) -> None:
    """What cannot be made raises for everybody who waits, and is tried anew."""

    async def twice() -> None:
        for _ in range(2):
            with pytest.raises(OSError, match="no such endpoint"):
                await clients.provider(Model("openai/broken"), None)
        assert (await clients.provider(Model("openai/fine"), ONE)).model.name == "fine"  # type: ignore[attr-defined]
        await clients.close_all()

    asyncio.run(twice())
