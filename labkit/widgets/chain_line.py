"""A line of a chain in the live grid: the panel of one contender, made of the panels of its steps.

While it goes it is the step it is in; once all is there it is the whole, and the steps before the last stand
behind it. A step that several lines begin with is one panel in all of them. It does not know how it is drawn,
nor which model answers which step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from labkit.design import StepFailed
from labkit.records import Generation
from labkit.widgets.panel import Panel

FAILED = StepFailed.__name__
"""The `error_type` of what was not asked since a step before it failed."""


class LineOf(NamedTuple):
    """One of the lines that a step belongs to."""

    chain_id: str
    """The generation_id of the whole."""
    contender: str
    steps: tuple[str, ...]
    """The names of all its steps, in order."""


Lines = Mapping[str, tuple[LineOf, ...]]
"""By the generation_id of a step."""


@dataclass(slots=True, eq=False)
class Line(Panel):
    """The panel of one contender; `names` are those of its steps."""

    names: tuple[str, ...] = ()
    steps: dict[int, Panel] = field(default_factory=dict)
    """Those that have begun or are known, by their number from 1."""
    blamed: str = ""
    """The step that has no answer, or one that cannot be read."""

    def put(self, step: int, panel: Panel) -> None:
        """A step of it is to be asked, or known."""
        # Readers go through `steps` at any moment: a new dict in place of the old never surprises them.
        self.steps = {**self.steps, step: panel}
        self.version += 1

    def end(self, generation: Generation) -> None:
        """The whole is there."""
        Panel.end(self, generation)
        self.blamed = generation.failed_step or ""
        if generation.error_type == FAILED:
            self.note = generation.error_message or ""

    @property
    def now(self) -> Panel:
        """What is to be shown of it: the step it is in, and in the end the whole."""
        return self if self.over or not self.steps else self.steps[max(self.steps)]

    @property
    def going(self) -> bool:
        return not self.over and any(panel.state != "queued" for panel in self.steps.values())

    @property
    def place(self) -> str:
        """The step it is in, or which is to blame; nothing where all is well in the end."""
        name = self.blamed if self.over else self.names[max(self.steps, default=1) - 1]
        return f"{name}, {self.names.index(name) + 1} of {len(self.names)}" if name else ""

    @property
    def earlier(self) -> list[tuple[str, Panel]]:
        """The steps before the one that is shown that have said something, each with its name."""
        last = len(self.names) if self.over else max(self.steps, default=1)
        steps = [(name, self.steps.get(number)) for number, name in enumerate(self.names[: last - 1], 1)]
        return [
            (name, one)
            for name, one in steps
            if one is not None and (one.state in ("done", "known") or (one.over and one.length))
        ]
