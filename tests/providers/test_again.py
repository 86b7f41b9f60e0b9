"""What the SDK sent once is sent again without it: the same bytes, read and refused in the same way."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from labkit import providers
from labkit.catalog.model import Model
from labkit.errors import ConnectionLost, InvalidRequest, ProviderError, RateLimited
from labkit.keys import Key

SECRET = "sk-test-0123456789"
DIALECTS = ["openai", "openai-responses", "anthropic"]
DONE = {"choices": [{"index": 0, "delta": {"content": "hello"}, "finish_reason": "stop"}]}
EVENT = f"data: {json.dumps(DONE)}\n\n".encode()
Reply = Callable[[int], bytes]


def whole(body: bytes, *head: str, status: str = "200 OK") -> bytes:
    """A response with a body of known length."""
    lines = [f"HTTP/1.1 {status}", "content-type: text/event-stream", f"content-length: {len(body)}", *head]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Server:
    """Answers as `reply` says, by the number of the request, and remembers what came. A body cut short ends
    its connection."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.seen: list[tuple[str, bytes]] = []
        self.connections = self.ended = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                size = next(
                    int(line[15:]) for line in head.lower().split("\r\n") if "content-length:" in line
                )
                self.seen.append((head, await reader.readexactly(size)))
                reply = self.reply(len(self.seen))
                writer.write(reply)
                await writer.drain()
                if b"cut: short" in reply:
                    break
        except asyncio.IncompleteReadError:
            self.ended += 1
        finally:
            writer.close()


@asynccontextmanager
async def asked_of(reply: Reply, dialect: str = "openai", key: str | None = SECRET) -> AsyncIterator[Any]:
    """A server, and a provider of that dialect that asks it."""
    server = Server(reply)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    made = Key(key, source="the test") if key else None
    provider = providers.load(dialect).connect(Model("acme/m", base_url=server.url, dialect=dialect), made)
    try:
        yield server, provider
    finally:
        await provider.close()
        listening.close()


async def outcome(provider: Any, request: Any, listener: Any) -> Any:
    """The answer, or the error."""
    try:
        return await provider.ask(request, listener)
    except ProviderError as error:
        return error


def three(reply: Reply, request: Any, listener: Any, dialect: str = "openai") -> tuple[Server, list[Any]]:
    """What came of asking the same three times, and the server that was asked."""

    async def run() -> tuple[Server, list[Any]]:
        async with asked_of(reply, dialect) as (server, provider):
            return server, [await outcome(provider, request, listener) for _ in range(3)]

    return asyncio.run(run())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_same_bytes_as_the_first_time(dialect: str, request_to: Any, listener: Any) -> None:
    """Line, headers and body of later requests are those that the SDK sent, over the same connection."""
    params = {"max_tokens": 5, "temperature": 1e-05, "stop": ["ä\n"], "seed": 10**15}
    server, _ = three(lambda number: whole(EVENT), request_to(dialect, params=params), listener, dialect)
    (first, body), *others = server.seen
    assert SECRET in first
    assert len(others) == 2
    for head, again in others:
        assert again == body
        assert sorted(head.lower().split("\r\n")) == sorted(first.lower().split("\r\n"))
    assert server.connections == 1


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_the_sdk_builds_only_the_first(
    dialect: str, request_to: Any, listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its work is done once for an address, unless its log is wanted."""

    async def run() -> list[int]:
        async with asked_of(lambda number: whole(EVENT), dialect) as (_, provider):
            client, built, counts = provider._wire._client, [], []
            build = client._build_request
            monkeypatch.setattr(client, "_build_request", lambda *a, **k: built.append(1) or build(*a, **k))
            for level in (logging.INFO, logging.INFO, logging.INFO, logging.DEBUG):
                logging.getLogger("openai").setLevel(level)
                await outcome(provider, request_to(dialect), listener)
                counts.append(len(built))
            return counts

    try:
        assert asyncio.run(run()) == [1, 1, 1, 2]
    finally:
        logging.getLogger("openai").setLevel(logging.NOTSET)


def test_a_refusal_says_the_same(request_to: Any, listener: Any) -> None:
    """Kind, words, status and waiting time of a refusal do not depend on who sent; no key that a server sends
    back is in it."""
    body = json.dumps({"error": {"message": f"slow down, {SECRET}"}}).encode()
    told = (f"x-request-id: of {SECRET}", "retry-after: 7")
    _, found = three(lambda number: whole(body, *told, status="429 No"), request_to("openai"), listener)
    assert {type(error) for error in found} == {RateLimited}
    assert {(str(error), error.status, error.retry_after_s, error.raw) for error in found} == {
        (str(found[0]), 429, 7.0, found[0].raw)
    }
    assert SECRET not in repr([vars(error) for error in found])


def test_a_redirect_is_not_followed(request_to: Any, listener: Any) -> None:
    """Where a server sends one on to is never asked."""
    server, found = three(
        lambda number: whole(b"", "location: /elsewhere", status="307 Go"), request_to("openai"), listener
    )
    assert len({(type(error), str(error)) for error in found}) == 1
    assert {head.split()[1] for head, _ in server.seen} == {"/v1/chat/completions"}


def test_what_is_compressed_is_read(request_to: Any, listener: Any) -> None:
    """Answers and refusals alike."""
    packed = gzip.compress(EVENT), gzip.compress(b'{"error": {"message": "no such thing"}}')
    head = "content-encoding: gzip"
    _, answers = three(lambda number: whole(packed[0], head), request_to("openai"), listener)
    _, refusals = three(
        lambda number: whole(packed[1], head, status="404 No"), request_to("openai"), listener
    )
    assert listener.said == "hello" * 3
    assert [answer.stop_reason for answer in answers] == ["stop"] * 3
    assert all("no such thing" in str(error) for error in refusals)


def test_a_broken_answer_is_lost_and_costs_its_connection(request_to: Any, listener: Any) -> None:
    """One that ends in the middle reads the same, and the next is asked over a new connection."""
    cut = whole(EVENT[:20], "cut: short").replace(b"content-length: 20", b"content-length: 99")
    server, found = three(lambda number: cut, request_to("openai"), listener)
    assert {type(error) for error in found} == {ConnectionLost}
    assert server.connections == 3


def test_a_cancelled_answer_ends_its_connection(request_to: Any, listener: Any) -> None:
    """What nobody will read is not read on: the server sees its connection end."""
    begun = whole(EVENT[:20]).replace(b"content-length: 20", b"content-length: 99")

    async def run() -> None:
        async with asked_of(lambda number: whole(EVENT) if number == 1 else begun) as (server, provider):
            await provider.ask(request_to("openai"), listener)
            task = asyncio.create_task(provider.ask(request_to("openai"), listener))
            while None not in listener.heard:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            while not server.ended:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), 10))


def test_a_connection_left_open_after_the_end_is_let_go(
    request_to: Any, listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers do not wait for it, the first and the next; after a moment the server sees each of them end."""
    monkeypatch.setattr("labkit.providers.wire._CLOSING_S", 0.05)
    told = EVENT + b"data: [DONE]\n\n"
    left_open = whole(told).replace(b"content-length: %d" % len(told), b"content-length: 999")

    async def run() -> None:
        async with asked_of(lambda number: left_open) as (server, provider):
            for _ in range(3):
                await provider.ask(request_to("openai"), listener)
            while server.ended < 3:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), 10))
    assert listener.said == "hello" * 3


def test_what_is_no_json_is_the_sdks_to_write_or_to_refuse(request_to: Any, listener: Any) -> None:
    """A moment is written as the SDK writes it, a number that is none is refused, the second time too."""
    moment, nothing = datetime(2026, 11, 1, tzinfo=UTC), {"temperature": float("nan")}
    server, _ = three(
        lambda number: whole(EVENT), request_to("openai", params={"metadata": {"at": moment}}), listener
    )
    assert {json.loads(body)["metadata"]["at"] for _, body in server.seen} == {moment.isoformat()}
    for params, kind in ((nothing, ProviderError), ({"metadata": {"at": object()}}, InvalidRequest)):

        async def run(params: Any) -> list[Any]:
            async with asked_of(lambda number: whole(EVENT)) as (server, provider):
                await provider.ask(request_to("openai"), listener)
                found = [await outcome(provider, request_to("openai", params=params), listener)]
                assert len(server.seen) == 1
                return found

        (error,) = asyncio.run(run(params))
        assert isinstance(error, kind)


def test_nothing_is_sent_after_the_end(request_to: Any, listener: Any) -> None:
    """A closed provider says so, also where it had asked before."""

    async def run() -> tuple[Any, int]:
        async with asked_of(lambda number: whole(EVENT)) as (server, provider):
            await provider.ask(request_to("openai"), listener)
            await provider.close()
            return await outcome(provider, request_to("openai"), listener), len(server.seen)

    error, seen = asyncio.run(run())
    assert isinstance(error, ProviderError)
    assert seen == 1


def test_what_goes_through_a_proxy_goes_the_sdks_way(
    request_to: Any, listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request, the first and the next, reaches the proxy."""

    async def run() -> list[str]:
        async with asked_of(lambda number: whole(EVENT)) as (server, _):
            monkeypatch.setenv("HTTP_PROXY", server.url)
            monkeypatch.setattr("labkit.providers.http.is_loopback", lambda url: False)
            model = Model("acme/m", base_url="http://localhost:9/v1", dialect="openai")
            provider = providers.load("openai").connect(model, None)
            for _ in range(2):
                await outcome(provider, request_to("openai"), listener)
            await provider.close()
            return [head.split()[1] for head, _ in server.seen]

    assert asyncio.run(run()) == ["http://localhost:9/v1/chat/completions"] * 2
