"""Who asks, by whatever a request shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from labkit.server.accounts import accounts, sessions, tokens
from labkit.server.accounts.credentials import principal
from labkit.server.accounts.holding import holding
from labkit.server.accounts.principal import Access
from labkit.server.problems import Problem
from labkit.server.service import Service
from labkit.server.state.moments import now_us
from labkit.server.state.tables import Session, Token

Bearer = Callable[[str], dict[str, str]]
ME = "/api/v1/auth/me"


def token(service: Service, name: str, **more: Any) -> str:
    """A token of `name`'s."""
    with service.state.writing() as rows:
        return tokens.add(rows, accounts.user(rows, name), name="t", **{"scopes": ["read"], **more})[1]


def cookie(service: Service, name: str) -> str:
    """What the cookie of a log-in of `name`'s holds."""
    with service.state.writing() as rows:
        begun = sessions.begin(rows, accounts.user(rows, name).id, service.settings, cookie=True)
    assert begun.secret is not None
    return begun.secret


def asked_by(service: Service, *headers: tuple[str, str]) -> Any:
    """Who a request with these headers is of."""
    given = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return principal(Request({"type": "http", "headers": given}), service)


def test_a_bearer_says_who_and_what(client: TestClient, bearer: Bearer) -> None:
    """A JWT of the log-in is its user, with its role in each workspace."""
    me = client.get(ME, headers=bearer("ada")).json()
    assert (me["username"], me["workspaces"]) == ("ada", [{"name": "default", "role": "member"}])
    assert me["scopes"] == ["admin", "execute", "read"]
    assert "email" not in me


def test_a_cookie_says_who(service: Service) -> None:
    """A cookie is its user too."""
    who = asked_by(service, ("cookie", f"labkit={cookie(service, 'vic')}"))
    assert (who.name, who.how, dict(who.workspaces)) == ("vic", "cookie", {"default": "viewer"})


def test_a_token_cuts_scopes_and_workspaces(service: Service) -> None:
    """A token may what its scopes say, where it says, and never more than its owner."""
    with service.state.writing() as rows:
        accounts.set_role(rows, "other", "ada", "viewer")
    shown = token(service, "ada", scopes=["read", "execute"], workspaces=["other"])
    who = asked_by(service, ("authorization", f"Bearer {shown}"))
    assert who.how == "token"
    assert dict(who.workspaces) == {"other": "viewer"}
    assert who.may("read", "other")
    assert not who.may("execute", "other")
    with service.state.writing() as rows:
        accounts.remove(rows, "other", "ada")
    assert dict(asked_by(service, ("authorization", f"Bearer {shown}")).workspaces) == {}


NOBODY = [
    [],
    [("x-user-id", "root")],
    [("authorization", "[object Object]")],
    [("authorization", "Bearer")],
    [("authorization", "Bearer ")],
    [("authorization", "Bearer [object Object]")],
    [("authorization", "Bearer undefined")],
    [("authorization", "Bearer lk_abc")],
    [("authorization", f"Bearer {tokens.made()}")],
    [("authorization", "Basic cm9vdDpjb3JyZWN0IGhvcnNl")],
    [("authorization", "Bearer \xe9")],
    [("cookie", "labkit=")],
    [("cookie", "labkit=\xe9")],
    [("cookie", "__Host-labkit=abc")],
]


def test_nobody(client: TestClient) -> None:
    """What shows no credential of ours is a 401 with one text, whoever it says it is."""
    for headers in NOBODY:
        answer = client.get(ME, headers=[(name, value.encode("latin-1")) for name, value in headers])
        assert answer.status_code == 401, headers
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert isinstance(answer.json()["detail"], str)


def test_an_object_as_header_is_told(client: TestClient) -> None:
    """The older front end's `[object Object]` is told that the header cannot be read."""
    answer = client.get(ME, headers={"Authorization": "[object Object]"})
    assert answer.json()["detail"].startswith("The Authorization header is none that can be read.")


def test_a_bearer_decides_alone(service: Service) -> None:
    """With a bearer and a cookie of two users, the bearer is who asks; a bad bearer is nobody, whatever the
    cookie says; nor are two bearers anybody."""
    of_cookie = ("cookie", f"labkit={cookie(service, 'root')}")
    of_token = ("authorization", f"Bearer {token(service, 'vic')}")
    assert asked_by(service, of_cookie, of_token).name == "vic"
    for bad in [("authorization", "Bearer lk_abc"), ("authorization", "")]:
        with pytest.raises(Problem) as refused:
            asked_by(service, of_cookie, bad)
        assert refused.value.status == 401
    with pytest.raises(Problem, match="more than once"):
        asked_by(service, of_token, of_token)


def test_the_id_of_a_cookies_session_is_no_jwt(service: Service) -> None:
    """A JWT for the session of a cookie, or for another user's session, is nobody."""
    from labkit.server.accounts.access_tokens import Claims

    with service.state.writing() as rows:
        ada, root = accounts.user(rows, "ada"), accounts.user(rows, "root")
        by_cookie = sessions.begin(rows, ada.id, service.settings, cookie=True)
        by_jwt = sessions.begin(rows, ada.id, service.settings, cookie=False)
    own = {"user_id": ada.id, "name": "ada", "sid": by_jwt.id}
    wrong = [{"sid": by_cookie.id}, {"user_id": root.id}, {"name": "root"}, {"sid": "nobody's"}]
    for changed in [{}, *wrong]:
        shown = service.signer.signed(Claims(**{**own, **changed}), ends_s=now_us() / 1e6 + 60)
        if changed:
            with pytest.raises(Problem, match="log-in has ended"):
                asked_by(service, ("authorization", f"Bearer {shown}"))
        else:
            assert asked_by(service, ("authorization", f"Bearer {shown}")).name == "ada"


def test_what_ended_holds_no_more(service: Service) -> None:
    """Ended, idle and disabled: the next request is nobody's, and `holding` says so of streams."""
    by_cookie = ("cookie", f"labkit={cookie(service, 'ada')}")
    by_token = ("authorization", f"Bearer {token(service, 'ada')}")
    vics = ("cookie", f"labkit={cookie(service, 'vic')}")
    let_in = [asked_by(service, one).access("default") for one in (by_cookie, by_token, vics)]

    def held() -> set[Access]:
        with service.state.reading() as rows:
            return holding(rows, [*let_in, let_in[0]._replace(workspace="other")])

    assert held() == set(let_in)
    with service.state.writing() as rows:
        accounts.disable(rows, "ada")
    assert held() == {let_in[2]}
    for shown in (by_cookie, by_token):
        with pytest.raises(Problem):
            asked_by(service, shown)
    with service.state.writing() as rows:
        session = rows.get(Session, let_in[2].credential)
        assert session is not None
        session.seen_us -= int(service.settings.session_idle_s * 1e6)
    with pytest.raises(Problem):
        asked_by(service, vics)


@pytest.mark.parametrize("column", ["ends_us", "revoked_us"])
def test_a_token_ends(service: Service, column: str) -> None:
    """A token that expired or was revoked is nobody, and holds no stream."""
    shown = ("authorization", f"Bearer {token(service, 'ada')}")
    who = asked_by(service, shown)
    with service.state.writing() as rows:
        setattr(rows.get(Token, who.credential), column, now_us())
    with pytest.raises(Problem, match="holds no more"):
        asked_by(service, shown)
    with service.state.reading() as rows:
        assert holding(rows, [who.access("default")]) == set()


def test_a_request_does_not_write(service: Service) -> None:
    """That a session is used is written down once a minute, and then it lives on."""
    shown = ("cookie", f"labkit={cookie(service, 'ada')}")
    session_id = asked_by(service, shown).credential

    def seen_us() -> int:
        with service.state.reading() as rows:
            session = rows.get(Session, session_id)
            assert session is not None
            return session.seen_us

    before = seen_us()
    asked_by(service, shown)
    assert seen_us() == before
    with service.state.writing() as rows:
        session = rows.get(Session, session_id)
        assert session is not None
        session.seen_us -= sessions.TOUCHED_US
    asked_by(service, shown)
    assert seen_us() >= before
