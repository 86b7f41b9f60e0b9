"""What `labkit serve` prints while it serves."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx2
import pytest

from tests.server.processes.serve_process import ServeProcess, until
from tests.server.running import PASSWORD

pytestmark = pytest.mark.alone

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO (.+) \d+ ms")


def test_a_line_for_each_request(serve: Callable[..., ServeProcess]) -> None:
    """When, who, what, with which status and how fast, on stderr; never a password, a bearer or a query."""
    service = serve()
    service.start()
    before = len(service.log().splitlines())
    bearer = service.bearer("ada")["Authorization"].partition(" ")[2]
    service.ask("GET", "/auth/me?q=hunter2")
    service.ask("GET", "/executions/none")
    forged = {"Authorization": "Bearer hunter2", "Cookie": "hunter2=hunter2"}
    httpx2.get(f"{service.url}/api/v1/models", headers=forged)
    until(lambda: len(service.log().splitlines()) >= before + 4, 20, service.log)
    service.end()
    found = [LINE.fullmatch(line) for line in service.log().splitlines()[before:]]
    assert [line and line[1] for line in found] == [
        "127.0.0.1 POST /api/v1/auth/login/json 200",
        "ada GET /api/v1/auth/me 200",
        "ada GET /api/v1/executions/none 404",
        "127.0.0.1 GET /api/v1/models 401",
    ]
    assert not [secret for secret in (PASSWORD, bearer, "hunter2") if secret in service.log()]
