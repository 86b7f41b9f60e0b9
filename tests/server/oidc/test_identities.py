"""Users by issuer and subject."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from labkit.cli.main import labkit
from labkit.errors import DefinitionError
from labkit.server.accounts import accounts, sessions
from labkit.server.oidc import identities
from labkit.server.oidc_configuration import Oidc
from labkit.server.settings import Settings
from labkit.server.state import State
from labkit.server.state.tables import Member, Session

OIDC = Oidc(issuer="https://id.example", client_id="labkit")
OTHER = Oidc(issuer="https://other.example", client_id="labkit")


def test_an_identity_is_issuer_and_subject(state: State) -> None:
    """The same subject of the same issuer is one user, whatever it is called by then; of another issuer, or
    written otherwise, it is another."""
    with state.writing() as rows:
        ada = identities.user_of(rows, OIDC, "s1", "ada")
        assert identities.user_of(rows, OIDC, "s1", "countess") is ada
        others = [
            identities.user_of(rows, OTHER, "s1", "ada"),
            identities.user_of(rows, OIDC, "S1", "ada"),
            identities.user_of(rows, OIDC, "s1 ", "ada"),
        ]
    assert [one.name for one in (ada, *others)] == ["ada", "ada-2", "ada-3", "ada-4"]
    assert {one.password_hash for one in (ada, *others)} == {None}


@pytest.mark.parametrize(
    ("called", "subject", "name"),
    [
        ("ada@lab.example", "s", "ada@lab.example"),
        (None, "0b5f-77", "0b5f-77"),
        ("", "s", "s"),
        ("José Ångström", "s", "Jose-Angstrom"),
        ("張偉", "auth0|77", "auth0-77"),
        ("張偉", "張偉", "user"),
        ("<b>root</b>\0", "s", "b-root-b"),
        ("a" * 300, "s", "a" * 56),
    ],
)
def test_names_are_log_in_names(sqlite_state: State, called: str | None, subject: str, name: str) -> None:
    """A user is named after what it is called, else after its subject, in characters that a name may have."""
    with sqlite_state.writing() as rows:
        assert identities.user_of(rows, OIDC, subject, called).name == name
    assert accounts.LOGIN_NAME.fullmatch(name)


def test_a_name_that_is_taken_is_not_taken_over(state: State) -> None:
    """Who is called like a local user, in whatever case, is another user: a name proves nothing."""
    with state.writing() as rows:
        root = accounts.add_user(rows, "Root", "hash", email="root@lab.example")
        came = identities.user_of(rows, OIDC, "s1", "rOOT")
    assert (came.id != root.id, came.name, came.email) == (True, "rOOT-2", None)


def test_who_comes_is_a_member_of_nothing_unless_it_is_said(state: State) -> None:
    """A new user is in no workspace, be it the first of all; where one is configured it has that role there,
    and keeps what an admin makes of it."""
    said = Oidc(issuer=OIDC.issuer, client_id="labkit", workspace="default", role="viewer")
    with state.writing() as rows:
        identities.user_of(rows, OIDC, "s1", "ada")
        assert rows.scalars(select(Member)).all() == []
        root = accounts.add_user(rows, "root", "hash")
        identities.user_of(rows, said, "s2", "vic")
        accounts.set_role(rows, "default", "vic", "admin")
        identities.user_of(rows, said, "s2", "vic")
    with state.reading() as rows:
        assert accounts.members(rows, "default") == [("root", "admin"), ("vic", "admin")]
    assert root.issuer is None


def test_a_link_makes_a_subject_a_local_user(state: State) -> None:
    """After the link the subject is that user, whose log-ins so far end; its password stays."""
    with state.writing() as rows:
        ada = accounts.add_user(rows, "ada", "hash")
        sessions.begin(rows, ada.id, Settings(lab=Path("lab.duckdb")), cookie=True)
        identities.link(rows, "ada", OIDC.issuer, "s1")
        assert rows.scalars(select(Session)).all() == []
        assert identities.user_of(rows, OIDC, "s1", "x") is ada
        assert ada.password_hash == "hash"
        with pytest.raises(DefinitionError, match="There is no user 'bob'"):
            identities.link(rows, "bob", OIDC.issuer, "s1")


def test_a_link_takes_a_subject_from_nobody_who_uses_it(state: State) -> None:
    """A subject that is a user already is linked to another one only after that user was disabled."""
    with state.writing() as rows:
        ada = accounts.add_user(rows, "ada", "hash")
        came = identities.user_of(rows, OIDC, "s1", "ada")
        with pytest.raises(DefinitionError, match="is the user ada-2 already"):
            identities.link(rows, "ada", OIDC.issuer, "s1")
        accounts.disable(rows, "ada-2")
        identities.link(rows, "ada", OIDC.issuer, "s1")
        identities.link(rows, "ada", OIDC.issuer, "s1")
        assert identities.user_of(rows, OIDC, "s1", None) is ada
        assert came.subject is None


def test_a_link_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`labkit serve users link` links to the provider of the variables, and says so where there is none."""
    lab = tmp_path / "lab.duckdb"
    state = State(Settings(lab=lab).database)
    with state.writing() as rows:
        accounts.add_user(rows, "ada", "hash")
    command = ["serve", "users", "link", "ada", "--subject", "s1", "--lab", str(lab)]
    answer = CliRunner().invoke(labkit, command)
    assert "No identity provider is configured" in str(answer.exception)
    monkeypatch.setenv("LABKIT_SERVE_OIDC_ISSUER", OIDC.issuer)
    monkeypatch.setenv("LABKIT_SERVE_OIDC_CLIENT_ID", "labkit")
    answer = CliRunner().invoke(labkit, command)
    assert answer.output.startswith("ada is s1 of https://id.example from now on")
    with state.reading() as rows:
        assert accounts.user(rows, "ada").subject == "s1"
    state.close()
