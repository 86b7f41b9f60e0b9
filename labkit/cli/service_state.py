"""Which service's state a command works on, by `--lab` and `--database`, and how its rows are printed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labkit.cli.output import show_frame, show_json
from labkit.errors import StoreError
from labkit.lab import Lab
from labkit.paths import shown

if TYPE_CHECKING:
    from labkit.server.state import State

database_option: Callable[[Any], Any] = click.option(
    "--database",
    envvar="LABKIT_SERVE_DATABASE",
    help="Where the service keeps its users: postgresql+psycopg://… or a file; by default beside the lab.",
)


@contextlib.contextmanager
def opened(path: str | None, database: str | None, *, is_new: bool = False) -> Iterator[State]:
    """The service's state; where there is none it is only made where `is_new`."""
    from labkit.server.settings import Settings
    from labkit.server.state import State

    address = Settings(lab=Lab(path).path, state=database).database
    if isinstance(address, Path) and not is_new and not address.exists():
        raise StoreError(
            f"There is no user yet in {shown(address)}. Add the first by: labkit serve users add NAME, "
            "or name another lab by --lab FILE."
        )
    state = State(address)
    try:
        yield state
    finally:
        state.close()


def day(us: int | None) -> str | None:
    """The day of a moment, in UTC."""
    return None if us is None else datetime.fromtimestamp(us // 1_000_000, UTC).date().isoformat()


def show(rows: list[dict[str, Any]], *, as_json: bool, empty: str) -> None:
    """Print rows as a table, without the columns in which nothing stands, or as JSON."""
    import pandas as pd

    if as_json:
        show_json(rows)
    else:
        told = pd.DataFrame([{name: _text(value) for name, value in row.items()} for row in rows])
        show_frame(told.dropna(axis="columns", how="all"), as_json=False, empty=empty)


def _text(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {said}" for name, said in value.items())
    return ", ".join(value) if isinstance(value, list) else value
