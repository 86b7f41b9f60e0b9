"""A real identity provider: log-in, refusal, what may not be used twice or by others, log-out."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest
from sqlalchemy import select, update

from labkit.server.accounts import accounts, sessions
from labkit.server.routes.oidc import cookie_name
from labkit.server.state.tables import Audit, OidcLogIn, User
from tests.server.oidc.conftest import Browser, Canaille, begun_of, refusals_of, sessions_of
from tests.server.running import Running


@pytest.fixture
def browser(long_running: Running, canaille: Canaille, new_browser: Callable[[Running], Browser]) -> Browser:
    """One browser, before a service whose users come from Canaille."""
    return new_browser(long_running)


def parameters(address: str) -> httpx2.QueryParams:
    """What an address says after its `?`."""
    return httpx2.URL(address).params


def test_who_logs_in_there_is_logged_in_here(
    long_running: Running, canaille: Canaille, browser: Browser
) -> None:
    """Name, password and consent given there begin a session here, for a user of that name who is a member of
    nothing yet, by a cookie that no script reads; the log-in itself is over."""
    answer = browser.ask(canaille.log_in(browser, "grace").headers["location"])
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    me = browser.me().json()
    assert (me["username"], me["workspaces"], "email" in me) == ("grace", [], False)
    assert begun_of(long_running) == 0
    with long_running.service.state.reading() as rows:
        user = accounts.user(rows, "grace")
        noted = rows.scalars(select(Audit).where(Audit.what == "logged in")).all()
    assert (user.issuer, user.password_hash) == (canaille.issuer, None)
    assert [(one.user, (one.detail or {})["by"]) for one in noted] == [("grace", canaille.issuer)]


def test_the_same_person_is_the_same_user(
    long_running: Running, canaille: Canaille, new_browser: Callable[[Running], Browser]
) -> None:
    """Who comes again, from another browser too, is the user that was made the first time."""
    for name in ("grace", "alan", "grace"):
        there = new_browser(long_running)
        there.ask(canaille.log_in(there, name).headers["location"])
        assert there.me().json()["username"] == name
    with long_running.service.state.reading() as rows:
        came = rows.scalars(select(User.name).where(User.issuer.is_not(None)).order_by(User.name)).all()
    assert came == ["alan", "grace"]


def test_who_does_not_consent_stays_out(long_running: Running, canaille: Canaille, browser: Browser) -> None:
    """Who denies the consent there gets a page here that says so, and no user or session is made."""
    answer = browser.ask(canaille.log_in(browser, "grace", "deny").headers["location"])
    assert answer.status_code == 401
    assert "did not let you in (&#x27;access_denied&#x27;)" in answer.text
    assert (sessions_of(long_running), browser.me().status_code) == (0, 401)
    with long_running.service.state.reading() as rows:
        assert rows.scalars(select(User).where(User.issuer.is_not(None))).all() == []


def test_a_code_needs_its_verifier(long_running: Running, canaille: Canaille, browser: Browser) -> None:
    """A code is worth nothing to who does not have the verifier that its log-in began with."""
    address = canaille.log_in(browser, "grace").headers["location"]
    with long_running.service.state.writing() as rows:
        rows.execute(update(OidcLogIn).values(verifier="v" * 64))
    answer = browser.ask(address)
    assert (answer.status_code, sessions_of(long_running)) == (401, 0)
    assert "refused the log-in" in refusals_of(long_running)[0]


def test_a_code_is_used_once(long_running: Running, canaille: Canaille, browser: Browser) -> None:
    """The address that the provider sent the browser to logs in once: again it is refused here, and its code
    under the state of another log-in is refused there."""
    address = canaille.log_in(browser, "grace").headers["location"]
    assert browser.ask(address).headers["location"] == "/"
    again = browser.ask(address)
    assert (again.status_code, "was ended already" in again.text) == (400, True)
    state = parameters(browser.ask(browser.start).headers["location"])["state"]
    replayed = browser.ask(address.replace(parameters(address)["state"], state))
    assert (replayed.status_code, sessions_of(long_running)) == (401, 1)
    assert "refused the log-in ('invalid_grant')" in refusals_of(long_running)[0]


def test_a_log_in_belongs_to_the_browser_that_began_it(
    long_running: Running, canaille: Canaille, browser: Browser, new_browser: Callable[[Running], Browser]
) -> None:
    """The address of somebody else's log-in logs nobody in, and leaves that log-in as it was."""
    address = canaille.log_in(browser, "grace").headers["location"]
    answer = new_browser(long_running).ask(address)
    assert (answer.status_code, sessions_of(long_running)) == (400, 0)
    assert browser.ask(address).headers["location"] == "/"


def test_a_state_that_is_changed(long_running: Running, canaille: Canaille, browser: Browser) -> None:
    """A state that this browser did not begin is refused, noted, and ends the log-ins that it did begin."""
    address = canaille.log_in(browser, "grace").headers["location"]
    changed = address.replace(parameters(address)["state"], "s" * 43)
    answers = [browser.ask(one).status_code for one in (changed, address)]
    assert (answers, sessions_of(long_running), begun_of(long_running)) == ([400, 400], 0, 0)
    assert refusals_of(long_running) == ["a state that this browser did not begin"]


def test_two_tabs(long_running: Running, canaille: Canaille, browser: Browser) -> None:
    """Two log-ins that one browser has under way end well both, in whatever order."""
    browser.ask(canaille.log_in(browser, "grace").headers["location"])
    tabs = [browser.ask(browser.start) for _ in range(2)]
    assert begun_of(long_running) == 2
    # One code at a time: of two that are open at once Canaille, in memory, takes one for the other.
    for tab in reversed(tabs):
        answer = browser.ask(browser.follow(tab, f"{long_running.url}/api").headers["location"])
        assert answer.headers["location"] == "/"
    assert browser.me().json()["username"] == "grace"


def test_a_log_in_ends_after_ten_minutes(long_running: Running, canaille: Canaille, browser: Browser) -> None:
    """A log-in that took longer than ten minutes is refused, and its row goes with the next that begins."""
    address = canaille.log_in(browser, "grace").headers["location"]
    with long_running.service.state.writing() as rows:
        rows.execute(update(OidcLogIn).values(ends_us=OidcLogIn.ends_us - 600_000_000))
    answer = browser.ask(address)
    assert (answer.status_code, sessions_of(long_running)) == (400, 0)
    browser.sent_back()
    assert begun_of(long_running) == 1


def test_who_is_disabled_here_stays_out(long_running: Running, canaille: Canaille, browser: Browser) -> None:
    """A user that was disabled here comes in no more by the provider."""
    browser.ask(canaille.log_in(browser, "grace").headers["location"])
    with long_running.service.state.writing() as rows:
        accounts.disable(rows, "grace")
    answer = browser.ask(browser.sent_back())
    assert (answer.status_code, "grace is disabled here" in answer.text) == (403, True)
    assert (sessions_of(long_running), browser.me().status_code) == (0, 401)


def test_log_out_ends_both_log_ins(long_running: Running, canaille: Canaille, browser: Browser) -> None:
    """Log-out ends the session here at once, and says where the one at the provider ends: who went there is
    asked for the password again."""
    browser.ask(canaille.log_in(browser, "grace").headers["location"])
    answer = browser.ask(
        f"{long_running.url}/api/v1/auth/logout", "POST", headers={"Origin": long_running.url}
    )
    assert (answer.status_code, sessions_of(long_running)) == (200, 0)
    assert browser.me().status_code == 401
    assert browser.begin().is_redirect
    page = browser.ask(answer.json()["log_out_address"])
    assert page.status_code == 200
    browser.ask(str(page.url), "POST", data={"answer": "logout"})
    asked = browser.begin()
    assert (asked.status_code, "Login" in asked.text) == (200, True)


def test_the_cookie_of_a_log_in(long_running: Running, browser: Browser) -> None:
    """While it logs in, a browser has a cookie of ten minutes that no script reads."""
    cookie = browser.ask(browser.start).headers["set-cookie"]
    assert cookie.startswith("labkit-oidc=")
    for part in ("HttpOnly", "Max-Age=600", "Path=/", "SameSite=lax"):
        assert part in cookie
    outside = long_running.service.settings.replace(public_url="https://lab.example")
    assert cookie_name(outside) == "__Host-labkit-oidc" == f"{sessions.cookie_name(outside)}-oidc"
