"""The fault server of `tests/faults`, a process that runs code, and a real kernel."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent


def _beside(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("labkit_faults_for_runs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_faults = _beside(HERE.parent / "faults" / "conftest.py")
fault_server = _faults.fault_server
channel_for = _faults.channel_for


@pytest.fixture
def channel(channel_for: Callable[[str], Any]) -> Any:
    """A place at the fault server."""
    return channel_for("openai")


@pytest.fixture
def asked() -> Callable[[Any], list[str]]:
    """The questions that arrived at a channel, in order."""
    return lambda channel: [one["body"]["messages"][-1]["content"] for one in channel.seen()]


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait for something another process does."""

    def until(true: Callable[[], Any], within_s: float = 60.0) -> None:
        deadline = time.monotonic() + within_s
        while not true():
            assert time.monotonic() < deadline, "it did not come about"
            time.sleep(0.005)

    return until


@pytest.fixture
def script(here: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python code in a process of its own, in the test's folder."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *words: str, **env: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", code, *words],
                cwd=here,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                text=True,
                env={**os.environ, **env},
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


class Kernel:
    """A real kernel, as Jupyter starts it."""

    def __init__(self, manager: Any) -> None:
        self.manager = manager
        self.client = manager.client()
        self.connect()

    def connect(self) -> None:
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def send(self, code: str) -> str:
        """Begin a cell; gives what its messages are answered to."""
        return str(self.client.execute(code))

    def result(self, cell: str, timeout_s: float = 60.0) -> tuple[str, dict[str, Any]]:
        """Wait for a cell's end: what it printed, and the kernel's reply."""
        printed = []
        while True:
            message = self.client.get_iopub_msg(timeout=timeout_s)
            if message["parent_header"].get("msg_id") != cell:
                continue
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])
            elif message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        while (reply := self.client.get_shell_msg(timeout=timeout_s))["parent_header"]["msg_id"] != cell:
            pass
        return "".join(printed), reply["content"]

    def run(self, code: str) -> str:
        """Execute a cell that must succeed, and give what it printed."""
        printed, reply = self.result(self.send(code))
        assert reply["status"] == "ok", (printed, "\n".join(reply.get("traceback", ())))
        return printed

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def restart(self, *, now: bool) -> None:
        """As the button does; `now` kills it."""
        self.client.stop_channels()
        self.manager.restart_kernel(now=now)
        self.client = self.manager.client()
        self.connect()


@pytest.fixture(scope="module")
def one_kernel() -> Iterator[Kernel]:
    """One kernel for a module: starting takes a while."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env={**os.environ, "LABKIT_PROGRESS": "none"})
    kernel = Kernel(manager)
    yield kernel
    kernel.client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(one_kernel: Kernel, here: Path) -> Kernel:
    """The module's kernel, in the test's folder."""
    one_kernel.run(f"import os; os.chdir({str(here)!r})")
    return one_kernel
