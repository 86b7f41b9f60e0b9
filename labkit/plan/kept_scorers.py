"""The scorers of an earlier run: those that this process still has, built-ins made again, and what is lost.

It reads what the run's launches wrote down. It does not know what is scored with them.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from labkit.run.lab_services import LabServices
from labkit.scoring import Scorer
from labkit.scoring.recipe import made_again
from labkit.scoring.structure import STRUCTURE

_TOLD = """
    select scorer->>'name' as name, scorer::varchar as told from (
        select written_at, unnest(detail->'$.scorers[*]') as scorer from log.run_events where run_id = ?
    ) where (scorer->>'name') is not null order by written_at
"""
_HAD = """
    select distinct scorer from scores
    where generation_id in (select generation_id from generations where run_id = ?)
    order by scorer
"""


class Kept(NamedTuple):
    """What is left of a run's scorers."""

    scorers: tuple[Scorer, ...]
    lost: tuple[str, ...]
    """The names of those that have to be given again."""


def kept_scorers(run_id: str, services: LabServices) -> Kept:
    """The scorers that the run was launched or scored with; of two of one name, the later launch's."""
    store = services.store
    with store.one_opening():
        rows = store.table(_TOLD, [run_id]).to_pylist()
        had = store.table(_HAD, [run_id])["scorer"].to_pylist()
    told = {row["name"]: json.loads(row["told"]) for row in rows}
    here = {one.name: one for one in services.scorers.get(run_id, ())}
    # That of answers in JSON comes with the models that are asked for them.
    names = [name for name in dict.fromkeys([*told, *had]) if name != STRUCTURE]
    found = {name: here.get(name) or made_again(told.get(name, {})) for name in names}
    return Kept(
        tuple(scorer for scorer in found.values() if scorer is not None),
        tuple(name for name, scorer in found.items() if scorer is None),
    )
