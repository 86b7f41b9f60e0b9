"""The addresses at which a person makes, lists and revokes tokens of their own. A token gets in nowhere here.

It does not know how tokens are made: see `tokens`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from labkit.server.accounts import tokens
from labkit.server.accounts.credentials import Person
from labkit.server.problems import Problem
from labkit.server.service import Served
from labkit.server.state.tables import Token, User

router = APIRouter(prefix="/tokens", tags=["tokens"])


class Wanted(BaseModel):
    """A token to make. Without `workspaces` it holds in all that its owner is a member of."""

    model_config = ConfigDict(extra="forbid")
    name: str
    scopes: list[str]
    workspaces: list[str] | None = None
    days: int = tokens.DAYS


class Shown(BaseModel):
    """A token without its secret."""

    id: str
    name: str
    scopes: list[str]
    workspaces: list[str] | None = None
    createdAt: datetime
    expiresAt: datetime
    revokedAt: datetime | None = None


class Made(Shown):
    """A new token with its secret, which is not shown again."""

    token: str


@router.get("", response_model_exclude_none=True)
def list_tokens(who: Person, served: Served) -> list[Shown]:
    """One's own tokens, the newest first."""
    with served.state.reading() as rows:
        return [_shown(token) for token in tokens.own(rows, who.user_id)]


@router.post("", status_code=201, response_model_exclude_none=True)
def make_token(wanted: Wanted, who: Person, served: Served) -> Made:
    """A new token of one's own."""
    with served.state.writing() as rows:
        owner = rows.get_one(User, who.user_id)
        token, secret = tokens.add(
            rows,
            owner,
            name=wanted.name,
            scopes=wanted.scopes,
            workspaces=wanted.workspaces,
            days=wanted.days,
        )
    return Made(token=secret, **_shown(token).model_dump())


@router.delete("/{token_id}", status_code=204)
def revoke_token(token_id: str, who: Person, served: Served) -> None:
    """Revoke one of one's own: it holds no more from now on."""
    with served.state.writing() as rows:
        found = [token for token in tokens.own(rows, who.user_id) if token.id == token_id]
        if not found:
            raise Problem(404, "You have no token of that id. List yours by GET /api/v1/tokens.")
        tokens.revoke(rows, found[0], by=who.name)


def _shown(token: Token) -> Shown:
    return Shown(
        id=token.id,
        name=token.name,
        scopes=token.scopes,
        workspaces=token.workspaces,
        createdAt=_time(token.created_us),
        expiresAt=_time(token.ends_us),
        revokedAt=None if token.revoked_us is None else _time(token.revoked_us),
    )


def _time(us: int) -> datetime:
    return datetime.fromtimestamp(us // 1_000_000, UTC)
