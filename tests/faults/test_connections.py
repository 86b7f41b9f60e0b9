"""Connections that fail, break or fall silent: what may have been paid for is counted, and all of it ends."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from labkit import providers
from labkit.catalog.model import Model


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_server_that_comes_up_late_answers_all(
    dialect: str, late_server: tuple[int, Callable[[], None]], put: Callable[..., Any]
) -> None:
    """While nobody listens, nothing is paid and nothing given up; then all are answered."""
    port, start = late_server
    tail = "/v1" if dialect == "openai" else ""
    model = Model("late/m", dialect=dialect, base_url=f"http://127.0.0.1:{port}/c/late{tail}")
    providers.load(dialect)  # else its import may take as long as the server does
    threading.Timer(1.5, start).start()
    ran = put(model, count=5)
    assert ran.sink.statuses() == {"done": 5}
    assert sum(row.maybe_paid for row in ran.sink.generations) == 0
    kinds = {attempt.error_type for attempt in ran.sink.attempts}
    assert kinds == {"ConnectionFailed", None}
    assert not any(attempt.maybe_paid for attempt in ran.sink.attempts)


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_server_that_never_comes_up_is_given_up(dialect: str, put: Callable[..., Any]) -> None:
    """An endpoint that cannot be reached is put aside in a time that is set, with rows that say so."""
    model = Model("gone/m", dialect=dialect, base_url="http://127.0.0.1:9")
    ran = put(model, count=30, policy={"deadline_s": 1.0, "unreachable_s": 1.5})
    assert set(ran.sink.statuses()) <= {"failed", "stopped"}
    assert {row.error_type for row in ran.sink.generations} == {"ConnectionFailed"}
    assert sum(row.maybe_paid for row in ran.sink.generations) == 0


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_closed_port_of_this_machine_says_its_address_in_seconds(
    dialect: str, put: Callable[..., Any]
) -> None:
    """A base_url where nothing listens ends its model long before a network is given up, with rows and waits
    that name the address and what to do."""
    model = Model("gone/m", dialect=dialect, base_url="http://localhost:9")
    ran = put(model, count=30, timeout_s=60)
    assert set(ran.sink.statuses()) <= {"failed", "stopped"}
    for row in ran.sink.generations:
        assert "nothing listens at localhost:9" in row.error_message
        assert "correct base_url" in row.error_message
        assert row.error_message.count("nothing listens") == 1
    waits = [why for _, _, why in ran.memory.named("waiting")]
    assert waits
    assert all("localhost:9" in why for why in waits)


@pytest.mark.alone
@pytest.mark.parametrize(
    "how", [{"hang": True}, {"half_head": True}, {"stall_after": 5}, {"stall_after": 0}], ids=str
)
def test_silence_ends_by_its_timeout(how: dict[str, Any], channel: Any, put: Callable[..., Any]) -> None:
    """A server that falls silent is asked once more, then given up; both may have been paid for."""
    channel.script(then=how)
    begun = time.monotonic()
    ran = put(channel.model(), policy={"timeout_s": 0.3})
    (row,) = ran.sink.generations
    assert time.monotonic() - begun < 5
    assert (row.error_type, row.attempts, row.maybe_paid) == ("TimedOut", 2, 2)
    assert row.status == ("partial" if how.get("stall_after") == 5 else "failed")
    assert len(channel.seen()) == 2


@pytest.mark.alone
def test_a_trickle_ends_by_its_deadline(channel: Any, put: Callable[..., Any]) -> None:
    """A byte now and then keeps no request alive beyond its deadline."""
    channel.script(then={"drip_s": 0.02})
    begun = time.monotonic()
    ran = put(channel.model(), policy={"timeout_s": 0.5, "deadline_s": 1.0})
    (row,) = ran.sink.generations
    assert 1.0 <= time.monotonic() - begun < 4
    assert row.error_type == "TimedOut"
    assert "deadline_s=1" in row.error_message


@pytest.mark.alone
def test_a_slow_answer_is_not_silent(channel: Any, put: Callable[..., Any]) -> None:
    """An answer that takes longer than the time-out, but never pauses so long, is heard to its end."""
    channel.script(then={"gap_s": 0.15, "events": 6})
    (row,) = put(channel.model(), policy={"timeout_s": 0.6}).sink.generations
    assert row.status == "done"
    assert row.latency_s > 0.9
    assert row.attempts == 1


@pytest.mark.alone
def test_an_answer_finished_after_the_timeout_is_counted(channel: Any, put: Callable[..., Any]) -> None:
    """A provider that finishes what nobody waits for any more may have been paid: the row says once."""
    channel.script({"first_s": 1.0})
    ran = put(channel.model(), params={"stream": False, "max_tokens": 9}, policy={"timeout_s": 0.4})
    (row,) = ran.sink.generations
    assert (row.status, row.attempts, row.maybe_paid) == ("done", 2, 1)
    assert len(channel.seen()) == 2


def test_how_often_a_timeout_is_asked_again_is_settable(channel: Any, put: Callable[..., Any]) -> None:
    """Who wants no answer to be paid for twice sets one attempt."""
    channel.script(then={"hang": True})
    ran = put(channel.model(), policy={"timeout_s": 0.2, "attempts": {"TimedOut": 1}})
    assert len(channel.seen()) == 1
    assert ran.sink.generations[0].maybe_paid == 1


def test_a_connection_closed_without_a_word(channel: Any, put: Callable[..., Any]) -> None:
    """A request that was sent and never answered may have been paid for, and is sent once more."""
    channel.script(then={"reset": True})
    (row,) = put(channel.model()).sink.generations
    assert (row.status, row.error_type) == ("failed", "ConnectionLost")
    assert (row.attempts, row.maybe_paid) == (2, 2)


def test_it_is_heard_as_it_comes(channel: Any, put: Callable[..., Any]) -> None:
    """Text arrives while the server still holds the rest back: nothing waits for the end of an answer."""
    channel.script(then={"stall_after": 5, "events": 6})
    ran = put(channel.model(), policy={"timeout_s": 0.5, "attempts": {"TimedOut": 1}})
    (row,) = ran.sink.generations
    assert row.latency_s - row.ttft_s >= 0.4
    assert "".join(delta for _, delta in ran.memory.named("text")) == row.text


class Closing:
    """Speaks to kept connections as it likes: `close` says for the how-manieth request on a connection, and
    whether it was read, what happens; one that `heeds` closes where the client asks for it. It counts what it
    read and what it answered."""

    def __init__(self, close: Callable[[int], str | None], *, heeds: bool) -> None:
        self.close, self.heeds = close, heeds
        self.read: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in itertools.count(1):
            how = self.close(number)
            try:
                if how == "unread":
                    # Something is there, and is left there.
                    while not reader._buffer:  # type: ignore[attr-defined]
                        await asyncio.sleep(0.001)
                    break
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(re.search(rb"(?i)content-length: *(\d+)", head)[1])  # type: ignore[index]
                body = json.loads(await reader.readexactly(size))
            except (asyncio.IncompleteReadError, asyncio.CancelledError):
                break
            said = str(body["messages"][-1]["content"])
            self.read[said] += 1
            if how == "read":
                break
            writer.write(ANSWER)
            await writer.drain()
            self.answered[said] += 1
            if how == "soon":
                await asyncio.sleep(0.002)
            if how == "soon" or (self.heeds and b"connection: close" in head.lower()):
                break
        writer.transport.abort()


EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%s" % (
    len(EVENT),
    EVENT,
)


@pytest.fixture
def closing() -> Iterator[Callable[[Callable[[int], str | None]], tuple[Closing, Model]]]:
    """Servers of that kind in a loop and thread of their own, and a model to ask there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def start(close: Callable[[int], str | None], *, heeds: bool = True) -> tuple[Closing, Model]:
        server = Closing(close, heeds=heeds)
        listening = asyncio.start_server(server.serve, "127.0.0.1", 0)
        sockets = asyncio.run_coroutine_threadsafe(listening, loop).result(10).sockets
        base = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/v1"
        return server, Model("closing/m", base_url=base, concurrency=8)

    async def end() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    yield start
    asyncio.run_coroutine_threadsafe(end(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


@pytest.mark.parametrize("how", ["unread", "soon"])
@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("heeds", [True, False])
def test_kept_connections_closed_at_random_fail_nothing(
    how: str, share: float, heeds: bool, closing: Any, put: Callable[..., Any]
) -> None:
    """A server that ends kept connections at random, as a request comes or just before, fails none of 200:
    what it never read is asked again, however often that happens, and is answered once."""
    random = Random(7)

    def close(number: int) -> str | None:
        return how if random.random() < share and (number > 1 or how == "soon") else None

    server, model = closing(close, heeds=heeds)
    ran = put(model, count=200)
    assert ran.sink.statuses() == {"done": 200}
    assert set(server.answered.values()) == {1}
    assert set(server.read.values()) == {1}
    if how == "unread":
        assert any(row.attempts > 1 for row in ran.sink.generations)


def test_what_was_read_is_not_asked_again_for_ever(closing: Any, put: Callable[..., Any]) -> None:
    """A server that reads a request on a kept connection and hangs up may have been paid: the row counts it,
    and it is asked again over a connection made for it. One that always does so is given up."""
    server, model = closing(lambda number: "read" if number > 1 else None)
    ran = put(model, count=40)
    assert ran.sink.statuses() == {"done": 40}
    for row in ran.sink.generations:
        # One that was not read, since the connection was closed already, is counted too: nobody can know.
        assert 1 <= server.read[f"question {row.sample_id.rpartition('#')[2]}"] <= 1 + row.maybe_paid
    first = iter([None])
    server, model = closing(lambda number: next(first, "read"))
    ran = put(model, count=9)
    assert ran.sink.statuses() == {"done": 1, "failed": 8}
    for row in ran.sink.generations:
        asked = server.read[f"question {row.sample_id.rpartition('#')[2]}"]
        assert asked <= row.attempts <= 3
        assert row.maybe_paid == row.attempts - (row.status == "done")
