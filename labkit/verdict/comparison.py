"""Two runs, cell by cell: what became better or worse, what had changed in between.

It pairs equal cells (prompt, model, sample), by the machinery and in the words of the verdict. It tells
causes apart only as far as what was recorded does: two things that changed at once cannot be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.arguments import check, sure
from labkit.errors import DefinitionError
from labkit.stats import Scale, agreed, holm, ratio_of_means
from labkit.store.filters import matching
from labkit.summary.compact_frame import READ
from labkit.summary.contender_table import contender_table
from labkit.summary.pairwise import compare_pairs
from labkit.summary.scores import Basis, Bounds, no_score, score_names, score_scale
from labkit.verdict import show
from labkit.verdict.changes import CHANGES, cause, changes, notes, sentence
from labkit.verdict.words import Terms
from labkit.visible import quoted, visible

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Comparison:
    """Run B against run A. Made by `lab.compare(run_a, run_b)`; frozen."""

    before: str
    after: str
    scorer: str | None
    """None where neither run was scored: then answers, prices and tokens alone are compared."""
    level: float
    sentences: tuple[str, ...]
    """One per prompt and model that both runs have."""
    notes: tuple[str, ...]
    rows: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """One row per prompt and model: `samples` in common, `score_before`, `score_after`, `difference`
        (after − before) with `low`, `high` at `level` for all rows together, `p_holm`, `decided`,
        `wins`, `ties`, `losses`, `missing` (pairs of answers that lack a score), `worst_low`, `worst_high`
        (the limits whatever those would have been), `changed` (what changed, comma-separated, "" for
        nothing), `cause` (`undecided`, else what explains the difference), `copies` (answers of B that
        are replays of A's, left out), `cost_ratio`, `latency_ratio`, `output_ratio` (tokens), each after ÷
        before, with `…_low` and `…_high`.
        """
        return self.rows.copy()

    def __str__(self) -> str:
        return "\n".join([*self.sentences, *(f"({note})" for note in self.notes)])

    def __repr__(self) -> str:
        decided = int(self.rows["decided"].sum())
        by = "no score" if self.scorer is None else visible(self.scorer, limit=40)
        return f"Comparison({by}: {len(self.rows)} rows, {decided} decided)"

    def _repr_html_(self) -> str:
        scored = ["samples", "missing", "score_before", "score_after", "changed", "cause"]
        unscored = ["cost_ratio", "output_ratio", "latency_ratio", "changed"]
        shown = ["prompt", "model", *(unscored if self.scorer is None else scored)]
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
    bounds: Bounds | None = None,
    step: float | None = None,
) -> Comparison:
    """Compare two frames of generations on the cells that both have, the second against the first.

    A prompt or model that only one of each run has is taken for the other's successor. `bounds` and `step`
    say what the scorer gives, where the frames do not. Of two runs without any score it says how many answers
    there are, and what became of prices, tokens and times. Raises DefinitionError where the runs share no
    cell, or were not scored alike.

    >>> import pandas as pd
    >>> rows = [{"prompt": "p", "model": "m", "sample_id": s, "status": "done", "score.ok": float(s % 3 > 0)}
    ...         for s in range(30)]
    >>> compare(pd.DataFrame(rows), pd.DataFrame(rows)).sentences[0].partition(";")[0]
    'p · m scored the same on all 30 common samples'
    """
    check(sure("level", level))
    names = (visible(names[0], limit=60), visible(names[1], limit=60))
    column = _common(before, after, score, names)
    if column == UNSCORED:
        before, after = (frame.assign(**{column: math.nan}) for frame in (before, after))
    scale = agreed([score_scale(frame, column, bounds, step) for frame in (before, after)])
    old, new = (_keyed(frame, column) for frame in (before, after))
    paired, renamed = _renamed(old, new)
    keys = sorted(_keys(paired) & _keys(new))
    if not keys:
        raise DefinitionError("The two runs share no prompt and model, so there is nothing to compare.")
    together = 1 - (1 - level) / len(keys)
    found = [_row(paired, new, key, column, scale, together, renamed) for key in keys]
    p_holm = holm([row["p_value"] for row in found])
    for row, p in zip(found, p_holm, strict=True):
        row["p_holm"], row["decided"] = float(p), bool(p < 1 - level)
        row["changed"] = ", ".join(row["changed"])
        row["cause"] = cause(row)
    import pandas as pd

    some = len(found) == 1 or any(row["details"] for row in found)
    terms = Terms(
        scorer=column.removeprefix("score."),
        study=Basis(scale, None, False, level, level, False),
        margin=None,
        better="higher",
        unpriced=frozenset(),
        clocks={},
    )
    return Comparison(
        before=names[0],
        after=names[1],
        scorer=column.removeprefix("score.") or None,
        level=level,
        sentences=tuple(sentence(row, terms, names, some_changed=some) for row in found),
        notes=notes(paired, new, terms, names, found),
        rows=pd.DataFrame(found).drop(columns=["details", "answers", "answered", "latency_n"]),
    )


UNSCORED = "score."
"""The column of the score that there is not."""


def _common(before: pd.DataFrame, after: pd.DataFrame, score: str | None, names: tuple[str, str]) -> str:
    """The column of the score that both runs have, `UNSCORED` where neither has any. Raises DefinitionError
    where they have none in common."""
    has = [score_names(frame) for frame in (before, after)]
    if score is not None:
        each = zip(names, has, strict=True)
        check([f"run {name}: {no_score(score, there)}" for name, there in each if score not in there])
        return f"score.{score}"
    if not any(has):
        return UNSCORED
    common = [name for name in has[0] if name in has[1]]
    if common:
        return f"score.{common[0]}"
    told = [", ".join(map(quoted, there)) or "none" for there in has]
    raise DefinitionError(
        f"The two runs have no score in common: run {names[0]} has {told[0]}, run {names[1]} has {told[1]}. "
        "Score both alike: run.score(lk.exact())."
    )


def _keys(frame: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(frame["prompt"], frame["model"], strict=True))


def _keyed(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    needed = ("prompt", "model", "sample_id", "status")
    if missing := [name for name in needed if name not in frame.columns]:
        raise DefinitionError([f"the frame has no column {name!r}" for name in missing])
    wanted = [*READ, column, *CHANGES, "request_id", "generation_id"]
    kept = frame[[name for name in matching(wanted, frame.columns) if name in frame.columns]].copy()
    for name in ("cost_usd", "latency_s", "output_tokens", *CHANGES, "request_id", "replayed_from"):
        if name not in kept.columns:
            kept[name] = None
    own = kept["generation_id"] if "generation_id" in kept.columns else None
    kept["origin"] = None if own is None else kept["replayed_from"].fillna(own)
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
    old: pd.DataFrame,
    new: pd.DataFrame,
    key: tuple[str, str],
    column: str,
    scale: Scale,
    level: float,
    renamed: Sequence[str],
) -> dict[str, Any]:
    import pandas as pd

    parts = [frame[(frame["prompt"] == key[0]) & (frame["model"] == key[1])] for frame in (old, new)]
    copies = parts[1]["origin"].notna() & parts[1]["origin"].isin(set(parts[0]["origin"].dropna()))
    details = changes(parts[0], parts[1], renamed)
    row: dict[str, Any] = {"prompt": key[0], "model": key[1]}
    sides = {"after": parts[1][~copies], "before": parts[0]}
    row |= _pair(pd.concat([part.assign(model=side) for side, part in sides.items()]), column, scale, level)
    row |= {
        "changed": list(details),
        "cause": "",
        "copies": int(copies.sum()),
        "answers": len(parts[1]),
        "answered": [(int((part["status"] == "done").sum()), len(part)) for part in parts],
        "details": details,
    }
    tokens = [
        pd.to_numeric(sides[side]["output_tokens"]).groupby(sides[side]["sample_id"]).mean() for side in sides
    ]
    both = tokens[0].to_frame("after").join(tokens[1].rename("before"), how="inner").to_numpy(dtype=float)
    output = ratio_of_means(both[:, 0], both[:, 1], level=level)
    row |= {
        "output_ratio": output.estimate,
        "output_low": output.low,
        "output_high": output.high,
    }
    return row


_UNSCORED = {
    "samples": 0, "score_before": math.nan, "score_after": math.nan, "difference": math.nan,
    "low": math.nan, "high": math.nan, "p_value": math.nan, "p_holm": math.nan, "decided": False,
    "wins": 0, "ties": 0, "losses": 0, "missing": 0, "n": 0, "latency_n": 0,
    "worst_low": math.nan, "worst_high": math.nan,
    **{f"{what}_{part}": math.nan for what in ("cost", "latency") for part in ("ratio", "low", "high")},
}  # fmt: skip


def _pair(both: pd.DataFrame, column: str, scale: Scale, level: float) -> dict[str, Any]:
    """The later answers against the earlier ones, as two contenders of a verdict."""
    bounds = (scale.low, scale.high) if scale.bounded else None
    given = contender_table(
        both, by="model", score=column.removeprefix("score."), bounds=bounds, step=scale.step
    )
    if given.names != ("after", "before"):
        return dict(_UNSCORED)
    # Labels are of the answers of one run; what a judge says of both is compared as it is.
    pair = compare_pairs(replace(given, labels=None), level=level).iloc[0].to_dict()
    means = given.score.means[~np.isnan(given.score.means).any(axis=1)]
    found = _UNSCORED | {name: pair[name] for name in _UNSCORED if name in pair}
    found |= (
        {"score_after": float(means[:, 0].mean()), "score_before": float(means[:, 1].mean())}
        if len(means)
        else {}
    )
    ends = {"low": ("all_low", "all_high"), "worst_low": ("worst_low", "worst_high")}
    for low, (least, most) in ends.items():
        found[low], found[low.replace("low", "high")] = pair[least], pair[most]
    return found if pair["first"] == "after" else _before_first(found)


def _before_first(found: dict[str, Any]) -> dict[str, Any]:
    """A pair told as earlier − later, as later − earlier."""
    turned = found | {"difference": -found["difference"], "wins": found["losses"], "losses": found["wins"]}
    for of in ("", "worst_"):
        turned[f"{of}low"], turned[f"{of}high"] = -found[f"{of}high"], -found[f"{of}low"]
    for what in ("cost", "latency"):
        low, ratio, high = (found[f"{what}_{part}"] for part in ("low", "ratio", "high"))
        with np.errstate(divide="ignore"):
            inverse = [float(1 / np.float64(value)) for value in (high, ratio, low)]
        turned |= dict(zip((f"{what}_low", f"{what}_ratio", f"{what}_high"), inverse, strict=True))
    return turned
