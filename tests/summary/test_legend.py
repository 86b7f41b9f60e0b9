"""labkit.summary.legend: what the columns of a printed summary mean."""

from __future__ import annotations

from typing import Any

import pandas as pd

from labkit.summary import legend, summarize
from labkit.summary.legend import MEANINGS, PERCENTILES, _begins
from labkit.summary.show import headers

ROWS = pd.DataFrame({"model": "m", "sample_id": ["1", "2"], "status": "done", "score.ok": [1.0, 0.0]})


def every_column() -> Any:
    """A summary with each column that a summary may show."""
    found = summarize(ROWS, by="model", baseline=0.5, bounds=(0, 1), step=1)
    for name in ("failed", "partial", "stopped", "replayed", "maybe_paid"):
        found[name] = 1
    return found.assign(rank_low=1, rank_high=2, best_chance=0.5)


def test_every_column_that_can_be_shown_has_a_line() -> None:
    """No header of the widest table is left without its meaning."""
    shown = headers(every_column())[1:]
    assert len(shown) > 14
    assert not [header for header in shown if not any(_begins(header, name) for name in MEANINGS)]


def test_only_columns_that_are_shown_are_told() -> None:
    """Without scores, ranks and replays there is no line of them; what a percentile is comes last."""
    few = [line.split("  ")[0] for line in legend(summarize(ROWS.drop(columns="score.ok"), by="model"))]
    assert few[:2] == ["n", "failed"]
    assert not {"score", "rank", "replayed", "above baseline"} & set(few)
    told = legend(every_column())
    assert len(told) > len(few)
    assert told[-1] == PERCENTILES
