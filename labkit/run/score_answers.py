"""Scoring a run's answers: reads rows, lets the scorers judge, writes score rows. It asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from labkit.records import Generation, Sample, Score
from labkit.scoring import Scorer, score
from labkit.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 1_000


def mark(
    run_id: str, scorers: Sequence[Scorer], store: Store, *, told: Callable[[Score], None] | None = None
) -> int:
    """Give every finished answer of the run a score by each scorer; returns how many rows were written.
    `told` hears each score."""
    if not scorers:
        return 0
    writer = store.writer()
    with store.complete_opening():
        samples = store.samples(run_id)
        answers = _answers(run_id, store)
    written = 0
    for generation in _each(answers):
        sample = samples.get(generation.sample_id, Sample(id=generation.sample_id, fields={}))
        for row in score(scorers, generation=generation, sample=sample, at=datetime.now(UTC)):
            writer.put(row)
            written += 1
            if told is not None:
                told(row)
    writer.flush()
    return written


def _answers(run_id: str, store: Store) -> pa.Table:
    columns = ", ".join(name for name in Generation.__struct_fields__ if name != "raw")
    return store.table(
        f"select {columns} from generations where run_id = ? and status = 'done'",  # noqa: S608 - our own names
        [run_id],
    )


def _each(table: pa.Table) -> Iterator[Generation]:
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        for row in batch.to_pylist():
            yield Generation(**row)
