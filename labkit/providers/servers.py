"""Servers of local models: one process for each file and its settings, shared by whoever asks it.

Each is `serve_gguf`, started at first use and ended with its last user, or with this process. It is a
process of its own because llama.cpp's server holds Python's lock while it loads (1.6 s for 250 MB, in
which no other answer could be timed), ends its process where a file makes it fail, and is in the way
of `fork`. This module does not know requests or answers.
"""

from __future__ import annotations

import atexit
import http.client
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from labkit.errors import ConnectionFailed, WeightsError
from labkit.keys import Key

LOADING_S = 600.0
_ENDING_S = 5.0
_ANSWER_S = 60.0
# llama.cpp's threads (OpenMP's) wait for each other by turning in circles. Where other programs want the
# cores too, they then wait for threads that have none: at most this many turns made reading a prompt four
# times as fast on two busy cores, and no slower on idle ones.
_PATIENCE = {"GOMP_SPINCOUNT": "1000"}
_PROGRAM = Path(__file__).with_name("serve_gguf.py")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is served, and how. Equal settings share one server."""

    path: Path
    sha256: str
    name: str
    chat_template: str | None
    context_tokens: int
    slots: int


class Server:
    """One model's process. `start` it before it is asked; a key of its own keeps others out."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.key = Key(secrets.token_urlsafe(32), source="this process, for its own model server")
        self.url = ""
        """Where it listens, without a path; the same after a new start."""
        self.users = 0
        self._process: subprocess.Popen[str] | None = None
        self._starting = threading.Lock()

    def __repr__(self) -> str:
        return f"Server({self.settings.name}, {self.url or 'not started'})"

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start it, or start it anew where it has died; returns when it answers. Slow.

        Raises `WeightsError` where the file cannot be served, with llama.cpp's reason.
        """
        with self._starting:
            if not self.alive:
                self.stop()
                self._process, self.url = _launch(self.settings, self.key, urlsplit(self.url).port or 0)

    def stop(self) -> None:
        """End it and wait for its end."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)

    def post(self, path: str, body: Any) -> Any:
        """The JSON answer to one small question. Raises `ConnectionFailed` where there is none."""
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_ANSWER_S)
        try:
            headers = {"content-type": "application/json", "authorization": f"Bearer {self.key.reveal()}"}
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
            if response.status != 200:
                raise ConnectionFailed(f"{self.settings.name} answered {response.status} to {path}")
            return json.loads(text)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ConnectionFailed(f"{self.settings.name} gave no answer to {path}: {error}") from None
        finally:
            connection.close()


_running: dict[tuple[int, Settings], Server] = {}
_lock = threading.Lock()


def take(settings: Settings) -> Server:
    """The server for `settings`, started if it was not; give it back by `release`. Slow."""
    with _lock:
        # A forked process has servers of its own: its parent's end when the parent wants.
        server = _running.setdefault((os.getpid(), settings), Server(settings))
        server.users += 1
    try:
        server.start()
    except BaseException:
        release(server)
        raise
    return server


def release(server: Server) -> None:
    """One user less; the last one ends the server."""
    with _lock:
        server.users -= 1
        last = server.users <= 0
        if last:
            _running.pop((os.getpid(), server.settings), None)
    if last:
        server.stop()


@atexit.register
def close() -> None:
    """End all servers of this process."""
    with _lock:
        own = [place for place in _running if place[0] == os.getpid()]
        servers = [_running.pop(place) for place in own]
    for server in servers:
        server.stop()


def threads() -> tuple[int, int]:
    """How many threads a server reads prompts with, and how many it answers with.

    Reading uses the cores this process may use, half of them beyond four: where there are many, half of
    what the system counts are usually second threads of the same core. Answering waits for its slowest
    thread at each token, so one core is left to others (on two cores one thread gave 116 tokens a
    second, two gave 70).
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    reading = available if available <= 4 else max(4, available // 2)
    return reading, max(1, reading - 1)


def _launch(settings: Settings, key: Key, port: int) -> tuple[subprocess.Popen[str], str]:
    reading, answering = threads()
    order = {
        "path": str(settings.path),
        "name": settings.name,
        "key": key.reveal(),
        "port": port,
        "slots": settings.slots,
        "context_tokens": settings.context_tokens,
        "reading_threads": reading,
        "answering_threads": answering,
        "chat_template": settings.chat_template,
    }
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        process = subprocess.Popen(  # noqa: S603 - this Python, and a program of our own
            [sys.executable, "-P", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            encoding="utf-8",
            env={**_PATIENCE, **os.environ},
            start_new_session=True,
        )
        limit = threading.Timer(LOADING_S, process.kill)
        limit.daemon = True
        limit.start()
        try:
            answer = _first_answer(process, order)
        except BaseException:
            _end(process)
            raise
        finally:
            limit.cancel()
        if "address" in answer:
            return process, answer["address"]
        _end(process)
        complaints.seek(0)
        why = _reason(complaints.read()) or answer.get("error") or f"it ended with {process.returncode}"
    raise WeightsError(f"The model {settings.name!r} cannot be served from {settings.path}: {why}")


def _first_answer(process: subprocess.Popen[str], order: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except OSError:
        line = ""
    found: dict[str, Any] = json.loads(line) if line else {}
    return found


def _end(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(_ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _reason(complaints: str) -> str:
    """What llama.cpp said before it gave up: its error lines, without time and place."""
    lines = re.findall(r"^[\d.]+ E (?:\S+\s+)?(.*)$", complaints, re.MULTILINE) or complaints.split("\n")[-2:]
    return "; ".join(dict.fromkeys(line.strip() for line in lines if line.strip()))[:500]
