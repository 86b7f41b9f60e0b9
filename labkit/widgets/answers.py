"""Answers side by side, with what differs between them marked word by word.

A frame of generations in, an HTML table out; everything from data is escaped. It calculates nothing
about the answers but their differences.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from labkit.visible import cut
from labkit.widgets import forms

if TYPE_CHECKING:
    import pandas as pd

PAGE = 10
SHOWN_CHARS = 1_500
MOST_WORDS = 400
"""Longer answers are compared by their beginnings: comparing takes time by the square of the length."""
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


def pages(frame: pd.DataFrame) -> int:
    """How many pages of samples there are."""
    return max(1, -(-len(_places(frame)) // PAGE)) if len(frame) else 1


def columns(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """The (prompt, model) pairs, in the order of the frame."""
    return list(dict.fromkeys(zip(frame["prompt"], frame["model"], strict=True)))


def table(frame: pd.DataFrame, *, page: int = 0, against: int = 0, only_different: bool = False) -> str:
    """A row per sample and repeat, a column per prompt and model; what column `against` lacks is marked."""
    if not len(frame):
        return "<div class='lk-soft'>no answers yet</div>"
    heads = columns(frame)
    cells = {
        (row["sample_id"], row["repeat"], row["prompt"], row["model"]): row
        for row in frame.to_dict("records")
    }
    inputs = [name for name in frame.columns if name.startswith("sample.")]
    rows = []
    places = _places(frame)
    if only_different:
        places = [place for place in places if _differs([cells.get((*place, *head)) for head in heads])]
    for place in places[page * PAGE : (page + 1) * PAGE]:
        found = [cells.get((*place, *head)) for head in heads]
        base = found[against] if against < len(found) else None
        first = next(row for row in found if row is not None)
        marked = [_cell(row, base if row is not base else None) for row in found]
        rows.append([_sample(first, inputs, place), *marked])
    if not rows:
        return "<div class='lk-soft'>no answers differ</div>"
    return forms.table(
        ["sample", *(f"{prompt}\n{model}" for prompt, model in heads)], rows, name="lk-answers"
    )


def marked(text: str, base: str) -> str:
    """`text` escaped, with the words that `base` does not have in that place marked.

    >>> marked("a good dog", "a bad dog")
    'a <mark>good</mark> dog'
    """
    words, others = _WORD.findall(text)[:MOST_WORDS], _WORD.findall(base)[:MOST_WORDS]
    parts = []
    for kind, _, _, start, end in SequenceMatcher(None, others, words, autojunk=False).get_opcodes():
        if piece := forms.text("".join(words[start:end]), limit=SHOWN_CHARS):
            parts.append(piece if kind == "equal" else f"<mark>{piece}</mark>")
    return "".join(parts)


def _places(frame: pd.DataFrame) -> list[tuple[Any, Any]]:
    return list(dict.fromkeys(zip(frame["sample_id"], frame["repeat"], strict=True)))


def _differs(found: list[Any]) -> bool:
    texts = {str(row["text"]).strip() for row in found if row is not None and row["status"] == "done"}
    return len(texts) > 1


def _cell(row: Any, base: Any) -> str:
    if row is None:
        return ""
    text = row["text"] if isinstance(row["text"], str) else ""
    if row["status"] != "done":
        why = f"{row['error_type']}: {row['error_message']}" if isinstance(row["error_type"], str) else ""
        said = f"<div>{forms.text(text, limit=SHOWN_CHARS)}</div>" if text else ""
        return f"{said}<i>{forms.text(row['status'])}</i> {forms.text(why, limit=300)}"
    if base is None or not isinstance(base["text"], str):
        return forms.text(text, limit=SHOWN_CHARS)
    return marked(cut(text, limit=SHOWN_CHARS), cut(base["text"], limit=SHOWN_CHARS))


def _sample(row: Any, inputs: list[str], place: tuple[Any, Any]) -> str:
    repeat = f" · repeat {place[1]}" if place[1] else ""
    fields = "".join(
        f"<div class='lk-soft'>{forms.text(name[7:], limit=40)}: {forms.text(row[name], limit=300)}</div>"
        for name in inputs
    )
    return f"<b>{forms.text(place[0], limit=60)}{repeat}</b>{fields}"
