"""The rows that decide: where contenders disagree, flip between repeats, fail, refuse, or stand out.

It picks and lays answers side by side; it judges none of them and does no statistics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from labkit.arguments import check, text, whole
from labkit.errors import DefinitionError
from labkit.summary.contender_names import names as called
from labkit.summary.contender_table import BETWEEN, FACTORS, OVER
from labkit.summary.of_step import of_step
from labkit.visible import quoted, visible

if TYPE_CHECKING:
    import pandas as pd

WHY = ("disagreement", "flip", "failure", "refusal", "longest", "dearest")
"""Why a row is picked, most telling first."""
OUTLIERS = 3
"""How many of the longest and of the dearest are picked."""
REFUSED = ("refusal", "content_filter")
SHOWN_CHARACTERS = 300
MOST_VALUES = 12
"""A sample column with more distinct values groups nothing."""

_LINE = "var(--jp-border-color1,var(--vscode-panel-border,#8888))"
_CELL = f"padding:4px 6px;border-bottom:1px solid {_LINE};text-align:left;vertical-align:top"
_TABLE = (
    "border-collapse:collapse;font-size:var(--jp-ui-font-size1,13px);"
    "color:var(--jp-ui-font-color1,var(--vscode-foreground,inherit))"
)


@dataclass(frozen=True, eq=False)
class Differences:
    """Rows picked from a run, answers side by side. Made by `run.differences()`; frozen."""

    names: tuple[str, ...]
    """The contenders; each has columns `text.<name>` and `score.<name>`."""
    counts: dict[str, int]
    """How many rows there are for each reason, also those that were not picked."""
    picked: pd.DataFrame
    every: pd.DataFrame
    called: Mapping[str, str]
    """What a verdict calls each contender, as tables do that are to be read."""

    def frame(self) -> pd.DataFrame:
        """One row per picked sample (and prompt, where models are compared over several), best reason first.

        Columns: `why` (reasons, comma-separated), `sample_id`, perhaps `prompt` or `model`, `spread`
        (largest − smallest mean score of the contenders), `sample.<column>`, and for each contender
        `text.<name>` (of its first repeat) and `score.<name>` (mean over repeats).
        """
        return self.picked.copy()

    def by(self, column: str) -> pd.DataFrame:
        """Per value of a sample column: `rows`, each reason's count, and each contender's mean score.

        Raises DefinitionError where there is no such column.
        """
        check(text("column", column))
        name = column if column in self.every.columns else f"sample.{column}"
        if name not in self.every.columns:
            has = ", ".join(str(c)[7:] for c in self.every.columns if str(c).startswith("sample."))
            raise DefinitionError(f"There is no sample column {quoted(column)}; there are: {has or 'none'}")
        # Lists and dicts are no keys; their text is.
        key = self.every[name].map(lambda value: value if value is None or value != value else str(value))
        groups = self.every.assign(rows=1, **{name: key}).groupby(name, dropna=False, sort=True)
        flags = [why for why in WHY if why in self.every.columns]
        scores = [f"score.{contender}" for contender in self.names]
        counted = groups[["rows", *flags]].sum()
        return counted.join(groups[scores].mean()).reset_index()

    def groupings(self) -> list[str]:
        """The sample columns that have few enough values to group by."""
        found = []
        for name in self.every.columns:
            if str(name).startswith("sample."):
                values = self.every[name].dropna().map(str)
                if 1 < values.nunique() <= MOST_VALUES and values.nunique() < len(values):
                    found.append(str(name).removeprefix("sample."))
        return found

    def __repr__(self) -> str:
        told = ", ".join(f"{count} {why}" for why, count in self.counts.items() if count) or "none"
        return f"Differences({len(self.picked)} of {len(self.every)} rows: {told})"

    def _repr_html_(self) -> str:
        return html(self.picked, self.called, repr(self))


def differences(
    frame: pd.DataFrame,
    *,
    score: str | None = None,
    by: str | Sequence[str] = "model",
    rows: int = 12,
) -> Differences:
    """Pick the rows that decide from a frame of generations: at most `rows` for each reason.

    Disagreements come first, the furthest apart on top; then answers that flip between repeats, that
    failed for one contender and not for another, that refused, and the longest and dearest. Without
    a score, rows disagree where texts differ. Raises DefinitionError for a frame without answers.

    >>> import pandas as pd
    >>> rows = {"model": ["a", "b"], "sample_id": "1", "status": "done", "text": ["x", "y"]}
    >>> differences(pd.DataFrame(rows))
    Differences(1 of 1 rows: 1 disagreement)
    """
    from labkit.summary import score_column

    check(whole("rows", rows))
    frame, told = of_step(frame, by)
    keys = tuple(told)
    if not keys or any(key not in FACTORS for key in keys) or len(set(keys)) < len(keys):
        raise DefinitionError(f"by={quoted(list(keys))}: compare by 'model', 'prompt' or ['prompt', 'model']")
    missing = [name for name in (*keys, "sample_id", "status", "text") if name not in frame.columns]
    if missing or frame.empty:
        raise DefinitionError([f"the frame has no column {name!r}" for name in missing] or ["no answers yet"])
    column = score_column(frame, score)
    every, names = _wide(frame, keys, column)
    flags = _reasons(every, frame, names, column)
    every = every.assign(**{why: flags[why] for why in WHY})
    picked = _picked(every, rows)
    contenders = [tuple(key) for key in frame[list(keys)].astype(str).drop_duplicates().to_numpy()]
    dropped = [*WHY, *(c for c in every.columns if str(c).startswith(("kinds.", "long.", "cost.")))]
    return Differences(
        names=tuple(names),
        counts={why: int(every[why].sum()) for why in WHY},
        picked=picked.drop(columns=dropped).reset_index(drop=True),
        every=every,
        called=called(contenders, frame.attrs.get("labels") or {}),
    )


def _wide(frame: pd.DataFrame, keys: tuple[str, ...], column: str | None) -> tuple[pd.DataFrame, list[str]]:
    import pandas as pd

    over = [
        name
        for name in OVER
        if name not in keys and name in frame.columns and frame[name].astype(str).nunique() > 1
    ]
    contender = frame[keys[0]].astype(str)
    for name in keys[1:]:
        contender = contender + BETWEEN + frame[name].astype(str)
    unit = ["sample_id", *over]
    work = frame[unit].assign(
        contender=contender,
        text=frame["text"],
        score=pd.to_numeric(frame[column]) if column else float("nan"),
        done=frame["status"] == "done",
        refused=frame["stop_reason"].isin(REFUSED) if "stop_reason" in frame.columns else False,
        long=frame["text"].astype("string").str.len(),
        cost=pd.to_numeric(frame["cost_usd"]) if "cost_usd" in frame.columns else float("nan"),
        repeat=frame["repeat"] if "repeat" in frame.columns else 0,
    )
    groups = work.sort_values("repeat", kind="stable").groupby([*unit, "contender"], sort=False, dropna=False)
    cells = groups.agg(
        text=("text", "first"),
        score=("score", "mean"),
        kinds=("score" if column else "text", "nunique"),
        done=("done", "any"),
        refused=("refused", "any"),
        long=("long", "max"),
        cost=("cost", "max"),
    )
    wide = cells.unstack("contender")
    names = sorted({str(name) for name in contender})
    flat: dict[str, Any] = {}
    for name in names:
        flat |= {f"{part}.{name}": wide[part, name] for part in ("text", "score", "kinds", "long", "cost")}
        flat |= {f"kinds.done.{name}": wide["done", name], f"kinds.refused.{name}": wide["refused", name]}
    scores = pd.DataFrame({name: flat[f"score.{name}"] for name in names})
    flat["spread"] = scores.max(axis=1) - scores.min(axis=1)
    samples = [name for name in frame.columns if str(name).startswith("sample.")]
    table = pd.DataFrame(flat).reset_index()
    own = frame.drop_duplicates("sample_id").set_index("sample_id")[samples]
    table = table.join(own, on="sample_id")
    first = [*unit, "spread", *samples]
    return table[[*first, *(name for name in table.columns if name not in first)]], names


def _reasons(
    every: pd.DataFrame, frame: pd.DataFrame, names: list[str], column: str | None
) -> dict[str, pd.Series[bool]]:
    texts = every[[f"text.{name}" for name in names]]
    done = every[[f"kinds.done.{name}" for name in names]] == True  # noqa: E712 - missing cells are no False
    asked = every[[f"kinds.done.{name}" for name in names]].notna()
    refused = every[[f"kinds.refused.{name}" for name in names]] == True  # noqa: E712
    apart = every["spread"] > 0 if column else texts.nunique(axis=1) > 1
    return {
        "disagreement": apart,
        "flip": (every[[f"kinds.{name}" for name in names]] > 1).any(axis=1),
        "failure": (asked & ~done).any(axis=1) & done.any(axis=1),
        "refusal": refused.any(axis=1),
        "longest": _outlying(every[[f"long.{name}" for name in names]]),
        "dearest": _outlying(every[[f"cost.{name}" for name in names]]),
    }


def _outlying(values: pd.DataFrame) -> pd.Series[bool]:
    largest = values.astype("float64").max(axis=1)
    # Where all are alike, none stands out.
    stands = largest > largest.median() * 1.5
    return stands & (largest.rank(method="first", ascending=False) <= OUTLIERS)


def _picked(every: pd.DataFrame, rows: int) -> pd.DataFrame:
    ordered = every.sort_values("spread", ascending=False, kind="stable", na_position="last")
    chosen: dict[Any, list[str]] = {}
    for why in WHY:
        for place in ordered.index[ordered[why]][:rows]:
            chosen.setdefault(place, [])
    for place, reasons in chosen.items():
        reasons.extend(why for why in WHY if every.at[place, why])
    picked = every.loc[list(chosen)]
    picked.insert(0, "why", [", ".join(reasons) for reasons in chosen.values()])
    return picked


def html(picked: pd.DataFrame, names: Mapping[str, str], title: str, *, most: int = 40) -> str:
    """The picked rows as an escaped HTML table, one column per contender."""
    samples = [str(name) for name in picked.columns if str(name).startswith("sample.")]
    extra = [name for name in OVER if name in picked.columns]
    heads = ["why", *extra, *(name.removeprefix("sample.") for name in samples or ["sample_id"])]
    heads += names.values()
    head = "".join(
        f'<th scope="col" style="{_CELL}">{escape(visible(name, limit=60))}</th>' for name in heads
    )
    lines = []
    for row in picked.head(most).to_dict("records"):
        cells = [str(row["why"]), *(str(row[name]) for name in extra)]
        cells += [_plain(row[name]) for name in samples or ["sample_id"]]
        cells += [_answer(row[f"text.{name}"], row[f"score.{name}"]) for name in names]
        lines.append("".join(f'<td style="{_CELL}">{escape(cell)}</td>' for cell in cells))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f'<div class="labkit-differences" style="overflow-x:auto"><div>{escape(visible(title))}</div>'
        f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _plain(value: Any) -> str:
    return "–" if value is None or value != value else visible(value, limit=SHOWN_CHARACTERS)


def _answer(text: Any, score: Any) -> str:
    told = "(no answer)" if text is None or text != text else visible(text, limit=SHOWN_CHARACTERS)
    return told if score != score else f"{told} [{score:g}]"
