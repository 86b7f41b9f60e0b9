"""The queries behind the frames: filters in, rows out, joined with samples and scores.

It does not open the lab itself, and computes nothing. Which rows there are and what stands beside each is one
query, put together in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import msgspec

from labkit.datasets.dataset import series
from labkit.records import Generation
from labkit.store import filters, originals, plan_order, row_places
from labkit.store.arrow_to_pandas import to_frame
from labkit.store.database import name
from labkit.store.reading import Reading

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

Open = Callable[[], AbstractContextManager[Reading]]
GENERATION_COLUMNS = Generation.__struct_fields__
_RANK = "if(status = 'done', 1152921504606846976, 0) + epoch_us(written_at)"
_COUNTED = (
    "repeat", "attempts", "maybe_paid", "draw", "step", "cells", "done", "failed", "partial", "stopped",
    "replayed", "cost_unknown", "unsettled", "attempt", "version", "position",
)  # fmt: skip
NO_VERDICTS = "run_id not in (select run_id from log.runs where kind = 'judge')"
"""What is true of answers, and not of what judges said of them."""
_STARTED = "coalesce(started_at, written_at)"
# Anything but what Python's `strip` takes away.
_SHOWS = r"[^\s\p{Z}\x{0B}\x{1C}-\x{1F}\x{85}]"
DERIVED = {"empty": f"""status = 'done' and not regexp_matches(coalesce("text", ''), '{_SHOWS}')"""}
"""Columns that are computed where they are asked for by name: a million texts take long to come over."""
_SAMPLES = """
with
    wanted as (select distinct * from ({rows})),
    of_run as (
        select run_id, any_value(dataset) as dataset
        from log.runs where run_id in (select run_id from wanted) group by run_id
    )
select run_id, sample_id, s.fields
from wanted join of_run using (run_id) join log.samples as s using (dataset, sample_id)
order by dataset, s.position, s.rowid
"""
_SCORES = """
select scorer, g.rowid as of_row, "value", low, high, step, error, epoch_us(s.written_at) as written
from log.scores as s join ({rows}) as g using (generation_id)
"""
_LABELS = """
select
    scorer, g.rowid as of_row, avg("value") filter (where chance is not null) as "value",
    count(*) filter (where chance is not null and "value" is not null) as drawn,
    count(*) filter (where chance is null and "value" is not null) as chosen,
    list(distinct "user") as people
from labels join ({rows}) as g using (generation_id)
group by scorer, of_row
"""
PREFIXES = ("sample.", "score.", "label.", "first.")


def generations(
    opened: Open,
    *,
    run: Any = None,
    experiment: Any = None,
    model: Any = None,
    prompt: Any = None,
    workspace: Any = None,
    status: Any = None,
    since: Any = None,
    until: Any = None,
    limit: int | None = None,
    columns: Sequence[str] | None = None,
    steps: bool = False,
) -> pd.DataFrame:
    """One row per generation, or per step: see `Store.generations`."""
    known = (*GENERATION_COLUMNS, *DERIVED)
    wanted = filters.columns(columns, known=known, prefixes=PREFIXES)
    # These never change within a generation, so they may cut the rows before the latest is looked for.
    fixed, fixed_params = filters.names(
        {"run_id": run, "experiment": experiment, "model": model, "prompt": prompt, "workspace": workspace}
    )
    later, later_params = filters.names({"status": status})
    timed, timed_params = filters.times(_STARTED, since=since, until=until)
    most = filters.limit(limit)
    own = [column for column in (GENERATION_COLUMNS if wanted is None else wanted) if "." not in column]
    joined = {
        prefix for prefix in PREFIXES if wanted is None or any(column.startswith(prefix) for column in wanted)
    }
    # Of a million rows the identities alone take longer to read than all numbers.
    identities = ["run_id", "sample_id"] if "sample." in joined else []
    one_run = isinstance(run, str) and bool(filters.texts({"run_id": run})["run_id"])
    grain = "steps is null" if steps else "coalesce(step, 0) = 0"
    before = " and ".join([*fixed, grain, *([] if one_run else [NO_VERDICTS])])
    in_plan = one_run and most is None
    latest = f"select max_by(rowid, {_RANK}) from log.generations where {before} group by generation_id"  # noqa: S608
    # Of a hash, which is quicker: two cells that shared one would only be looked at more closely.
    counted = "count(*), count(distinct hash(generation_id)), count(replayed_from)"
    counts = f"select {counted} from log.generations where {before}"  # noqa: S608 - bound
    with opened() as reading:
        rows_there, cells, replayed = reading.connection.execute(counts, fixed_params).fetchone() or (0, 0, 0)
        # Where every cell has one row, as in most runs, there is none to leave out, and all come in order.
        several = rows_there != cells
        replays = "first." in joined and replayed > 0
        also = [*(originals.READ if replays else ()), *(plan_order.COLUMNS if in_plan else ("written_at",))]
        read = dict.fromkeys([*own, *identities, *also, "rowid"])
        newer = [f"rowid in ({latest})"] if several else []
        chosen = " and ".join([before, *newer, *later, *timed])
        if most is not None:
            # Which rows is settled over two narrow columns; only those are then read whole.
            newest = f"select rowid from log.generations where {chosen} order by written_at desc limit {most}"  # noqa: S608
            chosen = f"rowid in ({newest})"
        params = [*fixed_params, *(fixed_params if several else ()), *later_params, *timed_params]

        def rows(columns: Iterable[str]) -> str:
            return f"select {', '.join(columns)} from log.generations where {chosen}"  # noqa: S608 - bound

        shown = [f"{DERIVED[column]} as {column}" if column in DERIVED else name(column) for column in read]
        table = reading.connection.execute(rows(shown), params).to_arrow_table()
        parts = [to_frame(table.select(own), never_missing=_COUNTED)] if own else []
        if "sample." in joined:
            of_rows = rows(identities)
            samples = reading.connection.execute(_SAMPLES.format(rows=of_rows), params).to_arrow_table()
            parts.append(_sample_columns(table, samples, wanted))
        if "first." in joined:
            clocks = originals.clocks(reading.connection, rows, params) if replays else None
            parts.append(originals.first_askings(table, clocks))
        plan = plan_order.planned(reading.connection, run) if one_run else None
        if "score." in joined:
            of_rows = rows(("generation_id", "rowid"))
            scores = reading.connection.execute(_SCORES.format(rows=of_rows), params).to_arrow_table()
            parts.append(_score_columns(table, scores, plan["scorers"] if plan is not None else ()))
        if "label." in joined:
            of_rows = rows(("generation_id", "rowid"))
            labels = reading.connection.execute(_LABELS.format(rows=of_rows), params).to_arrow_table()
            parts.append(_label_columns(table, labels))
        if plan is not None and in_plan:
            names = plan["prompts"], plan["models"]
            places = plan_order.places(reading.connection, run, table, *names)
        else:
            places = _in_time(table["written_at"], down=most is not None)
    import numpy as np
    import pandas as pd

    frame = pd.concat(parts, axis=1) if len(parts) > 1 else parts[0]
    frame.attrs = {name: told for part in parts for name, told in part.attrs.items()}
    frame.attrs |= {} if plan is None else {"plan": plan}
    if wanted is not None:
        frame = frame.reindex(columns=filters.matching(wanted, frame.columns))
    if not bool((np.diff(places) == 1).all()):  # rows mostly lie in their order: then nothing is moved
        frame = frame.iloc[places].reset_index(drop=True)
    return _announced(frame, reading)


def _in_time(written_at: pa.ChunkedArray, *, down: bool) -> NDArray[np.intp]:
    """The places of the rows by when they were written."""
    import numpy as np

    written = written_at.to_numpy().view("int64")
    return np.argsort(-written if down else written, kind="stable")


def _sample_columns(table: pa.Table, samples: pa.Table, wanted: Sequence[str] | None) -> pd.DataFrame:
    """The dataset's own columns, or those of them that are wanted, for each row, by its run and sample."""
    import pandas as pd

    texts = samples["fields"].combine_chunks().dictionary_encode()
    decoded = [msgspec.json.decode(text) for text in texts.dictionary.to_pylist()]
    fields = dict.fromkeys(field for names in dict.fromkeys(map(tuple, decoded)) for field in names)
    read = {f"sample.{field}": field for field in fields}
    if wanted is not None:
        read = {name: read[name] for name in filters.matching(wanted, read) if name in read}
    columns = {name: series([one.get(field) for one in decoded]) for name, field in read.items()}
    frame = pd.DataFrame(columns, index=range(len(decoded)))
    return frame.reindex(_places(table, samples, texts.indices)).reset_index(drop=True)


def _places(table: pa.Table, samples: pa.Table, number: pa.Array) -> NDArray[np.intp]:
    """For each row the `number` of its run's sample, −1 where it has none. A sample that was written twice is
    as it was first, as in the view `samples`."""
    import numpy as np
    import pyarrow.compute as pc

    if not len(samples):
        return np.full(len(table), -1)
    pairs = []
    for side in (samples, table):
        codes = []
        for of in ("run_id", "sample_id"):
            known = pc.unique(samples[of])
            names = side[of].combine_chunks().dictionary_encode(null_encoding="encode")
            code = pc.index_in(names.dictionary, value_set=known).fill_null(-1).to_numpy().astype(np.int64)
            codes.append((code[names.indices.to_numpy()], len(known)))
        (runs, _), (ids, width) = codes
        pairs.append(np.where((runs < 0) | (ids < 0), -1, runs * width + ids))
    known_pairs, first = np.unique(pairs[0], return_index=True)
    at = row_places.at(known_pairs, pairs[1])
    found = number.to_numpy().astype(np.intp)[first[at]]
    return np.where(at < 0, -1, found)


def _score_columns(table: pa.Table, scores: pa.Table, planned: Sequence[str]) -> pd.DataFrame:
    """The value of each scorer for each row: as planned, then others by when they scored first. In `attrs`:
    `scales`, what each declared of its values, and `failures`, where it failed."""
    import numpy as np
    import pandas as pd

    # Of several values of one scorer the last to be written is the one that stays.
    scores = row_places.oldest_first(scores)
    scorer = scores["scorer"].combine_chunks().dictionary_encode()
    code, value = scorer.indices.to_numpy(zero_copy_only=False), scores["value"].to_numpy()
    row = row_places.at(table["rowid"].to_numpy(), scores["of_row"].to_numpy())
    columns, scales, failures = {}, {}, {}
    declared = [scores[name].to_numpy() for name in ("low", "high", "step")]
    errors = scores["error"].combine_chunks().dictionary_encode()
    reasons, reason = errors.dictionary, errors.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    # The dictionary has each where it is met first.
    names = scorer.dictionary.to_pylist()
    stands = {name: at for at, name in enumerate(dict.fromkeys([*planned, *names]))}
    for number, scored_by in sorted(enumerate(names), key=lambda one: stands[one[1]]):
        mine = np.flatnonzero(code == number)
        latest = np.full(len(table), -1)
        latest[row[mine]] = mine
        marked = np.flatnonzero(latest >= 0)
        kept = latest[marked]
        filled = np.full(len(table), np.nan)
        filled[marked] = value[kept]
        columns[f"score.{scored_by}"] = filled
        scored = kept[~np.isnan(filled[marked])]
        if (scale := _agreed([of[scored] for of in declared])) is not None:
            scales[scored_by] = scale
        told, times = np.unique(reason[kept[reason[kept] >= 0]], return_counts=True)
        if len(told):
            failures[scored_by] = {
                "answers": len(kept),
                "failed": int(times.sum()),
                "reason": reasons[int(told[times.argmax()])].as_py(),
                "reasons": len(told),
            }
    found = pd.DataFrame(columns, index=range(len(table)))
    found.attrs |= {"scales": scales, "failures": failures}
    return found


def _label_columns(table: pa.Table, labels: pa.Table) -> pd.DataFrame:
    """What people said of each row, by score: the mean over people, of rows that labkit drew. In `attrs`:
    `labelled`, by score how many answers were `drawn` or `chosen` by hand, and by how many `people`."""
    import numpy as np
    import pandas as pd

    columns: dict[str, Any] = {}
    told: dict[str, dict[str, Any]] = {}
    at = row_places.at(table["rowid"].to_numpy(), labels["of_row"].to_numpy())
    for place, row in zip(at, labels.to_pylist(), strict=True):
        name = row["scorer"]
        filled = columns.setdefault(f"label.{name}", np.full(len(table), np.nan))
        filled[place] = np.nan if row["value"] is None else row["value"]
        of = told.setdefault(name, {"drawn": 0, "chosen": 0, "people": set()})
        of["drawn"] += row["drawn"] > 0
        of["chosen"] += row["drawn"] == 0 and row["chosen"] > 0
        of["people"].update(row["people"])
    found = pd.DataFrame(columns, index=range(len(table)))
    if told:
        labelled = {name: of | {"people": len(of["people"])} for name, of in told.items()}
        found.attrs["labelled"] = labelled
    return found


def _agreed(declared: Sequence[NDArray[np.float64]]) -> tuple[float | None, ...] | None:
    """Lowest, highest and step where all scores were declared alike; else None."""
    import numpy as np

    same = (np.array_equal(of, np.broadcast_to(of[:1], of.shape), equal_nan=True) for of in declared)
    if not len(declared[0]) or not all(same):
        return None
    told = [None if np.isnan(of[0]) else float(of[0]) for of in declared]
    return None if told == [None] * 3 else tuple(told)


def select(
    opened: Open,
    view: str,
    *,
    named: dict[str, Any],
    time: str | None = None,
    since: Any = None,
    until: Any = None,
    limit: int | None = None,
    order: str,
    where: str = "true",
    params: Sequence[Any] = (),
) -> pd.DataFrame:
    """The rows of one of labkit's own views. `order` is by time, oldest first; with `limit` newest first."""
    conditions, bound = filters.names(named)
    timed, timed_params = filters.times(time, since=since, until=until) if time else ([], [])
    most = filters.limit(limit)
    query = f"from {view} where {' and '.join([where, *conditions, *timed])} order by " + (
        order if most is None else f"{order} desc limit {most}"
    )
    with opened() as reading:
        table = reading.connection.execute(query, [*params, *bound, *timed_params]).to_arrow_table()
    return _announced(to_frame(table, never_missing=_COUNTED), reading)


def with_live_status(
    frame: pd.DataFrame, is_driven: Callable[[str], bool], status: Any, limit: int | None
) -> pd.DataFrame:
    """Runs with `running` as the status of those that are driven now; then filtered, then the newest."""
    chosen = filters.texts({"status": status}).get("status")
    most = filters.limit(limit)
    for row, (run_id, known) in enumerate(zip(frame["run_id"], frame["status"], strict=True)):
        if known == "unfinished" and is_driven(run_id):
            frame.loc[row, "status"] = "running"
    if chosen is not None:
        frame = frame[frame["status"].isin(chosen)]
    if most is not None:
        frame = frame.iloc[::-1].head(most)
    return frame.reset_index(drop=True)


def of_runs(run: Any) -> tuple[str, list[Any]]:
    """A condition, and its parameters, that a row's generation is of one of these runs."""
    conditions, params = filters.names({"run_id": run})
    if not conditions:
        return "true", []
    generations_of = f"select generation_id from log.generations where {conditions[0]}"  # noqa: S608 - bound
    return f"generation_id in ({generations_of})", params


def _announced(frame: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    frame.attrs |= reading.announce()
    return frame
