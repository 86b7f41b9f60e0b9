"""Who asks: what a request shows (a JWT, a token, a cookie), looked up in one query on every request.

Nothing is remembered between requests, so a credential that ended holds no more from the next one on. A
request with an `Authorization` header is whoever that says, or nobody: its cookie is not looked at, so that
no page can lend a user's cookie to a bearer of its own. `x-user-id` says nothing. It does not know what a
route does with the answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cache
from typing import Annotated, Any, Literal, Protocol, TypeVarTuple

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from sqlalchemy import BigInteger, Row, Select, bindparam, select

from labkit.server.accounts import sessions, tokens
from labkit.server.accounts.access_tokens import Signer
from labkit.server.accounts.principal import SCOPES, Principal, Scope, not_logged_in
from labkit.server.problems import Problem
from labkit.server.settings import Settings
from labkit.server.state import State
from labkit.server.state.moments import now_us
from labkit.server.state.tables import Member, Session, Token, User

Columns = TypeVarTuple("Columns")

_USER = (User.id.label("user_id"), User.name, User.email, Member.workspace, Member.role)
_MEMBERS = Member.user_id == User.id
_NOW = bindparam("now_us", type_=BigInteger)
# Made once: to put a query together takes as long as to ask it.
_BY_SESSION = (
    select(*_USER, Session.id.label("credential"), Session.seen_us)
    .join(User, User.id == Session.user_id)
    .outerjoin(Member, _MEMBERS)
    .where(User.disabled_us.is_(None), Session.ends_us > _NOW)
    .where(Session.seen_us > bindparam("idle_us", type_=BigInteger))
)
_BY_COOKIE = _BY_SESSION.where(Session.secret_hash == bindparam("shown"))
# A cookie's session is none of a JWT's.
_BY_JWT = _BY_SESSION.where(Session.id == bindparam("shown"), Session.secret_hash.is_(None))
_BY_TOKEN = (
    select(*_USER, Token.id.label("credential"), Token.scopes, Token.workspaces)
    .join(User, User.id == Token.user_id)
    .outerjoin(Member, _MEMBERS)
    .where(User.disabled_us.is_(None), Token.revoked_us.is_(None), Token.ends_us > _NOW)
    .where(Token.secret_hash == bindparam("shown"))
)
_ENDED = "Your log-in has ended. Log in again."
_DOCUMENTED = HTTPBearer(auto_error=False, description="A JWT of /auth/login, or a token (lk_…).")


class AuthContext(Protocol):
    """What of the service it takes to say who asks."""

    settings: Settings
    state: State
    signer: Signer


async def _of(request: Request) -> AuthContext:
    found: AuthContext = request.app.state.service
    return found


def principal(
    request: Request,
    served: Annotated[AuthContext, Depends(_of)],
    _bearer: Annotated[object, Security(_DOCUMENTED)] = None,
) -> Principal:
    """Who asks; the access log is told. Raises 401 where that is nobody."""
    found = _shown(request, served)
    request.state.who = found.name
    return found


def _shown(request: Request, served: AuthContext) -> Principal:
    headers = request.headers.getlist("authorization")
    if not headers:
        secret = request.cookies.get(sessions.cookie_name(served.settings))
        if not secret:
            raise not_logged_in()
        return by_cookie(served, secret)
    if len(headers) > 1:
        raise not_logged_in("Authorization was sent more than once. Send one: Authorization: Bearer …")
    scheme, _, shown = headers[0].strip().partition(" ")
    shown = shown.strip()
    if scheme.lower() != "bearer" or not shown or " " in shown:
        raise not_logged_in(
            "The Authorization header is none that can be read. Log in, and send: Authorization: Bearer …"
        )
    return _by_token(served, shown) if shown.startswith(tokens.PREFIX) else _by_jwt(served, shown)


def by_cookie(served: AuthContext, secret: str) -> Principal:
    """Whose cookie it is. Raises 401."""
    return _by_session(served, _BY_COOKIE, sessions.digest(secret), how="cookie")


def _by_jwt(served: AuthContext, shown: str) -> Principal:
    claims = served.signer.verified(shown)
    found = _by_session(served, _BY_JWT, claims.sid, how="bearer")
    if (found.user_id, found.name) != (claims.user_id, claims.name):
        raise not_logged_in(_ENDED)
    return found


def _by_session(
    served: AuthContext, asked: Select[*Columns], shown: str, *, how: Literal["cookie", "bearer"]
) -> Principal:
    given = {"shown": shown, "now_us": now_us(), "idle_us": sessions.idle_us(served.settings)}
    with served.state.reading() as rows:
        found = rows.execute(asked, given).all()
    if not found:
        raise not_logged_in(_ENDED)
    sessions.used(served.state, found[0].credential, found[0].seen_us)
    return _as_principal(found, how=how, scopes=SCOPES, workspaces=None)


def _by_token(served: AuthContext, shown: str) -> Principal:
    found: Sequence[Row[*tuple[Any, ...]]] = ()
    if tokens.is_whole(shown):
        with served.state.reading() as rows:
            found = rows.execute(_BY_TOKEN, {"shown": sessions.digest(shown), "now_us": now_us()}).all()
    if not found:
        raise not_logged_in("The token holds no more, or is none of this service. Make another and use that.")
    first = found[0]
    return _as_principal(found, how="token", scopes=first.scopes, workspaces=first.workspaces)


def _as_principal(
    found: Sequence[Row[*tuple[Any, ...]]],
    *,
    how: Literal["cookie", "bearer", "token"],
    scopes: Iterable[str],
    workspaces: Sequence[str] | None,
) -> Principal:
    first = found[0]
    return Principal(
        user_id=first.user_id,
        name=first.name,
        email=first.email,
        scopes=frozenset(scopes),
        workspaces={
            one.workspace: one.role
            for one in found
            if one.workspace is not None and (workspaces is None or one.workspace in workspaces)
        },
        how=how,
        credential=first.credential,
    )


@cache
def asks(scope: Scope | None) -> Callable[..., Awaitable[Principal]]:
    """A dependency that gives who asks. Raises 401 where that is nobody, 403 where its token lacks `scope`
    (None: any will do). In which workspace it may is for the route to ask: `Principal.check`."""

    async def asked(who: Annotated[Principal, Depends(principal)]) -> Principal:
        if scope is not None and scope not in who.scopes:
            raise Problem(
                403, f"This token's scope is {', '.join(sorted(who.scopes))}; that asks for {scope!r}."
            )
        return who

    return asked


async def _person(who: Annotated[Principal, Depends(principal)]) -> Principal:
    if who.how == "token":
        raise Problem(403, "A token cannot do that. Log in with your password.")
    return who


Reader = Annotated[Principal, Depends(asks("read"))]
Executor = Annotated[Principal, Depends(asks("execute"))]
Admin = Annotated[Principal, Depends(asks("admin"))]
Anyone = Annotated[Principal, Depends(asks(None))]
"""Logged in, by whatever."""
Person = Annotated[Principal, Depends(_person)]
"""Logged in by a password, not by a token."""
