"""Tokens for scripts: their secret, what one may be, and the addresses at which their owner keeps them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from labkit.errors import DefinitionError
from labkit.server.accounts import accounts, tokens
from labkit.server.service import Service
from labkit.server.state.tables import Audit, Token

Bearer = Callable[[str], dict[str, str]]
TOKENS = "/api/v1/tokens"
WANTED = {"name": "nightly", "scopes": ["read", "execute"]}


def test_a_secret_knows_itself() -> None:
    """A token has 32 random bytes and a checksum: one that was mistyped or cut is not even looked for."""
    made = {tokens.made() for _ in range(50)}
    assert len(made) == 50
    for one in made:
        assert tokens.is_whole(one)
        assert one.startswith("lk_")
        assert len(one) == 51
        assert not tokens.is_whole(one[:-1])
        assert not tokens.is_whole(one[3:])
        assert not tokens.is_whole(f"{one[:20]}{'A' if one[20] != 'A' else 'B'}{one[21:]}")
        assert not tokens.is_whole(f"{one[:20]}\n{one[20:]}")


def test_the_secret_is_shown_once(service: Service, client: TestClient, bearer: Bearer) -> None:
    """Its secret stands in the answer that made it, and nowhere after: not in the list, not in the state."""
    ada = bearer("ada")
    made = client.post(TOKENS, json=WANTED, headers=ada)
    assert made.status_code == 201
    secret = made.json()["token"]
    assert client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    listed = client.get(TOKENS, headers=ada)
    assert secret not in listed.text
    assert "workspaces" not in listed.json()[0]
    with service.state.reading() as rows:
        row = rows.get(Token, made.json()["id"])
        noted = rows.scalars(select(Audit).where(Audit.what == "token made")).one()
    assert row is not None
    assert secret not in str(vars(row))
    assert secret not in str(vars(noted))
    assert noted.user == "ada"


def test_it_holds_90_days_unless_said(client: TestClient, bearer: Bearer) -> None:
    """Times are UTC with `Z`; the end is 90 days after, or what was asked for."""
    ada = bearer("ada")
    for more, days in [({}, 90), ({"days": 1}, 1)]:
        made = client.post(TOKENS, json={**WANTED, **more}, headers=ada).json()
        assert made["expiresAt"].endswith("Z")
        begun, ends = (datetime.fromisoformat(made[name]) for name in ("createdAt", "expiresAt"))
        assert ends - begun == timedelta(days=days)


def test_one_revokes_ones_own(client: TestClient, bearer: Bearer) -> None:
    """A revoked token holds no more from the next request on; twice is harmless; another's is not there."""
    ada, root = bearer("ada"), bearer("root")
    made = client.post(TOKENS, json=WANTED, headers=ada).json()
    shown = {"Authorization": f"Bearer {made['token']}"}
    address = f"{TOKENS}/{made['id']}"
    assert client.delete(address, headers=root).status_code == 404
    assert client.get("/api/v1/workspaces", headers=shown).status_code == 200
    assert [client.delete(address, headers=ada).status_code for _ in range(2)] == [204, 204]
    assert client.get("/api/v1/workspaces", headers=shown).status_code == 401
    assert "revokedAt" in client.get(TOKENS, headers=ada).json()[0]
    assert client.get(TOKENS, headers=root).json() == []
    assert client.delete(f"{TOKENS}/nothing", headers=ada).status_code == 404


def test_a_token_makes_no_token(service: Service, client: TestClient) -> None:
    """With a token of every scope nothing at these addresses is possible, nor a log-out."""
    with service.state.writing() as rows:
        _, secret = tokens.add(
            rows, accounts.user(rows, "root"), name="all", scopes=["read", "execute", "admin"]
        )
    shown = {"Authorization": f"Bearer {secret}"}
    answers = [
        client.get(TOKENS, headers=shown),
        client.post(TOKENS, json=WANTED, headers=shown),
        client.delete(f"{TOKENS}/x", headers=shown),
        client.post("/api/v1/auth/logout", headers=shown),
    ]
    assert [one.status_code for one in answers] == [403] * 4


WRONG: list[dict[str, Any]] = [
    {"scopes": []},
    {"scopes": ["root"]},
    {"scopes": "read"},
    {"name": ""},
    {"name": "a\nb"},
    {"name": "x" * 101},
    {"days": 0},
    {"days": -1},
    {"days": 10**9},
    {"days": "x"},
    {"workspaces": []},
    {"workspaces": ["other"]},
    {"workspaces": ["nowhere"]},
    {"user_id": "root"},
]


def test_a_wrong_wish_makes_nothing(client: TestClient, bearer: Bearer) -> None:
    """What cannot be is a 422 with one text, and no token; a workspace of others is told as one that is not
    there."""
    ada = bearer("ada")
    told = {}
    for wrong in WRONG:
        answer = client.post(TOKENS, json={**WANTED, **wrong}, headers=ada)
        assert answer.status_code == 422, wrong
        told[str(wrong)] = answer.json()["detail"]
        assert isinstance(answer.json()["detail"], str)
    of_others, nowhere = (told[str({"workspaces": [name]})] for name in ("other", "nowhere"))
    assert of_others == nowhere.replace("nowhere", "other")
    assert client.get(TOKENS, headers=ada).json() == []


def test_all_that_is_wrong_is_named(service: Service) -> None:
    """One error names every fault of a token."""
    with service.state.writing() as rows, pytest.raises(DefinitionError) as refused:
        tokens.add(rows, accounts.user(rows, "ada"), name="", scopes=["x"], workspaces=["other"], days=0)
    assert len(refused.value.faults) == 4
