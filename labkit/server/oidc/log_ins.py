"""Log-ins begun at the identity provider, as rows: each is ended once, by the browser that began it.

A browser is known by a secret in a cookie, of which the hash is kept, as of the state that comes back. In one
browser several may be under way, in its tabs. It does not know the provider.
"""

from __future__ import annotations

import re
import secrets

from sqlalchemy import delete, func, select

from labkit.server.accounts import audit
from labkit.server.accounts.oidc.provider import Secrets
from labkit.server.accounts.sessions import digest
from labkit.server.problems import Problem
from labkit.server.state import State
from labkit.server.state.moments import now_us
from labkit.server.state.tables import OidcLogIn

LIFE_S = 600
MOST = 100
"""So many may be under way from one address."""
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


def browser_secret(shown: str | None) -> str:
    """What a browser is known by: what it shows, or a new one."""
    return shown if shown is not None and _SECRET.fullmatch(shown) else secrets.token_urlsafe(32)


def begin(state: State, browser: str, address: str) -> Secrets:
    """Begin one. Raises 429 where too many from that address were begun and not ended."""
    begun = Secrets(
        state=secrets.token_urlsafe(32), nonce=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(48)
    )
    now = now_us()
    with state.writing(durable=False) as rows:
        rows.execute(delete(OidcLogIn).where(OidcLogIn.ends_us <= now))
        of_address = select(func.count()).select_from(OidcLogIn).where(OidcLogIn.address == address)
        if (rows.scalar(of_address) or 0) >= MOST:
            raise Problem(
                429,
                f"{MOST} log-ins were begun from here and not ended. Try again in {LIFE_S // 60} minutes.",
                headers={"Retry-After": str(LIFE_S)},
            )
        rows.add(
            OidcLogIn(
                state_hash=digest(begun.state),
                browser_hash=digest(browser),
                nonce=begun.nonce,
                verifier=begun.verifier,
                address=address,
                ends_us=now + LIFE_S * 1_000_000,
            )
        )
    return begun


def take(state: State, browser: str | None, shown: str, address: str) -> Secrets:
    """The one whose state is `shown`, which can be taken no second time. Raises 400 where this browser began
    none such: all that it began are ended then."""
    with state.writing(durable=False) as rows:
        asked = select(OidcLogIn).where(
            OidcLogIn.browser_hash == digest(browser or ""), OidcLogIn.ends_us > now_us()
        )
        begun = list(rows.scalars(asked))
        found = [one for one in begun if one.state_hash == digest(shown)]
        for one in found or begun:
            rows.delete(one)
        if begun and not found:
            audit.note(
                rows, "log-in refused", None, address=address, why="a state that this browser did not begin"
            )
    if not found:
        raise Problem(
            400,
            "This log-in was ended already, is older than ten minutes, or was begun in another browser. "
            "Log in again.",
        )
    return Secrets(state=shown, nonce=found[0].nonce, verifier=found[0].verifier)
