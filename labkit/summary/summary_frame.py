"""A summary's frame that shows itself: the table of `show` as its text and its HTML.

It is a pandas frame like any other; what is cut or computed from it is a plain one. Imported only where
pandas is there already.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from labkit.summary.show import html, text


class Summary(pd.DataFrame):
    """What `summarize` gives. In `attrs`: `labels` names models as tables and charts call them, `intervals`
    says by scorer what its intervals are, `clocks` when answers were timed, `failures` where scorers failed,
    `judges` what is to be known of judges, `labelled` what people labelled, and `others` names scores that
    are not told of."""

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        return text(self)

    def _repr_html_(self) -> str:
        return html(self)


def as_summary(
    frame: pd.DataFrame,
    attrs: Mapping[Any, Any],
    *,
    intervals: Mapping[str, str],
    clocks: str,
    others: Sequence[str],
) -> Summary:
    """`frame` as a summary of a frame of generations with these `attrs`; `clocks` says when its answers were
    timed."""
    kept: dict[Hashable, Any] = {
        name: attrs[name] for name in ("labels", "failures", "judges", "labelled") if attrs.get(name)
    }
    made = Summary(frame)
    made.attrs = {**kept, "intervals": dict(intervals), "clocks": clocks, "others": list(others)}
    return made
