"""labkit.server.guard.access_log, with the service's own routes: users by name, and no secret."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import httpx2
import pytest

from tests.server.running import PASSWORD, Running, running


def written(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the access log so far."""
    return [record.getMessage() for record in caplog.records if record.name == "labkit.server.access"]


def awaited(caplog: pytest.LogCaptureFixture, count: int) -> list[str]:
    """The lines, once there are so many."""
    deadline = time.monotonic() + 20
    while len(lines := written(caplog)) < count and time.monotonic() < deadline:
        time.sleep(0.01)  # a line is written when its answer is over
    return lines


def test_a_line_names_the_user(served: Running, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever logged in is in the line by name, also where the answer is an error; others by address."""
    bearer = served.bearer("ada")["Authorization"]
    with caplog.at_level(logging.INFO, "labkit.server.access"):
        served.ask("GET", "/auth/me")
        served.ask("GET", "/executions/none", as_="vic")
        served.ask("GET", "/models?token=hunter2", as_=None)
        lines = awaited(caplog, 3)
    assert [line.rsplit(" ", 2)[0] for line in lines] == [
        "ada GET /api/v1/auth/me 200",
        "vic GET /api/v1/executions/none 404",
        "127.0.0.1 GET /api/v1/models 401",
    ]
    told = "\n".join(record.getMessage() for record in caplog.records)
    assert not [secret for secret in (bearer, PASSWORD, "hunter2") if secret in told]


def test_a_line_has_the_address_that_a_trusted_proxy_saw(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Behind such a proxy who is not logged in stands in the line by the own address, not by the proxy's."""
    caplog.set_level(logging.INFO, "labkit.server.access")
    with running(tmp_path, trusted_proxies=["127.0.0.1"]) as behind:
        httpx2.get(behind.url, headers={"X-Forwarded-For": "203.0.113.9, 192.0.2.7"})
        (line,) = awaited(caplog, 1)
    assert line.startswith("192.0.2.7 GET / 200 ")
