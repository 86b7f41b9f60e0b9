"""labkit.server.guard: headers of answers, HEAD, websockets, Accept and the access log."""

from __future__ import annotations

import logging

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.server.guard.guarded_app import problem

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/api/v1/things", "/api/v1/nowhere", "/api/v1/fault", "/api/v1/budget"]
)
def test_every_answer_is_kept_to_its_place(probe: TestClient, path: str) -> None:
    """Each answer, errors too, forbids foreign scripts, frames, guessing of types, referrers and copies."""
    headers = probe.get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_a_route_says_itself_how_its_answer_is_kept(probe: TestClient) -> None:
    """`Cache-Control` of a route stays."""
    assert probe.head("/api/v1/endless").headers["cache-control"] == "no-cache"


def test_head_is_get_without_the_body(probe: TestClient) -> None:
    """HEAD has the status and the headers of GET, and no body; a stream ends after its head."""
    whole, head = probe.get("/api/v1/things"), probe.head("/api/v1/things")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]
    assert probe.head("/api/v1/endless").headers["content-type"].startswith("text/event-stream")
    assert probe.head("/api/v1/nowhere").status_code == 404


def test_a_method_that_is_not_there_names_those_that_are(probe: TestClient) -> None:
    """405 has all in `Allow`, also for OPTIONS, TRACE and words that are no method."""
    for method in ("OPTIONS", "DELETE", "TRACE", "BREW"):
        answer = probe.request(method, "/api/v1/things")
        told = problem(answer, 405)
        assert told == f"{method} is not possible at this address. It takes GET, HEAD."
        assert answer.headers["allow"] == "GET, HEAD"
    assert probe.get("/api/v1/echo").headers["allow"] == "POST, PUT, PATCH"


def test_there_are_no_websockets(probe: TestClient) -> None:
    """A websocket is closed before it opens, at every address."""
    for path in ("/", "/api/v1/things"):
        with pytest.raises(WebSocketDisconnect), probe.websocket_connect(path):
            pass


@pytest.mark.parametrize(
    "accept", ["application/xml", "text/html", "application/json;q=0, text/plain", "nonsense"]
)
def test_a_form_nobody_has_is_refused(probe: TestClient, accept: str) -> None:
    """An Accept that takes neither JSON nor a stream of events is 406."""
    assert "application/json" in problem(probe.get("/api/v1/things", headers={"Accept": accept}), 406)


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/*",
        "text/html, */*;q=0.8",
        "APPLICATION/JSON",
        "text/event-stream",
        "a, */*;q=x",
        "",
    ],
)
def test_others_are_taken(probe: TestClient, accept: str) -> None:
    """What browsers and clients send passes."""
    assert probe.get("/api/v1/things", headers={"Accept": accept}).status_code == 200


def test_the_access_log_says_who_what_status_and_time(
    probe: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A line names the user, the method, the path, the status and the milliseconds."""
    with caplog.at_level(logging.INFO, "labkit.server.access"):
        probe.get("/api/v1/things")
        probe.get("/api/v1/fault")
    one, other = [record.getMessage() for record in caplog.records if record.name == "labkit.server.access"]
    assert one.split()[:4] == ["ada", "GET", "/api/v1/things", "200"]
    assert one.endswith(" ms")
    assert other.split()[1:4] == ["GET", "/api/v1/fault", "500"]


def test_the_log_holds_no_secret(probe: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing of headers, queries, bodies and errors' insides is in any log, nor does a path end its line."""
    with caplog.at_level(logging.DEBUG), probe:
        probe.get(
            "/api/v1/things?token=hunter2",
            headers={"Authorization": "Bearer hunter2", "Cookie": "labkit=hunter2", "User-Agent": "hunter2"},
        )
        probe.post("/api/v1/auth/login", data={"username": "ada", "password": "hunter2"})
        probe.post("/api/v1/echo", json={"prompt": "hunter2"})
        probe.get("/api/v1/state")
        probe.get("/api/v1/named/a%0Aroot GET / 200%1B[31m")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("labkit")]
    assert len(ours) >= 5
    assert "hunter2" not in "".join(ours)
    assert not [line for line in ours if "\n" in line or "\x1b" in line]
