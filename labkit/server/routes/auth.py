"""Log-in, log-out, and who one is.

A program gets a JWT (by `/auth/login/json`, or a form at `/auth/login`), the page a cookie that no script can
read (by `/auth/login/cookie`). It does not know how other routes use them: see `credentials`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy import select

from labkit.server.accounts import accounts, audit, passwords, sessions, throttle
from labkit.server.accounts.access_tokens import Claims
from labkit.server.accounts.credentials import Anyone, Person, by_cookie
from labkit.server.accounts.principal import Principal, not_logged_in
from labkit.server.service import Served, Service
from labkit.server.state.moments import now_us
from labkit.server.state.tables import User

router = APIRouter(prefix="/auth", tags=["auth"])

Word = Annotated[str, StringConstraints(max_length=passwords.LONGEST)]


class LogIn(BaseModel):
    """Who wants to log in."""

    model_config = ConfigDict(extra="forbid")
    username: Word
    password: Word


class AccessToken(BaseModel):
    """What a program shows from then on: `Authorization: Bearer …`, for `expires_in` seconds at most."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a type
    expires_in: int


class LoggedOut(BaseModel):
    """The log-in here has ended; the one at the identity provider ends at `log_out_address`."""

    log_out_address: str


class Own(BaseModel):
    """A workspace and one's role in it."""

    name: str
    role: str


class Me(BaseModel):
    """Who one is, and what one may where."""

    user_id: str
    username: str
    email: str | None = None
    scopes: list[str]
    workspaces: list[Own]


@router.post("/login/json", responses={401: {}, 429: {}})
async def log_in_by_json(asked: LogIn, request: Request, served: Served) -> AccessToken:
    """Log in: a JWT."""
    return await _access_token(served, request, asked.username, asked.password)


@router.post("/login", responses={401: {}, 429: {}})
async def log_in_by_form(
    username: Annotated[Word, Form()], password: Annotated[Word, Form()], request: Request, served: Served
) -> AccessToken:
    """Log in by a form: a JWT."""
    return await _access_token(served, request, username, password)


@router.post("/login/cookie", response_model_exclude_none=True, responses={401: {}, 429: {}})
async def log_in_by_cookie(asked: LogIn, request: Request, response: Response, served: Served) -> Me:
    """Log in for a browser: a cookie that no script can read, and who one is."""
    _, begun = await _log_in(served, request, asked.username, asked.password, cookie=True)
    sessions.set_cookie(response, begun, served.settings)
    return _me(await run_in_threadpool(by_cookie, served, begun.secret or ""))


@router.get("/me", response_model_exclude_none=True)
def me(who: Anyone) -> Me:
    """Who one is."""
    return _me(who)


@router.post("/logout", status_code=204, responses={200: {"model": LoggedOut}})
def log_out(who: Person, served: Served) -> Response:
    """End the log-in that the request shows: its cookie or JWT holds no more. A token is revoked instead.

    204, or 200 with where a browser may go to end its log-in at the identity provider too.
    """
    with served.state.writing() as rows:
        elsewhere = sessions.end(rows, who.credential)
        audit.note(rows, "logged out", who.name)
    response = (
        Response(status_code=204)
        if elsewhere is None
        else JSONResponse(LoggedOut(log_out_address=elsewhere).model_dump())
    )
    sessions.delete_cookie(response, served.settings)
    return response


async def _access_token(served: Service, request: Request, name: str, password: str) -> AccessToken:
    user, begun = await _log_in(served, request, name, password, cookie=False)
    claims = Claims(user_id=user.id, name=user.name, sid=begun.id)
    ends_s = begun.ends_us // 1_000_000
    return AccessToken(
        access_token=served.signer.signed(claims, ends_s=ends_s, email=user.email),
        expires_in=ends_s - now_us() // 1_000_000,
    )


async def _log_in(
    served: Service, request: Request, name: str, password: str, *, cookie: bool
) -> tuple[User, sessions.Begun]:
    address = throttle.address_of(request, served.settings.trusted_proxies)
    await run_in_threadpool(throttle.check, served.state, name, address)
    return await served.turns.run(_try, served, name, password, address, cookie)


def _try(
    served: Service, name: str, password: str, address: str, cookie: bool
) -> tuple[User, sessions.Begun]:
    made = throttle.count(served.state, name, address)
    user = _user(served, name)
    kept = user.password_hash if user is not None else None
    is_right = passwords.matches(kept, password)
    with served.state.writing() as rows:
        # It may have been disabled, or given another password, while this one was computed.
        now = rows.get(User, user.id) if user is not None and is_right else None
        if now is None or now.disabled_us is not None or now.password_hash != kept:
            audit.note(rows, "log-in refused", user.name if user is not None else None, address=address)
        else:
            throttle.succeeded(rows, made)
            begun = sessions.begin(rows, now.id, served.settings, cookie=cookie)
            audit.note(rows, "logged in", now.name, address=address)
            return now, begun
    raise not_logged_in("The name or the password is wrong.")


def _user(served: Service, name: str) -> User | None:
    # A name that none can be is not looked for: it may hold what a database does not take.
    if not accounts.LOGIN_NAME.fullmatch(name):
        return None
    with served.state.reading() as rows:
        return rows.scalar(select(User).where(User.name == name))


def _me(who: Principal) -> Me:
    return Me(
        user_id=who.user_id,
        username=who.name,
        email=who.email,
        scopes=sorted(who.scopes),
        workspaces=[Own(name=name, role=who.workspaces[name]) for name in sorted(who.workspaces)],
    )
