"""labkit.report.export: tables as CSV, Parquet and JSONL."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import DefinitionError
from labkit.report.export import FORMULA, export


def test_a_run_is_exported_three_ways(run: Any, here: Path) -> None:
    """Every row and column comes back from each kind of file; tables can be chosen."""
    frame = run.generations()
    for name in ("x.csv", "x.parquet", "x.jsonl"):
        run.export(here / name)
    assert len(pd.read_csv(here / "x.csv")) == len(frame)
    back = pd.read_parquet(here / "x.parquet")
    assert list(back.columns) == list(frame.columns)
    assert back["text"].tolist() == frame["text"].tolist()
    assert len(pd.read_json(here / "x.jsonl", lines=True)) == len(frame)
    run.export(here / "s.csv", table="summary")
    assert len(pd.read_csv(here / "s.csv")) == 3
    with pytest.raises(DefinitionError, match="no table 'plans'"):
        run.export(here / "x.csv", table="plans")


def test_formulas_are_defused_on_request_only(run: Any, here: Path) -> None:
    """S15: with formula_safe no cell or header begins a formula; without, and in Parquet, nothing changes."""
    raw = run.export(here / "raw.csv").read_text(encoding="utf-8")
    safe = run.export(here / "safe.csv", formula_safe=True)
    assert "=cmd" in raw
    with safe.open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not any(cell.startswith(FORMULA) for cell in cells if not _is_number(cell))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@given(
    st.lists(
        st.sampled_from(["=1+1", "-1", "+x", "@a", "\t=1", "\r=1", " =1", "＝1", "plain", "'x"]), min_size=1
    )
)
def test_no_text_is_left_to_run(tmp_path_factory: Any, texts: list[str]) -> None:
    """Whatever texts and headers there are, none begins as a formula does; numbers stay numbers."""
    folder = tmp_path_factory.mktemp("csv")
    frame = pd.DataFrame({"=head": texts, "n": range(-1, len(texts) - 1)})
    export(frame, folder / "x.csv", formula_safe=True)
    with (folder / "x.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["'=head", "n"]
    assert len(rows) == len(texts) + 1
    assert rows[1][1] == "-1"
    assert not any(row[0].lstrip(" ").startswith(FORMULA) for row in rows[1:])


@pytest.mark.parametrize(
    "before", ["", " ", "\u00a0", "\u200b", "\ufeff", "\u2060", "\u202e", "\u3164", "\u3000", "\x00", "\x0b"]
)
@pytest.mark.parametrize(
    "sign", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\ufe66", "\u2212", "\t=", "\r=", "\n="]
)
def test_no_blank_hides_a_formula(here: Path, before: str, sign: str) -> None:
    """S15: what a spreadsheet drops before it looks does not hide a formula, however it is combined."""
    cell = f"{before}{before}{sign}1+1"
    export(pd.DataFrame({"a": [cell, f"{before}plain", "a=b"]}), here / "x.csv", formula_safe=True)
    with (here / "x.csv").open(encoding="utf-8", newline="") as file:
        rows = [row[0] for row in csv.reader(file)][1:]
    assert rows == [f"'{cell}", f"{before}plain", "a=b"]


def test_a_failed_export_leaves_the_old_file(here: Path) -> None:
    """A table that cannot be written leaves what was there, and no half file beside it."""
    export(pd.DataFrame({"a": [1]}), here / "x.parquet")
    before = (here / "x.parquet").read_bytes()
    with pytest.raises(Exception, match="object"):
        export(pd.DataFrame({"a": [object()]}), here / "x.parquet")
    assert (here / "x.parquet").read_bytes() == before
    assert [path.name for path in here.iterdir()] == ["x.parquet"]


def test_wrong_wishes_are_named(here: Path) -> None:
    """Another ending, a missing folder and formula_safe where it means nothing, all at once."""
    frame = pd.DataFrame({"a": [1]})
    with pytest.raises(DefinitionError, match="does not end in"):
        export(frame, here / "x.xlsx")
    with pytest.raises(DefinitionError) as raised:
        export(frame, here / "no" / "x.parquet", formula_safe=True)
    assert len(raised.value.faults) == 2
