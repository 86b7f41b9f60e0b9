"""A TCP proxy before a server, in threads of this process: it cuts, refuses, freezes, delays, loses replies.

It does not know what passes through it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

PIECE = 1 << 16


class Proxy:
    """Listens on a port of this machine and passes everything on to what `connect` opens.

    Its faults last until `mend`.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.delay_s = 0.0
        """How much later each piece arrives."""
        self.passed = 0
        """Bytes that went through, both ways."""
        self._refuses = False
        self._flows = threading.Event()
        self._flows.set()
        self._last_words: bytes | None = None
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Every connection breaks; new ones are taken."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for one in pair:
                _end(one)

    def refuse(self) -> None:
        """Every connection breaks, and so does each new one at once."""
        self._refuses = True
        self.cut()

    def freeze(self) -> None:
        """Connections stay open and are taken, and nothing passes."""
        self._flows.clear()

    def lose_the_reply_to(self, words: bytes) -> None:
        """When a client sends these words, the server gets them and does what they say; then the connection
        breaks, and the client hears nothing of it. Once."""
        self._last_words = words

    def mend(self) -> None:
        """No fault any more. What was frozen passes."""
        self._refuses = False
        self.delay_s = 0.0
        self._flows.set()

    def close(self) -> None:
        """Break all and listen no more."""
        self._refuses = True
        _end(self._listening)
        self.cut()
        self._flows.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self._refuses:
                _end(client)
                continue
            server = self._connect()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs.append((client, server))
            lost = threading.Event()
            for source, target, out in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass, args=(source, target, out, lost), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, out: bool, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                self._flows.wait()
                time.sleep(self.delay_s)  # what a far server takes
                if not out and lost.is_set():
                    break
                if out and self._last_words is not None and self._last_words in piece:
                    self._last_words = None
                    lost.set()
                target.sendall(piece)
                self.passed += len(piece)
        _end(source)
        _end(target)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
