"""What a plan is made of: its design, its scorers, its seed, what a run of it needs, and its title.

It does not know what can be done with it (see `plan`), nor how it grows (see `extension`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from labkit.design import Design, Place
from labkit.plan import show
from labkit.plan.estimate_inputs import outlook
from labkit.plan.judge_estimate import judge_parts
from labkit.plan.past_answers import history
from labkit.plan.remarks import remarks
from labkit.run import LabServices
from labkit.scoring import Scorer


@dataclass(frozen=True, kw_only=True)
class Study:
    """The base of `Plan`; frozen."""

    design: Design
    scorers: tuple[Scorer, ...]
    seed: int
    services: LabServices
    """The lab's store, catalog and keys, as a run needs them."""

    def title(self, to_ask: Sequence[Place]) -> Callable[[], str]:
        """The first line of a run that asks these places, in two steps: what it needs is read from the lab
        now, while a run has it open; calling what is returned puts it in words."""
        design = self.design
        seen = history(design, self.services.store) if to_ask else {}
        judging = judge_parts(design, self.scorers, self.services, fresh=self.services.fresh)
        return lambda: show.line(
            design,
            replace(outlook(design, to_ask, services=self.services, exact=False, seen=seen), judging=judging),
            remarks(design, self.scorers, short=True),
        )

    def remarks(self) -> list[str]:
        """What is odd about the plan and may be meant: a prompt that asks several samples the same, text
        such as `{text}` that is sent as it stands, samples whose target is empty.

        >>> lab.plan(prompts=["Say hi"], models=[echo], dataset=[{"n": 1}, {"n": 2}]).remarks()
        ["prompt 'say-hi-...' uses no column: the same is asked for each of 2 samples"]
        """
        return remarks(self.design, self.scorers)
