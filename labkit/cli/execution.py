"""Execute a notebook by papermill, cell by cell, and tell how it ended.

It knows papermill's and Jupyter's ways of failing. It prints what the notebook prints, and nothing else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.cli import kernel
from labkit.errors import SentinelAlarm

FAILED, TOO_LONG = 1, 124
"""Exit codes: a cell failed, and one took too long."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a notebook ended: 0, or the code of what went wrong, in a sentence and with all that is known."""

    code: int = 0
    message: str = ""
    details: str = ""
    """The traceback, if there is one."""
    by_alarm: bool = False
    """Whether the cell that failed raised `SentinelAlarm`: the sentinel's word then goes before it."""


def execute(
    book: Any,
    notebook: Path,
    out: Path,
    parameters: Mapping[str, Any],
    *,
    chosen: kernel.Kernel,
    timeout_s: int | None,
    quiet: bool,
    checks: Path | None = None,
) -> Ended:
    """Run the notebook in its own folder. What its sentinels find goes to the file `checks`."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill import PapermillException, PapermillExecutionError, execute_notebook

    logging.getLogger("papermill").addFilter(_not_said_here)
    try:
        with _environment(
            {"LABKIT_PROGRESS": "lines", "LABKIT_NOTEBOOK": notebook.name, "LABKIT_CHECKS": checks}
        ):
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
                # Jupyter ends a kernel with an interrupt, which one not yet idle would log as an error.
                extra_arguments=["--log-level=CRITICAL"],
            )
    except CellTimeoutError:
        said = f"a cell took longer than {timeout_s:g} s; what was answered is in the lab."
        return Ended(code=TOO_LONG, message=said)
    except PapermillExecutionError as error:
        if _was_to_raise(error.cell_index, out):
            return Ended()
        return Ended(
            code=FAILED,
            message=f"{error.ename}: {error.evalue}",
            details=str(error),
            by_alarm=error.ename == SentinelAlarm.__name__,
        )
    except (PapermillException, DeadKernelError) as error:
        return Ended(code=FAILED, message=str(error))
    except RuntimeError as error:  # how Jupyter says that a kernel did not come up
        said = f"the kernel {chosen.name} did not start ({error}). Another: --kernel."
        return Ended(code=FAILED, message=said)
    return Ended()


@contextlib.contextmanager
def _environment(variables: Mapping[str, object]) -> Iterator[None]:
    """These variables for as long, without those that are None. A kernel has the variables of who starts it;
    papermill takes none for it."""
    before = os.environ.copy()
    for name, value in variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = str(value)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]


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
