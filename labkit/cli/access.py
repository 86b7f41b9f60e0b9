"""`labkit serve tokens` and `labkit serve workspaces`: what scripts and users get into.

Whoever may write the service's state may do all of this. A token's secret is shown once, where it is made.
"""

from __future__ import annotations

import click

from labkit.cli.output import json_option
from labkit.cli.service_state import database_option, day, opened, show
from labkit.cli.which_lab import lab_option
from labkit.errors import DefinitionError


@click.group()
def tokens() -> None:
    """Make, list and revoke tokens, by which scripts use the service."""


@tokens.command("add")
@click.argument("user")
@click.option("--name", required=True, help="What it is for.")
@click.option("--scope", "scopes", multiple=True, required=True, help="read, execute or admin; repeatable.")
@click.option("--workspace", "in_workspaces", multiple=True, help="Only there; repeatable. Default: all.")
@click.option("--days", default=90, show_default=True, help="How long it holds.")
@lab_option
@database_option
def add_token(
    user: str,
    name: str,
    scopes: tuple[str, ...],
    in_workspaces: tuple[str, ...],
    days: int,
    path: str | None,
    database: str | None,
) -> None:
    """Make a token of USER's and show it, once."""
    from labkit.server.accounts import accounts
    from labkit.server.accounts import tokens as kept

    with opened(path, database) as state, state.writing() as rows:
        owner = accounts.able(rows, user)
        token, secret = kept.add(
            rows, owner, name=name, scopes=scopes, workspaces=in_workspaces or None, days=days
        )
    click.echo(f"{token.id} of {user} holds until {day(token.ends_us)}. The token, shown only now:", err=True)
    click.echo(secret)


@tokens.command("list")
@json_option
@lab_option
@database_option
def list_tokens(as_json: bool, path: str | None, database: str | None) -> None:
    """List all tokens, without their secrets."""
    from labkit.server.accounts import tokens as kept

    with opened(path, database) as state, state.reading() as rows:
        told = [
            {
                "id": token.id,
                "user": owner,
                "name": token.name,
                "scopes": token.scopes,
                "workspaces": token.workspaces,
                "ends": day(token.ends_us),
                "revoked": day(token.revoked_us),
            }
            for token, owner in kept.everybodys(rows)
        ]
    show(told, as_json=as_json, empty="no token yet: labkit serve tokens add USER --name NAME --scope read")


@tokens.command("revoke")
@click.argument("token_id")
@lab_option
@database_option
def revoke_token(token_id: str, path: str | None, database: str | None) -> None:
    """Revoke the token TOKEN_ID, as `list` shows it."""
    from labkit.server.accounts import tokens as kept

    with opened(path, database) as state, state.writing() as rows:
        kept.revoke(rows, kept.by_id(rows, token_id), by=None)
    click.echo(f"{token_id} holds no more.")


@click.group()
def workspaces() -> None:
    """Make workspaces, and say who is what in them."""


@workspaces.command("add")
@click.argument("name")
@lab_option
@database_option
def add_workspace(name: str, path: str | None, database: str | None) -> None:
    """Make the workspace NAME. What the lab has of it already is shown to its members from then on."""
    from labkit.server.accounts import accounts

    with opened(path, database, is_new=True) as state, state.writing() as rows:
        accounts.add_workspace(rows, name)
    click.echo(f"Workspace {name} has no member yet: labkit serve workspaces members {name} --set USER=ROLE")


@workspaces.command("members")
@click.argument("workspace")
@click.option("--set", "changed", multiple=True, metavar="USER=ROLE", help="Repeatable.")
@click.option("--remove", "removed", multiple=True, metavar="USER", help="Repeatable.")
@json_option
@lab_option
@database_option
def show_members(
    workspace: str,
    changed: tuple[str, ...],
    removed: tuple[str, ...],
    as_json: bool,
    path: str | None,
    database: str | None,
) -> None:
    """Say who is what in WORKSPACE, after the changes asked for. Roles are viewer, member, admin."""
    from labkit.server.accounts import accounts

    with opened(path, database) as state, state.writing() as rows:
        for one in changed:
            user, equals, role = one.rpartition("=")
            if not equals:
                raise DefinitionError(f"--set is {one!r}; give it as USER=ROLE.")
            accounts.set_role(rows, workspace, user, role)
        for user in removed:
            accounts.remove(rows, workspace, user)
        told = [{"user": name, "role": role} for name, role in accounts.members(rows, workspace)]
    show(told, as_json=as_json, empty=f"no member: --set USER=ROLE makes one of {workspace}")
