"""Sessions as rows: what is kept of one, its cookie, and its ends."""

from __future__ import annotations

import pytest
from starlette.responses import Response

from labkit.server.accounts import accounts, sessions
from labkit.server.service import Service
from labkit.server.settings import Settings
from labkit.server.state.moments import now_us
from labkit.server.state.tables import Session

ENCRYPTED = "https://lab.example"


def begun(service: Service, name: str, *, cookie: bool = True) -> sessions.Begun:
    """A new session of that user."""
    with service.state.writing() as rows:
        return sessions.begin(rows, accounts.user(rows, name).id, service.settings, cookie=cookie)


def kept(service: Service) -> dict[str, Session]:
    """All sessions by id."""
    with service.state.reading() as rows:
        return {one.id: one for one in rows.query(Session)}


def test_what_is_kept_opens_nothing(service: Service) -> None:
    """A cookie's secret is not in the database, and no two are alike; a session of a JWT has none."""
    first, second, jwt = begun(service, "ada"), begun(service, "ada"), begun(service, "ada", cookie=False)
    assert first.secret is not None
    assert len({first.secret, second.secret, first.id, second.id}) == 4
    row = kept(service)[first.id]
    assert first.secret not in (row.id, row.secret_hash)
    assert kept(service)[jwt.id].secret_hash is None
    assert jwt.secret is None


def test_one_ends_or_all_of_a_user(service: Service) -> None:
    """Ending one leaves the others; ending all of a user leaves those of others."""
    first, second, vics = begun(service, "ada"), begun(service, "ada", cookie=False), begun(service, "vic")
    with service.state.writing() as rows:
        sessions.end(rows, first.id)
    assert kept(service).keys() == {second.id, vics.id}
    with service.state.writing() as rows:
        sessions.end_all(rows, accounts.user(rows, "ada").id)
    assert kept(service).keys() == {vics.id}


@pytest.mark.parametrize(("column", "setting"), [("ends_us", 0.0), ("seen_us", 8 * 3600)])
def test_those_that_ended_are_deleted(service: Service, column: str, setting: float) -> None:
    """Rows of sessions that ended by age or by lying idle are gone when another begins."""
    old = begun(service, "ada")
    with service.state.writing() as rows:
        setattr(rows.get(Session, old.id), column, now_us() - int(setting * 1_000_000))
    new = begun(service, "vic")
    assert kept(service).keys() == {new.id}


@pytest.mark.parametrize("url", [None, ENCRYPTED])
def test_the_cookie_is_as_strict_as_the_address_allows(service: Service, url: str | None) -> None:
    """No script can read it, no other page has it sent along with a form; where the address is encrypted it
    goes only there."""
    settings = Settings(lab=service.settings.lab, public_url=url)
    response = Response()
    sessions.set_cookie(response, begun(service, "ada"), settings)
    name, *rest = response.headers["set-cookie"].split("; ")
    said = {one.lower() for one in rest}
    assert {"httponly", "samesite=lax", "path=/", "max-age=604800"} <= said
    assert not any(one.startswith("domain") for one in said)
    assert ("secure" in said) == (url is not None)
    assert name.startswith("__Host-labkit=" if url else "labkit=")
    sessions.delete_cookie(response, settings)
    assert "max-age=0" in response.headers.getlist("set-cookie")[1].lower()
