"""A run from history as something to look at: its rows, scores, samples, and how long it asked.

It reads a run's frame and nothing else; how a frame is made it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

from labkit.records import Generation, Score
from labkit.summary.unscored import failures
from labkit.widgets.live_run import LiveRun

if TYPE_CHECKING:
    import pandas as pd


class Readable(Protocol):
    """A run as it is read once it is over."""

    run_id: str

    @property
    def left(self) -> str | None: ...

    def generations(self) -> Any: ...


def past_run(run: Readable) -> LiveRun:
    """The run as it stands in the lab: samples, prompts and models in the order of its frame."""
    frame = run.generations()
    names = [name for name in Generation.__struct_fields__ if name in frame.columns and name != "raw"]
    listed = [Generation(**row) for row in _plain(frame[names])]
    inputs = [name for name in frame.columns if name.startswith("sample.")]
    once = frame.drop_duplicates("sample_id")
    samples = dict(zip(once["sample_id"], _plain(once[inputs]), strict=True))
    plan = frame.attrs.get("plan") or {}
    return LiveRun.of(
        sorted(listed, key=lambda one: _place(plan.get("models"), one.model)),
        scores=list(_scores(frame)),
        took_s=asked_s(listed),
        left=run.left,
        notes=failures(frame.attrs.get("failures")),
        title=_title(frame),
        prompts=plan.get("prompts") or tuple(dict.fromkeys(frame["prompt"])),
        samples={
            id_: {name.removeprefix("sample."): value for name, value in fields.items() if value is not None}
            for id_, fields in samples.items()
        },
    )


def asked_s(generations: Iterable[Generation]) -> float:
    """How many seconds anything was being asked, retries and what was waited for them included.

    Gaps between two launches of a run are none of it; neither is what was only replayed.
    """
    spans = []
    for one in generations:
        if one.started_at is not None and one.latency_s is not None and one.replayed_from is None:
            start_s = one.started_at.timestamp()
            spans.append((start_s - (one.retry_s or 0.0), start_s + one.latency_s))
    asked, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        asked += max(0.0, end - max(start, until))
        until = max(until, end)
    return asked


def _title(frame: pd.DataFrame) -> str:
    counted = {"prompt": "prompt", "model": "model", "sample_id": "sample", "repeat": "repeat"}
    counts = {word: int(frame[column].nunique()) for column, word in counted.items()}
    words = " × ".join(f"{count:,} {word}{'' if count == 1 else 's'}" for word, count in counts.items())
    sign = "=" if prod(counts.values()) == len(frame) else "→"
    names = ", ".join(dict.fromkeys(frame["experiment"]))
    asked = frame["started_at"].min()
    when = "" if asked != asked else f"; asked {asked:%Y-%m-%d %H:%M} UTC"
    return f"{names}: {words} {sign} {len(frame):,} request{'' if len(frame) == 1 else 's'}{when}"


def _scores(frame: pd.DataFrame) -> Iterator[Score]:
    scales, now = frame.attrs.get("scales") or {}, datetime.now(UTC)
    done = frame[frame["status"] == "done"]
    for column in (name for name in frame.columns if name.startswith("score.")):
        scorer = column.removeprefix("score.")
        low, high, step = scales.get(scorer) or (None, None, None)
        for generation_id, value in zip(done["generation_id"], done[column], strict=True):
            yield Score(
                generation_id=generation_id,
                scorer=scorer,
                value=None if value != value else float(value),
                scored_at=now,
                low=low,
                high=high,
                step=step,
            )


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    found: list[Any] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return found


def _place(names: list[str] | None, name: str) -> int:
    return names.index(name) if names and name in names else len(names or ())
