"""The `labkit` command, and `labkit pull`; the other subcommands stand in modules of their own."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import NoReturn

import click

from labkit import tokens, weights
from labkit.cli.demo import demo, new
from labkit.cli.doctor import doctor
from labkit.cli.notebook import run
from labkit.cli.output import json_option, show_json
from labkit.cli.replay import replay
from labkit.cli.runs import backup, models, runs, show, sql
from labkit.cli.sentinels import sentinels
from labkit.cli.serve import serve
from labkit.cli.share import share
from labkit.cli.terminal import lead_through
from labkit.errors import LabkitError
from labkit.paths import shown

MOST_TOLD = 300
"""Characters of an error that labkit did not foresee; its traceback has all."""


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


for command in (
    demo,
    new,
    pull,
    models,
    runs,
    show,
    run,
    sql,
    backup,
    doctor,
    replay,
    sentinels,
    serve,
    share,
):
    labkit.add_command(command)


def _told(message: Warning | str, *place: object, **more: object) -> None:
    click.echo(f"labkit: {message}", err=True)


def main() -> None:
    """The console script. What is wrong is one message and exit code 1; what labkit did not foresee is one
    too, with its traceback in a file, so that it can be looked into also where it does not come again.
    Warnings are a line each, and end nothing."""
    lead_through()
    warnings.showwarning = _told
    try:
        labkit()
    except LabkitError as error:
        _end(str(error))
    except OSError as error:
        place = f" ({shown(error.filename)})" if isinstance(error.filename, str | Path) else ""
        _end(f"{error.strerror or error}{place}")
    except Exception as error:  # noqa: BLE001 - the last place at which a fault can be told
        text = traceback.format_exc()
        told = " ".join(str(error).split())[:MOST_TOLD]
        _end(f"{type(error).__name__}: {told}\nThis is a fault of labkit's own. {_kept(text)}")


def _kept(text: str) -> str:
    """Where the traceback is: in a file that only this user can read, or here where none can be written."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="labkit-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(text)
    except OSError:
        return f"Please report it with this:\n{text}"
    return f"Please report it with the traceback: {file.name}"


def _end(words: str) -> NoReturn:
    with contextlib.suppress(OSError):  # nobody listens any more
        click.echo(f"labkit: {words}", err=True)
    try:
        sys.stdout.flush()
    except OSError:
        # What cannot be written now would be tried again, and complained of, as Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)
