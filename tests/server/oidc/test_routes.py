"""Where a log-in by an identity provider is offered and begun."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from labkit.server.oidc import log_ins
from labkit.server.oidc.provider import Provider
from labkit.server.oidc_configuration import Oidc
from tests.server.oidc.conftest import Browser, begun_of, configured, sessions_of
from tests.server.oidc.lying_provider import CLIENT_ID, LyingProvider
from tests.server.running import Running


@pytest.mark.parametrize("path", ["", "/login", "/callback?state=a&code=b"])
def test_there_is_none_unless_it_is_configured(long_running: Running, path: str) -> None:
    """Without a provider its addresses are not there."""
    long_running.service.oidc = None
    answer = long_running.ask("GET", f"/auth/oidc{path}", as_=None)
    assert (answer.status_code, "none is configured" in answer.json()["detail"]) == (404, True)


def test_it_is_offered_by_name(service: Running, liar: LyingProvider) -> None:
    """The page learns the provider's name and where to send a browser, which is the configured address."""
    address = f"{service.url}/api/v1/auth/oidc/login"
    answer = service.ask("GET", "/auth/oidc", as_=None, headers={"Host": "localhost"})
    assert answer.json() == {"name": "127.0.0.1", "login": address}
    configured(service, Oidc(issuer=liar.url, client_id=CLIENT_ID, name="The university"))
    assert service.ask("GET", "/auth/oidc", as_=None).json()["name"] == "The university"


def test_where_a_browser_is_sent(service: Running, liar: LyingProvider) -> None:
    """It is sent to the provider's own address with a challenge by S256 and the configured redirect URI,
    whatever its `Host` says; what it is sent with is new each time."""
    liar.metadata = {"authorization_endpoint": f"{liar.url}/authorize?tenant=7"}
    ways = [
        service.ask("GET", "/auth/oidc/login", as_=None, headers={"Host": host})
        for host in ("localhost", "127.0.0.1:1")
    ]
    sent = [httpx2.URL(one.headers["location"]) for one in ways]
    assert {one.status_code for one in ways} == {303}
    for one in sent:
        assert str(one).startswith(f"{liar.url}/authorize?tenant=7&")
        told = dict(one.params)
        assert told["redirect_uri"] == f"{service.url}/api/v1/auth/oidc/callback"
        assert (told["response_type"], told["code_challenge_method"]) == ("code", "S256")
        assert (told["client_id"], told["scope"]) == (CLIENT_ID, "openid profile")
    for name in ("state", "nonce", "code_challenge"):
        assert sent[0].params[name] != sent[1].params[name]
        assert len(sent[0].params[name]) == 43


def test_the_page_of_a_provider_outside(liar: LyingProvider) -> None:
    """Behind a proxy browsers come back to the public address."""
    provider = Provider(Oidc(issuer=liar.url, client_id=CLIENT_ID), "https://lab.example/")
    assert provider.redirect_uri == "https://lab.example/api/v1/auth/oidc/callback"


def test_only_hashes_stand_in_the_state(service: Running, browser: Browser) -> None:
    """Neither the state nor the browser's secret can be read in the row of a log-in."""
    answer = browser.ask(browser.start)
    secret = answer.headers["set-cookie"].split("=", 1)[1].split(";")[0]
    state = httpx2.URL(answer.headers["location"]).params["state"]
    with service.service.state.engine.connect() as connection:
        row = connection.exec_driver_sql("select * from oidc_log_ins").mappings().one()
    told = " ".join(map(str, row.values()))
    assert (secret in told, state in told) == (False, False)
    assert hashlib.sha256(row["verifier"].encode()).digest() == base64.urlsafe_b64decode(
        httpx2.URL(answer.headers["location"]).params["code_challenge"] + "="
    )


def test_an_address_begins_only_so_many(
    service: Running, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who begins log-ins and ends none is told to wait; nothing more is kept of it."""
    monkeypatch.setattr(log_ins, "MOST", 3)
    answers = [browser.ask(browser.start) for _ in range(4)]
    assert [one.status_code for one in answers] == [303, 303, 303, 429]
    assert (answers[-1].headers["retry-after"], begun_of(service)) == ("600", 3)


def test_many_who_come_at_once(
    service: Running, liar: LyingProvider, new_browser: Callable[[Running], Browser]
) -> None:
    """Twelve who log in at once are all let in, as one user, and the provider is asked once what it is."""
    browsers = [new_browser(service) for _ in range(12)]
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(Browser.log_in, browsers))
    assert [one.headers.get("location") for one in answers] == ["/"] * 12
    assert {one.me().json()["username"] for one in browsers} == {"s-1"}
    assert sessions_of(service) == 12
    asked = [liar.asked.count(path) for path in ("/.well-known/openid-configuration", "/jwks", "/token")]
    assert asked == [1, 1, 12]


@pytest.mark.parametrize(
    ("methods", "has_secret", "shown"),
    [
        (["client_secret_basic"], True, ("Basic bGFia2l0OmElM0FiJTIwYw==", None, None)),
        (["client_secret_post"], True, (None, CLIENT_ID, "a:b c")),
        (["client_secret_basic"], False, (None, CLIENT_ID, None)),
    ],
)
def test_how_the_client_shows_its_secret(
    service: Running,
    liar: LyingProvider,
    browser: Browser,
    tmp_path: Path,
    methods: list[str],
    has_secret: bool,
    shown: tuple[str | None, ...],
) -> None:
    """The secret goes in the header where the provider takes that, else in the form."""
    secret = tmp_path / "secret"
    secret.write_text("a:b c")
    secret.chmod(0o600)
    liar.metadata = {"token_endpoint_auth_methods_supported": methods}
    file = secret if has_secret else None
    configured(service, Oidc(issuer=liar.url, client_id=CLIENT_ID, client_secret_file=file))
    assert browser.log_in().headers["location"] == "/"
    assert (liar.authorization, liar.form.get("client_id"), liar.form.get("client_secret")) == shown
