"""Which lab a command reads: `--lab`, `$LABKIT_LAB` or ./lab.duckdb, and that there is one.

A misspelt name would else be an empty lab, and a nightly backup a copy of nothing. It reads nothing in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from labkit.errors import StoreError
from labkit.lab import Lab
from labkit.paths import shown

lab_option: Callable[[Any], Any] = click.option(
    "--lab",
    "path",
    type=click.Path(dir_okay=False),
    help="The lab's file; by default $LABKIT_LAB or ./lab.duckdb.",
)


def existing(path: str | None) -> Lab:
    """The lab at `path`. Raises `StoreError` where there is none, naming those in the same folder; one that
    is shared is made where it lacks."""
    lab = Lab(path)
    if not lab.store.is_shared and not lab.store.is_there():
        raise StoreError(none_at(lab))
    return lab


def none_at(lab: Lab) -> str:
    """That there is no lab, and what to do."""
    here = sorted(file.name for file in lab.path.parent.glob("*.duckdb"))
    near = f"That folder has {', '.join(here[:5])}. " if here else ""
    return (
        f"There is no lab at {shown(lab.path)}. {near}Name another by --lab FILE or LABKIT_LAB; "
        "a run makes one."
    )
