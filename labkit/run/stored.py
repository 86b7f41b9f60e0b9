"""What the lab has of a design when a launch begins: its prompts' versions, samples, answers, spending.

All of it is read in one opening of the lab, which also numbers prompts that are new. It asks nobody, and
does not know what the launch makes of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from labkit.design import Design, Place
from labkit.records import Generation
from labkit.run import replaying
from labkit.run.earlier import Earlier
from labkit.run.lab_services import LabServices
from labkit.store import Store
from labkit.store.database import name

_STEPS = "select {columns} from steps where run_id = ? and status = 'done' and step > 0"
_SUMMED = "select generation_id from generations where run_id = ? and status = 'done' and steps is not null"


class Stored(NamedTuple):
    """What the lab has of one design, and which of its places are still to be settled."""

    versions: Mapping[str, int]
    """Of each prompt, by name."""
    has_samples: bool
    missing: Sequence[Place]
    """Those that are not done; in a new run all."""
    earlier: Earlier
    answers: replaying.Answers | None
    """What may be replayed; None: everything is asked anew."""
    steps: Mapping[tuple[Any, ...], Generation] = {}
    """The answers that this run has of the steps of its chains, by where."""
    summed: frozenset[str] = frozenset()
    """The generation_ids of its chains that are done."""

    @classmethod
    def read(
        cls, design: Design, services: LabServices, *, run_id: str, resumed: bool, fresh: bool
    ) -> Stored:
        """What the lab has of the design, whose prompts it then has too. Raises `StoreError`."""
        store = services.store
        with store.complete_opening():
            prompts = store.save_prompts(design.prompts, user=services.user)
            missing = _missing(design, store.settled(run_id), run_id) if resumed else design.places
            steps, summed = _of_chains(design, store, run_id) if resumed and design.has_chains else ({}, ())
            return cls(
                versions={prompt.name: prompt.version for prompt in prompts if prompt.version is not None},
                # What a judge is sent is in its request: as samples it would stand there twice.
                has_samples=bool(design.judged) or store.has_samples(design.dataset),
                missing=missing,
                earlier=Earlier.read(store, run_id) if resumed else Earlier(),
                answers=None if fresh else replaying.look_up(store, design, missing, done=steps),
                steps=steps,
                summed=frozenset(summed),
            )

    @classmethod
    def nothing(cls, design: Design, versions: Mapping[str, int]) -> Stored:
        """What is to be known of a new design that is asked afresh: its prompts' versions. The lab is not
        read for it."""
        return cls(
            versions=versions, has_samples=False, missing=design.places, earlier=Earlier(), answers=None
        )

    def unanswered(self, design: Design) -> list[Place]:
        """Those of the missing that nothing is there to replay for."""
        if self.answers is None:
            return list(self.missing)
        have, told = self.answers.matching(), self.answers.told
        keys = ((place, told(place)) for place in self.missing)
        return [
            place
            for place, asked in keys
            if design.endpoints[place.model] is None or (asked.request_id, asked.draw) not in have
        ]


def _of_chains(
    design: Design, store: Store, run_id: str
) -> tuple[dict[tuple[Any, ...], Generation], list[str]]:
    """What the run has of its chains: the answers of steps by where, and the ids of those summed up."""
    columns = ", ".join(map(name, replaying.KEPT))
    rows = store.table(_STEPS.format(columns=columns), [run_id]).to_pylist()
    have = {row["generation_id"]: row for row in rows}
    steps = {
        place.where: Generation(**row)
        for place in design.places
        if place.line and (row := have.get(design.generation_id(place, run_id))) is not None
    }
    return steps, store.table(_SUMMED, [run_id])["generation_id"].to_pylist()


def _missing(design: Design, settled: frozenset[str], run_id: str) -> list[Place]:
    return [place for place in design.places if design.generation_id(place, run_id) not in settled]
