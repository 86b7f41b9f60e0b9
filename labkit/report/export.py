"""Tables as files: CSV (with formulas defused on request), Parquet, JSONL. Written whole or not at all.

It does not know what the table holds.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import regex  # type: ignore[import-untyped] # it has no stubs of its own

from labkit.errors import DefinitionError
from labkit.paths import as_path

if TYPE_CHECKING:
    import pandas as pd

KINDS = (".csv", ".parquet", ".jsonl")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "﹦", "﹢", "﹣", "﹫", "−")
"""What a spreadsheet may take for the beginning of a formula, full-width and small forms too."""

# A spreadsheet drops blanks and what has no width before it looks, and so may a quote be one it drops.
_BEGINS = regex.compile(
    r"[\p{Z}\p{C}\p{M}\u115f\u1160\u2800\u3164\uffa0\"]*(?:\L<formula>)", formula=list(FORMULA)
)


def export(frame: pd.DataFrame, path: str | os.PathLike[str], *, formula_safe: bool = False) -> Path:
    """Write `frame` to `path` by its ending: `.csv`, `.parquet` or `.jsonl`. An existing file is replaced.

    With `formula_safe` (CSV only) texts that a spreadsheet would run are prefixed with an apostrophe,
    headers too. Lists and dicts become JSON text in CSV and Parquet. Raises DefinitionError for another
    ending, a missing folder, or `formula_safe` where it means nothing.

    >>> import pandas as pd, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = export(pd.DataFrame({"text": ["=1+1"]}), Path(folder) / "x.csv", formula_safe=True)
    ...     print(made.read_text().strip())
    "text"
    "'=1+1"
    """
    target = as_path(path, what="file to write")
    kind = target.suffix.lower()
    faults = []
    if kind not in KINDS:
        faults.append(f"{target.name!r:.80} does not end in {', '.join(KINDS)}")
    elif formula_safe and kind != ".csv":
        faults.append(f"formula_safe is for .csv; a {kind} file is not opened as formulas")
    if not target.parent.is_dir():
        faults.append(f"there is no folder {target.parent.name!r:.80} to write {target.name!r:.80} to")
    if faults:
        raise DefinitionError(faults)
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _write(frame, beside, kind, formula_safe=formula_safe)
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)
    return target


def _write(frame: pd.DataFrame, path: Path, kind: str, *, formula_safe: bool) -> None:
    if kind == ".jsonl":
        frame.to_json(path, orient="records", lines=True, date_format="iso", force_ascii=False)
        return
    flat = frame.map(_flat) if len(frame) else frame
    for name in frame.columns:
        if frame[name].dtype != object:
            flat[name] = frame[name]
    if kind == ".parquet":
        flat.to_parquet(path, index=False)
        return
    if formula_safe:
        flat = flat.rename(columns=lambda name: _defused(str(name)))
        for name in flat.columns:
            # Numbers stay numbers: a negative one is none.
            if not _is_numeric(flat[name]):
                flat[name] = flat[name].map(_defused)
    # All texts are quoted: a lone carriage return in a bare cell would begin a new row, and a formula.
    flat.to_csv(path, index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)


def _is_numeric(column: Any) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column))


def _flat(value: Any) -> Any:
    from labkit.report.tables import as_json

    return as_json(value) if isinstance(value, list | dict) else value


def _defused(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and _BEGINS.match(value) else value
