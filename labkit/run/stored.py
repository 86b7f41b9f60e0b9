"""What the lab has of a design when a launch begins: its prompts' versions, samples, answers, spending.

All of it is read in one opening of the lab, which also numbers prompts that are new. It asks nobody, and
does not know what the launch makes of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from labkit.design import Design, Place
from labkit.run import replaying
from labkit.run.earlier import Earlier
from labkit.run.lab_services import LabServices


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

    @classmethod
    def read(
        cls, design: Design, services: LabServices, *, run_id: str, resumed: bool, fresh: bool
    ) -> Stored:
        """What the lab has of the design, whose prompts it then has too. Raises `StoreError`."""
        store = services.store
        with store.complete_opening():
            prompts = store.save_prompts(design.prompts, user=services.user)
            missing = _missing(design, store.settled(run_id), run_id) if resumed else design.places
            return cls(
                versions={prompt.name: prompt.version for prompt in prompts if prompt.version is not None},
                has_samples=store.has_samples(design.dataset),
                missing=missing,
                earlier=Earlier.read(store, run_id) if resumed else Earlier(),
                answers=None if fresh else replaying.look_up(store, design, missing),
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
        have = set() if self.answers is None else self.answers.matching()
        return [
            place
            for place in self.missing
            if design.endpoints[place.model] is None or (place.request_id, place.draw) not in have
        ]


def _missing(design: Design, settled: frozenset[str], run_id: str) -> list[Place]:
    return [place for place in design.places if design.generation_id(place, run_id) not in settled]
