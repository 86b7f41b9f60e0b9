"""How IPython and Jupyter show an error of labkit's: its message, and the lines of one's own that led there.

Fifty lines of labkit's source above the sentence that says what to do hide it. The whole traceback comes when
it is asked for: by `%tb`, which shows the same traceback a second time, or by another `%xmode`. It does not
know what the errors are.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

MODE = "Context"
"""IPython's own way of showing tracebacks: whoever chose another gets what it is."""
_INSTALLED = ("site-packages", "dist-packages")
_PACKAGE = str(Path(__file__).parent)
_LONGEST = 100


def lines(error: BaseException, shell: Any, *, again: bool) -> list[str]:
    """What `shell`, an IPython, is to print for `error`: a few lines, or where it is shown `again`, all."""
    shown = shell.InteractiveTB
    trace = error.__traceback__
    if again or shown.mode != MODE:
        whole: list[str] = shown.structured_traceback(type(error), error, trace)
        return whole
    told: list[str] = [line.rstrip("\n") for line in shown.get_exception_only(type(error), error)]
    places = list(_own(trace, shell))
    # Where it began and where it ended: what lies between is a person's own too, and in the traceback.
    told += list(dict.fromkeys([*places[:1], *places[-1:]]))
    return [*told, "%tb shows the whole traceback."]


def _own(trace: TracebackType | None, shell: Any) -> Iterator[str]:
    """The lines of the traceback that are of cells or of files that are not installed, outermost first."""
    while trace is not None:
        file, number = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        cell = shell.compile.format_code_name(file)
        code = linecache.getline(file, number).strip()[:_LONGEST]
        # A magic is called through a line that nobody wrote.
        said = f": {code}" if code and not code.startswith("get_ipython()") else ""
        if cell is not None:
            yield f"{' '.join(cell)}, line {number}{said}"
        elif _is_own(file):
            yield f"{Path(file).name}, line {number}{said}"
        trace = trace.tb_next


def _is_own(file: str) -> bool:
    path = Path(file)
    return (
        path.is_file()
        and not path.is_relative_to(_PACKAGE)
        and not path.is_relative_to(sys.base_prefix)
        and not any(part in _INSTALLED for part in path.parts)
    )
