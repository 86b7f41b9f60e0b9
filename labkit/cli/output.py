"""How commands print: an aligned table for people, JSON for programs. It does not know what it prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd

json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
lab_option: Callable[[Any], Any] = click.option(
    "--lab",
    "path",
    type=click.Path(dir_okay=False),
    help="The lab's file; by default $LABKIT_LAB or ./lab.duckdb.",
)


def show_frame(frame: pd.DataFrame, *, as_json: bool, empty: str) -> None:
    """Print a frame: a JSON list of objects, or a table; `empty` where there is no row."""
    if as_json:
        show_json(json.loads(frame.to_json(orient="records", date_format="iso")))
    elif frame.empty:
        click.echo(empty)
    else:
        click.echo(
            frame.to_string(index=False, na_rep="", max_colwidth=60, float_format=lambda x: f"{x:.4g}")
        )


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)
