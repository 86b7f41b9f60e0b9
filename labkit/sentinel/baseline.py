"""The baseline of a sentinel: answers that somebody accepted, by whom, when and why; all that there were,
kept.

It is accepted, never taken: no run becomes one by being the latest. It does not know what is held against it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from labkit.errors import DefinitionError
from labkit.identity import new_run_id
from labkit.run import Run
from labkit.sentinel.finding import SCORE
from labkit.sentinel.rows import COLUMNS, FEWEST_ROWS, answered_each, contenders, fresh, means, of, scores
from labkit.store import Store
from labkit.store.definition_records import BaselineRecord
from labkit.summary.show import three_digits
from labkit.visible import visible

if TYPE_CHECKING:
    import pandas as pd

MOST_TOLD = 12
"""Prompts and models of which it is told what was accepted."""
LEAST_ANSWERS = 3
"""With fewer of each row, the luck of the baseline counts every night."""
_ALL = """
    select baseline_id, baseline, run_ids::varchar as run_ids, answers_each, content::varchar as content,
        forced, why, accepted_at, "user", holds
    from baselines where workspace = ? and sentinel = ?
"""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Accepted answers, as a sentinel knows them."""

    baseline_id: str
    name: str
    run_ids: tuple[str, ...]
    answers_each: int
    content: Mapping[str, str]
    """Hashes of what was accepted: see `content_of`."""

    def changed(self, rows: pd.DataFrame) -> set[str]:
        """What of its answers (`answers`) and scores (`score.<name>`) is not as it was accepted."""
        now = content_of(rows)
        return {name for name, was in self.content.items() if now.get(name) != was}


def history(store: Store, *, workspace: str, sentinel: str) -> pd.DataFrame:
    """All baselines that a sentinel had, oldest first: `baseline_id`, `baseline` (its name), `run_ids`
    (list), `answers_each` (of a row on a prompt and model), `forced`, `why`, `accepted_at` (UTC), `user`,
    `holds` (False: another took its name)."""
    frame: pd.DataFrame = store.table(_ALL, [workspace, sentinel]).to_pandas()
    return frame.assign(run_ids=[json.loads(told) for told in frame["run_ids"]])


def current(store: Store, *, workspace: str, sentinel: str, name: str | None) -> Baseline | None:
    """The baseline of that name that holds, or the latest of any; None where there is none."""
    rows = store.table(_ALL, [workspace, sentinel]).to_pylist()
    held = [row for row in rows if row["holds"] and name in (None, row["baseline"])]
    return _baseline(held[-1]) if held else None


def _baseline(row: dict[str, Any]) -> Baseline:
    return Baseline(
        baseline_id=row["baseline_id"],
        name=row["baseline"],
        run_ids=tuple(json.loads(row["run_ids"])),
        answers_each=row["answers_each"],
        content=json.loads(row["content"]),
    )


def content_of(rows: pd.DataFrame) -> dict[str, str]:
    """A hash of which answers there are (`answers`), and one of each score (`score.<name>`): a run that grows
    or is scored anew after it was accepted is another baseline."""
    ids = rows["generation_id"].astype(str)
    columns = {"answers": rows["status"], **{name: rows[name] for name in scores(rows)}}
    return {name: _hash(zip(ids, values, strict=True)) for name, values in columns.items()}


def _hash(pairs: Iterable[tuple[str, Any]]) -> str:
    lines = sorted(f"{generation_id} {value!r}\n" for generation_id, value in pairs)
    return hashlib.blake2b("".join(lines).encode(), digest_size=16).hexdigest()


def accept(
    runs: Sequence[Run],
    store: Store,
    *,
    workspace: str,
    sentinel: str,
    name: str | None,
    user: str | None,
    why: str | None,
    force: bool,
    now: datetime,
) -> str:
    """Keep the runs' answers as the baseline of a name, by default the day, and say what was accepted. The
    same runs under the same name once more change nothing. Raises `DefinitionError` for runs that are none to
    hold others against."""
    if not runs:
        raise DefinitionError("There is no run to accept; give at least one: watch.accept(run).")
    runs = list({run.run_id: run for run in runs}.values())  # one that is given twice is no second repeat
    run_ids = tuple(run.run_id for run in runs)
    named = name or _dated(run_ids, store, workspace=workspace, sentinel=sentinel, now=now)
    rows = joined(runs, COLUMNS)
    frames = [rows[rows["run_id"] == run_id] for run_id in run_ids]
    each = _answers_each(rows)
    faults = [fault for run, frame in zip(runs, frames, strict=True) for fault in _faults(run, frame)]
    faults += _not_the_same(frames)
    if each < LEAST_ANSWERS:
        faults.append(
            f"its rows have {each} {'answer' if each == 1 else 'answers'} each, and a baseline needs "
            f"{LEAST_ANSWERS}, better 5 (repeats=5), or several nights: watch.accept(*runs)"
        )
    never = _too_few(frames)
    if (faults and not force) or never:
        unless = "" if never else " If it is to be one all the same: force=True."
        raise DefinitionError(
            [f"{', '.join(run_ids)} cannot be a baseline: {fault}.{unless}" for fault in [*never, *faults]]
        )
    have = current(store, workspace=workspace, sentinel=sentinel, name=named)
    if have is not None and have.run_ids == run_ids and not have.changed(rows):
        return _told(have, rows)
    record = BaselineRecord(
        baseline_id=new_run_id(),
        sentinel=sentinel,
        workspace=workspace,
        baseline=named,
        run_ids=list(run_ids),
        answers_each=each,
        content=content_of(rows),
        forced=bool(faults),
        why=why,
        accepted_at=now,
        user=user,
    )
    writer = store.writer()
    writer.put(record)
    writer.flush()
    held = Baseline(
        baseline_id=record.baseline_id,
        name=named,
        run_ids=run_ids,
        answers_each=record.answers_each,
        content=record.content,
    )
    return _told(held, rows)


def _told(held: Baseline, rows: pd.DataFrame) -> str:
    """What was accepted, in a few lines: a baseline that nobody looked at is soon a wrong one."""
    answers = fresh(rows)
    lines = [f"baseline {visible(held.name)} accepted: {held.answers_each} answers of each row"]
    for one in contenders(answers)[:MOST_TOLD]:
        mine = of(answers, one)
        average = {name.removeprefix(SCORE): means(mine, name).mean() for name in scores(mine)}
        scored = [f"{visible(name, limit=40)} {three_digits(mean)}" for name, mean in average.items()]
        cut = int((mine["stop_reason"] == "max_tokens").sum())
        said = [*scored, f"{mine['sample_id'].nunique():,} rows"]
        said += [f"{cut:,} of {len(mine):,} answers ended at max_tokens"] if cut else []
        lines.append(f"  {visible(' · '.join(one), limit=100)}: {', '.join(said)}")
    return "\n".join(lines)


def _dated(run_ids: Sequence[str], store: Store, *, workspace: str, sentinel: str, now: datetime) -> str:
    """The day, with a number where other answers have its name already."""
    day = f"{now.astimezone(UTC):%Y-%m-%d}"
    taken = {
        row["baseline"]
        for row in store.table(_ALL, [workspace, sentinel]).to_pylist()
        if tuple(json.loads(row["run_ids"])) != run_ids
    }
    return next(
        name for name in chain([day], (f"{day}-{number}" for number in count(2))) if name not in taken
    )


def _faults(run: Run, frame: pd.DataFrame) -> list[str]:
    faults = []
    if (status := run.status) != "finished":
        faults.append(f"run {run.run_id} is {status}, not finished")
    if replays := int(frame["replayed_from"].notna().sum()):
        faults.append(
            f"{replays:,} of {len(frame):,} answers of run {run.run_id} are replays; ask fresh=True"
        )
    return faults


def _not_the_same(frames: Sequence[pd.DataFrame]) -> list[str]:
    """Repeats of one are answers to the same."""
    columns = ["prompt", "model", "prompt_version"]
    asked = {frozenset(frame[columns].itertuples(index=False, name=None)) for frame in frames}
    if len(asked) < 2:
        return []
    return ["its runs did not ask the same prompts, in the same versions, on the same models"]


def _too_few(frames: Sequence[pd.DataFrame]) -> list[str]:
    rows = {sample for frame in frames for sample in frame.loc[frame["status"] == "done", "sample_id"]}
    if len(rows) >= FEWEST_ROWS:
        return []
    return [f"it has answers for {len(rows)} rows, and fewer than {FEWEST_ROWS} show nothing"]


def _answers_each(rows: pd.DataFrame) -> int:
    """Of the prompt and model that has the fewest."""
    answers = fresh(rows)
    return min((round(answered_each(answers, one)) for one in contenders(answers)), default=0)


def joined(runs: Sequence[Run], columns: Sequence[str]) -> pd.DataFrame:
    """The answers of several runs as repeats of one; `attrs` are the first's."""
    import pandas as pd

    frames = [run.generations(columns=columns) for run in runs]
    whole = pd.concat(frames, ignore_index=True)
    whole.attrs = dict(frames[0].attrs)
    return whole
