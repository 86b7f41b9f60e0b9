"""Log-in, log-out and who one is, over HTTP."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from labkit.server.accounts import accounts, passwords, throttle
from labkit.server.app import make_app
from labkit.server.service import Service
from labkit.server.settings import Settings
from labkit.server.state.tables import Audit

Bearer = Callable[[str], dict[str, str]]
AUTH = "/api/v1/auth"
PASSWORD = "correct horse"
RIGHT = {"username": "ada", "password": PASSWORD}


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[tuple[Service, TestClient]]:
    """A service that browsers reach through a proxy that encrypts, with the user `ada`."""
    service = Service(Settings(lab=tmp_path / "lab.duckdb", public_url="https://lab.example"))
    with service.state.writing() as rows:
        accounts.add_user(rows, "ada", passwords.hashed(PASSWORD))
    with TestClient(make_app(service), base_url="https://lab.example") as client:
        yield service, client
    service.close()


def noted(service: Service, what: str) -> list[tuple[str | None, Any]]:
    """Who did that, and its details."""
    with service.state.reading() as rows:
        found = rows.scalars(select(Audit).where(Audit.what == what).order_by(Audit.number))
        return [(one.user, one.detail) for one in found]


def test_both_log_ins_give_a_jwt_that_the_older_front_end_reads(client: TestClient) -> None:
    """JSON and form give a bearer and its seconds; the JWT's payload has name, id and end."""
    by_json = client.post(f"{AUTH}/login/json", json=RIGHT)
    by_form = client.post(f"{AUTH}/login", data=RIGHT)
    assert by_json.status_code == by_form.status_code == 200
    for answer in (by_json.json(), by_form.json()):
        assert answer.keys() == {"access_token", "token_type", "expires_in"}
        assert answer["token_type"] == "bearer"
        payload = answer["access_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        assert claims["sub"] == "ada"
        assert claims["user_id"].startswith("user_")
        assert abs(claims["exp"] - time.time() - answer["expires_in"]) < 60
        me = client.get(f"{AUTH}/me", headers={"Authorization": f"Bearer {answer['access_token']}"})
        assert me.json()["username"] == "ada"


def test_no_cookie_comes_with_a_jwt(client: TestClient) -> None:
    """A program's log-in sets no cookie."""
    assert "set-cookie" not in client.post(f"{AUTH}/login/json", json=RIGHT).headers


def test_the_page_gets_a_cookie(client: TestClient) -> None:
    """The page's log-in answers as `/auth/me` does; from then on the cookie says who asks, until log-out."""
    answer = client.post(f"{AUTH}/login/cookie", json=RIGHT)
    assert answer.json() == client.get(f"{AUTH}/me").json()
    assert answer.json()["workspaces"] == [{"name": "default", "role": "member"}]
    assert "access_token" not in answer.text
    kept = client.cookies["labkit"]
    assert client.post(f"{AUTH}/logout", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 204
    assert "labkit" not in client.cookies
    assert client.get(f"{AUTH}/me", headers={"Cookie": f"labkit={kept}"}).status_code == 401


def test_encrypted_cookies_are_host_only(encrypted: tuple[Service, TestClient]) -> None:
    """Through https the cookie is `__Host-labkit`, for encryption alone; the plain name is not read."""
    _, client = encrypted
    answer = client.post(f"{AUTH}/login/cookie", json=RIGHT)
    assert answer.headers["set-cookie"].startswith("__Host-labkit=")
    assert "Secure" in answer.headers["set-cookie"]
    assert client.get(f"{AUTH}/me").status_code == 200
    kept = client.cookies["__Host-labkit"]
    client.cookies.clear()
    assert client.get(f"{AUTH}/me", headers={"Cookie": f"labkit={kept}"}).status_code == 401


def test_a_log_out_ends_that_log_in_alone(client: TestClient, bearer: Bearer) -> None:
    """After a log-out its JWT holds no more, however long it says; another of the same user does."""
    first, second = bearer("ada"), bearer("ada")
    assert client.post(f"{AUTH}/logout", headers=first).status_code == 204
    assert client.get(f"{AUTH}/me", headers=first).status_code == 401
    assert client.post(f"{AUTH}/logout", headers=first).status_code == 401
    assert client.get(f"{AUTH}/me", headers=second).status_code == 200


@pytest.mark.parametrize("change", ["password", "disabled"])
def test_another_password_or_disabling_ends_all(
    service: Service, client: TestClient, bearer: Bearer, change: str
) -> None:
    """Both end every JWT and cookie of the user at once, and nobody else's."""
    ada, vic = bearer("ada"), bearer("vic")
    cookie = {"Cookie": f"labkit={client.post(f'{AUTH}/login/cookie', json=RIGHT).cookies['labkit']}"}
    client.cookies.clear()
    with service.state.writing() as rows:
        if change == "password":
            accounts.set_password(rows, "ada", passwords.hashed("another one"))
        else:
            accounts.disable(rows, "ada")
    assert [client.get(f"{AUTH}/me", headers=one).status_code for one in (ada, cookie, vic)] == [
        401,
        401,
        200,
    ]
    assert client.post(f"{AUTH}/login/json", json=RIGHT).status_code == 401
    again = client.post(f"{AUTH}/login/json", json={"username": "ada", "password": "another one"})
    assert again.status_code == (200 if change == "password" else 401)


def test_all_refusals_are_alike(service: Service, client: TestClient) -> None:
    """A wrong password, an unknown name, one that none can be, a disabled user and one without a password are
    told in the same words."""
    with service.state.writing() as rows:
        accounts.disable(rows, "vic")
        accounts.add_user(rows, "sso", None)
    wrong = [
        {**RIGHT, "password": "wrong horse"},
        {**RIGHT, "password": ""},
        {**RIGHT, "username": "nobody"},
        {**RIGHT, "username": "ADA"},
        {**RIGHT, "username": "a b"},
        {**RIGHT, "username": ""},
        {**RIGHT, "username": "vic"},
        {**RIGHT, "username": "sso"},
    ]
    # Each from an address of its own, so that none has to wait.
    service.settings = service.settings.replace(trusted_proxies=("127.0.0.1",))
    answers = [
        client.post(f"{AUTH}/login/json", json=one, headers={"X-Forwarded-For": f"192.0.2.{number}"})
        for number, one in enumerate(wrong)
    ]
    assert {one.status_code for one in answers} == {401}
    assert {one.json()["detail"] for one in answers} == {"The name or the password is wrong."}
    assert [user for user, _ in noted(service, "log-in refused")] == ["ada", "ada", *[None] * 4, "vic", "sso"]


def test_what_is_no_log_in(client: TestClient) -> None:
    """A body without a name or a password, with more, or of another kind is a 422 with one text."""
    for body in (
        {},
        {"username": "ada"},
        {**RIGHT, "role": "admin"},
        {**RIGHT, "password": 1},
    ):
        answer = client.post(f"{AUTH}/login/json", json=body)
        assert answer.status_code == 422, body
        assert isinstance(answer.json()["detail"], str)
        assert PASSWORD not in answer.text
    assert client.post(f"{AUTH}/login", data={"username": "ada"}).status_code == 422
    long = {**RIGHT, "password": "x" * 100_000}
    assert client.post(f"{AUTH}/login/json", json=long).status_code == 422


def test_guessing_is_slowed_down_with_the_time_to_wait(
    service: Service, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After five wrong passwords the sixth is a 429 with `Retry-After`, right or wrong; no password is
    computed for it."""
    now = throttle.now_us()
    monkeypatch.setattr(throttle, "now_us", lambda: now)  # the first wait is 1 s, less than a slow day takes
    for _ in range(5):
        assert client.post(f"{AUTH}/login/json", json={**RIGHT, "password": "guess"}).status_code == 401
    answers = [client.post(f"{AUTH}/login/json", json=RIGHT), client.post(f"{AUTH}/login", data=RIGHT)]
    for answer in answers:
        assert answer.status_code == 429
        assert answer.json()["detail"].startswith("Too many log-ins failed.")
        assert int(answer.headers["Retry-After"]) >= 1
    assert len(noted(service, "log-in refused")) == 5


def test_what_happened_is_noted_without_secrets(
    service: Service, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Log-in, refusal and log-out stand in the audit, by name; no password or JWT is in it, or in a log."""
    with caplog.at_level(logging.DEBUG):
        token = client.post(f"{AUTH}/login/json", json=RIGHT).json()["access_token"]
        client.post(f"{AUTH}/login/json", json={"username": "hunter2!", "password": "hunter2!"})
        client.post(f"{AUTH}/logout", headers={"Authorization": f"Bearer {token}"})
    assert [user for user, _ in noted(service, "logged in")] == ["ada"]
    assert [user for user, _ in noted(service, "logged out")] == ["ada"]
    assert noted(service, "log-in refused") == [(None, {"address": "127.0.0.1"})]
    with service.state.reading() as rows:
        said = str([vars(one) for one in rows.scalars(select(Audit))])
    for secret in (PASSWORD, "hunter2!", token):
        assert secret not in said
        assert secret not in caplog.text
