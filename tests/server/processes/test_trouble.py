"""A disk that is full, a state that others hold: the service says so by 503, loses nothing, and goes on."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.channel import Channel
from tests.server.processes.serve_process import ServeProcess, until
from tests.server.processes.streamed import MODELS

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="it mounts a file system"),
]

DISK_MB = 64
HELD_S = 15


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that is soon full."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("what", ["lab", "state"])
def test_a_full_disk(
    serve: Callable[..., ServeProcess], channel: Channel, small_disk: Path, what: str
) -> None:
    """New work is refused by a 503 that names the trouble; what was under way is answered and kept; with room
    again everything works, and all that was answered is there."""
    channel.script(then={})
    service = serve(**{what: small_disk / ("lab.duckdb" if what == "lab" else "state.sqlite")})
    service.start()
    before = execute(service, "before").json()
    channel.script({"first_s": 3}, then={})
    slow: list[Any] = []
    thread = threading.Thread(target=lambda: slow.append(execute(service, "slow")))
    thread.start()
    until(lambda: any(one["body"]["messages"][-1]["content"] == "slow" for one in channel.seen()), 20)
    fill(small_disk / "ballast")
    refused: list[Any] = []

    def is_refused() -> bool:
        refused.append(execute(service, f"refused {len(refused)}"))
        return bool(refused[-1].status_code != 200)

    until(is_refused, 60)
    assert refused[-1].status_code == 503, refused[-1].text
    assert refused[-1].headers["content-type"] == "application/problem+json"
    assert service.ask("GET", "/models").status_code == 200
    (small_disk / "ballast").unlink()
    thread.join(30)
    until(lambda: execute(service, "after").status_code == 200, 30, service.log)
    (answer,) = slow
    answered = [before, *(one.json() for one in [answer, *refused] if one.status_code == 200)]
    assert answer.status_code == 200, answer.text
    there = {one["id"]: one for one in service.executions()}
    for (told,) in answered:
        assert service.ask("GET", f"/executions/{told['id']}").json() == told
        assert told["id"] in there
    assert not [one for one in there.values() if one["status"] in ("pending", "running")]
    assert "Traceback" not in service.log()


@pytest.mark.soak
def test_a_state_that_others_hold(serve: Callable[..., ServeProcess], channel: Channel) -> None:
    """Held for 15 s by another program, new work is refused by 503 after ten; what was under way is answered
    when it is free again, and afterwards all is as it was."""
    channel.script({"first_s": 1}, then={})
    service = serve()
    service.start()
    service.bearer()
    slow: list[Any] = []
    threads = [threading.Thread(target=lambda: slow.append(execute(service, "slow")))]
    threads[0].start()
    until(channel.seen, 20)
    held = sqlite3.connect(service.state, isolation_level=None, timeout=10)
    held.execute("begin immediate")
    refused: list[Any] = []
    threads.append(threading.Thread(target=lambda: refused.append(execute(service, "refused"))))
    threads[1].start()
    assert service.ask("GET", "/executions").status_code == 200
    threads[1].join(HELD_S)
    assert [one.status_code for one in refused] == [503]
    assert "others wrote for more than 10 s" in refused[0].json()["detail"]
    threads[0].join(HELD_S - 10)
    assert not slow
    held.execute("rollback")
    held.close()
    threads[0].join(20)
    assert [one.status_code for one in slow] == [200]
    assert [one.json()[0]["status"] for one in slow] == ["completed"]
    assert execute(service, "after").status_code == 200
    assert len(channel.seen()) == 2
    assert {one["status"] for one in service.executions()} == {"completed"}
    assert "Traceback" not in service.log()


def execute(service: ServeProcess, prompt: str) -> Any:
    """The answer to one execution."""
    return service.ask("POST", "/execute", json={"prompt": prompt, "model_ids": MODELS[:1]})


def fill(ballast: Path) -> None:
    """Leave no byte on its disk."""
    with ballast.open("wb", buffering=0) as written:
        for size in (2**20, 2**12, 1):
            try:
                while written.write(b"x" * size) == size:
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017 - it ends by it
        os.fsync(written.fileno())
