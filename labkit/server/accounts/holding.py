"""Which credentials, of those by which open streams were let in, hold still. It does not know streams."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session as Rows

from labkit.server.accounts import tokens
from labkit.server.accounts.principal import Principal
from labkit.server.state.moments import now_us
from labkit.server.state.tables import Session, Token, User


def holding(rows: Rows, principals: Iterable[Principal]) -> set[str]:
    """The credentials, of those by which `principals` were let in, that hold still. An open stream is use, so
    none ends here by lying idle."""
    ids = {who.credential for who in principals}
    log_ins = select(Session.id).join(User).where(Session.id.in_(ids), Session.ends_us > now_us())
    scripts = select(Token.id).join(User).where(Token.id.in_(ids), tokens.holds())
    is_enabled = User.disabled_us.is_(None)
    return {*rows.scalars(log_ins.where(is_enabled)), *rows.scalars(scripts.where(is_enabled))}
