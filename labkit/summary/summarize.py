"""A frame of generations in, one row per prompt and model out: counts, scores, clocks, tokens, cost.

All figures that labkit shows come from here and from `labkit.stats`. This module does not know
where the frame came from, compares nothing (see `labkit.stats.paired`) and draws nothing.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from labkit.errors import DefinitionError
from labkit.summary.cut_answers import KINDS, of_frame
from labkit.summary.first_asking import FirstAskings, first_askings
from labkit.summary.judge_notes import judge_usd
from labkit.summary.of_step import of_step
from labkit.summary.score_columns import score_columns
from labkit.summary.scores import Bounds, codes, floats, score_names
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

    from labkit.stats.intervals import Interval

_NEEDED = ("status", "sample_id")
_NUMBERS = (
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "maybe_paid",
    "attempts",
)


def summarize(
    frame: pd.DataFrame,
    *,
    by: str | Sequence[str] = ("prompt", "model"),
    score: str | Sequence[str] | None = None,
    baseline: float | tuple[Any, float] | None = None,
    level: float = 0.95,
    bounds: Bounds | None = None,
    step: float | None = None,
    clusters: str | None = None,
    watched: bool | None = None,
) -> pd.DataFrame:
    """One row per combination of the columns `by`, sorted by them, from a frame of generations.

    `frame` has the columns of `labkit.records.Generation` and one column `score.<name>` per scorer.
    `score` names the scorer, or several; by default all, without `structure` where there are others. What
    they declared of their values is in `frame.attrs["scales"]`, where a lab puts it; `bounds` (lowest,
    highest) and `step` say it of any other frame. `clusters` names a column of samples that belong
    together. `watched`: intervals that hold at any moment of stopping; by default where the frame's run was
    grown after it could be looked at (`attrs["grown"]`) and the score has bounds: see
    `labkit.summary.scores.basis`. Columns of the result,
    in this order:

    - those of `by`
    - `n` (int): cells; `failed`, `partial`, `stopped`, `replayed` (int): how many of them are that
    - `cut`, `empty`, `refused` (int, NA where the frame lacks `stop_reason` or `text`): how many of those
      that are done ended at `max_tokens`, have no text but blanks, are a refusal of the model or its filter
    - `scorer` (str), `score`, `score_low`, `score_high` (float): the mean over samples of each
      sample's mean over its scored repeats, with its interval at `level`: `score_interval` of
      `labkit.stats`, infinite where nothing bounds it (one sample; no scatter, and no declared bounds).
      Samples are the units, so repeats make it no narrower than they deserve. Answers that are not scored
      (failed ones among them) are left out: `scored` (int) counts the rows that are in, `score_n`
      (int) their samples. Of several scores each of these columns, `level` and `above_baseline` stands once
      for each, as `score.<name>`, `score_low.<name>` …, and there is no `scorer`
    - `latency_n` (int), `latency_p50_s`, `latency_p95_s`, `ttft_p50_s`, `ttft_p95_s` (float, s): of
      answers that are `done`, as they were timed when first asked. A replay has no clocks of its own, and
      is in by those of its first asking (`first.*` of a lab's frame), which count once in a row of the table;
      `latency_before_n` (int) of the answers are in so
    - `tokens_per_s` (float): Σ output_tokens ÷ Σ latency_s over the same rows, of each sample the mean over
      its repeats (a ratio of sums, so long answers count more; reasoning tokens count, queueing does not)
    - `input_tokens`, `output_tokens` (float): sums of what was reported, replayed answers included
    - `cost_usd` (float): what these answers cost when they were asked, replayed ones included;
      `spent_usd` (float): without the replayed; `cost_known` (bool): False where an answer's cost
      is not known or a call may have been paid for without an answer: the sums are then "at least"
    - `cost_per_1k_usd` (float): cost of 1,000 done answers: the mean over samples of each sample's mean;
      NaN where a cost is not known
    - `maybe_paid` (int): attempts that may have been paid for without giving an answer
    - `judge_usd` (float), where judges were asked: what their verdicts on these answers cost when they were
      asked, which is in no other column; NaN where a cost is not known
    - `level` (float); with `baseline` (a rate, or what `baseline()` gives: that for scores from 0 to 1 only)
      and scored answers also `baseline` (float) and `above_baseline` (bool, NA without an interval): whether
      the whole interval lies above it, at a level corrected for the number of rows and scores (Bonferroni):
      if none is, one says so in at most 1 − level of tables. The baseline itself is taken as known.

    What cannot be said is NaN, never 0. The result shows itself as a table (`summary_frame`); it calls
    models as `frame.attrs["labels"]` does, where a run put them there. Raises DefinitionError where a column
    is missing.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"model": "m", "sample_id": ["1", "2"], "status": "done", "score.ok": [1, 0]})
    >>> found = summarize(rows, by="model", bounds=(0, 1), step=1).iloc[0]
    >>> int(found.n), float(found.score), round(float(found.score_low), 2)
    (2, 0.5, 0.03)
    """
    import pandas as pd

    from labkit.summary.summary_frame import as_summary

    frame, keys = of_step(frame, by)
    _check(frame, keys)
    scores = score_columns(
        frame, score, level=level, bounds=bounds, step=step, clusters=clusters, watched=watched
    )
    rate = baseline[1] if isinstance(baseline, tuple) else baseline
    held = [] if rate is None else [one for one in scores if one.is_held_against(baseline)]
    first = first_askings(frame, keys)
    groups = [
        (key, part)
        for key, part in _numeric(frame, first).groupby(
            [frame[name].reset_index(drop=True) for name in keys], sort=True, dropna=False, observed=True
        )
    ]
    told = [one.name for one in scores if one.name is not None]
    # What judges cost is known by prompt and model alone.
    judges = frame.attrs.get("judges") if set(keys) <= {"prompt", "model"} else None
    rows = []
    for key, part in groups:
        row: dict[str, Any] = dict(zip(keys, key if isinstance(key, tuple) else (key,), strict=True))
        places = part.index.to_numpy()
        row |= _counts(part)
        for one in scores:
            row |= one.of(places)
        row |= _clocks(part) | _money(part)
        if judges:
            where = zip(keys, key if isinstance(key, tuple) else (key,), strict=True)
            row["judge_usd"] = judge_usd(judges, dict(where))
        row |= {f"level{one.suffix}": one.interval.given.level for one in scores}
        if rate is not None and held:
            row["baseline"] = float(rate)
            for one in held:
                low = one.interval(places, tests=len(groups) * len(held)).low
                row[f"above_baseline{one.suffix}"] = low > rate if math.isfinite(low) else pd.NA
        rows.append(row)
    result = pd.DataFrame(rows) if rows else _empty(keys, told, rate if held else None)
    result = result.astype(
        dict.fromkeys(KINDS, "Int64") | {f"above_baseline{one.suffix}": "boolean" for one in held}
    )
    return as_summary(
        result,
        frame.attrs,
        intervals={one.name: one.interval.told for one in scores if one.name is not None},
        clocks=first.told(),
        others=[name for name in score_names(frame) if name not in told],
    )


def baseline(targets: Iterable[Hashable]) -> tuple[Any, float]:
    """The most frequent target and its share: what a constant answer would score. NaN and None are left out.

    Of equally frequent targets the first met is given. Raises DefinitionError where there are none.

    >>> baseline(["praise", "complaint", "praise"])
    ('praise', 0.6666666666666666)
    """
    counts: dict[Hashable, int] = {}
    for target in targets:
        if target is not None and target == target:
            counts[target] = counts.get(target, 0) + 1
    if not counts:
        raise DefinitionError("there is no target to take a baseline from")
    label = max(counts, key=counts.__getitem__)
    return label, counts[label] / sum(counts.values())


def majority(frame: pd.DataFrame, column: str | None) -> tuple[Any, float] | None:
    """The `baseline` of the sample column of that name, over the frame's samples.

    None where there is no such column, or hardly a value of it comes twice.

    >>> import pandas as pd
    >>> majority(pd.DataFrame({"sample_id": ["1", "2", "3", "4"], "sample.target": list("aaab")}), "target")
    ('a', 0.75)
    """
    name = f"sample.{column}"
    if column is None or name not in frame.columns:
        return None
    targets = frame[["sample_id", name]].drop_duplicates("sample_id")[name].dropna()
    return baseline(targets) if 0 < targets.map(str).nunique() * 2 <= len(targets) else None


def _check(frame: pd.DataFrame, keys: list[str]) -> None:
    there = list(frame.columns)
    missing = [quoted(name) for name in (*keys, *_NEEDED) if name not in there]
    faults = [f"the frame has no column {name}" for name in dict.fromkeys(missing)]
    if not keys:
        faults.append("by= is empty; name at least one column")
    if not missing and len(set(keys)) < len(keys):
        faults.append(f"by= names a column twice: {', '.join(map(repr, keys))}")
    if not frame.columns.is_unique:
        faults.append("two columns of the frame have the same name")
    if faults:
        raise DefinitionError(faults)


def _numeric(frame: pd.DataFrame, first: FirstAskings) -> pd.DataFrame:
    import pandas as pd

    parts: dict[str, Any] = {name: floats(frame, name) for name in _NUMBERS}
    parts["sample"] = codes(frame["sample_id"])
    parts["status"] = frame["status"].astype("category").array
    for name in ("latency_s", "ttft_s", "replayed", "timed"):
        parts[name] = getattr(first, name)
    parts |= {kind: pd.NA if found is None else found for kind, found in of_frame(frame).items()}
    return pd.DataFrame(parts, index=pd.RangeIndex(len(frame)))


def _counts(part: pd.DataFrame) -> dict[str, Any]:
    import pandas as pd

    status = part["status"].value_counts()
    counts = {name: int(status.get(name, 0)) for name in ("failed", "partial", "stopped")}
    kinds = {kind: pd.NA if part[kind].isna().any() else int(part[kind].sum()) for kind in KINDS}
    return {"n": len(part), **counts, "replayed": int(part["replayed"].sum()), **kinds}


def _clocks(part: pd.DataFrame) -> dict[str, Any]:
    import numpy as np

    timed = part[part["timed"]]
    row: dict[str, Any] = {"latency_n": len(timed), "latency_before_n": int(timed["replayed"].sum())}
    for clock in ("latency", "ttft"):
        values = timed[f"{clock}_s"].dropna().to_numpy()
        for share in (50, 95):
            row[f"{clock}_p{share}_s"] = float(np.percentile(values, share)) if len(values) else np.nan
    counted = timed[timed["output_tokens"].notna()]
    tokens, seconds = counted.groupby("sample")[["output_tokens", "latency_s"]].mean().sum()
    row["tokens_per_s"] = float(tokens / seconds) if seconds > 0 else np.nan
    return row


def _money(part: pd.DataFrame) -> dict[str, Any]:
    answered = part["status"].isin(("done", "partial"))
    maybe = int(part["maybe_paid"].fillna(0).sum())
    costs = part.loc[answered, "cost_usd"]
    done = part[part["status"] == "done"]
    # Where every answer cost nothing, what may have been paid for did not either.
    free = len(costs) > 0 and bool((costs == 0).all())
    return {
        "input_tokens": part["input_tokens"].sum(min_count=1),
        "output_tokens": part["output_tokens"].sum(min_count=1),
        "cost_usd": _total(part, answered),
        "spent_usd": _total(part[~part["replayed"]], answered),
        "cost_known": bool(costs.notna().all()) and (maybe == 0 or free),
        "cost_per_1k_usd": cost_per_1k(done["cost_usd"], done["sample"]).estimate,
        "maybe_paid": maybe,
    }


def cost_per_1k(costs: ArrayLike, samples: ArrayLike, *, level: float = 0.95) -> Interval:
    """What 1,000 done answers cost (USD): the mean over samples of each sample's mean, with its interval.

    NaN where the cost of one is not known: a mean of what is known would be a price of something else.

    >>> cost_per_1k([0.002, 0.004, 0.003], [0, 0, 1]).estimate
    3.0
    """
    import numpy as np

    from labkit.stats.intervals import Interval, mean_interval

    dollars = np.asarray(costs, dtype=float) * 1000
    if np.isnan(dollars).any():
        return Interval(math.nan, math.nan, math.nan, 0, "not known", level)
    return mean_interval(dollars, samples=samples, level=level)


def _total(part: pd.DataFrame, answered: pd.Series[bool]) -> float:
    # Where nothing was answered nor perhaps paid for, the cost is known: nothing.
    nothing = not answered[part.index].any() and not part["maybe_paid"].fillna(0).any()
    return 0.0 if nothing else float(part["cost_usd"].sum(min_count=1))


def _empty(keys: list[str], names: Sequence[str], rate: float | None) -> pd.DataFrame:
    import pandas as pd

    told = dict.fromkeys(keys, "") | dict.fromkeys((f"score.{name}" for name in names), math.nan)
    row = pd.DataFrame({"status": ["stopped"], "sample_id": [""], **told})
    return summarize(row, by=keys, score=list(names) or None, baseline=rate).iloc[:0]
