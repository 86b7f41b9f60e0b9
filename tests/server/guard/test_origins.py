"""labkit.server.guard: pages of other origins (CORS), and requests they make a browser send (CSRF)."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.server.guard.guarded_app import HERE, client, problem

LISTED = "http://localhost:5173"
COOKIE = "labkit=abc"
ASKED = {"prompt": "Hi", "model_ids": ["a"]}
LOG_IN = {"username": "ada", "password": "not it"}


def preflight(
    origin: str, method: str = "POST", headers: str = "authorization,content-type"
) -> dict[str, str]:
    """What a browser sends before it asks."""
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }


@pytest.mark.parametrize("origin", [LISTED, "http://localhost:5174"])
def test_listed_origins_may_ask(probe: TestClient, origin: str) -> None:
    """A preflight of a listed origin is answered without a body, for that origin and without credentials."""
    headers = "authorization, content-type, x-user-id, idempotency-key, prefer, last-event-id"
    answer = probe.options("/api/v1/anywhere", headers=preflight(origin, "DELETE", headers))
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in answer.headers
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert allowed >= set(headers.split(", "))
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    "asked",
    [
        preflight("http://localhost:5175"),
        preflight("https://localhost:5173"),
        preflight("null"),
        preflight("http://localhost:5173.evil.test"),
        preflight(LISTED, "TRACE"),
        preflight(LISTED, "POST", "x-other"),
    ],
)
def test_everything_else_may_not(probe: TestClient, asked: dict[str, str]) -> None:
    """A preflight of another origin, method or header is 403, and allows nothing."""
    answer = probe.options("/api/v1/echo", headers=asked)
    problem(answer, 403)
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/v1/things", None, 200),
        ("GET", "/api/v1/nowhere", None, 404),
        ("GET", "/api/v1/" + "x" * 10_000, None, 414),
        ("PUT", "/api/v1/things", None, 405),
        ("POST", "/api/v1/echo", b'"', 400),
        ("POST", "/api/v1/echo", b"{}", 422),
        ("POST", "/api/v1/echo", b" " * (2**20 + 1), 413),
        ("GET", "/api/v1/fault", None, 500),
        ("GET", "/api/v1/locked", None, 503),
    ],
)
def test_errors_can_be_read_by_listed_origins(
    probe: TestClient, method: str, path: str, body: bytes | None, status: int
) -> None:
    """A listed origin reads every answer, errors of the guard and of the service too."""
    answer = probe.request(
        method, path, content=body, headers={"Origin": LISTED, "Content-Type": "application/json"}
    )
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == LISTED
    exposed = answer.headers["access-control-expose-headers"]
    assert exposed == "Link, Location, Idempotency-Replayed, Retry-After"
    assert "cross-origin-resource-policy" not in answer.headers


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://localhost:5175"])
def test_other_origins_read_nothing(probe: TestClient, origin: str) -> None:
    """An answer to another origin has no CORS header, and is not for embedding."""
    answer = probe.get("/api/v1/things", headers={"Origin": origin})
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "said",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": HERE},
        {"Host": "localhost:8000", "Origin": "http://localhost:8000"},
        {"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer x"},
    ],
)
def test_the_own_page_asks_with_its_cookie(probe: TestClient, said: dict[str, str]) -> None:
    """A request with the cookie from the own page passes, as does any with a bearer."""
    answer = probe.post("/api/v1/echo", json=ASKED, headers={"Cookie": COOKIE, **said})
    assert answer.status_code == 200


@pytest.mark.parametrize("cookie", [COOKIE, "__Host-labkit=abc", "a=b; labkit = abc"])
@pytest.mark.parametrize(
    "said",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": HERE},
        {"Sec-Fetch-Site": "same-site", "Origin": LISTED},
        {"Sec-Fetch-Site": ""},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": LISTED},
    ],
)
def test_others_do_not_ask_with_it(probe: TestClient, cookie: str, said: dict[str, str]) -> None:
    """A request with the cookie from a neighbour, another site or nowhere is 403, also of a listed origin."""
    problem(probe.post("/api/v1/echo", json=ASKED, headers={"Cookie": cookie, **said}), 403)


def test_a_foreign_page_logs_nobody_in(probe: TestClient) -> None:
    """A form that another site sends to the log-in is 403, without any cookie; a script's passes."""
    for said in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.test"}, {"Origin": "null"}):
        problem(probe.post("/api/v1/auth/login", data=LOG_IN, headers=said), 403)
    for said in ({}, {"Origin": LISTED, "Sec-Fetch-Site": "same-site"}, {"Origin": HERE}):
        assert "password" in problem(probe.post("/api/v1/auth/login", data=LOG_IN, headers=said), 401)


def test_reading_needs_no_proof(probe: TestClient) -> None:
    """GET with the cookie passes from everywhere: it changes nothing, and other origins cannot read it."""
    answer = probe.get(
        "/api/v1/things",
        headers={"Cookie": COOKIE, "Sec-Fetch-Site": "cross-site", "Origin": "http://evil.test"},
    )
    assert answer.status_code == 200


def test_behind_a_proxy_the_public_address_is_the_own(tmp_path: Path) -> None:
    """Where a proxy encrypts, the own origin is that of --public-url, not its twin without encryption."""
    asking = client(tmp_path, public_url="https://lab.example")
    headers = {"Cookie": COOKIE, "Host": "lab.example", "Origin": "https://lab.example"}
    assert asking.post("/api/v1/echo", json=ASKED, headers=headers).status_code == 200
    problem(asking.post("/api/v1/echo", json=ASKED, headers={**headers, "Origin": "http://lab.example"}), 403)
