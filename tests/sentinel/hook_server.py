"""A server on loopback that stands for a chat or a heartbeat monitor, and keeps what arrived at it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

PATH = "/services/T0HIDDEN/B0HIDDEN/xYzHIDDENtoken?sig=SiGnHIDDEN%2Fature"
PIECES = ("T0HIDDEN", "B0HIDDEN", "xYzHIDDEN", "SiGnHIDDEN", "HIDDEN")


@dataclass(frozen=True)
class Arrived:
    """One request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


def answer(status: int, body: bytes = b"", *more: str) -> bytes:
    """A whole answer of HTTP."""
    head = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *more]
    return "\r\n".join([*head, "", ""]).encode() + body


OK = answer(200, b"ok")


@dataclass
class HookServer:
    """Calls `behave` with each connection after its request was read; bytes are sent as they are."""

    behave: bytes | Callable[[socket.socket], None] = OK
    tls: ssl.SSLContext | None = None
    greets: bool = False
    """Whether it answers before it was asked."""
    arrived: list[Arrived] = field(default_factory=list)
    connected: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.address = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{PATH}"
        self.ending = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self.ending.set()
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            self.connected += 1
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                if not self.greets:
                    self.arrived.append(_read(connection))
                if callable(self.behave):
                    self.behave(connection)
                else:
                    connection.sendall(self.behave)
                # Until the other side is done: what is closed with something unread is reset.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
                    connection.settimeout(5)
                    connection.recv(1)


def _read(connection: socket.socket) -> Arrived:
    stream = connection.makefile("rb")
    line = stream.readline().decode("latin-1").strip()
    headers = {}
    while text := stream.readline().decode("latin-1").strip():
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    return Arrived(line, headers, stream.read(int(headers.get("content-length", 0))))
