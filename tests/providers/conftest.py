"""A listener that remembers, requests, and providers over an HTTP client that never leaves the process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from labkit.providers.anthropic import AnthropicProvider
from labkit.providers.openai import OpenAIProvider
from labkit.providers.responses import ResponsesProvider
from labkit.records import Answer, Request


@dataclass
class Remembering:
    """A listener that remembers what it heard, in order; reasoning is an event there, and stands apart."""

    heard: list[Any] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)

    def opened(self, headers: Mapping[str, str]) -> None:
        self.headers = headers

    def event(self) -> None:
        self.heard.append(None)

    def thought(self, delta: str) -> None:
        self.heard.append(None)
        self.thoughts.append(delta)

    def text(self, delta: str) -> None:
        self.heard.append(delta)

    @property
    def said(self) -> str:
        """All text."""
        return "".join(piece for piece in self.heard if piece is not None)


def request_for(dialect: str, **more: Any) -> Request:
    """A request with a system part and a question."""
    given: dict[str, Any] = {
        "request_id": "r1:x",
        "provider": dialect,
        "dialect": dialect,
        "endpoint": "https://example.com",
        "model": f"{dialect}/m",
        "name": "m",
        "messages": ({"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi?"}),
        "params": {"max_tokens": 5},
    }
    return Request(**{**given, **more})


@dataclass
class Asked:
    """What came of one asking."""

    answer: Answer | None
    error: Exception | None
    listener: Remembering
    sent: list[httpx2.Request]

    @property
    def body(self) -> dict[str, Any]:
        """The body that was sent."""
        found: dict[str, Any] = json.loads(self.sent[0].content)
        return found


@pytest.fixture
def request_to() -> Callable[..., Request]:
    """Makes requests."""
    return request_for


@pytest.fixture
def listener() -> Remembering:
    """A listener that remembers."""
    return Remembering()


@pytest.fixture
def mock() -> Callable[..., Asked]:
    """Ask a provider whose SDK client has a transport of ours: `mock(dialect, response, params=…)`."""

    def run(dialect: str, response: Any, *, base_url: str = "https://example.com/v1", **more: Any) -> Asked:
        sent: list[httpx2.Request] = []

        def handle(request: httpx2.Request) -> httpx2.Response:
            sent.append(request)
            if isinstance(response, Exception):
                raise response
            if isinstance(response, httpx2.Response):
                return response
            return httpx2.Response(200, **response)

        http = httpx2.AsyncClient(transport=httpx2.MockTransport(handle))
        provider: Any
        if dialect.startswith("openai"):
            client = openai.AsyncOpenAI(api_key="sk-test-0123456789", base_url=base_url, http_client=http)
            kind = OpenAIProvider if dialect == "openai" else ResponsesProvider
            provider = kind(client, who="acme")
        else:
            made = anthropic.AsyncAnthropic(api_key="sk-test-0123456789", base_url=base_url, http_client=http)
            provider = AnthropicProvider(made, who="acme")
        listener = Remembering()

        async def ask() -> Asked:
            try:
                answer = await provider.ask(request_for(dialect, **more), listener)
            except Exception as error:  # noqa: BLE001 - handed to the test
                return Asked(None, error, listener, sent)
            finally:
                await provider.close()
            return Asked(answer, None, listener, sent)

        return asyncio.run(ask())

    return run


def events(*payloads: Any) -> dict[str, Any]:
    """A streamed response of these payloads."""
    lines = [payload if isinstance(payload, str) else json.dumps(payload) for payload in payloads]
    body = "".join(f"data: {line}\n\n" for line in lines)
    return {"content": body.encode(), "headers": {"content-type": "text/event-stream"}}


@pytest.fixture
def stream() -> Callable[..., dict[str, Any]]:
    """Makes streamed responses."""
    return events
