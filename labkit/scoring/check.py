"""Whether scorers can be used, told before anything is asked: functions of two arguments, and their columns.

It knows no particular scorer and calls none. What an own function reads it cannot know, unless that is
declared.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from labkit import nearest
from labkit.records import Sample
from labkit.visible import quoted

if TYPE_CHECKING:
    from labkit.scoring.scorer import Scorer


def function_faults(what: str, fn: object) -> list[str]:
    """Why `fn` cannot be called with a generation and a sample; nothing where that cannot be told."""
    if not callable(fn):
        return [f"{what} is {quoted(fn)}; give a Scorer, such as lk.contains(…), or a function"]
    if inspect.iscoroutinefunction(fn):
        return [f"{what} is a coroutine function; scorers are plain functions"]
    makes = getattr(fn, "__annotations__", {}).get("return")
    if not isinstance(fn, type) and str(getattr(makes, "__name__", makes)).rpartition(".")[2] == "Scorer":
        name = fn.__name__  # type: ignore[attr-defined]  # what has annotations is a function
        return [f"{what} makes a scorer and is none itself; write {_place(fn)}{name}(…)"]
    if isinstance(fn, type):
        return [f"{what} is a class; give a function of two arguments, (generation, sample)"]
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):  # some that are written in C do not tell
        return []
    try:
        signature.bind(None, None)
    except TypeError:
        return [f"{what} takes {signature}; a scorer takes two arguments, (generation, sample)"]
    return []


def _place(fn: object) -> str:
    """What stands before a built-in's name where it is used."""
    name, module = getattr(fn, "__name__", ""), getattr(fn, "__module__", None) or ""
    if not module.startswith("labkit."):
        return ""
    # Looked up and not imported: the package's front is above this floor.
    return "lk." if name in sys.modules["labkit"].__all__ else "labkit.scoring."


def column_faults(given: Iterable[Scorer], samples: Sequence[Sample]) -> list[str]:
    """What scorers declare to read and the samples do not have: no such column, or nothing in it anywhere.

    A column that only some samples leave empty is no fault: those are not scored.

    >>> from labkit.scoring import Scorer
    >>> column_faults([Scorer("dept", lambda g, s: 1, "dpt")], [Sample(id="1", fields={"dept": "HR"})])
    ["scorer 'dept' reads column 'dpt', which the dataset does not have; its columns: 'dept'"]
    """
    faults = []
    columns = dict.fromkeys(column for sample in samples for column in sample.fields)
    for scorer in given:
        what = f"scorer {quoted(scorer.name)} reads column"
        for column in scorer.columns:
            if column not in columns and column != "id":
                there = nearest.listed(column, columns)
                faults.append(f"{what} {column!r}, which the dataset does not have; its columns: {there}")
            elif all(is_empty(sample[column]) for sample in samples if column in sample):
                faults.append(f"{what} {column!r}, which is empty in every row; fill it in, or leave it out")
    return faults


def is_empty(cell: object) -> bool:
    """Whether there is nothing in the cell to compare an answer with: None, or a text of blanks.

    >>> is_empty(None), is_empty(" "), is_empty(0)
    (True, True, False)
    """
    return cell is None or (isinstance(cell, str) and not cell.strip())
