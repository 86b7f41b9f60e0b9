"""Users, workspaces and members, as the machine's owner makes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from labkit.errors import DefinitionError
from labkit.server.accounts import accounts, first_admin, passwords
from labkit.server.service import Service
from labkit.server.state import State
from labkit.server.state.tables import Audit, User, Workspace


def test_the_first_user_is_admin_of_default(state: State) -> None:
    """Workspace `default` comes with the first user, who is its admin; the next are members of it."""
    with state.writing() as rows:
        accounts.add_user(rows, "ada", None)
        accounts.add_user(rows, "ben", None)
    with state.reading() as rows:
        assert accounts.members(rows, "default") == [("ada", "admin"), ("ben", "member")]
        assert [(user.name, roles) for user, roles in accounts.users(rows)] == [
            ("ada", [("default", "admin")]),
            ("ben", [("default", "member")]),
        ]


def test_what_is_no_name(state: State) -> None:
    """A log-in name has 1 to 64 letters, digits and . _ @ -, as it stands in addresses and answers."""
    for name in ("", "a b", "ä", "a/b", "a\0", "x" * 65, "<b>", "a\n", "\ud800"):
        with state.writing() as rows, pytest.raises(DefinitionError, match="The log-in name is"):
            accounts.add_user(rows, name, None)


def test_what_is_a_name(state: State) -> None:
    """Those that can be."""
    for name in ("a", "ada@lab.example", "A.b_c-1", "x" * 64):
        with state.writing() as rows:
            assert accounts.add_user(rows, name, None).name == name


def test_two_users_differ_by_more_than_case(service: Service) -> None:
    """`Ada` is refused where there is an `ada`."""
    for name in ("ada", "Ada", "ADA"):
        with service.state.writing() as rows, pytest.raises(DefinitionError, match="'ada' already"):
            accounts.add_user(rows, name, None)


def test_what_is_no_email(state: State) -> None:
    """An e-mail address has an @ and no blank."""
    for email in ("", "ada", "a b@c", "a@b\0", "a@" + "b" * 300):
        with state.writing() as rows, pytest.raises(DefinitionError, match="e-mail"):
            accounts.add_user(rows, "ada", None, email=email)


def test_what_is_no_workspace(service: Service) -> None:
    """A workspace can stand in an address: visible characters, no slash."""
    for name in ("", " a", "a ", "a/b", "a\0", "a\n", "..", "x" * 65):
        with service.state.writing() as rows, pytest.raises(DefinitionError, match="The workspace is"):
            accounts.add_workspace(rows, name)


def test_nothing_is_made_where_something_is_wrong(service: Service) -> None:
    """A user for a workspace that is not there, or with an unknown role, is not made at all."""
    for given in ({"workspace": "nowhere"}, {"workspace": "a\0"}, {"role": "owner"}):
        with pytest.raises(DefinitionError), service.state.writing() as rows:
            accounts.add_user(rows, "eve", None, **given)
        with service.state.reading() as rows, pytest.raises(accounts.Unknown):
            accounts.user(rows, "eve")
    with service.state.writing() as rows, pytest.raises(DefinitionError, match="already"):
        accounts.add_workspace(rows, "other")


def test_roles_change_and_end(service: Service) -> None:
    """A role is set, set anew and taken away, each noted with who did it; only members can go."""
    with service.state.writing() as rows:
        accounts.set_role(rows, "other", "vic", "member", by="otto")
        accounts.set_role(rows, "other", "vic", "viewer", by="otto")
        assert accounts.members(rows, "other") == [("otto", "admin"), ("vic", "viewer")]
        accounts.remove(rows, "other", "vic", by="otto")
    with service.state.writing() as rows:
        assert accounts.members(rows, "other") == [("otto", "admin")]
        with pytest.raises(accounts.Unknown, match="vic is no member"):
            accounts.remove(rows, "other", "vic")
        by_otto = rows.scalars(select(Audit).where(Audit.user == "otto").order_by(Audit.number)).all()
    assert [note.detail and note.detail.get("role") for note in by_otto] == ["member", "viewer", None]


def test_who_is_disabled_gets_nothing_new(service: Service) -> None:
    """Another password or a token for one who may not log in any more is refused in words."""
    with service.state.writing() as rows:
        accounts.disable(rows, "vic")
        with pytest.raises(DefinitionError, match="vic is disabled, for good"):
            accounts.able(rows, "vic")
        with pytest.raises(DefinitionError, match="vic is disabled, for good"):
            accounts.set_password(rows, "vic", "hash")


def test_the_first_admin_by_variables(state: State, tmp_path: Path) -> None:
    """Two variables make an admin of `default` once; who is there already keeps password and role."""
    file = tmp_path / "password"
    file.write_text("correct horse\nnot this\n")
    named = {first_admin.NAME: "boss", first_admin.PASSWORD_FILE: str(file)}
    assert first_admin.ensure(state, {}) is None
    assert first_admin.ensure(state, named) == "boss"
    with state.writing() as rows:
        accounts.set_role(rows, "default", "boss", "viewer")
    file.write_text("another one")
    assert first_admin.ensure(state, named) is None
    with state.reading() as rows:
        boss = rows.scalars(select(User)).one()
        assert accounts.members(rows, "default") == [("boss", "viewer")]
    assert passwords.matches(boss.password_hash, "correct horse")


def test_wrong_variables_make_nobody(state: State, tmp_path: Path) -> None:
    """One variable without the other, no file, a short password or a wrong name: an error, and nobody."""
    file = tmp_path / "password"
    file.write_text("short")
    path = str(file)
    for named in (
        {first_admin.NAME: "boss"},
        {first_admin.PASSWORD_FILE: path},
        {first_admin.NAME: "boss", first_admin.PASSWORD_FILE: path},
        {first_admin.NAME: "boss", first_admin.PASSWORD_FILE: str(tmp_path / "missing")},
        {first_admin.NAME: "a b", first_admin.PASSWORD_FILE: path},
    ):
        with pytest.raises(DefinitionError):
            first_admin.ensure(state, named)
    with state.reading() as rows:
        assert rows.scalars(select(User)).all() == []
        assert rows.scalars(select(Workspace)).all() == []
