"""Tokens for scripts: `lk_…`, each with its scopes, its workspaces and its end, and kept as a hash alone.

A token makes no token: its owner does, logged in. It does not know what a scope allows.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import zlib
from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session as Rows

from labkit.errors import DefinitionError
from labkit.server.accounts import audit
from labkit.server.accounts.principal import SCOPES
from labkit.server.accounts.sessions import digest
from labkit.server.state.moments import now_us
from labkit.server.state.tables import Member, Token, User
from labkit.visible import quoted

PREFIX = "lk_"
DAYS, MOST_DAYS = 90, 3650
_DAY_US = 86_400_000_000
_BYTES = 32


def made() -> str:
    """A new secret: 32 random bytes and their checksum."""
    raw = secrets.token_bytes(_BYTES)
    return PREFIX + base64.urlsafe_b64encode(raw + _checksum(raw)).decode()


def is_whole(text: str) -> bool:
    """Whether a text has the form of a token and its checksum: none that does not is looked for.

    >>> is_whole(made()), is_whole("lk_abc")
    (True, False)
    """
    try:
        raw = base64.b64decode(text.removeprefix(PREFIX), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return text.startswith(PREFIX) and len(raw) == _BYTES + 4 and _checksum(raw[:_BYTES]) == raw[_BYTES:]


def add(
    rows: Rows,
    user: User,
    *,
    name: str,
    scopes: Sequence[str],
    workspaces: Sequence[str] | None = None,
    days: int = DAYS,
) -> tuple[Token, str]:
    """A new token of `user`'s, and its secret, told only now. `workspaces` None: all that its owner is a
    member of at the time. Raises `DefinitionError`."""
    faults = [f"The scope is {quoted(one)}; use {', '.join(SCOPES)}." for one in scopes if one not in SCOPES]
    if not scopes:
        faults.append(f"The token has no scope; give one or more of {', '.join(SCOPES)}.")
    if not 0 < len(name) <= 100 or not name.isprintable():
        faults.append(f"The token's name is {quoted(name)}; use 1 to 100 visible characters.")
    if not 1 <= days <= MOST_DAYS:
        faults.append(f"The token would hold {days} days; give 1 to {MOST_DAYS:,}.")
    own = set(rows.scalars(select(Member.workspace).where(Member.user_id == user.id)))
    faults += [
        f"{user.name} is no member of a workspace {quoted(w)}." for w in workspaces or () if w not in own
    ]
    if workspaces is not None and not workspaces:
        faults.append("The token has no workspace; name some, or leave them out for all.")
    if faults:
        raise DefinitionError(faults)
    secret, now = made(), now_us()
    token = Token(
        id=f"token_{secrets.token_hex(8)}",
        user_id=user.id,
        name=name,
        secret_hash=digest(secret),
        scopes=[one for one in SCOPES if one in scopes],
        workspaces=None if workspaces is None else sorted(set(workspaces)),
        created_us=now,
        ends_us=now + days * _DAY_US,
    )
    rows.add(token)
    audit.note(rows, "token made", user.name, token=token.id, name=name, scopes=token.scopes)
    return token, secret


def own(rows: Rows, user_id: str) -> list[Token]:
    """All of a user's, the newest first, with those that ended."""
    asked = select(Token).where(Token.user_id == user_id).order_by(Token.created_us.desc(), Token.id)
    return list(rows.scalars(asked))


def everybodys(rows: Rows) -> list[tuple[Token, str]]:
    """All tokens with their owners' names, the newest first."""
    asked = select(Token, User.name).join(User, User.id == Token.user_id)
    found = rows.execute(asked.order_by(Token.created_us.desc(), Token.id))
    return [(token, name) for token, name in found]


def by_id(rows: Rows, token_id: str) -> Token:
    """That token. Raises `DefinitionError` where there is none."""
    found = next((token for token, _ in everybodys(rows) if token.id == token_id), None)
    if found is None:
        raise DefinitionError(f"There is no token {quoted(token_id)}; `labkit serve tokens list` shows all.")
    return found


def revoke(rows: Rows, token: Token, *, by: str | None) -> None:
    """It holds no more, from now on."""
    if token.revoked_us is None:
        token.revoked_us = now_us()
        audit.note(rows, "token revoked", by, token=token.id, name=token.name)


def holds() -> ColumnElement[bool]:
    """The condition that a token neither ended nor was revoked."""
    return and_(Token.ends_us > now_us(), Token.revoked_us.is_(None))


def _checksum(raw: bytes) -> bytes:
    return zlib.crc32(raw).to_bytes(4, "big")
