"""`labkit serve budgets`: what users and workspaces of the service may spend, and what they have left.

It does not know how money is set aside: see `labkit.server.executions.budgets`.
"""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import click

from labkit.cli.output import json_option, show_json
from labkit.cli.service_state import database_option, opened
from labkit.cli.which_lab import lab_option
from labkit.dollars import at_least
from labkit.dollars import usd as written
from labkit.errors import DefinitionError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from labkit.server.executions.budgets import Kind, Period


@click.group()
def budgets() -> None:
    """What users and workspaces may spend, per day and month of UTC."""


@budgets.command("set")
@click.option("--user", "name", help="A log-in name.")
@click.option("--workspace", help="A workspace's name.")
@click.option("--per", "period", type=click.Choice(["day", "month"]), required=True)
@click.option("--usd", "amount", required=True, help="US dollars, or `none` to end the budget.")
@lab_option
@database_option
def set_(
    name: str | None,
    workspace: str | None,
    period: Period,
    amount: str,
    path: str | None,
    database: str | None,
) -> None:
    """Set a budget, which holds from the next execution on."""
    from labkit.server.executions.budgets import set_limit

    if (name is None) == (workspace is None):
        raise DefinitionError("Give --user NAME or --workspace NAME, one of the two.")
    with opened(path, database) as state, state.writing() as rows:
        kind, subject = _subject(rows, name, workspace)
        set_limit(rows, kind, subject, period, _amount(amount))
    whose = f"user {name}" if workspace is None else f"workspace {workspace}"
    click.echo(f"{whose}: {'no budget' if amount == 'none' else f'USD {amount}'} per {period}")


@budgets.command("list")
@json_option
@lab_option
@database_option
def list_(as_json: bool, path: str | None, database: str | None) -> None:
    """List the budgets, and what is left of each now."""
    from labkit.server.executions.budgets import listed
    from labkit.server.state.moments import now_us
    from labkit.server.state.tables import User

    told = []
    with opened(path, database) as state, state.reading() as rows:
        for standing in listed(rows, now_us()):
            user = rows.get(User, standing.subject) if standing.kind == "user" else None
            told.append(asdict(standing) | {"subject": user.name if user else standing.subject})
    if as_json:
        show_json(told)
        return
    for one in told:
        click.echo(
            f"{one['kind']} {one['subject']}: USD {at_least(one['left_usd'])} of {written(one['limit_usd'])} "
            f"per {one['period']} left until {one['resets']}"
        )
    if not told:
        click.echo("no budget is set: everybody may spend without a limit")


def _subject(rows: Session, name: str | None, workspace: str | None) -> tuple[Kind, str]:
    from sqlalchemy import select

    from labkit.server.state.tables import User, Workspace

    if workspace is not None:
        if rows.get(Workspace, workspace) is None:
            raise DefinitionError(f"There is no workspace {workspace!r}: see labkit serve workspaces list.")
        return "workspace", workspace
    found = rows.scalar(select(User.id).where(User.name == name))
    if found is None:
        raise DefinitionError(f"There is no user {name!r}: see labkit serve users list.")
    return "user", found


def _amount(written: str) -> Decimal | None:
    if written == "none":
        return None
    try:
        return Decimal(written)
    except InvalidOperation:
        raise DefinitionError(f"--usd is {written!r}; give a number of US dollars, or none.") from None
