"""The answers of one run as they come in: a row of the history for each, and all of them as `PromptRun`s.

It does not know where the answers come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import asdict
from sqlalchemy.orm import Session

from labkit.records import Cell, Generation
from labkit.server.executions import history
from labkit.server.executions.history import Asking
from labkit.server.state.tables import Execution


class RunAnswers:
    """Those of the `cells` of a run, in the order asked; `prompt` is what was asked."""

    def __init__(self, cells: Sequence[Cell], asking: Asking, prompt: str) -> None:
        self.cells = cells
        self._asking = asking
        self._prompt = prompt
        self._sent: set[str] = set()
        self._runs: dict[str, dict[str, Any]] = {}

    def pending(self) -> list[Execution]:
        """The rows before anything is asked."""
        return [history.pending(cell, self._asking, self._prompt) for cell in self.cells]

    def sent(self, cell: Cell) -> Callable[[Session], None]:
        """One is asked for; gives what says so in the history."""
        self._sent.add(cell.generation_id)
        return lambda session: history.running(session, cell.generation_id)

    def ended(self, generation: Generation) -> Callable[[Session], None]:
        """An answer is on disk; gives what brings it into the history."""
        row = history.execution(asdict(generation), self._asking, self._prompt)
        self._runs[row.id] = history.prompt_run(row, prompt=self._prompt, text=generation.text)
        return lambda session: history.put(session, [row])

    def lost(self, why: str) -> list[Execution]:
        """Nothing more comes: rows for what has no answer in the lab, that say why."""
        rows = [row for row in self.pending() if row.id not in self._runs]
        for row in rows:
            row.status, row.error = "failed", why
            if row.id in self._sent:
                row.more["maybePaid"] = True
            self._runs[row.id] = history.prompt_run(row, prompt=self._prompt)
        return rows

    def all(self) -> list[dict[str, Any]]:
        """Every execution, in the order asked. All have ended."""
        return [self._runs[cell.generation_id] for cell in self.cells]
