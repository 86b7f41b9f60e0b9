"""A signal ends the service in good order: nobody waits, nothing that was answered is lost."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.server.state import State
from labkit.server.state.tables import ServedRun
from tests.faults.channel import Channel
from tests.server.processes.index_made_anew import rebuilt, rows
from tests.server.processes.serve_process import ServeProcess, until
from tests.server.processes.streamed import MODELS, Caller, Streamed

pytestmark = [pytest.mark.alone, pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")]

MOST_S = 5


@pytest.mark.parametrize(
    ("workers", "sig", "to_all"),
    [
        (1, signal.SIGTERM, False),
        (2, signal.SIGTERM, False),
        (1, signal.SIGINT, True),
        (2, signal.SIGINT, True),
    ],
    ids=["TERM-1", "TERM-2", "Ctrl-C-1", "Ctrl-C-2"],
)
def test_a_signal_ends_it_in_good_order(
    serve: Callable[..., ServeProcess], channel: Channel, workers: int, sig: signal.Signals, to_all: bool
) -> None:
    """With streams and requests under way it ends in 5 s: readers get an `end` that says `restarting`, new
    work is refused, and the lab has what was answered and what was heard so far."""
    service = serve(workers=workers)
    words = " ".join(str(number) for number in range(400))
    channel.script({}, {}, then={"text": words, "events": 200, "gap_s": 0.1})
    service.start()
    body = {"prompt": "quick", "model_ids": MODELS}
    answered = service.ask("POST", "/execute", json=body).json()
    assert [one["status"] for one in answered] == ["completed", "completed"]
    callers = [Caller(service, f"reader {number}", number, ways=[way]) for number, way in enumerate(WAYS)]
    for caller in callers:
        caller.start()
    until(lambda: len(channel.seen()) >= len(callers) + len(MODELS), MOST_S * 4)
    readers = [caller for caller in callers if "stream" in caller.ways]
    until(lambda: all(one.streams and any(one.streams[-1].texts.values()) for one in readers), MOST_S * 4)
    for caller in callers:
        caller.finishes = False
        caller.stop()
    took_s = service.end(sig, to_all=to_all)
    for caller in callers:
        caller.join(MOST_S * 4)
        assert not caller.is_alive()
        assert caller.trouble is None, repr(caller.trouble)
    assert took_s < MOST_S, service.log()
    assert "Traceback" not in service.log()
    streams = [stream for caller in callers for stream in caller.streams]
    assert len(streams) == len(readers)
    assert {stream.reason for stream in streams} == {"restarting"}
    assert not [one.text for caller in callers for one in caller.refused if one.status_code != 503]
    state = State(service.state)
    kept = rows(state)
    with state.reading() as session:
        assert not [run.id for run in session.query(ServedRun) if run.ended_us is None]
    state.close()
    assert {row["status"] for row in kept.values()} == {"completed", "cancelled"}
    for one in answered:
        assert (kept[one["id"]]["status"], kept[one["id"]]["text"]) == ("completed", one["output"])
    for stream in streams:
        check(stream, kept)
    rebuilt(service)


WAYS = ("stream", "stream", "stream", "whole", "later")


def check(stream: Streamed, kept: dict[str, dict[str, object]]) -> None:
    """What a reader heard is what the history has."""
    for row in kept.values():
        if row["run_id"] == stream.run and stream.runs is not None:
            assert str(row["text"] or "")[:200] == stream.texts[str(row["asked"])][:200]


def test_a_worker_that_dies_is_replaced(serve: Callable[..., ServeProcess], channel: Channel) -> None:
    """The other goes on answering meanwhile, and there are two again."""
    service = serve(workers=2)
    channel.script()
    service.start()
    until(lambda: len(service.worker_pids()) == 2, MOST_S * 4)
    dead, other = service.worker_pids()
    os.kill(dead, signal.SIGKILL)
    body = {"prompt": "hi", "model_ids": MODELS[:1]}
    until(lambda: len(set(service.worker_pids()) - {dead}) == 2, 60, service.log)
    answer = service.ask("POST", "/execute", json=body)
    assert [one["status"] for one in answer.json()] == ["completed"]
    assert other in service.worker_pids()
    assert f"Process {dead} of the service was ended by signal 9; another takes its place." in service.log()
    until(lambda: "INFO ada POST /api/v1/execute 200" in service.log(), MOST_S, service.log)


def test_workers_that_cannot_start_end_the_service(
    serve: Callable[..., ServeProcess], channel: Channel
) -> None:
    """Where what they need was broken meanwhile, those that replace a worker are not started for ever: all
    end with 1, and a sentence says why."""
    service = serve(workers=2)
    service.start()
    until(lambda: len(service.worker_pids()) == 2, MOST_S * 4)
    (service.home / "models.toml").write_text("no models")
    os.kill(service.worker_pids()[0], signal.SIGKILL)
    assert service.exit_code() == 1
    last = service.log().splitlines()[-1]
    assert "labkit: The service ends: 3 of its processes in a row ended before they could serve." in last
    assert "models.toml' is no TOML" in last
    assert "Traceback" not in service.log()


def test_workers_end_with_their_supervisor(serve: Callable[..., ServeProcess]) -> None:
    """Where the process that was started is killed alone, its workers end too, and the port is free again."""
    service = serve(workers=2)
    service.start()
    until(lambda: len(service.worker_pids()) == 2, MOST_S * 4)
    workers = service.worker_pids()
    os.kill(service.pid, signal.SIGKILL)
    until(lambda: not [pid for pid in workers if lives(pid)], MOST_S * 6, service.log)
    service.kill()
    service.start(int(service.url.rpartition(":")[2]))


def lives(pid: int) -> bool:
    """Whether the process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
