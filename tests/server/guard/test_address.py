"""labkit.server.guard.address: under which names the service answers, and which addresses can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from labkit.server.guard.address import Hosts
from labkit.server.problems import Problem
from tests.server.guard.guarded_app import client, problem


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:65535"])
def test_names_of_this_machine_answer(probe: TestClient, host: str) -> None:
    """A service on loopback answers under each of its names, whatever the port."""
    assert probe.get("/api/v1/things", headers={"Host": host}).json() == [1]


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test", "localhost.evil.test:8000", "10.0.0.1"])
def test_a_rebound_name_does_not(probe: TestClient, host: str) -> None:
    """A site that gave its own name our address (DNS rebinding) gets 421, and nothing runs."""
    assert "--public-url" in problem(probe.get("/api/v1/things", headers={"Host": host}), 421)
    preflight = {"Host": host, "Origin": "http://localhost:5173", "Access-Control-Request-Method": "GET"}
    problem(probe.options("/api/v1/things", headers=preflight), 421)


@pytest.mark.parametrize(
    "host", ["", "a b", "localhost:x", "localhost/path", "localhost@evil.test", "::1", "[::1"]
)
def test_what_is_no_name_is_refused(probe: TestClient, host: str) -> None:
    """A Host that is no name and port is 400: others might read another name in it."""
    problem(probe.get("/api/v1/things", headers={"Host": host}), 400)


@pytest.mark.parametrize("hosts", [[], [b"localhost", b"evil.test"], [b"localhost", b"localhost"]])
def test_exactly_one_host_is_needed(hosts: list[bytes]) -> None:
    """No Host, and two of them, are 400."""
    scope = {"type": "http", "path": "/", "query_string": b"", "headers": [(b"host", host) for host in hosts]}
    with pytest.raises(Problem) as raised:
        Hosts(["localhost"])(scope)
    assert raised.value.status == 400


def test_a_public_name_answers_too(tmp_path: Path) -> None:
    """The name of --public-url is one of the service's."""
    asking = client(tmp_path, public_url="https://lab.example:444")
    assert asking.get("/api/v1/things", headers={"Host": "lab.example:444"}).status_code == 200


def test_an_address_that_is_too_long_is_refused(probe: TestClient) -> None:
    """An id of 10 kB, and a query of that size, are 414."""
    problem(probe.get("/api/v1/named/" + "x" * 10_000), 414)
    problem(probe.get("/api/v1/things?limit=" + "1" * 10_000), 414)


@pytest.mark.parametrize("path", ["/api/v1/named/a%00b", "/api/v1/things?workspace_id=%00"])
def test_nul_in_an_address_is_refused(probe: TestClient, path: str) -> None:
    """No database takes the character NUL: 400."""
    problem(probe.get(path), 400)


@pytest.mark.parametrize(
    "model", ["../../etc/passwd", "%2e%2e%2fetc", "a//b", "%F0%9F%98%80", "%FF%FE", ".", "'--"]
)
def test_strange_ids_are_only_unknown(probe: TestClient, model: str) -> None:
    """An id that is a path, no UTF-8 or SQL is 404, as any other that is not there."""
    problem(probe.get(f"/api/v1/named/{model}"), 404)


def test_two_hundred_parameters_change_nothing(probe: TestClient) -> None:
    """Parameters nobody knows are passed over; one that is known is read among them."""
    many = "&".join(f"p{n}={n}" for n in range(200))
    assert probe.get(f"/api/v1/things?{many}&limit=7").json() == [7]
