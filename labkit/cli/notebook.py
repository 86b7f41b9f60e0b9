"""`labkit run NOTEBOOK`: execute a notebook headless, with its output on the terminal as it comes.

It knows what a scheduler is told of a night (exit code, JUnit, JSON), not what the notebook does. Rows are
safe in the lab's journal whatever happens to the kernel; the notebook executed so far is kept too.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from labkit.cli import checks, kernel
from labkit.cli.checks import Checks
from labkit.cli.execution import Ended, execute
from labkit.cli.junit import Report
from labkit.cli.notebook_page import write_page
from labkit.cli.output import json_option, show_json
from labkit.cli.parameters import defaults_of, values
from labkit.errors import DefinitionError
from labkit.keys import resembles_key
from labkit.paths import shown

MOST_S = 10**8
"""Three years: more than any cell, and less than what a clock can wait for."""
_ENDINGS = {
    "--out": (".ipynb", "What is executed is a notebook"),
    "--junit": (".xml", "What is reported is XML"),
}
_SECRET = re.compile(r"(?i)(api_?key|secret|password|auth_?token|access_?token)$")


@click.command()
@click.argument("notebook", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-p",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A parameter, as JSON, True, False, None or text; text where the notebook has text, or in quotes.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the executed notebook goes; by default to build/NOTEBOOK here.",
)
@click.option(
    "--junit",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write what its sentinels found as JUnit XML to this file; a failed cell stands there too.",
)
@click.option("--kernel", "kernel_name", metavar="NAME", help="The kernel, in place of the notebook's own.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.IntRange(min=1, max=MOST_S),
    help="Whole seconds a cell may take; by default as many as it likes.",
)
@click.option("--html/--no-html", default=True, show_default=True, help="Also write it as one HTML page.")
@json_option
def run(
    notebook: Path,
    parameters: tuple[tuple[str, str], ...],
    out: Path | None,
    junit: Path | None,
    kernel_name: str | None,
    timeout_s: int | None,
    html: bool,
    as_json: bool,
) -> None:
    """Execute NOTEBOOK headless, and tell what its sentinels found.

    The exit code is 0 when nothing is shown to be worse, 1 when a cell fails, 3 when a sentinel says worse, 4
    when one cannot tell, and 124 when a cell takes too long. A failed cell goes before a sentinel's word,
    unless it failed by the sentinel's own alarm. Notebook, page and JUnit file are written in every case.
    """
    _refuse_keys(parameters)
    sys.exit(
        run_notebook(
            notebook,
            parameters,
            out=out,
            junit=junit,
            kernel_name=kernel_name,
            timeout_s=timeout_s,
            html=html,
            as_json=as_json,
        )
    )


def run_notebook(
    notebook: Path,
    parameters: Sequence[tuple[str, str]] = (),
    *,
    out: Path | None = None,
    junit: Path | None = None,
    kernel_name: str | None = None,
    timeout_s: int | None = None,
    html: bool = True,
    as_json: bool = False,
) -> int:
    """What `labkit run` does, with its exit code. Raises `DefinitionError`, or `click.UsageError` for
    parameters, before anything runs. Without nbconvert there is no page, and it says so."""
    report = None if junit is None else Report(_placed(junit, notebook, option="--junit"), notebook.name)
    book = kernel.read(notebook)
    chosen = kernel.choose(book, wanted=kernel_name, file=notebook.name)
    try:
        given = values(parameters, defaults_of(book) if chosen.is_python else None)
    except DefinitionError as error:
        raise click.UsageError(str(error)) from None
    executed = _in_build(notebook) if out is None else _placed(out, notebook, option="--out")
    if html and importlib.util.find_spec("nbconvert") is None:
        click.echo("There will be no HTML page: it needs pip install 'labkit[notebook]'.", err=True)
        html = False
    if chosen.note:
        click.echo(chosen.note, err=True)
    try:
        with checks.listened() as file:
            ended = execute(
                book,
                notebook,
                executed,
                given,
                chosen=chosen,
                timeout_s=timeout_s,
                quiet=as_json,
                checks=file,
            )
            found = checks.read(file)
        if report is not None:
            report.end(ended, found)
        _tell_failure(notebook.name, ended, found)
        page = write_page(executed) if html and executed.exists() else None
    except OSError as error:
        raise DefinitionError(
            f"{executed} cannot be written: {error.strerror}. Choose another --out."
        ) from None
    code = checks.exit_code(ended, found)
    if as_json:
        written = {"notebook": str(executed), "html": page and str(page), "junit": junit and str(junit)}
        show_json({"exit_code": code} | written | {"checks": found.lines, "unread": found.faults})
    else:
        click.echo(f"\nexecuted   {executed.resolve()}")
        if page:
            click.echo(f"as a page  {page.resolve()}")
        for said in found.told():
            click.echo(said)
    return code


def _tell_failure(name: str, ended: Ended, found: Checks) -> None:
    if checks.failed(ended, found):
        click.echo(f"{name}: {ended.details or ended.message}", err=True)
    elif ended.by_alarm:
        click.echo(f"{name}: a sentinel's alarm ended it; what it says stands below.", err=True)


def _in_build(notebook: Path) -> Path:
    executed = Path("build") / notebook.name
    with contextlib.suppress(OSError):  # writing says why it cannot be made
        executed.parent.mkdir(exist_ok=True)
    return _other_than(notebook, executed, option="--out")


def _placed(file: Path, notebook: Path, *, option: str) -> Path:
    """Where what `option` names goes, in a folder that is there. Raises `DefinitionError` for a place where
    it would replace what it is made from, or be replaced by the notebook's page."""
    ending, told = _ENDINGS[option]
    if file.suffix != ending:
        raise DefinitionError(f"{told}: end {option} in {ending}, not {file.name}.")
    if not file.parent.exists():
        raise DefinitionError(
            f"The folder {shown(file.parent)} does not exist. Make it, or choose another {option}."
        )
    return _other_than(notebook, file, option=option)


def _other_than(notebook: Path, file: Path, *, option: str) -> Path:
    if file.exists() and file.samefile(notebook):
        raise DefinitionError(
            f"{shown(notebook)} would be overwritten by its own run. Choose another {option}."
        )
    return file


def _refuse_keys(parameters: tuple[tuple[str, str], ...]) -> None:
    """A parameter is written into the executed notebook: no place for a key."""
    for name, text in parameters:
        if resembles_key(text) or resembles_key(name) or _SECRET.search(name):
            raise click.UsageError(
                f"The parameter {name} looks like a key, and parameters are written into the notebook. "
                "Keep keys in the environment or in a file .env, where the notebook finds them by itself."
            )
