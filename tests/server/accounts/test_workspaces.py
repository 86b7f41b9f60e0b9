"""The addresses of workspaces: one's own, and who is what in them for their admins."""

from __future__ import annotations

from collections.abc import Callable

from starlette.testclient import TestClient

from labkit.server.accounts import accounts
from labkit.server.service import Service

Bearer = Callable[[str], dict[str, str]]
WORKSPACES = "/api/v1/workspaces"
OURS = f"{WORKSPACES}/default/members"


def test_one_sees_ones_own(client: TestClient, bearer: Bearer) -> None:
    """The list has those one is a member of, with one's role, and no other."""
    assert client.get(WORKSPACES, headers=bearer("vic")).json() == [{"name": "default", "role": "viewer"}]
    assert client.get(WORKSPACES, headers=bearer("otto")).json() == [{"name": "other", "role": "admin"}]


def test_an_admin_says_who_is_what(client: TestClient, bearer: Bearer) -> None:
    """An admin lists members, sets a role and takes it away; each counts from the next request on."""
    root, vic = bearer("root"), bearer("vic")
    names = [one["name"] for one in client.get(OURS, headers=root).json()]
    assert names == ["ada", "root", "vic"]
    assert client.put(f"{OURS}/otto", json={"role": "viewer"}, headers=root).status_code == 204
    assert client.put(f"{OURS}/vic", json={"role": "admin"}, headers=root).status_code == 204
    assert {"name": "otto", "role": "viewer"} in client.get(OURS, headers=vic).json()
    assert client.delete(f"{OURS}/vic", headers=root).status_code == 204
    assert client.get(WORKSPACES, headers=vic).json() == []
    assert client.get(OURS, headers=vic).status_code == 404


def test_others_may_not(client: TestClient, bearer: Bearer) -> None:
    """Who is no admin there is told so; for who is no member it is as if it was not there."""
    ada, otto = bearer("ada"), bearer("otto")

    def tried(who: dict[str, str], workspace: str) -> list[tuple[int, str]]:
        members = f"{WORKSPACES}/{workspace}/members"
        answers = [
            client.get(members, headers=who),
            client.put(f"{members}/ada", json={"role": "admin"}, headers=who),
            client.delete(f"{members}/vic", headers=who),
        ]
        return [(one.status_code, one.json()["detail"].replace(workspace, "…")) for one in answers]

    assert [status for status, _ in tried(ada, "default")] == [403] * 3
    assert [status for status, _ in tried(otto, "default")] == [404] * 3
    assert tried(otto, "default") == tried(otto, "nowhere")


def test_the_last_admin_stays(service: Service, client: TestClient, bearer: Bearer) -> None:
    """Who would leave a workspace without an admin that can log in gets a 409, which says what to do; the
    machine's owner may."""
    root, ada = bearer("root"), bearer("ada")

    def tried(who: dict[str, str]) -> list[int]:
        answers = [
            client.put(f"{OURS}/root", json={"role": "member"}, headers=who),
            client.delete(f"{OURS}/root", headers=who),
        ]
        told = {one.json()["detail"] for one in answers if one.status_code == 409}
        word = "Workspace 'default' would have no admin left. Make another member its admin first."
        assert told <= {word}
        return [one.status_code for one in answers]

    assert tried(root) == [409, 409]
    assert client.put(f"{OURS}/root", json={"role": "admin"}, headers=root).status_code == 204
    for name in ("ada", "vic"):
        assert client.put(f"{OURS}/{name}", json={"role": "admin"}, headers=root).status_code == 204
    with service.state.writing() as rows:
        accounts.disable(rows, "vic")
    assert client.delete(f"{OURS}/ada", headers=root).status_code == 204
    assert tried(root) == [409, 409]
    assert client.put(f"{OURS}/ada", json={"role": "admin"}, headers=root).status_code == 204
    assert tried(ada) == [204, 204]
    with service.state.writing() as rows:
        accounts.remove(rows, "default", "ada")
        assert "admin" not in [role for name, role in accounts.members(rows, "default") if name != "vic"]


def test_wrong_wishes(client: TestClient, bearer: Bearer) -> None:
    """An unknown user is a 404, one that is no member too; an unknown role is a 422."""
    root = bearer("root")
    for user in ("nobody", "%20", "x" * 300):
        assert client.put(f"{OURS}/{user}", json={"role": "viewer"}, headers=root).status_code == 404
    assert client.delete(f"{OURS}/otto", headers=root).status_code == 404
    for body in ({}, {"role": "owner"}, {"role": "viewer", "more": 1}):
        assert client.put(f"{OURS}/ada", json=body, headers=root).status_code == 422
