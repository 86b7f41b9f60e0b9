"""How far a judge and people agree on single answers, beside people among themselves: in figures.

It reads labels and scores; who was fair is not its matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labkit.arguments import check, sure
from labkit.errors import DefinitionError
from labkit.nearest import listed
from labkit.store import Store
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

PEOPLE = "people with people"
COLUMNS = ("who", "answers", "same", "alpha", "low", "high", "all_alike", "level")
_LABELS = """
    select l.generation_id, l."user", l."value" from labels as l
    where l.scorer = $score and l."value" is not null
        and l.generation_id in (select generation_id from generations where run_id = $run)
    order by l.labelled_at
"""
_SCORES = """
    select generation_id, "value" from scores
    where scorer = $score and "value" is not null
        and generation_id in (select generation_id from generations where run_id = $run)
"""
_KNOWN = """
    select distinct scorer from labels
    where generation_id in (select generation_id from generations where run_id = ?) order by scorer
"""


def label_agreement(run_id: str, score: str | None, store: Store, *, level: float = 0.95) -> pd.DataFrame:
    """One row for the judge with people and, where several labelled, one for people with people. Columns:

    - `who` (str); `answers` (int): those that both have valued
    - `same` (float): the share valued alike; `alpha` (float): Krippendorff's α on an interval scale, with its
      interval at `level`: `low`, `high`; NaN where `all_alike` (bool), since that tells nothing

    Raises `DefinitionError` where nothing of that score was labelled.
    """
    import pandas as pd

    check(sure("level", level))
    with store.complete_opening():
        known = store.table(_KNOWN, [run_id])["scorer"].to_pylist()
        name = score or (known[0] if known else None)
        if name is None or name not in known:
            there = f"labelled are: {listed(str(name), known)}" if known else "nothing is labelled yet"
            said = f"No answer of run {run_id} is labelled by {quoted(name or score)}; {there}."
            raise DefinitionError(f"{said} run.label(…) labels.")
        given: dict[str, Any] = {"run": run_id, "score": name}
        labels = store.table(_LABELS, given).to_pandas()
        scores = store.table(_SCORES, given).to_pandas()
    people = labels.groupby("generation_id", as_index=False)["value"].mean()
    with_judge = pd.concat([people, scores[scores["generation_id"].isin(people["generation_id"])]])
    rows = [_row(f"{name} with people", with_judge, level)] if len(scores) else []
    if labels["user"].nunique(dropna=False) > 1:
        rows.append(_row(PEOPLE, labels, level))
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    found.attrs["score"] = name
    return found


def _row(who: str, values: pd.DataFrame, level: float) -> dict[str, Any]:
    from labkit.stats.agreement import krippendorff_alpha, percent_agreement

    value, unit = values["value"].to_numpy(dtype=float), values["generation_id"].to_numpy(dtype=object)
    alpha = krippendorff_alpha(value, unit, measure="interval", level=level)
    return {
        "who": who,
        "answers": alpha.interval.n,
        "same": percent_agreement(value, unit, level=level).estimate,
        "alpha": alpha.interval.estimate,
        "low": alpha.interval.low,
        "high": alpha.interval.high,
        "all_alike": alpha.all_alike,
        "level": level,
    }
