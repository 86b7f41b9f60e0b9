"""`labkit serve` as a person starts it: a process of its own, over a fake provider."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2

from labkit.server.accounts import accounts
from labkit.server.state import State
from tests.faults.channel import Channel
from tests.server.running import KEPT, PASSWORD, PEOPLE

START_S = 120
END_S = 30


class ServeProcess:
    """`labkit serve` of the lab in `home`, which has some people and, by a file, the models of `channel`.

    It is started by `start`, as often as one likes.
    """

    def __init__(
        self,
        home: Path,
        channel: Channel,
        *,
        workers: int = 1,
        models: str = "",
        lab: Path | None = None,
        state: Path | None = None,
    ) -> None:
        self.home, self.workers = home, workers
        self.lab = lab or home / "lab.duckdb"
        self.state = state or home / "lab.duckdb.serve.sqlite"
        self.url = ""
        self.process: subprocess.Popen[str] | None = None
        self.bearers: dict[str, dict[str, str]] = {}
        told = f'base_url = "{channel.model().base_url}"\nkey_env = ""\n{models}\n'
        there = "".join(f'[[model]]\nid = "faulty/{name}"\n{told}' for name in ("one", "two"))
        (home / "models.toml").write_text(there)
        state = State(self.state)
        with state.writing() as rows:
            accounts.add_workspace(rows, "other")
            for name, (workspace, role) in PEOPLE.items():
                accounts.add_user(rows, name, KEPT, workspace=workspace, role=role)
        state.close()

    # -- the process -----------------------------------------------------------------------------

    def command(self, *more: str) -> list[str]:
        """What a person types."""
        told = ["--lab", str(self.lab), "--models", str(self.home / "models.toml")]
        told += ["--database", str(self.state)]
        return [
            str(Path(sys.executable).with_name("labkit")),
            "serve",
            *told,
            "--workers",
            str(self.workers),
            *more,
        ]

    def start(self, port: int = 0) -> None:
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen(
            self.command("--port", str(port)),
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=(self.home / "log").open("a"),
            text=True,
            start_new_session=True,  # a signal to all of it reaches no test
        )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        found = re.search(r"http://\S+", said)
        assert found is not None, f"{said}{self.log()}"
        self.url = found[0]
        until(self.answers, START_S, self.log)

    def answers(self) -> bool:
        """Whether it listens and answers."""
        with suppress(httpx2.TransportError):
            return httpx2.get(f"{self.url}/api/v1/models", timeout=5).status_code == 401
        return False

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def worker_pids(self) -> list[int]:
        """Its workers: itself, where there is one."""
        if self.workers == 1:
            return [self.pid]
        found = []
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with suppress(OSError):
                found += [int(pid) for pid in (task / "children").read_text().split()]
        return [pid for pid in found if b"spawn_main" in _command_line(pid)]

    def kill(self) -> None:
        """`kill -9` of all of it."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._gone()

    def end(self, sig: signal.Signals = signal.SIGTERM, *, to_all: bool = False) -> float:
        """End it in good order, the signal sent to it or, as a terminal does, to all of its processes; gives
        how long that took in seconds."""
        assert self.process is not None
        begun = time.monotonic()
        (os.killpg if to_all else os.kill)(self.pid, sig)
        self.process.wait(END_S)
        took_s = time.monotonic() - begun
        self._gone()
        return took_s

    def exit_code(self) -> int:
        """With what it ends by itself."""
        assert self.process is not None
        return self.process.wait(START_S)

    def _gone(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.wait(END_S)
        self.process.stdout.close()

    def log(self) -> str:
        """What it said on stderr since the first start."""
        return (self.home / "log").read_text()

    # -- requests --------------------------------------------------------------------------------

    def bearer(self, name: str = "ada") -> dict[str, str]:
        """The header of one who logged in; it holds across restarts."""
        if name not in self.bearers:
            asked = {"username": name, "password": PASSWORD}
            answer = httpx2.post(f"{self.url}/api/v1/auth/login/json", json=asked, timeout=30)
            assert answer.status_code == 200, answer.text
            self.bearers[name] = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return self.bearers[name]

    def ask(
        self,
        method: str,
        path: str,
        *,
        as_: str = "ada",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> httpx2.Response:
        """The answer to a request under /api/v1."""
        shown = {**self.bearer(as_), **(headers or {})}
        return httpx2.request(method, f"{self.url}/api/v1{path}", headers=shown, timeout=60, **more)

    def executions(self, as_: str = "ada") -> list[dict[str, Any]]:
        """All of the history that one sees, page by page."""
        found: list[dict[str, Any]] = []
        path: str | None = "/executions?limit=200"
        while path is not None:
            answer = self.ask("GET", path, as_=as_)
            assert answer.status_code == 200, answer.text
            found += answer.json()
            path = (answer.links.get("next") or {}).get("url", "").removeprefix("/api/v1") or None
        return found


def until(holds: Callable[[], Any], most_s: float, told: Callable[[], object] = lambda: "") -> None:
    """Wait until it holds; fail after so many seconds, with what is `told` then."""
    deadline = time.monotonic() + most_s
    while not holds():
        assert time.monotonic() < deadline, f"not in {most_s} s: {told()}"
        time.sleep(0.02)  # until somebody else has done it


def ended(runs: Iterable[Mapping[str, Any]]) -> bool:
    """Whether nothing of it is under way."""
    return not [one for one in runs if one["status"] in ("pending", "running")]


def _command_line(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
