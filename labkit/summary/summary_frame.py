"""A summary's frame that shows itself: the table of `show` as its text and its HTML.

It is a pandas frame like any other; what is cut or computed from it is a plain one. Imported only where
pandas is there already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from labkit.summary.show import html, text


class Summary(pd.DataFrame):
    """What `summarize` gives. `attrs["labels"]` names models as tables and charts call them,
    `attrs["intervals"]` says what the intervals are, `attrs["clocks"]` when answers were timed."""

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        return text(self)

    def _repr_html_(self) -> str:
        return html(self)


def as_summary(frame: pd.DataFrame, labels: Any, *, intervals: str, clocks: str) -> Summary:
    """`frame` as a summary whose models are called by `labels` (id → label, or None); `intervals` says what
    its intervals are, `clocks` when its answers were timed."""
    made = Summary(frame)
    made.attrs = {"intervals": intervals, "clocks": clocks} | ({"labels": dict(labels)} if labels else {})
    return made
