"""Where a workbench's samples can come from: files of the project, frames in the notebook, or typed values.

It lists and names them, and knows the Python expression of each; it reads none of them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path
from typing import Any

SUFFIXES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"})
LEVELS_UP = 3
MOST_FILES = 200


@dataclass(frozen=True, eq=False)
class Source:
    """One place samples come from: how it is listed, what `lab.plan(dataset=…)` takes, and its Python."""

    name: str
    given: Any
    code: str


TYPED = Source("none: values typed here", None, "")


def files(folder: Path) -> Iterator[Source]:
    """Tables in `data/datasets` here or in a folder above, then those beside the notebook."""
    seen: set[Path] = set()
    above = [folder, *folder.parents][: LEVELS_UP + 1]
    for place in [*(one / "data" / "datasets" for one in above), folder]:
        if not place.is_dir():
            continue
        for path in sorted(place.iterdir())[:MOST_FILES]:
            if path.suffix.lower() in SUFFIXES and path.is_file() and path.resolve() not in seen:
                seen.add(path.resolve())
                relative = os.path.relpath(path, folder).replace(os.sep, "/")
                yield Source(relative, relative, repr(relative))


def frames(names: Mapping[str, Any]) -> Iterator[Source]:
    """The pandas frames among these names, as a notebook's variables."""
    for name, value in list(names.items()):
        kind = type(value)
        is_frame = kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] == "pandas"
        if is_frame and is_variable(name):
            yield Source(f"{name}: frame of {len(value):,} row{'' if len(value) == 1 else 's'}", value, name)


def is_variable(name: str) -> bool:
    """Whether `name` can be written as it is, and is not one of IPython's own (`_`, `_12`, `Out`)."""
    return name.isidentifier() and not iskeyword(name) and not name.startswith("_")


def notebook_names() -> Mapping[str, Any]:
    """The variables of the notebook; none outside of one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell.user_ns if shell is not None else {}


def name_of(value: object, names: Mapping[str, Any]) -> str | None:
    """The variable that holds exactly this object, if there is one."""
    found = (name for name, held in list(names.items()) if held is value and is_variable(name))
    return next(found, None)
