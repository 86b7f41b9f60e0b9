"""labkit.server.guard over a connection: what is sent by bytes that no client library would send."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.server.running import running

HEAD = b"POST /api/v1/execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[socket.socket]:
    """One to a running service."""
    with running(tmp_path) as there:
        where = urlsplit(there.url)
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=20) as made:
            yield made


def answer(connection: socket.socket) -> str:
    """All that comes until the other side closes."""
    said = b""
    while piece := connection.recv(65_536):
        said += piece
    return said.decode()


def test_a_body_that_says_it_is_too_large_is_not_waited_for(connection: socket.socket) -> None:
    """413 comes although not one byte of the body was sent, and the connection ends."""
    connection.sendall(HEAD + b"Content-Length: 1048577\r\n\r\n")
    said = answer(connection)
    assert said.startswith("HTTP/1.1 413 ")
    assert "application/problem+json" in said


def test_chunks_without_an_end_are_cut_off(connection: socket.socket) -> None:
    """Chunks that go on for ever are answered by 413, and no more of them is taken."""
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    try:
        for _ in range(10_000):
            connection.sendall(chunk)
        raise AssertionError("655 MB were taken")
    except (BrokenPipeError, ConnectionResetError):
        pass


@pytest.mark.parametrize(
    "head",
    [
        b"GET /api/v1/providers HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n",
        b"GET /api/v1/providers HTTP/1.1\r\n\r\n",
        b"GET /api/v1/providers HTTP/1.1\r\nHost: localhost/x\r\nConnection: close\r\n\r\n",
        b"GET /api/v1/providers HTTP/1.0\r\n\r\n",
        b"GET http://evil.test/api/v1/providers HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n",
        b"POST /api/v1/execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_heads_that_mislead_are_refused(connection: socket.socket, head: bytes) -> None:
    """Heads with two hosts, none, or one that is not ours, or with a false length are 400 or 421."""
    connection.sendall(head)
    assert answer(connection)[:13] in ("HTTP/1.1 400 ", "HTTP/1.1 421 ")


@pytest.mark.parametrize(
    "sent",
    [
        b"garbage\r\n\r\n",
        b"GET /api/v1/providers HTTP/1.1\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nno length\r\n",
    ],
)
def test_what_is_no_http_is_a_problem_too(connection: socket.socket, sent: bytes) -> None:
    """Bytes that no application sees are answered by 400 as a problem, and the connection ends."""
    connection.sendall(sent)
    head, _, body = answer(connection).partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 400 ")
    assert "content-type: application/problem+json" in head
    assert json.loads(body)["detail"] == "The request is not HTTP/1.1 that can be read. Send another."


def test_what_is_no_http_after_an_answer_troubles_nobody(
    connection: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    """Bytes that go wrong after the answer end their connection, without a second answer or a traceback."""
    connection.sendall(HEAD.replace(b"json", b"xml") + b"Transfer-Encoding: chunked\r\n\r\n")
    first = connection.recv(65_536).decode()
    assert first.startswith("HTTP/1.1 415 ")
    connection.sendall(b"no length\r\n")
    assert "HTTP/1.1" not in answer(connection)
    assert [one.getMessage() for one in caplog.records if one.exc_info] == []


PATHS = [b"/api/v1//providers", b"/api/v1/providers/", b"/api/v1/../v1/providers", b"//api/v1/providers"]


@pytest.mark.parametrize("path", PATHS)
def test_an_address_is_taken_as_it_is(connection: socket.socket, path: bytes) -> None:
    """No path is tidied up into that of a route: 404."""
    connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer(connection)[:12] == "HTTP/1.1 404"
