"""`labkit share`: how far a lab and the server that it is shared through are alike, and the end of sharing.

It starts no exchange: what waits is sent by whoever has the lab open.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from labkit.cli.output import json_option, show_json
from labkit.cli.which_lab import existing, lab_option, none_at
from labkit.errors import StoreError
from labkit.lab import Lab

share_option: Callable[[Any], Any] = click.option(
    "--share",
    "address",
    metavar="URL",
    help="The server, as postgresql://USER@HOST/DATABASE; by default $LABKIT_SHARE.",
)


@click.group()
def share() -> None:
    """The PostgreSQL through which several machines share a lab."""


@share.command()
@json_option
@lab_option
@share_option
def status(as_json: bool, path: str | None, address: str | None) -> None:
    """Say how many lines wait to be sent and to come, of which workspaces, and when that was last done.

    The exit code is 1 where the server does not answer.
    """
    lab = Lab(path, share=address)
    told = lab.share
    if told is None and not lab.store.is_there():
        raise StoreError(none_at(lab))
    if told is None and as_json:
        show_json(None)
        return
    if told is None:
        click.echo(
            "This lab is not shared. Share it by lk.Lab(path, share='postgresql://…') or LABKIT_SHARE."
        )
        return
    if as_json:
        show_json(asdict(told))
    else:
        when = "never yet" if told.exchanged_at is None else f"last {told.exchanged_at:%Y-%m-%d %H:%M:%S} UTC"
        click.echo(f"{told}\nexchanged: {when}, by {told.by or 'nobody now'}")
        click.echo(f"workspaces: {', '.join(told.workspaces) or 'none yet'}")
    sys.exit(told.trouble is not None)


@share.command()
@lab_option
def stop(path: str | None) -> None:
    """Stop sharing a lab, on this machine: what waits is not sent, and nothing more comes. The rows stay."""
    lab = existing(path)
    waits = lab.store.stop_sharing()
    unsent = f" {waits:,} lines were not sent; they are in the lab." if waits else ""
    click.echo(f"It is shared no more.{unsent}")
