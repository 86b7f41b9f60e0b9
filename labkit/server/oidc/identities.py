"""Users by what an identity provider calls them: issuer and subject, and never an e-mail address.

Whoever comes for the first time becomes a user, under a name that is made once. It does not know how it was
proved who comes.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from itertools import count

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Rows

from labkit.errors import DefinitionError
from labkit.server.accounts import accounts, audit, sessions
from labkit.server.accounts.principal import ROLES
from labkit.server.oidc_configuration import PREFIX, Oidc
from labkit.server.state.moments import now_us
from labkit.server.state.tables import User, Workspace
from labkit.visible import quoted

_NAME_MOST = 56
"""Characters of a name that is made, so that a number can stand behind it."""


def check(rows: Rows, oidc: Oidc) -> None:
    """Raise `DefinitionError` where new users could not become what `oidc` says."""
    faults = []
    if oidc.workspace is not None and rows.get(Workspace, oidc.workspace) is None:
        faults.append(
            f"{PREFIX}WORKSPACE is {quoted(oidc.workspace)}, which is not there. Make it by: "
            "labkit serve workspaces add"
        )
    if oidc.role not in ROLES:
        faults.append(f"{PREFIX}ROLE is {quoted(oidc.role)}; use {' or '.join(ROLES)}.")
    if faults:
        raise DefinitionError(faults)


def user_of(rows: Rows, oidc: Oidc, subject: str, called: str | None) -> User:
    """The user of that subject, be it disabled.

    A new one is named after what it is `called` there, or else after its subject. It has no password, and
    is a member where `oidc` says so.
    """
    found = _found(rows, oidc.issuer, subject)
    if found is not None:
        return found
    user = User(
        id=f"user_{secrets.token_hex(8)}",
        name=_free(rows, _name(called) or _name(subject) or "user"),
        issuer=oidc.issuer,
        subject=subject,
        created_us=now_us(),
    )
    rows.add(user)
    rows.flush()
    audit.note(rows, "user added", None, of=user.name, issuer=oidc.issuer, subject=subject)
    if oidc.workspace is not None:
        accounts.set_role(rows, oidc.workspace, user.name, oidc.role)
    return user


def link(rows: Rows, name: str, issuer: str, subject: str) -> None:
    """Have `subject`, and nobody else, log in as the user `name` from now on. Raises `DefinitionError` where
    it is another one already that is not disabled."""
    linked = accounts.user(rows, name)
    other = _found(rows, issuer, subject)
    if other is not None and other is not linked:
        if other.disabled_us is None:
            raise DefinitionError(
                f"{quoted(subject)} of {issuer} is the user {other.name} already. Disable that one first: "
                f"labkit serve users disable {other.name}"
            )
        other.issuer = other.subject = None
        rows.flush()
    linked.issuer, linked.subject = issuer, subject
    sessions.end_all(rows, linked.id)
    audit.note(rows, "user linked", None, of=name, issuer=issuer, subject=subject)


def _found(rows: Rows, issuer: str, subject: str) -> User | None:
    return rows.scalar(select(User).where(User.issuer == issuer, User.subject == subject))


def _name(called: str | None) -> str:
    plain = unicodedata.normalize("NFKD", called or "").encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._@-]+", "-", plain).strip("-")[:_NAME_MOST]


def _free(rows: Rows, name: str) -> str:
    """`name`, or the first of `name-2`, `name-3` … that nobody has: names differ by more than case."""
    for number in count(1):
        tried = name if number == 1 else f"{name}-{number}"
        if rows.scalar(select(User.id).where(func.lower(User.name) == tried.lower())) is None:
            return tried
    raise AssertionError("there is always a next number")
