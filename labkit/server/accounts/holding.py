"""Where the credentials by which open streams were let in hold still. It does not know streams."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session as Rows

from labkit.server.accounts import tokens
from labkit.server.accounts.principal import Access
from labkit.server.state.moments import now_us
from labkit.server.state.tables import Member, Session, Token, User


def holding(rows: Rows, let_in: Collection[Access]) -> set[Access]:
    """Those of `let_in` that hold still: the credential has not ended, and its user is a member there, as
    whatever. An open stream is use, so none ends here by lying idle."""
    ids = {one.credential for one in let_in}
    log_ins = select(Session.id, Member.workspace).select_from(Session).join(User).join(Member)
    scripts = select(Token.id, Member.workspace).select_from(Token).join(User).join(Member)
    is_enabled = User.disabled_us.is_(None)
    found = [
        *rows.execute(log_ins.where(Session.id.in_(ids), Session.ends_us > now_us(), is_enabled)),
        *rows.execute(scripts.where(Token.id.in_(ids), tokens.holds(), is_enabled)),
    ]
    return {Access(*row) for row in found}.intersection(let_in)
