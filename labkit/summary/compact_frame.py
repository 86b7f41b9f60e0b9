"""A frame cut to what comparisons and summaries read, names as codes: so a million rows stay quick.

It changes no value and drops no row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labkit.store.filters import matching
from labkit.summary.contender_table import OTHERS
from labkit.summary.cut_answers import of_frame

if TYPE_CHECKING:
    import pandas as pd

READ = (
    "prompt", "model", "provider", "sample_id", "repeat", "status", "latency_s", "ttft_s", "input_tokens",
    "output_tokens", "cost_usd", "maybe_paid", "attempts", "replayed_from", "started_at", "in_flight",
    "steps", "first.*",
)  # fmt: skip

WHOLE = ("stop_reason", "empty")
"""By which answers are found that are not whole: charts do without, since `empty` looks at every text."""

FIGURES = (*READ, *WHOLE, "sample.*", "score.*", "label.*")
"""What to ask a lab for where it is to be summed up or compared: texts take longest to read."""


def compact(frame: pd.DataFrame, *also: str | None) -> pd.DataFrame:
    """The columns that `summarize`, `contender_table` and charts read, and those named in `also`; with a
    score what people said in its place.

    Prompts, models, providers and status become categories and samples whole numbers; of texts it stays
    whether they are `empty`; `attrs` are kept.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"model": ["b", "a"], "sample_id": ["x", "x"], "status": "done", "text": "long"})
    >>> compact(rows).columns.tolist(), compact(rows)["sample_id"].tolist()
    (['model', 'sample_id', 'status', 'empty'], [0, 0])
    """
    import pandas as pd

    labels = [f"label.{name.removeprefix('score.')}" for name in also if name and name.startswith("score.")]
    named = [name for name in (*READ, *WHOLE, OTHERS, *also, *labels) if name is not None]
    wanted = matching(named, frame.columns)
    cut = frame[[name for name in wanted if name in frame.columns]].reset_index(drop=True)
    changed: dict[str, Any] = {}
    for name in ("prompt", "model", "provider", "status"):
        if name in cut.columns:
            codes, values = pd.factorize(cut[name], sort=True)
            changed[name] = pd.Categorical.from_codes(codes, pd.Index([str(value) for value in values]))
    if "sample_id" in cut.columns:
        changed["sample_id"] = pd.factorize(cut["sample_id"], use_na_sentinel=False)[0]
    if "text" in frame.columns and "status" in frame.columns:
        changed["empty"] = of_frame(frame)["empty"]
    found = cut.assign(**changed)
    found.attrs = dict(frame.attrs)
    return found
