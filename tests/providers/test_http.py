"""The lean client sends exactly what the SDK's own would, and nothing more."""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from labkit.providers import http

KINDS = [openai.DefaultAioHttpClient, anthropic.DefaultAioHttpClient]
GIVEN = [("Authorization", "Bearer x"), ("Content-Type", "application/json"), ("User-Agent", "acme/1")]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_request_as_the_ordinary_client(kind: Any) -> None:
    """The first request and those that take after it are what the ordinary client sends."""
    lean, ordinary = (
        http.client(kind, "https://example.com"),
        kind(timeout=httpx2.Timeout(None, connect=10.0)),
    )
    for number, content in enumerate([b"{}", b'{"a": 1}', b"x" * 1000, b""]):
        for url in ("https://example.com/v1/a", f"https://example.com/v1/b?{number}"):
            parts = {"content": content, "headers": list(GIVEN), "timeout": httpx2.Timeout(5), "params": None}
            mine = lean.build_request("post", url, **parts)
            theirs = ordinary.build_request("post", url, **parts)
            assert mine.method == theirs.method == "POST"
            assert mine.url == theirs.url
            assert mine.content == theirs.content == content
            assert dict(mine.headers) == dict(theirs.headers)
            assert mine.extensions == theirs.extensions


@pytest.mark.parametrize("kind", KINDS)
def test_other_headers_make_another_request(kind: Any) -> None:
    """What one request was given never shows in another: not its key, not its length."""
    lean = http.client(kind, "https://example.com")
    for name in ("one", "two", "one"):
        request = lean.build_request(
            "post", "https://example.com/", content=name.encode() * 3, headers=[("Authorization", name)]
        )
        assert request.headers["authorization"] == name
        assert request.headers["content-length"] == "9"
        assert request.content == name.encode() * 3
        request.headers["authorization"] = "changed"


@pytest.mark.parametrize("kind", KINDS)
def test_anything_unusual_goes_the_ordinary_way(kind: Any) -> None:
    """Queries, files and requests without a body are built by the SDK's own client."""
    lean = http.client(kind, "https://example.com")
    got = lean.build_request("get", "https://example.com/", params={"a": "b"})
    assert str(got.url) == "https://example.com/?a=b"
    assert "content-length" not in got.headers


@pytest.mark.parametrize("kind", KINDS)
def test_it_follows_nothing_and_waits_for_silence_elsewhere(kind: Any) -> None:
    """Redirects are off, connecting has a time-out, reading is watched by the engine."""
    lean = http.client(kind, "https://example.com")
    assert lean.follow_redirects is False
    assert lean.timeout == httpx2.Timeout(None, connect=10.0)


def test_nothing_for_this_machine_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy serves endpoints elsewhere, and is left out for loopback."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    near, far = (http.client(KINDS[0], url) for url in ("http://127.0.0.1:8000/v1", "https://example.com"))
    assert near._transport_for_url(httpx2.URL("http://127.0.0.1:8000/v1")).proxy is None
    assert far._transport_for_url(httpx2.URL("https://example.com")).proxy is not None


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_client_sends_nothing(kind: Any) -> None:
    """After its end a client says so, instead of opening sockets nobody closes."""
    lean = http.client(kind, "https://example.com")

    async def late() -> None:
        await lean.aclose()
        await lean.send(lean.build_request("post", "https://example.com", content=b"", headers=[]))

    with pytest.raises(RuntimeError, match="closed"):
        asyncio.run(late())
