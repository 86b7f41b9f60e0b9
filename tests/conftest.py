"""What every test stands on: no keys, no network beyond this machine, a lab in a folder of its own."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.postgresql import new_database, postgres_server  # noqa: F401 - fixtures, for every room

KEY_WORDS = ("API_KEY", "TOKEN", "SECRET")

# How long an example takes is no property: several tests share the machine. The same change is judged by the
# same examples, wherever it is; new ones are looked for by `make soak`.
_always: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("labkit", derandomize=True, **_always)
settings.register_profile("at-random", derandomize=False, **_always)
settings.load_profile("labkit")


def pytest_configure() -> None:
    """A shell that runs the tests in the background lets them ignore Ctrl-C; the tests of Ctrl-C need it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright keeps an event loop running in this thread until the end."""
    items.sort(key=lambda item: "browser" in item.path.parts)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key of the person who runs the tests is ever seen by them."""
    for name in list(os.environ):
        if any(word in name for word in KEY_WORDS) or name in ("LABKIT_LAB", "LABKIT_FRESH"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LABKIT_PROGRESS", "none")


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anywhere but this machine fails, saying where it wanted to go; no name is looked up."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_here(address[0]):
            raise AssertionError(f"a test wanted to connect to {address}")
        connect(self, address)

    def unknown(host: Any, *more: Any, **settings: Any) -> Any:
        if host is None or _is_here(host if isinstance(host, str) else bytes(host).decode()):
            return look_up(host, *more, **settings)
        raise socket.gaierror(socket.EAI_NONAME, "tests look up no names")

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def chromium(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A headless Chromium for one test, found or fetched as it is for the browser tests."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "browser"))
    from driver import chromium

    with chromium() as found:
        yield found


@pytest.fixture
def lab(here: Path) -> Any:
    """A lab with nothing in it, in a folder with nothing else in it."""
    import labkit as lk

    return lk.Lab(here / "lab.duckdb")


@pytest.fixture
def echo() -> Callable[..., Any]:
    """Makes scripted models: `echo("name")` answers with the last message's text."""
    import labkit as lk

    def make(name: str = "echo", *, version: str | None = "1", **script: Any) -> Any:
        answers = script.pop("answers", lambda request: request.messages[-1]["content"])
        return lk.Model(f"scripted/{name}", client=lk.Script(answers, version=version, **script))

    return make
