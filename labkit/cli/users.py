"""`labkit serve users`: who may log in.

Whoever may write the service's state may do all of this. A password is taken from a terminal or a file,
never from the command line, which others can see; one that is made up is shown once.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from labkit.cli.output import json_option
from labkit.cli.service_state import database_option, day, opened, show
from labkit.cli.which_lab import lab_option
from labkit.errors import DefinitionError

password_option: Callable[[Any], Any] = click.option(
    "--password-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file whose first line is the password.",
)


@click.group()
def users() -> None:
    """Add users, change their passwords, disable and list them."""


@users.command("add")
@click.argument("name")
@click.option("--email", help="Shown to programs that ask who is logged in.")
@password_option
@click.option("--workspace", default="default", show_default=True, help="What it becomes a member of.")
@click.option("--role", help="viewer, member or admin; by default member, and admin for the first user.")
@lab_option
@database_option
def add_user(
    name: str,
    email: str | None,
    password_file: Path | None,
    workspace: str,
    role: str | None,
    path: str | None,
    database: str | None,
) -> None:
    """Add the user NAME. On a terminal its password is asked for, else one is made up and shown."""
    from labkit.server.accounts import accounts, passwords

    with opened(path, database, is_new=True) as state:
        with state.reading() as rows:
            accounts.check_new(rows, name, email)
        password, is_ours = _password(password_file)
        kept = passwords.hashed(password)
        with state.writing() as rows:
            accounts.add_user(rows, name, kept, email=email, workspace=workspace, role=role)
            its = dict(accounts.members(rows, workspace))[name]
        click.echo(f"{name} was added to {state.shown}: {its} of workspace {workspace}.")
    if is_ours:
        click.echo(f"Password, shown only now: {password}")


@users.command("passwd")
@click.argument("name")
@password_option
@lab_option
@database_option
def change_password(name: str, password_file: Path | None, path: str | None, database: str | None) -> None:
    """Give NAME another password. All its log-ins end; its tokens go on."""
    from labkit.server.accounts import accounts, passwords

    with opened(path, database) as state:
        with state.reading() as rows:
            accounts.able(rows, name)
        password, is_ours = _password(password_file)
        kept = passwords.hashed(password)
        with state.writing() as rows:
            accounts.set_password(rows, name, kept)
    click.echo(f"{name} has another password; its log-ins have ended.")
    if is_ours:
        click.echo(f"Password, shown only now: {password}")


@users.command("disable")
@click.argument("name")
@lab_option
@database_option
def disable_user(name: str, path: str | None, database: str | None) -> None:
    """End all log-ins and tokens of NAME, for good. What it asked stays."""
    from labkit.server.accounts import accounts

    with opened(path, database) as state, state.writing() as rows:
        accounts.disable(rows, name)
    click.echo(f"{name} is disabled: its log-ins and tokens hold no more.")


@users.command("link")
@click.argument("name")
@click.option(
    "--subject", required=True, help="What the identity provider calls the user in its ID tokens (sub)."
)
@lab_option
@database_option
def link_user(name: str, subject: str, path: str | None, database: str | None) -> None:
    """Have NAME log in by the identity provider of LABKIT_SERVE_OIDC_ISSUER. Its log-ins end."""
    from labkit.server.oidc import identities
    from labkit.server.oidc_configuration import Oidc

    oidc = Oidc.from_environment(os.environ)
    if oidc is None:
        raise DefinitionError(
            "No identity provider is configured: set LABKIT_SERVE_OIDC_ISSUER and _CLIENT_ID."
        )
    with opened(path, database) as state, state.writing() as rows:
        identities.link(rows, name, oidc.issuer, subject)
    click.echo(f"{name} is {subject} of {oidc.issuer} from now on; its log-ins have ended.")


@users.command("list")
@json_option
@lab_option
@database_option
def list_users(as_json: bool, path: str | None, database: str | None) -> None:
    """List users, and what they are in which workspace."""
    from labkit.server.accounts import accounts

    with opened(path, database) as state, state.reading() as rows:
        told = [
            {
                "name": user.name,
                "email": user.email,
                "workspaces": dict(roles),
                "added": day(user.created_us),
                "disabled": day(user.disabled_us),
            }
            for user, roles in accounts.users(rows)
        ]
    show(told, as_json=as_json, empty="no user yet: labkit serve users add NAME")


def _password(file: Path | None) -> tuple[str, bool]:
    """A password, and whether it was made up here."""
    from labkit.server.accounts.first_admin import password_in

    if file is not None:
        return password_in(file), False
    if sys.stdin.isatty():
        return click.prompt("Password", hide_input=True, confirmation_prompt=True), False
    return secrets.token_urlsafe(15), True
