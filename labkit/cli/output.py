"""How commands print: an aligned table for people, JSON for programs. It does not know what it prints."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

from labkit.datasets import arrow_values
from labkit.visible import shown

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
WIDTH = 120
"""Characters in a line of what is said; tables are as wide as they are."""
_OTHER = re.compile(r"[^\n -~]+")


def show_frame(frame: pd.DataFrame, *, as_json: bool, empty: str) -> None:
    """Print a frame: a JSON list of objects, or a table; `empty` where there is no row."""
    if as_json:
        show_json(frame.to_dict("records"))
    elif frame.empty:
        click.echo(empty)
    else:
        click.echo(
            frame.to_string(index=False, na_rep="", max_colwidth=60, float_format=lambda x: f"{x:.4g}")
        )


def show_rows(table: pa.Table) -> None:
    """Print an Arrow table as a JSON list of objects: numbers with all their digits, intervals and dates as
    DuckDB writes them, and so what is no number."""
    columns = [arrow_values.values(column) for column in table.columns]
    rows = [dict(zip(table.column_names, cells, strict=True)) for cells in zip(*columns, strict=True)]
    written = msgspec.json.Encoder(enc_hook=str, decimal_format="number").encode(_finite(rows, instead=str))
    _echo_json(msgspec.json.format(written, indent=2).decode())


def show_json(value: Any) -> None:
    """Print a value as JSON, in which a character that would hide or act is escaped in JSON's own way. What
    a frame has as missing is null."""
    _echo_json(json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False, default=_plain))


def _echo_json(text: str) -> None:
    click.echo(_OTHER.sub(lambda found: "".join(map(_escaped, found[0])), text))


def _escaped(character: str) -> str:
    return character if shown(character) == character else json.dumps(character)[1:-1]


def _finite(value: Any, *, instead: Callable[[float], str | None] = lambda _: None) -> Any:
    """The value with something `instead` of NaN and infinity, which JSON has not."""
    if isinstance(value, dict):
        return {key: _finite(item, instead=instead) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item, instead=instead) for item in value]
    return instead(value) if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    import pandas as pd

    if value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)
