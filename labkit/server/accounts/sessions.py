"""Log-ins as rows: begun, found by what a browser or a JWT shows, and ended, which counts at once.

A session ends when nobody used it for a while, at the latest some days after it began. Of a cookie only the
SHA-256 of its secret is kept. It does not know passwords, nor what a user may do.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import delete, or_, update
from sqlalchemy.orm import Session as Rows
from starlette.responses import Response

from labkit.server.settings import Settings
from labkit.server.state import State
from labkit.server.state.moments import now_us
from labkit.server.state.tables import Session

TOUCHED_US = 60_000_000
"""That a session is used is written down at most this often."""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A new session. `secret` is what the cookie holds, told only now; None: it goes by JWT."""

    id: str
    ends_us: int
    secret: str | None


def begin(
    rows: Rows, user_id: str, settings: Settings, *, cookie: bool, log_out_address: str | None = None
) -> Begun:
    """Begin one, and delete those that have ended by themselves."""
    now = now_us()
    ended = or_(Session.ends_us <= now, Session.seen_us <= idle_us(settings))
    rows.execute(delete(Session).where(ended))
    secret = secrets.token_urlsafe(32) if cookie else None
    begun = Begun(id=secrets.token_hex(16), ends_us=now + _us(settings.session_life_s), secret=secret)
    rows.add(
        Session(
            id=begun.id,
            user_id=user_id,
            secret_hash=secret and digest(secret),
            created_us=now,
            seen_us=now,
            ends_us=begun.ends_us,
            log_out_address=log_out_address,
        )
    )
    return begun


def idle_us(settings: Settings) -> int:
    """A session that was not used since then has ended."""
    return now_us() - _us(settings.session_idle_s)


def used(state: State, session_id: str, seen_us: int) -> None:
    """Write down that it is used, where that was not done within the last minute."""
    now = now_us()
    if now - seen_us < TOUCHED_US:
        return
    with state.writing(durable=False) as rows:
        old = Session.seen_us <= now - TOUCHED_US
        rows.execute(update(Session).where(Session.id == session_id, old).values(seen_us=now))


def end(rows: Rows, session_id: str) -> str | None:
    """End one. Gives where its browser can log out elsewhere too."""
    return rows.scalar(delete(Session).where(Session.id == session_id).returning(Session.log_out_address))


def end_all(rows: Rows, user_id: str) -> None:
    """End all of a user."""
    rows.execute(delete(Session).where(Session.user_id == user_id))


def digest(secret: str) -> str:
    """What is kept of a secret of 32 random bytes: there are too many of them to try."""
    return hashlib.sha256(secret.encode()).hexdigest()


def cookie_name(settings: Settings) -> str:
    """What the cookie is called. Browsers hold one with this prefix to this host, and to encryption."""
    return "__Host-labkit" if settings.secure else "labkit"


def set_cookie(response: Response, begun: Begun, settings: Settings) -> None:
    """Give the browser its secret."""
    assert begun.secret is not None
    response.set_cookie(
        cookie_name(settings),
        begun.secret,
        max_age=int(settings.session_life_s),
        path="/",
        secure=settings.secure,
        httponly=True,
        samesite="lax",
    )


def delete_cookie(response: Response, settings: Settings) -> None:
    """Have the browser forget it."""
    response.delete_cookie(
        cookie_name(settings), path="/", secure=settings.secure, httponly=True, samesite="lax"
    )


def _us(seconds: float) -> int:
    return int(seconds * 1_000_000)
