"""What the columns of a printed summary mean, a line each, of those that are shown.

It knows the headers' words and nothing of the numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.summary.show import headers

if TYPE_CHECKING:
    import pandas as pd

MEANINGS = {
    "n": "cells: how often each prompt was put to each model",
    "failed": "calls that gave no answer",
    "partial": "answers that broke off while they came",
    "stopped": "calls that were stopped before they answered",
    "replayed": "answers that the lab had already, and nobody was asked for",
    "maybe paid": "calls that may have been paid for without giving an answer",
    "cut": "answers that ended at max_tokens",
    "empty": "answers without any text",
    "score": "mean score of the answers; in brackets the range in which the true mean lies",
    "rank": "between which places each lies",
    "chance of being best": "how probable it is that this one is the best of all",
    "above baseline": "whether it is shown to be better than always giving the same answer",
    "latency": "from sending a request to the end of its answer, waiting in our queue left out",
    "TTFT": "time to first token: from sending a request to the first text of its answer",
    "tokens per s": "tokens written per second of latency",
    "cost": "what these answers cost when they were asked",
    "USD per 1,000": "what a thousand such answers cost",
}
"""By the first words of a header."""
PERCENTILES = "p50, p95: half of the answers took no longer, and 95 of 100"


def legend(summary: pd.DataFrame) -> list[str]:
    """A line for each column of `summary` that `text` shows, but for those it is grouped by.

    >>> import pandas as pd
    >>> from labkit.summary.summarize import summarize
    >>> rows = pd.DataFrame({"model": "m", "sample_id": ["1", "2"], "status": "done", "score.ok": [1, 0]})
    >>> legend(summarize(rows, by="model"))[1]
    'failed         calls that gave no answer'
    """
    shown = headers(summary)
    told = [name for name in MEANINGS if any(_begins(header, name) for header in shown)]
    width = max(map(len, told), default=0)
    lines = [f"{name:{width}}  {MEANINGS[name]}" for name in told]
    return [*lines, PERCENTILES] if any("p50" in header for header in shown) else lines


def _begins(header: str, name: str) -> bool:
    return header == name or header.startswith(f"{name} ")
