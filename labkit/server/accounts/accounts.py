"""Users, workspaces and who is what in them, as the machine's owner or an admin changes them.

Names stand in answers and addresses for ever, so they are checked and never changed. It does not know how
anybody logs in, and computes no password.
"""

from __future__ import annotations

import re
import secrets

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session as Rows

from labkit.errors import DefinitionError
from labkit.server.accounts import audit, sessions
from labkit.server.accounts.principal import ROLES
from labkit.server.state.moments import now_us
from labkit.server.state.tables import Member, User, Workspace
from labkit.visible import quoted

DEFAULT = "default"
LOGIN_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_WORKSPACE_MOST = 64
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")


class Unknown(DefinitionError):
    """No user, workspace or member of that name."""


class LastAdmin(DefinitionError):
    """A workspace would have nobody left who can make others its admins."""


def check_new(rows: Rows, name: str, email: str | None = None) -> None:
    """Raise `DefinitionError` where no user can be added who is called so."""
    if not LOGIN_NAME.fullmatch(name):
        raise DefinitionError(
            f"The log-in name is {quoted(name)}; use 1 to 64 of the letters A to Z, digits and . _ @ -"
        )
    if email is not None and not (email.isprintable() and _EMAIL.fullmatch(email)):
        raise DefinitionError(f"The e-mail address is {quoted(email)}; give one as name@host.")
    alike = rows.scalar(select(User.name).where(func.lower(User.name) == name.lower()))
    if alike is not None:
        raise DefinitionError(f"There is a user {alike!r} already; log-in names differ by more than case.")


def add_user(
    rows: Rows,
    name: str,
    password_hash: str | None,
    *,
    email: str | None = None,
    workspace: str = DEFAULT,
    role: str | None = None,
) -> User:
    """A new user, and its membership in `workspace`: the first of all is its admin, others are members,
    where no role is given. Workspace `default` comes with the first user. Raises `DefinitionError`."""
    check_new(rows, name, email)
    # Who came by an identity provider was not added by anybody, and is nobody's admin.
    was_added = or_(User.issuer.is_(None), User.password_hash.is_not(None))
    is_first = rows.scalar(select(User.id).where(was_added).limit(1)) is None
    if is_first and rows.get(Workspace, DEFAULT) is None:
        add_workspace(rows, DEFAULT)
    user = User(
        id=f"user_{secrets.token_hex(8)}",
        name=name,
        email=email,
        password_hash=password_hash,
        created_us=now_us(),
    )
    rows.add(user)
    rows.flush()
    set_role(rows, workspace, name, role or ("admin" if is_first else "member"))
    return user


def user(rows: Rows, name: str) -> User:
    """The user of that name. Raises `Unknown` where there is none."""
    # A name that none can be is not looked for: it may hold what a database does not take.
    found = rows.scalar(select(User).where(User.name == name)) if LOGIN_NAME.fullmatch(name) else None
    if found is None:
        raise Unknown(f"There is no user {quoted(name)}.")
    return found


def able(rows: Rows, name: str) -> User:
    """The user of that name, who may log in. Raises `Unknown`, and `DefinitionError` of a disabled one."""
    found = user(rows, name)
    if found.disabled_us is not None:
        raise DefinitionError(f"{name} is disabled, for good. Add another user: labkit serve users add NAME")
    return found


def users(rows: Rows) -> list[tuple[User, list[tuple[str, str]]]]:
    """All users by name, each with its workspaces and its role there."""
    found: dict[str, tuple[User, list[tuple[str, str]]]] = {
        one.id: (one, []) for one in rows.scalars(select(User).order_by(User.name))
    }
    for member in rows.scalars(select(Member).order_by(Member.workspace)):
        found[member.user_id][1].append((member.workspace, member.role))
    return list(found.values())


def set_password(rows: Rows, name: str, password_hash: str) -> None:
    """Another password for a user, and the end of all its log-ins. Its tokens go on."""
    changed = able(rows, name)
    changed.password_hash = password_hash
    sessions.end_all(rows, changed.id)
    audit.note(rows, "password changed", None, of=name)


def disable(rows: Rows, name: str) -> None:
    """Nothing of a user's holds any more: no log-in, no token. What it asked stays."""
    disabled = user(rows, name)
    disabled.disabled_us = disabled.disabled_us or now_us()
    sessions.end_all(rows, disabled.id)
    audit.note(rows, "user disabled", None, of=name)


def add_workspace(rows: Rows, name: str) -> None:
    """A workspace that members can be of; one that the lab knows already is shown to them from now on."""
    is_name = 0 < len(name) <= _WORKSPACE_MOST and name.isprintable() and name == name.strip()
    if not is_name or "/" in name or name in (".", ".."):
        raise DefinitionError(
            f"The workspace is {quoted(name)}; use 1 to {_WORKSPACE_MOST} visible characters without a '/'."
        )
    if rows.get(Workspace, name) is not None:
        raise DefinitionError(f"There is a workspace {quoted(name)} already.")
    rows.add(Workspace(name=name, created_us=now_us()))
    rows.flush()


def set_role(rows: Rows, workspace: str, name: str, role: str, *, by: str | None = None) -> None:
    """Make a user a member of a workspace, or something else there. Raises `DefinitionError`."""
    if role not in ROLES:
        raise DefinitionError(f"The role is {quoted(role)}; use {', '.join(ROLES[:-1])} or {ROLES[-1]}.")
    whose = user(rows, name)
    _there(rows, workspace)
    rows.merge(Member(workspace=workspace, user_id=whose.id, role=role))
    audit.note(rows, "role changed", by, of=name, workspace=workspace, role=role)


def remove(rows: Rows, workspace: str, name: str, *, by: str | None = None) -> None:
    """Take a user out of a workspace. Raises `Unknown` where it is none of its members."""
    whose = user(rows, name)
    _there(rows, workspace)
    if rows.get(Member, (workspace, whose.id)) is None:
        raise Unknown(f"{name} is no member of workspace {quoted(workspace)}.")
    rows.execute(delete(Member).where(Member.workspace == workspace, Member.user_id == whose.id))
    audit.note(rows, "role changed", by, of=name, workspace=workspace)


def members(rows: Rows, workspace: str) -> list[tuple[str, str]]:
    """Who is what in a workspace, by name. Raises `Unknown` where there is no such workspace."""
    _there(rows, workspace)
    asked = select(User.name, Member.role).join(User, User.id == Member.user_id)
    found = rows.execute(asked.where(Member.workspace == workspace).order_by(User.name))
    return [(name, role) for name, role in found]


def check_has_admin(rows: Rows, workspace: str) -> None:
    """Raise `LastAdmin` where no admin of a workspace can log in any more."""
    is_admin = (Member.workspace == workspace, Member.role == "admin", User.disabled_us.is_(None))
    if rows.scalar(select(Member.user_id).join(User).where(*is_admin).limit(1)) is None:
        raise LastAdmin(
            f"Workspace {quoted(workspace)} would have no admin left. Make another member its admin first."
        )


def _there(rows: Rows, workspace: str) -> None:
    if "\0" in workspace or rows.get(Workspace, workspace) is None:
        raise Unknown(f"There is no workspace {quoted(workspace)}. Make it by: labkit serve workspaces add")
