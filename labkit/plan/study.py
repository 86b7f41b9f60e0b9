"""What a plan is made of: its design, its scorers, its seed, and what a run of it needs.

A value and nothing else: it does not know what can be done with it (see `plan`), nor how it grows (see
`extension`).
"""

from __future__ import annotations

from dataclasses import dataclass

from labkit.design import Design
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
