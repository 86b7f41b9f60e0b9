"""Log-in by an identity provider, over HTTP: whether there is one, where it begins, where browsers come back.

One that succeeds begins a session by cookie; any other ends in one sentence, and no session. It does not know
what is said to the provider: see `provider`.
"""

from __future__ import annotations

import html
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel

from labkit.server.accounts import audit, sessions, throttle
from labkit.server.accounts.principal import not_logged_in
from labkit.server.guard.negotiation import names
from labkit.server.oidc import identities, log_ins
from labkit.server.oidc.id_token import Claims
from labkit.server.oidc.provider import Provider
from labkit.server.problems import Problem
from labkit.server.service import Served, Service
from labkit.server.settings import Settings
from labkit.visible import quoted

router = APIRouter(prefix="/auth/oidc", tags=["auth"])

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Not logged in · labkit</title>
<link rel="icon" href="/page/icon.svg">
<link rel="stylesheet" href="/page/page.css">
<header><span class="brand">labkit</span></header>
<main>
<h1>You are not logged in</h1>
<p class="trouble">{detail}</p>
<p><a href="/">Back to labkit</a></p>
</main>
</html>
"""


class Offered(BaseModel):
    """The provider's name, and the address at which a browser begins to log in."""

    name: str
    login: str


def _provider(served: Served) -> Provider:
    if served.oidc is None:
        raise Problem(404, "There is no log-in by an identity provider here: none is configured.")
    return served.oidc


Configured = Annotated[Provider, Depends(_provider)]


@router.get("", responses={404: {}})
def offered(served: Served, provider: Configured) -> Offered:
    """By which identity provider one may log in."""
    return Offered(name=provider.oidc.label, login=provider.login_uri)


@router.get("/login", status_code=303, response_class=RedirectResponse, responses={404: {}, 429: {}})
async def log_in(request: Request, served: Served, provider: Configured) -> Response:
    """Begin to log in: a browser is sent to the identity provider."""
    browser = log_ins.browser_secret(_browser(request, served))
    try:
        await provider.metadata.get()  # where it does not answer nothing is begun
        begun = await run_in_threadpool(log_ins.begin, served.state, browser, _address(request, served))
        address = await provider.log_in_address(begun)
    except Problem as problem:
        return _failed(request, problem)
    answer = RedirectResponse(address, 303)
    answer.set_cookie(
        cookie_name(served.settings),
        browser,
        max_age=log_ins.LIFE_S,
        path="/",
        secure=served.settings.secure,
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get(
    "/callback",
    status_code=303,
    response_class=RedirectResponse,
    responses={400: {}, 401: {}, 403: {}, 404: {}},
)
async def call_back(request: Request, served: Served, provider: Configured) -> Response:
    """End of a log-in: the identity provider sends the browser here."""
    address = _address(request, served)
    browser = _browser(request, served)
    try:
        state = _one(request, "state")
        taken = await run_in_threadpool(log_ins.take, served.state, browser, state or "", address)
    except Problem as problem:
        return _failed(request, problem)
    try:
        await provider.check_sender(_one(request, "iss"))
        if (refused := _one(request, "error")) is not None:
            raise not_logged_in(
                f"The identity provider did not let you in ({quoted(refused)}). Log in again."
            )
        code = _one(request, "code")
        if not code:
            raise Problem(400, "The identity provider sent no code. Log in again.")
        claims = await provider.claims(code, taken)
        elsewhere = await provider.log_out_address()
        begun = await run_in_threadpool(_begun, served, provider, claims, address, elsewhere)
    except Problem as problem:
        await run_in_threadpool(_note_refusal, served, problem, address)
        return _failed(request, problem)
    answer = RedirectResponse("/", 303)
    sessions.set_cookie(answer, begun, served.settings)
    return answer


def cookie_name(settings: Settings) -> str:
    """What the cookie is called that a browser has while it logs in."""
    return f"{sessions.cookie_name(settings)}-oidc"


def _begun(
    served: Service, provider: Provider, claims: Claims, address: str, elsewhere: str | None
) -> sessions.Begun:
    with served.state.writing() as rows:
        user = identities.user_of(rows, provider.oidc, claims.sub, claims.preferred_username)
        if user.disabled_us is not None:
            raise Problem(403, f"The user {user.name} is disabled here. An admin of labkit knows why.")
        begun = sessions.begin(rows, user.id, served.settings, cookie=True, log_out_address=elsewhere)
        audit.note(rows, "logged in", user.name, address=address, by=provider.oidc.issuer)
    return begun


def _note_refusal(served: Service, problem: Problem, address: str) -> None:
    with served.state.writing(durable=False) as rows:
        audit.note(rows, "log-in refused", None, address=address, why=problem.detail)


def _failed(request: Request, problem: Problem) -> Response:
    # Browsers ask for a page by its name; programs for JSON or for anything.
    if not names(request.headers.get("accept"), "text/html"):
        return problem.response()
    page = PAGE.format(detail=html.escape(problem.detail))
    return HTMLResponse(page, problem.status, headers=problem.headers)


def _one(request: Request, name: str) -> str | None:
    given = request.query_params.getlist(name)
    if len(given) > 1:
        raise Problem(400, f"{name} was sent more than once. Log in again.")
    return given[0] if given else None


def _browser(request: Request, served: Service) -> str | None:
    return request.cookies.get(cookie_name(served.settings))


def _address(request: Request, served: Service) -> str:
    return throttle.address_of(request, served.settings.trusted_proxies)
