"""Why scores are not there: a scorer that failed, one that gave nothing, no scorer, no answer. In sentences.

What it tells of a scorer's failures the lab counted (`attrs["failures"]` of its frames). It knows no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.visible import quoted, visible

if TYPE_CHECKING:
    import pandas as pd


def failure(scorer: str, *, answers: int, failed: int, reason: str, reasons: int) -> str:
    """A scorer that failed, in one sentence: on how many of how many answers, and mostly why.

    >>> failure("dept", answers=60, failed=58, reason="KeyError: 'dept'", reasons=3)
    "scorer 'dept' failed on 58 of 60 answers, mostly: KeyError: 'dept' (and 2 other reasons)"
    """
    head = f"scorer {quoted(scorer)} failed on {failed:,} of {answers:,} answer{'' if answers == 1 else 's'}"
    told = visible(reason, limit=300)
    if reasons == 1:
        return f"{head}: {told}"
    others = f"{reasons - 1:,} other reason{'' if reasons == 2 else 's'}"
    return f"{head}, mostly: {told} (and {others})"


def failures(told: Mapping[str, Mapping[str, Any]] | None, scorers: Sequence[str] | None = None) -> list[str]:
    """A sentence for each scorer that failed, or for those of `scorers`; `told` is a frame's
    `attrs["failures"]`."""
    found = told or {}
    return [failure(name, **found[name]) for name in (found if scorers is None else scorers) if name in found]


def why_none(frame: pd.DataFrame, column: str | None) -> str:
    """Why `column` (`score.<name>`, or None: there is no score) has no value in a frame of generations.

    >>> import pandas as pd
    >>> why_none(pd.DataFrame({"status": ["failed", "failed"]}), None)
    'none of 2 requests got an answer (2 failed; run.generations()["error_message"] tells why)'
    """
    if frame.empty:
        return "nothing was asked yet"
    counts = frame["status"].astype(str).value_counts()
    done = int(counts.get("done", 0))
    if not done:
        kinds = ", ".join(f"{count:,} {status}" for status, count in counts.items())
        chains = "steps" in frame.columns and bool(frame["steps"].notna().all())
        noun, ended = ("chain", "came to an end") if chains else ("request", "got an answer")
        return (
            f"none of {len(frame):,} {noun}{'' if len(frame) == 1 else 's'} {ended} ({kinds}; "
            'run.generations()["error_message"] tells why)'
        )
    if column is None:
        return (
            "nothing was scored: give the plan scorers=[…], or score the answers now: run.score(lk.exact())"
        )
    scorer = column.removeprefix("score.")
    if said := failures(frame.attrs.get("failures"), [scorer]):
        return said[0]
    return f"scorer {quoted(scorer)} gave no value for any of {done:,} answer{'' if done == 1 else 's'}"
