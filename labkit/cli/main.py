"""The `labkit` command, and `labkit pull`; the other subcommands stand in modules of their own."""

from __future__ import annotations

import sys
import warnings

import click

from labkit import tokens, weights
from labkit.cli.doctor import doctor
from labkit.cli.notebook import run
from labkit.cli.output import json_option, show_json
from labkit.cli.replay import replay
from labkit.cli.runs import backup, models, runs, show, sql
from labkit.cli.terminal import lead_through
from labkit.errors import LabkitError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="labkit")
def labkit() -> None:
    """Which prompt and which model to use, how sure that is, and at what price."""


@click.command()
@click.argument("names", nargs=-1, required=True)
@json_option
def pull(names: tuple[str, ...], as_json: bool) -> None:
    """Fetch weights: smollm2-135m, gemma-3-270m, or a GGUF from the Hub as hf:ORG/REPO/FILE.gguf.

    `tokenizers` fetches tiktoken's vocabularies, for exact counts of OpenAI models' input. What is here
    already is not fetched again.
    """
    say = None if as_json else click.echo
    fetched: dict[str, str] = {}
    for name in names:
        if name == "tokenizers":
            fetched[name] = str(tokens.fetch())
        else:
            fetched[name] = str(weights.pull(name, progress=say))
    if as_json:
        show_json(fetched)
    elif "tokenizers" in names:
        click.echo(f"tokenizers: {', '.join(tokens.VOCABULARIES)} in {fetched['tokenizers']}")


for command in (pull, models, runs, show, run, sql, backup, doctor, replay):
    labkit.add_command(command)


def _told(message: Warning | str, *place: object, **more: object) -> None:
    click.echo(f"labkit: {message}", err=True)


def main() -> None:
    """The console script: labkit's own errors are one message and exit code 1, not a traceback.
    So are warnings, which end nothing."""
    lead_through()
    warnings.showwarning = _told
    try:
        labkit()
    except LabkitError as error:
        click.echo(f"labkit: {error}", err=True)
        sys.exit(1)
