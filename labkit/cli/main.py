"""The `labkit` command and its subcommands' names. What each does stands in a module of its own."""

from __future__ import annotations

import sys

import click

from labkit.cli.doctor import doctor
from labkit.cli.fetch import pull
from labkit.cli.notebook import run
from labkit.cli.replay import replay
from labkit.cli.runs import backup, models, runs, show, sql
from labkit.errors import LabkitError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="labkit")
def labkit() -> None:
    """Which prompt and which model to use, how sure that is, and at what price."""


for command in (pull, models, runs, show, run, sql, backup, doctor, replay):
    labkit.add_command(command)


def main() -> None:
    """The console script: labkit's own errors are one message and exit code 1, not a traceback."""
    try:
        labkit()
    except LabkitError as error:
        click.echo(f"labkit: {error}", err=True)
        sys.exit(1)
