"""Every route × every kind of caller: what they are answered. A route that is not in the table fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import update

import labkit as lk
from labkit.server.accounts import accounts, tokens
from labkit.server.app import ROUTERS
from labkit.server.state.moments import now_us
from labkit.server.state.tables import Token, User
from tests.server.running import Running, running

ASKED = {"prompt": "hi", "model_ids": ["scripted/echo"]}


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a route asks of its caller, and a request to it that is right but for who sends it."""

    scope: str | None
    """None: anybody may, logged in or not."""
    path: str
    body: Any = None
    person: bool = False
    """A token does not do."""
    viewer: int = 200
    """What a viewer of the workspace is answered."""
    member: int = 200
    stranger: int = 200
    """What somebody of another workspace is answered."""


RUN, EXECUTION = "{run}", "{execution}"
TABLE = {
    ("POST", "/auth/login"): Needs(scope=None, path="/auth/login"),
    ("POST", "/auth/login/json"): Needs(scope=None, path="/auth/login/json"),
    ("POST", "/auth/login/cookie"): Needs(scope=None, path="/auth/login/cookie"),
    ("GET", "/auth/oidc"): Needs(scope=None, path="/auth/oidc"),
    ("GET", "/auth/oidc/login"): Needs(scope=None, path="/auth/oidc/login"),
    ("GET", "/auth/oidc/callback"): Needs(scope=None, path="/auth/oidc/callback"),
    ("GET", "/auth/me"): Needs(scope="any", path="/auth/me"),
    ("POST", "/auth/logout"): Needs(scope="any", path="/auth/logout", person=True),
    ("GET", "/tokens"): Needs(scope="any", path="/tokens", person=True),
    ("POST", "/tokens"): Needs(
        scope="any", path="/tokens", person=True, body={"name": "x", "scopes": ["read"], "days": 1}
    ),
    ("DELETE", "/tokens/{token_id}"): Needs(scope="any", path="/tokens/none", person=True),
    ("GET", "/workspaces"): Needs(scope="read", path="/workspaces"),
    ("GET", "/workspaces/{name}/members"): Needs(
        scope="admin", path="/workspaces/default/members", viewer=403, member=403, stranger=404
    ),
    ("PUT", "/workspaces/{name}/members/{user}"): Needs(
        scope="admin", path="/workspaces/default/members/vic", body={"role": "admin"},
        viewer=403, member=403, stranger=404,
    ),
    ("DELETE", "/workspaces/{name}/members/{user}"): Needs(
        scope="admin", path="/workspaces/default/members/vic", viewer=403, member=403, stranger=404
    ),
    ("GET", "/models"): Needs(scope="read", path="/models"),
    ("GET", "/models/{model_id:path}"): Needs(scope="read", path="/models/scripted/echo"),
    ("GET", "/providers"): Needs(scope="read", path="/providers"),
    ("GET", "/api-status"): Needs(scope="read", path="/api-status"),
    ("GET", "/blocks"): Needs(scope="read", path="/blocks?workspace_id=default", stranger=404),
    ("POST", "/estimate"): Needs(
        scope="execute", path="/estimate", body={**ASKED, "workspace_id": "default"}, viewer=403, stranger=404
    ),
    ("POST", "/execute"): Needs(
        scope="execute", path="/execute", body={**ASKED, "workspace_id": "default"}, viewer=403, stranger=404
    ),
    ("POST", "/workbench/execute"): Needs(
        scope="execute", path="/workbench/execute", viewer=403, stranger=404,
        body={"prompt": "hi", "model_id": "scripted/echo", "workspace_id": "default"},
    ),
    ("GET", "/runs/{run}/events"): Needs(scope="read", path=f"/runs/{RUN}/events", stranger=404),
    ("DELETE", "/runs/{run}"): Needs(
        scope="execute", path=f"/runs/{RUN}", viewer=403, member=204, stranger=404
    ),
    ("GET", "/executions"): Needs(scope="read", path="/executions?workspace_id=default", stranger=404),
    ("GET", "/executions/{execution_id}"): Needs(
        scope="read", path=f"/executions/{EXECUTION}", stranger=404
    ),
}  # fmt: skip


@dataclass(frozen=True)
class There:
    """A service that runs, with one execution of `ada`'s, and the header of each kind of caller."""

    served: Running
    headers: dict[str, dict[str, str]]
    names: dict[str, str]

    def ask(self, route: tuple[str, str], headers: dict[str, str]) -> httpx2.Response:
        needs = TABLE[route]
        path = needs.path.replace(RUN, self.names[RUN]).replace(EXECUTION, self.names[EXECUTION])
        return self.served.ask(route[0], path, as_=None, headers=headers, json=needs.body)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    """One for all tests of this file: none of them changes what another asks for."""
    echo = lk.Model("scripted/echo", client=lk.Script(lambda request: request.messages[-1]["content"]))
    with running(tmp_path_factory.mktemp("routes"), [echo]) as served:
        state = served.service.state
        headers: dict[str, dict[str, str]] = {}

        def make(caller: str, user: str, *scopes: str, **given: Any) -> str:
            with state.writing() as rows:
                token, secret = tokens.add(
                    rows,
                    accounts.user(rows, user),
                    name=caller,
                    scopes=scopes or ("read", "execute", "admin"),
                    **given,
                )
            headers[caller] = {"Authorization": f"Bearer {secret}"}
            return token.id

        for caller, user in (("member", "ada"), ("viewer", "vic"), ("stranger", "otto"), ("admin", "root")):
            make(caller, user)
        for scope in ("read", "execute", "admin"):
            others = [one for one in ("read", "execute", "admin") if one != scope]
            make(f"without {scope}", "root", *others)
        with state.writing() as rows:
            accounts.add_user(rows, "elsa", None, role="admin")
            accounts.set_role(rows, "other", "elsa", "viewer")
        make("elsewhere", "elsa", workspaces=["other"])
        expired, revoked = make("expired", "root"), make("revoked", "root")
        with state.writing() as rows:
            rows.execute(update(Token).where(Token.id == expired).values(ends_us=now_us() - 1))
            rows.execute(update(Token).where(Token.id == revoked).values(revoked_us=now_us()))
            accounts.add_user(rows, "dora", None, role="admin")
        make("disabled", "dora")
        with state.writing() as rows:
            rows.execute(update(User).where(User.name == "dora").values(disabled_us=now_us()))
        headers["nobody"] = {}
        headers["forged"] = {"x-user-id": "root"}
        headers["broken"] = {"Authorization": "[object Object]"}
        (run,) = served.execute("hi", "scripted/echo")
        yield There(served, headers, {RUN: run["metadata"]["runId"], EXECUTION: run["id"]})


OPEN = [route for route, needs in TABLE.items() if needs.scope is None]
CLOSED = [route for route, needs in TABLE.items() if needs.scope is not None]
BY_TOKEN = [route for route in CLOSED if not TABLE[route].person]


def test_every_route_is_in_the_table() -> None:
    """The table names each route of the application, and no other."""
    routes = {
        (method, route.path)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    assert routes == TABLE.keys()
    assert all(isinstance(route, APIRoute) for router in ROUTERS for route in router.routes)


@pytest.mark.parametrize("caller", ["nobody", "forged", "broken", "expired", "revoked", "disabled"])
@pytest.mark.parametrize("route", CLOSED, ids=" ".join)
def test_who_is_nobody_gets_nothing(there: There, route: tuple[str, str], caller: str) -> None:
    """Without a credential that holds, every route but the log-ins is 401, whatever `x-user-id` says."""
    answer = there.ask(route, there.headers[caller])
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("route", OPEN, ids=" ".join)
def test_a_log_in_is_open(there: There, route: tuple[str, str]) -> None:
    """A log-in is answered without a credential: here that its body lacks everything, or that there is none
    by an identity provider."""
    assert there.ask(route, {}).status_code in (400, 404, 415, 422)


@pytest.mark.parametrize("caller", ["viewer", "member", "stranger"])
@pytest.mark.parametrize("route", BY_TOKEN, ids=" ".join)
def test_a_role_reaches_as_far_as_it_says(there: There, route: tuple[str, str], caller: str) -> None:
    """A viewer reads, a member also asks, an admin also appoints; somebody of elsewhere finds nothing."""
    assert there.ask(route, there.headers[caller]).status_code == getattr(TABLE[route], caller)


@pytest.mark.parametrize("route", [one for one in BY_TOKEN if TABLE[one].scope != "any"], ids=" ".join)
def test_a_token_does_what_its_scopes_say(there: There, route: tuple[str, str]) -> None:
    """An admin's token without the scope a route needs is 403."""
    answer = there.ask(route, there.headers[f"without {TABLE[route].scope}"])
    assert answer.status_code == 403
    assert repr(TABLE[route].scope) in answer.json()["detail"]


@pytest.mark.parametrize("route", [one for one in BY_TOKEN if TABLE[one].stranger == 404], ids=" ".join)
def test_a_token_of_one_workspace_sees_no_other(there: There, route: tuple[str, str]) -> None:
    """A token that is for another workspace finds nothing in this one, though its user is a member."""
    assert there.ask(route, there.headers["elsewhere"]).status_code == 404


@pytest.mark.parametrize("route", [one for one in CLOSED if TABLE[one].person], ids=" ".join)
def test_a_token_is_no_log_in(there: There, route: tuple[str, str]) -> None:
    """What is a person's alone (to make tokens, to log out) no token does."""
    assert there.ask(route, there.headers["admin"]).status_code == 403
