"""What `labkit doctor` says of the service. It makes nothing, and opens nothing but files."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

import labkit as lk
from labkit.cli import serve
from labkit.cli.doctor import Finding, examine
from labkit.server.accounts import accounts, signing_keys
from labkit.server.settings import LOCK, Settings
from labkit.server.state import State

FOUND = ("service", "service's users", "service's key")


def findings(lab: lk.Lab, database: str | None = None) -> dict[str, Finding]:
    """What is said of the service, by what it is about."""
    return {one.what: one for one in examine(lab, database) if one.what in FOUND}


def test_without_the_extra_it_is_a_note(lab: lk.Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the service's packages are not installed, it names them and how to get them, and nothing else."""
    monkeypatch.setattr(serve, "PACKAGES", ("no_such_package",))
    (found,) = findings(lab).values()
    assert found.state == "note"
    assert found.words == "labkit serve needs no_such_package: pip install 'labkit[server]'"


def test_nothing_is_made(lab: lk.Lab, here: Path) -> None:
    """Before the first user and the first start there is neither state nor key, and none is made."""
    found = findings(lab)
    assert [found[what].state for what in FOUND] == ["ok", "note", "note"]
    assert found["service's users"].words == "none yet: labkit serve users add NAME"
    assert found["service's key"].words == "none yet: the first start makes lab.duckdb.serve.key"
    assert not list(here.iterdir())


def test_users_are_counted_and_the_schema_told(lab: lk.Lab) -> None:
    """Those who may log in are counted, without the disabled."""
    state = State(Settings(lab=lab.path).database)
    with state.writing() as rows:
        for name in ("ada", "otto", "vic"):
            accounts.add_user(rows, name, "no hash")
        accounts.disable(rows, "vic")
    state.close()
    found = findings(lab)["service's users"]
    assert (found.state, found.words) == ("ok", "2 may log in; lab.duckdb.serve.sqlite has schema 0001")


def test_a_state_that_cannot_be_used_is_a_fault(lab: lk.Lab, here: Path) -> None:
    """One that is no database, and one of a newer labkit."""
    (here / "text.sqlite").write_text("no database\n" * 100)
    found = findings(lab, "text.sqlite")["service's users"]
    assert found.state == "fault"
    assert "text.sqlite cannot be read: file is not a database" in found.words
    state = State("newer.sqlite")
    with state.writing() as rows:
        rows.execute(text("update alembic_version set version_num = '9999'"))
    state.close()
    found = findings(lab, "newer.sqlite")["service's users"]
    assert found.state == "fault"
    assert "was written by a newer labkit (schema 9999)" in found.words


def test_a_database_elsewhere_is_not_asked(lab: lk.Lab) -> None:
    """A PostgreSQL is not contacted, and its password not shown."""
    found = findings(lab, "postgresql+psycopg://ada:canary@127.0.0.1:9/labkit")["service's users"]
    assert (found.state, found.words) == ("note", "in the database that was named; it was not contacted")


def test_a_key_that_others_may_read_is_a_fault(lab: lk.Lab) -> None:
    """The key's file is for one user alone."""
    settings = Settings(lab=lab.path)
    signing_keys.found(settings)
    assert findings(lab)["service's key"].words == "lab.duckdb.serve.key, for you alone"
    signing_keys.file(settings).chmod(0o644)
    found = findings(lab)["service's key"]
    assert found.state == "fault"
    assert "(mode 644)" in found.words


def test_a_service_that_runs_is_named(lab: lk.Lab) -> None:
    """Who serves the lab is told, and is not disturbed."""
    lab.store.check_writable()
    with lab.store.drive(LOCK, called="The service"):
        assert findings(lab)["service"].words.startswith("it is driven by this kernel (process ")
        assert findings(lab)["service"].state == "ok"
