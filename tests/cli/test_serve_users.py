"""`labkit serve users`, `tokens` and `workspaces`, as the machine's owner calls them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from labkit.cli.main import labkit as command_line
from labkit.server.accounts import passwords
from labkit.server.accounts.tokens import is_whole
from labkit.server.settings import Settings
from labkit.server.state import State
from labkit.server.state.tables import User

Call = Callable[..., Result]


@pytest.fixture
def call(here: Path) -> Call:
    """Calls `labkit serve …` in the test's folder, without a terminal."""

    def labkit(*words: str, fails: str = "") -> Result:
        result = CliRunner().invoke(command_line, ["serve", *words])
        said = result.output + str(result.exception or "")
        assert (result.exit_code != 0) == bool(fails), said
        assert fails in said
        return result

    return labkit


def user(here: Path, name: str) -> User:
    """A user of the lab in this folder."""
    state = State(Settings(lab=here / "lab.duckdb").database)
    with state.reading() as rows:
        found = rows.scalars(select(User).where(User.name == name)).one()
    state.close()
    return found


def rows(result: Result) -> list[dict[str, Any]]:
    """What was printed as JSON."""
    told: list[dict[str, Any]] = json.loads(result.stdout)
    return told


def test_a_password_is_made_up_and_shown_once(call: Call, here: Path) -> None:
    """Without terminal and file a password is made up; it stands in what is printed, and matches."""
    told = call("users", "add", "ada", "--email", "ada@lab.example").stdout
    assert "ada was added to lab.duckdb.serve.sqlite: admin of workspace default." in told
    password = told.splitlines()[-1].removeprefix("Password, shown only now: ")
    assert len(password) >= 20
    assert passwords.matches(user(here, "ada").password_hash, password)
    assert password not in call("users", "list", "--json").stdout


def test_a_password_comes_from_a_file(call: Call, here: Path) -> None:
    """The first line of a file is the password, and nothing shows it."""
    (here / "password").write_text("correct horse\n")
    told = call("users", "add", "ada", "--password-file", "password").stdout
    assert "horse" not in told
    assert "Password" not in told
    assert passwords.matches(user(here, "ada").password_hash, "correct horse")
    (here / "password").write_text("another one")
    call("users", "passwd", "ada", "--password-file", "password")
    assert passwords.matches(user(here, "ada").password_hash, "another one")
    (here / "password").write_text("short")
    call("users", "passwd", "ada", "--password-file", "password", fails="5 characters")
    call("users", "passwd", "ada", "--password-file", "missing", fails="file missing cannot be read")


def test_on_a_terminal_it_is_asked_for_twice(here: Path) -> None:
    """A terminal is asked twice, without showing what is typed."""
    ours, theirs = pty.openpty()
    asking = subprocess.Popen(
        [Path(sys.executable).parent / "labkit", "serve", "users", "add", "ada"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        cwd=here,
    )
    os.close(theirs)
    shown = ""
    for answer in ("correct horse", "correct horse"):
        while not shown.endswith(": "):
            shown += os.read(ours, 1000).decode()
        os.write(ours, f"{answer}\n".encode())
        shown += os.read(ours, 1000).decode()
    assert asking.wait(60) == 0
    os.close(ours)
    assert "horse" not in shown
    assert passwords.matches(user(here, "ada").password_hash, "correct horse")


def test_users_are_listed_and_disabled(call: Call) -> None:
    """The list says who is what where, and since when disabled."""
    call("users", "add", "ada")
    call("workspaces", "add", "lab 2")
    call("users", "add", "ben", "--workspace", "lab 2", "--role", "viewer")
    call("users", "disable", "ben")
    ada, ben = rows(call("users", "list", "--json"))
    assert (ada["name"], ada["workspaces"], ada["disabled"]) == ("ada", {"default": "admin"}, None)
    assert (ben["name"], ben["workspaces"]) == ("ben", {"lab 2": "viewer"})
    assert ben["disabled"] == ben["added"]
    assert "lab 2: viewer" in call("users", "list").stdout


def test_who_is_disabled_gets_neither_password_nor_token(call: Call) -> None:
    """Both would be of no use: the command fails and says so."""
    call("users", "add", "ada")
    call("users", "disable", "ada")
    for args in (("users", "passwd", "ada"), ("tokens", "add", "ada", "--name", "ci", "--scope", "read")):
        call(*args, fails="ada is disabled, for good")


def test_tokens_are_made_listed_and_revoked(call: Call) -> None:
    """A token alone stands on stdout, so that a script can keep it; the list has no secret."""
    call("users", "add", "ada")
    made = call(
        "tokens", "add", "ada", "--name", "ci", "--scope", "read", "--scope", "execute", "--days", "7"
    )
    secret = made.stdout.strip()
    assert is_whole(secret)
    listed = call("tokens", "list", "--json")
    assert secret not in listed.stdout
    (told,) = rows(listed)
    assert (told["user"], told["name"], told["scopes"], told["workspaces"]) == (
        "ada",
        "ci",
        ["read", "execute"],
        None,
    )
    call("tokens", "revoke", told["id"])
    assert rows(call("tokens", "list", "--json"))[0]["revoked"]
    call("tokens", "revoke", "nothing", fails="There is no token 'nothing'")
    call("tokens", "add", "ada", "--name", "x", "--scope", "root", fails="The scope is 'root'")
    call("tokens", "add", "ada", "--name", "x", "--scope", "read", "--workspace", "y", fails="no member")


def test_members_are_set_and_removed(call: Call) -> None:
    """Roles are set and taken away in one call, all or nothing."""
    for name in ("ada", "ben"):
        call("users", "add", name)
    call("workspaces", "add", "w")
    told = call("workspaces", "members", "w", "--set", "ada=admin", "--set", "ben=viewer", "--json")
    assert rows(told) == [{"user": "ada", "role": "admin"}, {"user": "ben", "role": "viewer"}]
    told = call("workspaces", "members", "w", "--remove", "ben", "--json")
    assert rows(told) == [{"user": "ada", "role": "admin"}]
    call("workspaces", "members", "w", "--set", "ben=viewer", "--set", "eve=viewer", fails="no user 'eve'")
    call("workspaces", "members", "w", "--set", "ben", fails="USER=ROLE")
    assert rows(call("workspaces", "members", "w", "--json")) == [{"user": "ada", "role": "admin"}]
    call("workspaces", "members", "nowhere", fails="There is no workspace 'nowhere'")
    call("workspaces", "add", "w", fails="already")


def test_a_misspelt_lab_is_told(call: Call, here: Path) -> None:
    """Only what adds the first makes a state; the rest says that there is none there."""
    call("users", "list", "--lab", "typo.duckdb", fails="There is no user yet in typo.duckdb.serve.sqlite")
    assert os.listdir(here) == []
    call("--lab", "x.duckdb", "users", "list", fails="Put --lab after users")


def test_the_database_is_named_by_a_variable(call: Call, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LABKIT_SERVE_DATABASE names the state, as --database does."""
    monkeypatch.setenv("LABKIT_SERVE_DATABASE", "users.sqlite")
    call("users", "add", "ada")
    assert os.listdir(here) == ["users.sqlite"]
    monkeypatch.delenv("LABKIT_SERVE_DATABASE")
    assert rows(call("users", "list", "--database", "users.sqlite", "--json"))[0]["name"] == "ada"


def test_without_the_extra_the_rest_works(here: Path) -> None:
    """Without the extra `[server]` `labkit --help` works, and `labkit serve` names what installs it."""
    code = """
import sys
from importlib.machinery import PathFinder
LACKING = {"fastapi", "sqlalchemy", "starlette", "joserfc", "argon2", "alembic", "uvicorn"}
class Lacking(PathFinder):
    @classmethod
    def find_spec(cls, name, *more):
        return None if name.split(".")[0] in LACKING else super().find_spec(name, *more)
sys.meta_path[:] = [Lacking if finder is PathFinder else finder for finder in sys.meta_path]
from labkit.cli import main
main()
"""
    helped, served = (
        subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=here)
        for words in (["--help"], ["serve", "users", "list"])
    )
    assert "serve" in helped.stdout
    assert served.returncode == 1
    assert "pip install 'labkit[server]'" in served.stderr
