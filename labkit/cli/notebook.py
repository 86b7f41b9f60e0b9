"""`labkit run NOTEBOOK`: execute a notebook headless, with its output on the terminal as it comes.

It knows papermill and nbconvert, not what the notebook does. Rows are safe in the lab's journal
whatever happens to the kernel; the notebook executed so far is kept too.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from labkit.cli import kernel
from labkit.cli.output import json_option, show_json
from labkit.cli.parameters import defaults_of, values
from labkit.errors import DefinitionError
from labkit.keys import resembles_key
from labkit.paths import shown

MOST_S = 10**8
"""Three years: more than any cell, and less than what a clock can wait for."""
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
    kernel_name: str | None,
    timeout_s: int | None,
    html: bool,
    as_json: bool,
) -> None:
    """Execute NOTEBOOK headless. The exit code is 1 when a cell fails, 124 when one takes too long."""
    _refuse_keys(parameters)
    sys.exit(
        run_notebook(
            notebook,
            parameters,
            out=out,
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
    kernel_name: str | None = None,
    timeout_s: int | None = None,
    html: bool = True,
    as_json: bool = False,
) -> int:
    """What `labkit run` does, with its exit code. Raises `DefinitionError`, or `click.UsageError` for
    parameters, before anything runs. Without nbconvert there is no page, and it says so."""
    book = kernel.read(notebook)
    chosen = kernel.choose(book, wanted=kernel_name, file=notebook.name)
    try:
        given = values(parameters, defaults_of(book) if chosen.is_python else None)
    except DefinitionError as error:
        raise click.UsageError(str(error)) from None
    executed = _free(out, notebook)
    if html and importlib.util.find_spec("nbconvert") is None:
        click.echo("There will be no HTML page: it needs pip install 'labkit[notebook]'.", err=True)
        html = False
    if chosen.note:
        click.echo(chosen.note, err=True)
    try:
        code = execute(book, notebook, executed, given, chosen=chosen, timeout_s=timeout_s, quiet=as_json)
        page = write_page(executed) if html and executed.exists() else None
    except OSError as error:
        raise DefinitionError(
            f"{executed} cannot be written: {error.strerror}. Choose another --out."
        ) from None
    if as_json:
        show_json({"exit_code": code, "notebook": str(executed), "html": str(page) if page else None})
    else:
        click.echo(f"\nexecuted   {executed.resolve()}")
        if page:
            click.echo(f"as a page  {page.resolve()}")
    return code


def _free(out: Path | None, notebook: Path) -> Path:
    """Where the executed notebook goes, in a folder that is there. Raises `DefinitionError` for a place where
    it would replace what it is made from, or be replaced by its page."""
    if out is None:
        executed = Path("build") / notebook.name
        with contextlib.suppress(OSError):  # writing says why it cannot be made
            executed.parent.mkdir(exist_ok=True)
    else:
        executed = out
        if executed.suffix != ".ipynb":
            raise DefinitionError(f"What is executed is a notebook: end --out in .ipynb, not {out.name}.")
        if not executed.parent.exists():
            raise DefinitionError(
                f"The folder {shown(out.parent)} does not exist. Make it, or choose another --out."
            )
    if executed.exists() and executed.samefile(notebook):
        raise DefinitionError(f"{shown(notebook)} would be overwritten by its own run. Choose another --out.")
    return executed


def _refuse_keys(parameters: tuple[tuple[str, str], ...]) -> None:
    """A parameter is written into the executed notebook: no place for a key."""
    for name, text in parameters:
        if resembles_key(text) or resembles_key(name) or _SECRET.search(name):
            raise click.UsageError(
                f"The parameter {name} looks like a key, and parameters are written into the notebook. "
                "Keep keys in the environment or in a file .env, where the notebook finds them by itself."
            )


def execute(
    book: Any,
    notebook: Path,
    out: Path,
    parameters: Mapping[str, Any],
    *,
    chosen: kernel.Kernel,
    timeout_s: int | None,
    quiet: bool,
) -> int:
    """Run the notebook in its own folder; 0, or 1 where a cell failed, or 124 where one took too long."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill import PapermillException, PapermillExecutionError, execute_notebook

    logging.getLogger("papermill").addFilter(_not_said_here)
    os.environ["LABKIT_PROGRESS"] = "lines"
    os.environ["LABKIT_NOTEBOOK"] = notebook.name
    try:
        execute_notebook(
            book,
            _literally(out),
            parameters=dict(parameters),
            kernel_name=chosen.name,
            language=chosen.language,
            cwd=str(notebook.parent),
            execution_timeout=timeout_s,
            progress_bar=False,
            stdout_file=None if quiet else sys.stdout,
            stderr_file=None if quiet else sys.stderr,
            # Jupyter ends a kernel with an interrupt, which one that is not yet idle would log as an error.
            extra_arguments=["--log-level=CRITICAL"],
        )
    except CellTimeoutError:
        click.echo(
            f"{notebook.name}: a cell took longer than {timeout_s:g} s; what was answered is in the lab.",
            err=True,
        )
        return 124
    except PapermillExecutionError as error:
        if not _was_to_raise(error.cell_index, out):
            click.echo(f"{notebook.name}: {error}", err=True)
            return 1
    except (PapermillException, DeadKernelError) as error:
        click.echo(f"{notebook.name}: {error}", err=True)
        return 1
    except RuntimeError as error:  # how Jupyter says that a kernel did not come up
        click.echo(
            f"{notebook.name}: the kernel {chosen.name} did not start ({error}). Another: --kernel.", err=True
        )
        return 1
    return 0


def _not_said_here(record: logging.LogRecord) -> bool:
    """Whether labkit does not say it in words of its own."""
    return not record.getMessage().startswith("Timeout waiting for execute reply")


def _was_to_raise(cell: int, out: Path) -> bool:
    """Whether the last cell that raised was to, as its tag `raises-exception` says. Jupyter then goes on;
    papermill, when all is done, takes it for a failure all the same and marks the notebook: the marks go."""
    import nbformat
    from papermill.execute import remove_error_markers

    book = remove_error_markers(nbformat.read(out, as_version=4))
    if "raises-exception" not in book.cells[cell].metadata.get("tags", ()):
        return False
    nbformat.write(book, out)
    return True


def _literally(path: Path) -> str:
    """A path in which papermill finds no parameter to put in."""
    return str(path).replace("{", "{{").replace("}", "}}")


def write_page(executed: Path) -> Path:
    """The executed notebook as one HTML page that fetches nothing: charts carry their own script, once."""
    import nbformat
    from nbconvert import HTMLExporter

    book = nbformat.read(executed, as_version=4)
    _draw_charts(book)
    _show_fallbacks(book)
    exporter = HTMLExporter(
        template_name="lab", mathjax_url="", require_js_url="", jquery_url="", jupyter_widgets_base_url=""
    )
    body, _ = exporter.from_notebook_node(book)
    page = executed.with_suffix(".html")
    page.write_text(body, encoding="utf-8")
    return page


def _draw_charts(book: object) -> None:
    import plotly.io

    script: bool | str = True
    for cell in book.cells:  # type: ignore[attr-defined]
        for output in cell.get("outputs", ()):
            figure = output.get("data", {}).get("application/vnd.plotly.v1+json")
            if figure is not None:
                kept = {"data": figure["data"], "layout": figure["layout"]}
                output["data"] = {
                    "text/html": plotly.io.to_html(
                        kept, include_plotlyjs=script, full_html=False, validate=False
                    )
                }
                script = False


def _show_fallbacks(book: object) -> None:
    """A page has no kernel: of a widget it shows the table that the widget carries."""
    for cell in book.cells:  # type: ignore[attr-defined]
        for output in cell.get("outputs", ()):
            if "text/html" in output.get("data", {}):
                output["data"].pop("application/vnd.jupyter.widget-view+json", None)
