"""A service that one may log in to by an identity provider, and browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest
from sqlalchemy import delete, select

from labkit.server.oidc.provider import Provider
from labkit.server.oidc_configuration import Oidc
from labkit.server.state.tables import Audit, Member, OidcLogIn, Session, User
from tests.server.oidc.lying_provider import CLIENT_ID, LyingProvider, lying_provider
from tests.server.running import PASSWORD, Running, running


class Browser:
    """Follows redirects one by one, and keeps cookies of two ports apart as if they were two hosts."""

    def __init__(self, service: Running) -> None:
        self.service = service
        self.start = f"{service.url}/api/v1/auth/oidc/login"
        self._clients: dict[tuple[str, int | None], httpx2.Client] = {}

    def ask(
        self, url: str, method: str = "GET", *, headers: Mapping[str, str] | None = None, data: Any = None
    ) -> httpx2.Response:
        """The answer, no redirect followed."""
        parts = httpx2.URL(url)
        client = self._clients.setdefault((parts.host, parts.port), httpx2.Client(timeout=30))
        headers = {"Accept": "text/html,*/*;q=0.8", **(headers or {})}
        return client.request(method, url, headers=headers, data=data)

    def follow(self, answer: httpx2.Response, until: str) -> httpx2.Response:
        """The answer at the end of the redirects, or the one that leads to where `until` begins."""
        while answer.is_redirect:
            goes_to = urljoin(str(answer.url), answer.headers["location"])
            if goes_to.startswith(until):
                break
            answer = self.ask(goes_to)
        return answer

    def begin(self) -> httpx2.Response:
        """Begins to log in. The answer sends the browser back, if the provider asks nothing."""
        return self.follow(self.ask(self.start), f"{self.service.url}/api/v1/auth/oidc/callback")

    def sent_back(self) -> str:
        """Begins to log in, and gives where the browser is sent back to."""
        return self.begin().headers["location"]

    def log_in(self) -> httpx2.Response:
        """The service's answer to a whole log-in in which the provider asks nothing."""
        begun = self.begin()
        return self.ask(begun.headers["location"]) if begun.is_redirect else begun

    def me(self) -> httpx2.Response:
        """Who the service says that one is."""
        return self.ask(f"{self.service.url}/api/v1/auth/me")

    def close(self) -> None:
        """Close its connections."""
        for client in self._clients.values():
            client.close()


@pytest.fixture
def liar() -> Iterator[LyingProvider]:
    """An identity provider that lies as it is told to."""
    with lying_provider() as provider:
        yield provider


@pytest.fixture(scope="package")
def long_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service without a provider."""
    with running(tmp_path_factory.mktemp("oidc")) as there:
        yield there


@pytest.fixture
def service(long_running: Running, liar: LyingProvider) -> Running:
    """A service whose users may come from the liar; nobody did so far."""
    configured(long_running, Oidc(issuer=liar.url, client_id=CLIENT_ID))
    return long_running


def configured(service: Running, oidc: Oidc) -> None:
    """Have a service know this provider, as if it had been started so, and forget who came from another."""
    service.service.oidc = Provider(oidc, service.url)
    with service.service.state.writing() as rows:
        for table in (Session, OidcLogIn, Audit):
            rows.execute(delete(table))
        came = select(User.id).where(User.issuer.is_not(None)).scalar_subquery()
        rows.execute(delete(Member).where(Member.user_id.in_(came)))
        rows.execute(delete(User).where(User.issuer.is_not(None)))


@pytest.fixture
def new_browser() -> Iterator[Callable[[Running], Browser]]:
    """Makes browsers."""
    made: list[Browser] = []

    def make(service: Running) -> Browser:
        made.append(Browser(service))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def browser(service: Running, new_browser: Callable[[Running], Browser]) -> Browser:
    """One browser."""
    return new_browser(service)


def sessions_of(service: Running) -> int:
    """How many log-ins by cookie there are."""
    with service.service.state.reading() as rows:
        return len(rows.scalars(select(Session).where(Session.secret_hash.is_not(None))).all())


def begun_of(service: Running) -> int:
    """How many log-ins are under way at the provider."""
    with service.service.state.reading() as rows:
        return len(rows.scalars(select(OidcLogIn)).all())


def refusals_of(service: Running) -> list[str]:
    """Why log-ins were refused, as the audit rows say."""
    with service.service.state.reading() as rows:
        found = rows.scalars(select(Audit).where(Audit.what == "log-in refused").order_by(Audit.number))
        return [one.detail["why"] for one in found if one.detail]


@dataclass(frozen=True)
class Canaille:
    """A real identity provider, and what it knows the service by."""

    server: Any
    """Of pytest_iam, which is untyped."""
    client_id: str = "labkit"
    secret: str = "a secret: of, the client"
    people: tuple[str, ...] = ("grace", "alan")

    @property
    def issuer(self) -> str:
        """As it writes it."""
        return str(self.server.url).rstrip("/")

    def log_in(self, browser: Browser, name: str, answer: str = "accept") -> httpx2.Response:
        """Its answer when somebody has given name, password and consent: it sends the browser back."""
        page = browser.begin()
        for form in ({"login": name}, {"password": PASSWORD}, {"answer": answer}):
            if page.is_redirect:
                break  # it knows who is there, and what it may tell
            assert page.status_code == 200, page.text
            page = browser.follow(
                browser.ask(str(page.url), "POST", data=form),
                f"{browser.service.url}/api/v1/auth/oidc/callback",
            )
        assert page.is_redirect, page.text
        return page


@pytest.fixture(scope="session")
def canaille_server(request: pytest.FixtureRequest) -> Any:
    """Canaille, on a port of this machine. Its pytest plug-in takes two seconds to load: only here, not with
    every start of pytest (see `-p no:iam` in pyproject.toml)."""
    import pytest_iam

    request.config.pluginmanager.register(pytest_iam, "an identity provider")
    return request.getfixturevalue("iam_server")


@pytest.fixture
def canaille(canaille_server: Any, long_running: Running, tmp_path: Path) -> Iterator[Canaille]:
    """Canaille, which knows the service and two people, and by which one may log in to the service."""
    provider = Canaille(canaille_server)
    models, backend = canaille_server.models, canaille_server.backend
    redirect_uri = f"{long_running.url}/api/v1/auth/oidc/callback"
    client = models.Client(
        client_id=provider.client_id,
        client_secret=provider.secret,
        client_name="labkit",
        redirect_uris=[redirect_uri],
        grant_types=["authorization_code"],
        response_types=["code"],
        token_endpoint_auth_method="client_secret_basic",
        id_token_signed_response_alg="RS256",
        scope=["openid", "profile"],
    )
    backend.save(client)
    client.audience = [client]
    backend.save(client)
    people = [canaille_server.random_user(user_name=name, password=PASSWORD) for name in provider.people]
    secret = tmp_path / "secret"
    secret.write_text(provider.secret + "\n")
    secret.chmod(0o600)
    oidc = Oidc(issuer=provider.issuer, client_id=provider.client_id, client_secret_file=secret)
    configured(long_running, oidc)
    yield provider
    for made in (*backend.query(models.Consent), client, *people):
        backend.delete(made)
