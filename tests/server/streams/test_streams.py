"""Streams over a real port: who may read and stop a run, and readers that do not read."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from labkit.server import streams
from labkit.server.state.tables import ServedRun

RUN = "run-1"
A = "scripted/a"


def until(there: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def whole_run(script: Any) -> None:
    script.sent(A)
    script.text(A, "Hello")
    script.ended(A, "Hello")
    script.end()


def taken(response: Any, client: Any) -> Any:
    client.take(response.content)
    return client


def test_a_run_is_streamed_until_its_end(serving: Any, new_script: Any, new_client: Any) -> None:
    """`GET /runs/{run}/events` is server-sent events, `Last-Event-ID` goes on, and after the end there is
    nothing more: 204."""
    whole_run(new_script(serving.admit(RUN)))
    bearer = serving.bearer("ada")
    answer = serving.ask("GET", f"/runs/{RUN}/events", headers=bearer)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content.startswith(b"retry: 1000\n\n")
    client = taken(answer, new_client())
    assert client.kinds == ["start", "token", "complete", "end"]
    again = serving.ask("GET", f"/runs/{RUN}/events", headers={**bearer, "Last-Event-ID": client.ids[1]})
    assert taken(again, new_client()).kinds == ["complete", "end"]
    over = serving.ask("GET", f"/runs/{RUN}/events", headers={**bearer, "Last-Event-ID": client.ids[-1]})
    assert (over.status_code, over.content) == (204, b"")


def test_what_is_not_mine_is_not_there(serving: Any) -> None:
    """A run of a workspace that somebody is no member of is answered as one that there is not: 404, in the
    same words."""
    serving.admit(RUN)
    bearer = serving.bearer("otto")
    for method, path in (("GET", "/runs/{}/events"), ("DELETE", "/runs/{}")):
        theirs = serving.ask(method, path.format(RUN), headers=bearer)
        nobodys = serving.ask(method, path.format("run-2"), headers=bearer)
        assert (theirs.status_code, nobodys.status_code) == (404, 404)
        assert theirs.json()["detail"].replace(RUN, "") == nobodys.json()["detail"].replace("run-2", "")
    for odd in ("%FF", "..%2f", "x" * 10_000):
        assert serving.ask("GET", f"/runs/{odd}/events", headers=bearer).status_code == 404


def test_a_viewer_reads_and_stops_nothing(serving: Any, new_script: Any) -> None:
    """Who may only read gets the stream, and 403 for the wish to stop it."""
    whole_run(new_script(serving.admit(RUN)))
    bearer = serving.bearer("vic")
    assert serving.ask("GET", f"/runs/{RUN}/events", headers=bearer).status_code == 200
    assert serving.ask("DELETE", f"/runs/{RUN}", headers=bearer).status_code == 403


def test_a_run_is_asked_to_stop(serving: Any, new_script: Any) -> None:
    """`DELETE` has the run's process stop it within a second; twice, and after its end, is harmless."""
    stopped: list[float] = []
    script = new_script(serving.admit(RUN))
    script.stream.stop = lambda: stopped.append(time.monotonic())
    bearer = serving.bearer("ada")
    asked = time.monotonic()
    for _ in range(2):
        assert serving.ask("DELETE", f"/runs/{RUN}", headers=bearer).status_code == 204
    until(lambda: bool(stopped), 2)
    assert stopped[0] - asked < 1
    whole_run(script)
    until(lambda: _over(serving))
    assert serving.ask("DELETE", f"/runs/{RUN}", headers=bearer).status_code == 204
    assert len(stopped) == 1


def _over(serving: Any) -> bool:
    with serving.service.state.reading() as rows:
        return rows.get(ServedRun, RUN).ended_us is not None


def test_logging_out_ends_a_stream(serving: Any, new_client: Any) -> None:
    """Within a second of a log-out the streams that it opened have ended."""
    serving.admit(RUN)
    bearer = serving.bearer("ada")
    with serving.reader(RUN, bearer) as connection:
        assert b"retry" in _received(connection, b"retry: 1000")
        assert serving.ask("POST", "/auth/logout", headers=bearer).status_code < 300
        out = time.monotonic()
        rest = _received(connection)
        assert time.monotonic() - out < 1
    assert b'"reason":"logged out"' in rest
    assert serving.ask("GET", f"/runs/{RUN}/events", headers=bearer).status_code == 401


def test_a_page_that_leaves_stops_nothing(serving: Any, new_script: Any, new_client: Any) -> None:
    """A connection that is dropped is forgotten, and the run goes on to its end."""
    script = new_script(serving.admit(RUN))
    bearer = serving.bearer("ada")
    connection = serving.reader(RUN, bearer)
    _received(connection, b"retry: 1000")
    connection.close()
    board = serving.service.board
    until(lambda: not board._all_readers())
    whole_run(script)
    answer = serving.ask("GET", f"/runs/{RUN}/events", headers=bearer)
    assert taken(answer, new_client()).kinds[-1] == "end"


def test_who_takes_nothing_is_let_go(serving: Any, new_script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that reads nothing loses its place when a write took too long; others get the run whole."""
    monkeypatch.setattr(streams, "WRITE_S", 0.5)
    script = new_script(serving.admit(RUN))
    bearer = serving.bearer("ada")
    board = serving.service.board
    with serving.reader(RUN, bearer):
        until(lambda: len(board._all_readers()) == 1)
        script.sent(A)
        text = ""
        while board._all_readers():
            script.text(A, 1_000 * "word ")
            text += 1_000 * "word "
            assert len(text) < 10**9
            time.sleep(0.001)  # the text comes over time
        script.ended(A, text)
        script.end()
        answer = serving.ask("GET", f"/runs/{RUN}/events", headers=bearer)
        assert b"event: end" in answer.content[-1000:]


def _received(connection: socket.socket, mark: bytes | None = None) -> bytes:
    """All until `mark`, or until the end."""
    received = b""
    while mark is None or mark not in received:
        more = connection.recv(65_536)
        if not more:
            break
        received += more
    return received


def test_a_restart_ends_streams_at_once(serving: Any, new_script: Any) -> None:
    """When the service leaves, every reader is told `restarting` and its connection ends within a second."""
    script = new_script(serving.admit(RUN))
    script.sent(A)
    script.text(A, "so far")
    bearer = serving.bearer("ada")
    connections = [serving.reader(RUN, bearer) for _ in range(20)]
    for connection in connections:
        _received(connection, b"so far")
    begun = time.monotonic()
    serving.service.board.end_readers()
    rest = [_received(connection) for connection in connections]
    assert time.monotonic() - begun < 1
    assert all(b'"reason":"restarting"' in one for one in rest)


class Measured:
    """Reads a stream in a thread, and notes when each text came."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.first: float | None = None
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        received = b""
        while b"event: end" not in received:
            more = self.connection.recv(65_536)
            if not more:
                return
            received = received[-200:] + more
            if self.first is None and b"event: token" in received:
                self.first = time.perf_counter()


@pytest.mark.alone
def test_many_streams_and_readers_that_never_read(serving: Any, new_script: Any) -> None:
    """With 64 streams and 20 readers that read nothing, a first text reaches its reader 10 ms (median) and
    30 ms (99 of 100) after it was told at most, and what the 20 do not read is held once."""
    bearer = serving.bearer("ada")
    sent: list[float] = []
    took: list[float] = []
    stuck_script = new_script(serving.admit("stuck"))
    stuck = [serving.reader("stuck", bearer) for _ in range(20)]
    over = threading.Event()

    def drive_stuck() -> None:
        stuck_script.sent(A)
        while not over.is_set():
            stuck_script.text(A, 400 * "word ")
            time.sleep(0.005)  # 400 kB a second: far more than the connections hold

    driver = threading.Thread(target=drive_stuck)
    driver.start()
    until(lambda: len(serving.service.board._all_readers()) == 20)
    for round_number in range(4):
        runs = [f"run-{round_number}-{number}" for number in range(64)]
        scripts = [new_script(serving.admit(run)) for run in runs]
        readers = [Measured(serving.reader(run, bearer)) for run in runs]
        until(lambda: len(serving.service.board._all_readers()) == 20 + 64)
        gc.collect()
        for script in scripts:
            script.sent(A)
            script.text(A, "w ")
            sent.append(time.perf_counter())
            time.sleep(0.004)
        for _ in range(50):  # 50 texts a second in each
            for script in scripts:
                script.text(A, "w ")
            time.sleep(0.02)
        for script in scripts:
            script.ended(A, 51 * "w ")
            script.end()
        for reader in readers:
            reader.thread.join()
            reader.connection.close()
            assert reader.first is not None
            took.append(reader.first)
    over.set()
    driver.join()
    added = sorted(1e3 * (first - at) for first, at in zip(took, sent, strict=True))
    print(f"p50 {added[len(added) // 2]:.1f} ms, p99 {added[int(len(added) * 0.99)]:.1f} ms, {added[-1]:.1f}")
    held = len({reader.log for reader in serving.service.board._all_readers()})
    assert held <= 1
    for connection in stuck:
        connection.close()
    assert added[len(added) // 2] <= 10
    assert added[int(len(added) * 0.99)] <= 30
