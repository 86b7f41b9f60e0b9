"""Answers side by side: what each scored, in what its words differ from another's, and of chains what the
steps before said.

A frame of generations in, an HTML table out; everything from data is escaped. It calculates nothing
about the answers but their differences, and scores nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from labkit.dollars import usd
from labkit.visible import cut
from labkit.widgets import forms
from labkit.widgets.score_mark import SYMBOLS, of_value

if TYPE_CHECKING:
    import pandas as pd

PAGE = 10
SHOWN_CHARS = 1_500
MOST_BYTES = 100_000
"""How large the table that stands in a saved notebook may be."""
MOST_WORDS = 400
"""Longer answers are compared by their beginnings: comparing takes time by the square of the length."""
FEWEST_WORDS = 4
"""Fewer are a label: to say in what it differs is to say it twice."""
FEWEST_ALIKE = 0.5
"""Of two answers that share less, nearly all would be marked, which shows nothing."""
RULE = "Words are marked where two answers have at least four each and share half of them or more."
READ = (
    "run_id", "prompt", "model", "sample_id", "repeat", "status", "text", "error_type", "error_message",
    "parent_id", "steps", "sample.*", "score.*",
)  # fmt: skip
"""The columns it reads."""
OF_STEPS = ("generation_id", "parent_id", "step_name", "step", "status", "text", "latency_s", "cost_usd")
_WORD = re.compile(r"\s+|\w+|[^\w\s]")
STYLES = {"right": "lk-good", "wrong": "lk-bad"}


class Readable(Protocol):
    """A run as its answers are read."""

    def generations(self, *, columns: Sequence[str] | None = None, steps: bool = False) -> pd.DataFrame: ...


def read(run: Readable, columns: Sequence[str] | None = READ) -> pd.DataFrame:
    """A run's answers; where it has chains, a column `earlier` has what their steps before the last said: of
    each its name, what it took, and its text."""
    frame = run.generations(columns=columns)
    if not frame["steps"].notna().any():
        return frame
    steps = run.generations(columns=OF_STEPS, steps=True)
    rows = {row["generation_id"]: row for row in steps[steps["step"] > 0].to_dict("records")}
    earlier: list[Any] = [list(_before(rows, last)) for last in frame["parent_id"]]
    return frame.assign(earlier=earlier)


def _before(rows: Mapping[str, Any], last: str) -> Iterator[tuple[str, str, str]]:
    """What the steps before the `last` of a line said, in order."""
    line = []
    while (row := rows.get(last)) is not None:
        line.append(row)
        last = row["parent_id"]
    for row in line[:0:-1]:
        if isinstance(row["text"], str):
            took = "" if row["latency_s"] != row["latency_s"] else f"{row['latency_s']:.2f} s"
            cost = "" if row["cost_usd"] != row["cost_usd"] else f"USD {usd(row['cost_usd'])}"
            yield row["step_name"], " · ".join(filter(None, (took, cost))), row["text"]


def pages(frame: pd.DataFrame) -> int:
    """How many pages of samples there are."""
    return max(1, -(-len(_places(frame)) // PAGE)) if len(frame) else 1


def columns(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """The (prompt, model) pairs, and of a frame with a column `run` each pair's runs, as planned."""
    found = list(dict.fromkeys(frame[_keys(frame)].itertuples(index=False, name=None)))
    plan: Mapping[str, Sequence[str]] = frame.attrs.get("plan", {})
    pairs = [key[:2] for key in found]
    prompt, model = (_place_in(plan.get(name, ())) for name in ("prompts", "models"))
    return sorted(found, key=lambda key: (prompt(key[0]), model(key[1]), pairs.index(key[:2]), key[2:]))


def table(frame: pd.DataFrame, *, page: int = 0, against: int = 0, only_different: bool = False) -> str:
    """A row per sample and repeat, a column per prompt and model, with the words that column `against` lacks
    marked; of several runs, those that the same prompt and model lack in the first."""
    if not len(frame):
        return "<div class='lk-soft'>no answers yet</div>"
    made = list(islice(_rows(frame, against, only_different), page * PAGE, (page + 1) * PAGE))
    if not made:
        return "<div class='lk-soft'>no answers differ</div>"
    return _table(frame, made)


def still(frame: pd.DataFrame) -> str:
    """The table for where nothing turns its pages: all rows that stay below a size, and how many are left."""
    made: list[list[str]] = []
    size = 0
    for row in _rows(frame, against=0, only_different=False) if len(frame) else ():
        size += sum(len(cell.encode(errors="replace")) for cell in row)
        if size > MOST_BYTES and made:
            break
        made.append(row)
    left = len(_places(frame)) - len(made) if len(frame) else 0
    rest = f"<div>{left:,} more: run.generations() has them all.</div>" if left else ""
    return forms.styled(_table(frame, made) + rest) if made else ""


def _table(frame: pd.DataFrame, rows: Sequence[Sequence[str]]) -> str:
    return forms.table(["sample", *map("\n".join, columns(frame))], rows, name="lk-answers")


def _rows(frame: pd.DataFrame, against: int, only_different: bool) -> Iterator[list[str]]:
    heads = columns(frame)
    keys = ["sample_id", "repeat", *_keys(frame)]
    cells = {tuple(row[key] for key in keys): row for row in frame.to_dict("records")}
    inputs = [name for name in frame.columns if name.startswith("sample.")]
    scorers = [name.removeprefix("score.") for name in frame.columns if name.startswith("score.")]
    scales = frame.attrs.get("scales", {})
    scores = {name: scales.get(name) for name in scorers}
    firsts = {head[:2]: number for number, head in reversed(list(enumerate(heads)))}
    bases = [firsts[head[:2]] if len(head) > 2 else against for head in heads]
    for place in _places(frame):
        found = [cells.get((*place, *head)) for head in heads]
        if only_different and not _differs(found):
            continue
        first = next(row for row in found if row is not None)
        made = [_sample(first, inputs, place)]
        for number, (row, base) in enumerate(zip(found, bases, strict=True)):
            made.append(_cell(row, found[base] if number != base < len(found) else None, scores))
        yield made


def marked(text: str, base: str) -> str:
    """`text` escaped, with the words that `base` does not have in that place marked. See `RULE`.

    >>> marked("what a good dog", "what a bad dog")
    'what a <mark>good</mark> dog'
    >>> marked("positive", "negative")
    'positive'
    """
    words, others = _WORD.findall(text)[:MOST_WORDS], _WORD.findall(base)[:MOST_WORDS]
    both = SequenceMatcher(None, others, words, autojunk=False)
    if min(map(_count, (words, others))) < FEWEST_WORDS or _alike(both, words, others) < FEWEST_ALIKE:
        return forms.text(text, limit=SHOWN_CHARS)
    parts = []
    for kind, _, _, start, end in both.get_opcodes():
        if piece := forms.text("".join(words[start:end]), limit=SHOWN_CHARS):
            parts.append(piece if kind == "equal" else f"<mark>{piece}</mark>")
    return "".join(parts)


def _count(words: Sequence[str]) -> int:
    return sum(word[0].isalnum() for word in words)


def _alike(both: SequenceMatcher[str], words: Sequence[str], others: Sequence[str]) -> float:
    """The share of the words of both that stand in both in the same order."""
    same = sum(_count(words[block.b : block.b + block.size]) for block in both.get_matching_blocks())
    return 2 * same / (_count(words) + _count(others))


def _keys(frame: pd.DataFrame) -> list[str]:
    return ["prompt", "model", *(["run"] if "run" in frame.columns else [])]


def _places(frame: pd.DataFrame) -> list[tuple[Any, Any]]:
    return list(dict.fromkeys(zip(frame["sample_id"], frame["repeat"], strict=True)))


def _place_in(listed: Sequence[str]) -> Callable[[str], int]:
    places = {name: place for place, name in enumerate(listed)}
    return lambda name: places.get(name, len(places))


def _differs(found: list[Any]) -> bool:
    texts = {str(row["text"]).strip() for row in found if row is not None and row["status"] == "done"}
    return len(texts) > 1


def _cell(row: Any, base: Any, scores: Mapping[str, Sequence[float | None] | None]) -> str:
    if row is None:
        return "<span class='lk-soft'>no answer</span>"
    earlier = row.get("earlier")
    return _folded(earlier if isinstance(earlier, list) else []) + _answer(row, base, scores)


def _folded(earlier: Sequence[tuple[str, str, str]]) -> str:
    heads = [(" · ".join(filter(None, (name, took))), text.strip()) for name, took, text in earlier]
    return "".join(
        f"<details><summary class='lk-soft'>{forms.text(head, limit=120)}</summary>"
        f"{forms.text(text, limit=SHOWN_CHARS)}</details>"
        for head, text in heads
    )


def _answer(row: Any, base: Any, scores: Mapping[str, Sequence[float | None] | None]) -> str:
    text = row["text"].strip() if isinstance(row["text"], str) else ""
    if row["status"] != "done":
        why = f"{row['error_type']}: {row['error_message']}" if isinstance(row["error_type"], str) else ""
        said = f"<div>{forms.text(text, limit=SHOWN_CHARS)}</div>" if text else ""
        return f"{said}<i>{forms.text(row['status'])}</i> {forms.text(why, limit=300)}"
    of_base = base is not None and isinstance(base["text"], str)
    shown = (
        marked(cut(text, limit=SHOWN_CHARS), cut(base["text"].strip(), limit=SHOWN_CHARS))
        if of_base
        else forms.text(text, limit=SHOWN_CHARS)
    )
    told = "".join(
        f"<div>{_score(f'{name} ' if len(scores) > 1 else '', row[f'score.{name}'], scale)}</div>"
        for name, scale in scores.items()
    )
    return (shown or "<i>empty</i>") + told


def _score(name: str, value: Any, scale: Sequence[float | None] | None) -> str:
    """A mark and a word where the scorer says right or wrong, else its number."""
    kind, words = of_value(value, scale)
    told = forms.text(name, limit=40)
    if kind == "graded":
        return f"{told}{words}"
    if kind == "unscored":
        return f"<span class='lk-soft'>{told}{words}</span>"
    return f"{told}<span class='{STYLES[kind]}'>{SYMBOLS[kind]} {words}</span>"


def _sample(row: Any, inputs: list[str], place: tuple[Any, Any]) -> str:
    repeat = f" · repeat {place[1]}" if place[1] else ""
    fields = "".join(
        f"<div class='lk-soft'>{forms.text(name[7:], limit=40)}: {forms.text(row[name], limit=300)}</div>"
        for name in inputs
    )
    return f"<b>{forms.text(place[0], limit=60)}{repeat}</b>{fields}"
