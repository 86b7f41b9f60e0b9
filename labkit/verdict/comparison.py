"""Two runs, cell by cell: what became better or worse, what had changed in between, and what is noise.

It pairs equal cells (prompt, model, sample) and tells causes apart only as far as what was recorded
does: two things that changed at once cannot be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.arguments import check, sure
from labkit.errors import DefinitionError
from labkit.stats import Interval, holm, paired_difference, ratio_of_means, ratio_of_typical
from labkit.summary.summarize import fresh, score_column
from labkit.verdict import show
from labkit.verdict.amounts import counted
from labkit.verdict.changes import CHANGES, cause, changes, sentence
from labkit.visible import visible

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Comparison:
    """Run B against run A. Made by `lab.compare(run_a, run_b)`; frozen."""

    before: str
    after: str
    scorer: str
    level: float
    sentences: tuple[str, ...]
    """One per prompt and model that both runs have."""
    notes: tuple[str, ...]
    rows: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """One row per prompt and model: `samples` in common, `score_before`, `score_after`, `difference`
        (after − before) with `low`, `high` at `level` for all rows together, `p_holm`, `decided`,
        `wins`, `ties`, `losses`, `changed` (what changed, comma-separated, "" for nothing), `cause`
        (`noise` where nothing is decided, else what explains it), `copies` (answers of B that are
        replays of A's, left out), `cost_ratio`, `latency_ratio`, `output_ratio` (tokens) with `…_low`
        and `…_high`.
        """
        return self.rows.copy()

    def __str__(self) -> str:
        return "\n".join([*self.sentences, *(f"({note})" for note in self.notes)])

    def __repr__(self) -> str:
        decided = int(self.rows["decided"].sum())
        return f"Comparison({visible(self.scorer, limit=40)}: {len(self.rows)} rows, {decided} decided)"

    def _repr_html_(self) -> str:
        shown = ["prompt", "model", "samples", "score_before", "score_after", "changed", "cause"]
        return show.listing(
            f"{self.after} against {self.before}", self.sentences, self.notes, self.rows[shown]
        )


def compare(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    score: str | None = None,
    level: float = 0.95,
    names: tuple[str, str] = ("A", "B"),
) -> Comparison:
    """Compare two frames of generations on the cells that both have, the second against the first.

    A prompt or model that only one of each run has is taken for the other's successor. Raises
    DefinitionError where the runs share no cell, or one of them was not scored.

    >>> import pandas as pd
    >>> rows = [{"prompt": "p", "model": "m", "sample_id": s, "status": "done", "score.ok": float(s % 3 > 0)}
    ...         for s in range(30)]
    >>> print(compare(pd.DataFrame(rows), pd.DataFrame(rows)).sentences[0])
    p · m scored the same on all 30 common samples. Nothing that labkit records changed.
    """
    check(sure("level", level))
    columns = [score_column(frame, score) for frame in (before, after)]
    if columns[0] is None or columns[0] not in after.columns:
        raise DefinitionError("Both runs need the same scorer; score them: run.score(lk.exact())")
    column = columns[0]
    old, new = (_keyed(frame, column) for frame in (before, after))
    paired, renamed = _renamed(old, new)
    keys = sorted(_keys(paired) & _keys(new))
    if not keys:
        raise DefinitionError("The two runs share no prompt and model, so there is nothing to compare.")
    found = [_row(paired, new, key, level, len(keys)) for key in keys]
    p_holm = holm([row["p_value"] for row in found])
    for row, p in zip(found, p_holm, strict=True):
        row["p_holm"], row["decided"] = float(p), bool(p < 1 - level)
        row["changed"] = ", ".join([*renamed, *row["changed"]])
        row["cause"] = cause(row)
    import pandas as pd

    rows = pd.DataFrame(found).drop(columns=["details", "bounded"])
    return Comparison(
        before=names[0],
        after=names[1],
        scorer=column.removeprefix("score."),
        level=level,
        sentences=tuple(sentence(row) for row in found),
        notes=_notes(old, new, len(keys), level, found),
        rows=rows,
    )


def _keys(frame: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(frame["prompt"], frame["model"], strict=True))


def _keyed(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    import pandas as pd

    needed = ("prompt", "model", "sample_id", "status")
    if missing := [name for name in needed if name not in frame.columns]:
        raise DefinitionError([f"the frame has no column {name!r}" for name in missing])
    numbers = {
        name: pd.to_numeric(frame[name]) if name in frame.columns else float("nan")
        for name in ("cost_usd", "latency_s", "output_tokens")
    }
    kept = frame[list(needed)].assign(value=pd.to_numeric(frame[column]), **numbers)
    timed = fresh(kept.assign(replayed_from=frame.get("replayed_from")))
    kept["latency_s"] = kept["latency_s"].where(timed)
    for name in (*CHANGES, "request_id"):
        kept[name] = frame[name] if name in frame.columns else None
    if "generation_id" in frame.columns:
        own = frame["generation_id"]
        kept["origin"] = frame["replayed_from"].fillna(own) if "replayed_from" in frame.columns else own
    else:
        kept["origin"] = None
    for name in ("prompt", "model"):
        kept[name] = kept[name].astype(str)
    return kept


def _renamed(old: pd.DataFrame, new: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The earlier rows under the later names, where one prompt or model took the place of one other."""
    changed = []
    for name in ("prompt", "model"):
        gone = set(old[name]) - set(new[name])
        come = set(new[name]) - set(old[name])
        if len(gone) == len(come) == 1:
            was, now = gone.pop(), come.pop()
            old = old.assign(**{name: old[name].replace({was: now})})
            changed.append(name)
    return old, changed


def _row(
    old: pd.DataFrame, new: pd.DataFrame, key: tuple[str, str], level: float, tests: int
) -> dict[str, Any]:
    parts = [frame[(frame["prompt"] == key[0]) & (frame["model"] == key[1])] for frame in (old, new)]
    copies = parts[1]["origin"].notna() & parts[1]["origin"].isin(set(parts[0]["origin"].dropna()))
    means = [
        part.groupby("sample_id")[["value", "cost_usd", "latency_s", "output_tokens"]].mean()
        for part in (parts[0], parts[1][~copies])
    ]
    joined = means[0].add_suffix("_before").join(means[1].add_suffix("_after"), how="inner")
    values = [joined[f"value_{side}"].to_numpy(dtype=float) for side in ("after", "before")]
    both = ~np.isnan(values[0]) & ~np.isnan(values[1])
    present = np.concatenate([part["value"].dropna().to_numpy(dtype=float) for part in parts])
    together = 1 - (1 - level) / tests
    binary = bool(np.isin(present, (0.0, 1.0)).all())
    pairs = paired_difference(*values, binary=binary, level=together)
    details = changes(*parts)
    row: dict[str, Any] = {
        "prompt": key[0],
        "model": key[1],
        "samples": int(both.sum()),
        "score_before": float(values[1][both].mean()) if both.any() else float("nan"),
        "score_after": float(values[0][both].mean()) if both.any() else float("nan"),
        "difference": float(pairs.difference[0]),
        "low": float(pairs.low[0]),
        "high": float(pairs.high[0]),
        "p_value": float(pairs.p_value[0]),
        "p_holm": float("nan"),
        "decided": False,
        "wins": int(pairs.wins[0]),
        "ties": int(pairs.ties[0]),
        "losses": int(pairs.losses[0]),
        "changed": list(details),
        "cause": "",
        "copies": int(copies.sum()),
        "answers": len(parts[1]),
        "details": details,
        "bounded": bool(len(present)) and bool(present.min() >= 0) and bool(present.max() <= 1),
    }
    for name, column, method in (
        ("cost", "cost_usd", ratio_of_means),
        ("latency", "latency_s", ratio_of_typical),
        ("output", "output_tokens", ratio_of_means),
    ):
        found: Interval = method(
            *(joined[f"{column}_{side}"].to_numpy(dtype=float) for side in ("after", "before")),
            level=together,
        )
        row |= {
            f"{name}_ratio": found.estimate,
            f"{name}_low": found.low,
            f"{name}_high": found.high,
        }
    return row


def _notes(
    old: pd.DataFrame, new: pd.DataFrame, tests: int, level: float, found: list[dict[str, Any]]
) -> tuple[str, ...]:
    said = [f"paired on common samples; {level * 100:g} % intervals"]
    if tests > 1:
        said[0] += f" that hold for all {tests} together, decided by Holm's correction"
    for name, frame, other in (("A", old, new), ("B", new, old)):
        only = set(zip(frame["prompt"], frame["model"], frame["sample_id"], strict=True)) - set(
            zip(other["prompt"], other["model"], other["sample_id"], strict=True)
        )
        if only:
            said.append(f"{counted(len(only), 'cell')} only in run {name}, left out")
    if copies := sum(row["copies"] for row in found):
        said.append(
            f"{counted(copies, 'answer')} of run B replayed from run A, left out: a copy shows no noise"
        )
    return tuple(said)
