"""Scoring a run's answers: reads rows, lets the scorers judge, writes score rows, says which scorer failed.

It asks nobody.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from labkit.records import Generation, Sample, Score
from labkit.scoring import Scorer, score
from labkit.scoring.judges import Judge
from labkit.store import Store
from labkit.summary.unscored import failure

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 1_000
_LINES = """
    with recursive
        mine as materialized (select * exclude raw from steps where run_id = $run and step > 0),
        line as (
            select generation_id as chain, parent_id from generations
            where run_id = $run and steps is not null and status = 'done'
            union all
            select line.chain, mine.parent_id from line join mine on mine.generation_id = line.parent_id
        )
    select line.chain, {columns} from line join mine as s on s.generation_id = line.parent_id
    where s.step_name = $step
"""


def mark(
    run_id: str, scorers: Sequence[Scorer], store: Store, *, told: Callable[[Score], None] | None = None
) -> list[str]:
    """Give every finished answer of the run a score by each scorer that asks nobody; a sentence for each that
    failed. `told` hears each score."""
    scorers = [scorer for scorer in scorers if not isinstance(scorer, Judge)]
    if not scorers:
        return []
    writer = store.writer()
    with store.complete_opening():
        samples = store.samples(run_id)
        found = _answers(run_id, store)
        steps = {
            name: _steps(run_id, name, store) for scorer in scorers if (name := scorer.of_step) is not None
        }
    reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)
    whole = [scorer for scorer in scorers if scorer.of_step is None]
    parts = [(scorer, steps[scorer.of_step]) for scorer in scorers if scorer.of_step is not None]
    for generation in _each(found):
        sample, at = (
            samples.get(generation.sample_id, Sample(id=generation.sample_id, fields={})),
            datetime.now(UTC),
        )
        rows = score(whole, generation=generation, sample=sample, at=at)
        for scorer, of_step in parts:
            if (step := of_step.get(generation.generation_id)) is not None:
                rows += score([scorer], generation=step, sample=sample, at=at)
        for row in rows:
            writer.put(row)
            if told is not None:
                told(row)
            if row.error is not None:
                reasons[row.scorer][row.error] += 1
    writer.flush()
    return [_told(name, why, len(found)) for name, why in reasons.items()]


def answers(run_id: str, store: Store) -> Iterator[Generation]:
    """The run's finished answers."""
    return _each(_answers(run_id, store))


def _told(scorer: str, reasons: Counter[str], answers: int) -> str:
    ((reason, _),) = reasons.most_common(1)
    return failure(scorer, answers=answers, failed=reasons.total(), reason=reason, reasons=len(reasons))


def _answers(run_id: str, store: Store) -> pa.Table:
    columns = ", ".join(name for name in Generation.__struct_fields__ if name != "raw")
    return store.table(
        f"select {columns} from generations where run_id = ? and status = 'done'",  # noqa: S608 - our own names
        [run_id],
    )


def _steps(run_id: str, name: str, store: Store) -> dict[str, Generation]:
    """What the step of this name answered, by the generation_id of its chain, which it takes for its own."""
    columns = ", ".join(f's."{column}"' for column in Generation.__struct_fields__ if column != "raw")
    rows = store.table(_LINES.format(columns=columns), {"run": run_id, "step": name}).to_pylist()
    return {
        chain: Generation(**{**row, "generation_id": chain}) for row in rows if (chain := row.pop("chain"))
    }


def _each(table: pa.Table) -> Iterator[Generation]:
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        for row in batch.to_pylist():
            yield Generation(**row)
