"""A run from history as something to look at: its rows, scores, samples, and how long it asked.

It reads a run's frames, that of its steps only where it has chains; how a frame is made it does not know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

from labkit.records import Generation, Score
from labkit.summary.unscored import failures
from labkit.widgets.chain_line import LineOf
from labkit.widgets.live_run import LiveRun

if TYPE_CHECKING:
    import pandas as pd


class Readable(Protocol):
    """A run as it is read once it is over."""

    run_id: str

    @property
    def left(self) -> str | None: ...

    def generations(self, *, steps: bool = False) -> Any: ...


def past_run(run: Readable) -> LiveRun:
    """The run as it stands in the lab: samples, prompts and models in the order of its frame."""
    frame = run.generations()
    answers = _rows(frame)
    wholes = {one.generation_id: one for one in answers if one.steps}
    listed = _rows(run.generations(steps=True)) if wholes else answers
    inputs = [name for name in frame.columns if name.startswith("sample.")]
    once = frame.drop_duplicates("sample_id")
    samples = dict(zip(once["sample_id"], _plain(once[inputs]), strict=True))
    plan = frame.attrs.get("plan") or {}

    def place(one: Generation) -> int:
        return _place(plan.get("models"), one.model)

    contenders = _contenders(sorted(answers, key=place), listed)
    return LiveRun.of(
        [*sorted(listed, key=lambda one: (place(one), one.step)), *sorted(wholes.values(), key=place)],
        scores=list(_scores(frame)),
        took_s=asked_s(listed),
        left=run.left,
        notes=failures(frame.attrs.get("failures")),
        title=_title(frame, len(listed), "model" if contenders is None else "contender"),
        lines=_lines(listed, wholes.values()),
        contenders=contenders,
        prompts=plan.get("prompts") or tuple(dict.fromkeys(frame["prompt"])),
        samples={
            id_: {name.removeprefix("sample."): value for name, value in fields.items() if value is not None}
            for id_, fields in samples.items()
        },
    )


def _rows(frame: pd.DataFrame) -> list[Generation]:
    names = [name for name in Generation.__struct_fields__ if name in frame.columns and name != "raw"]
    return [Generation(**row) for row in _plain(frame[names])]


def _lines(listed: Iterable[Generation], wholes: Iterable[Generation]) -> dict[str, tuple[LineOf, ...]]:
    """Which lines each step is of: a whole names its last step, and each step the one before it."""
    by_id = {one.generation_id: one for one in listed if one.step}
    found: dict[str, tuple[LineOf, ...]] = {}
    for whole in wholes:
        steps: list[Generation] = []
        step = by_id.get(whole.parent_id or "")
        while step is not None:
            steps.append(step)
            step = by_id.get(step.parent_id or "")
        names = tuple(one.step_name or "" for one in reversed(steps))
        for one in steps:
            line = LineOf(whole.generation_id, whole.model, names)
            found[one.generation_id] = (*found.get(one.generation_id, ()), line)
    return found


def _contenders(
    answers: Iterable[Generation], listed: Iterable[Generation]
) -> dict[str, tuple[int, int]] | None:
    """Of each contender how many answers are wanted; None where the contenders are the models."""
    wanted = Counter(one.model for one in answers)
    if wanted.keys() == {one.model for one in listed}:
        return None
    return {name: (count, 0) for name, count in wanted.items()}


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


def _title(frame: pd.DataFrame, requests: int, model: str) -> str:
    counted = {"prompt": "prompt", "model": model, "sample_id": "sample", "repeat": "repeat"}
    counts = {word: int(frame[column].nunique()) for column, word in counted.items()}
    words = " × ".join(f"{count:,} {word}{'' if count == 1 else 's'}" for word, count in counts.items())
    sign = "=" if prod(counts.values()) == len(frame) else "→"
    names = ", ".join(dict.fromkeys(frame["experiment"]))
    asked = frame["started_at"].min()
    when = "" if asked != asked else f"; asked {asked:%Y-%m-%d %H:%M} UTC"
    asks = f"{requests:,} request{'' if requests == 1 else 's'}"
    told = asks if requests == len(frame) else f"{len(frame):,} answers in {asks}"
    return f"{names}: {words} {sign} {told}{when}"


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
