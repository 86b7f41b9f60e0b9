"""What whoever reads a lab is given: an open connection, and what it lacks of the journals and why.

It does not know how the lab was opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.errors import StoreError, StoreLocked

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Reading:
    """An open lab. `unfolded_bytes` of journals are not in its file, because of `why`; what is `in_memory`
    has them all the same. `alone`: behind the gate, so that no other labkit has it open. `fault`: why this
    process may not write to it, whoever has it open."""

    connection: duckdb.DuckDBPyConnection
    unfolded_bytes: int = 0
    why: str | None = None
    in_memory: bool = False
    alone: bool = False
    fault: StoreError | None = None

    @property
    def is_complete(self) -> bool:
        """Whether all that was journalled when it was opened can be read from it."""
        return self.in_memory or not self.unfolded_bytes

    @property
    def is_held(self) -> bool:
        """Whether somebody else has the file open, so that it can only be read."""
        return self.why is not None and self.why.startswith("held")

    @property
    def is_held_here(self) -> bool:
        """Whether that is a person's connection in this process."""
        return self.is_held and "this kernel" in (self.why or "")

    def announce(self) -> dict[str, Any]:
        """What a frame's `attrs` say of it: nothing where all is as it should be."""
        if self.why is None:
            return {}
        shown = "all" if self.is_complete else "what is folded"
        return {"labkit": {"unfolded_bytes": self.unfolded_bytes, "why": self.why, "shown": shown}}

    def check_complete(self, lab: str) -> None:
        """Raise `StoreLocked` or `StoreError` where some of what is journalled cannot be read, or is for
        another lab: who goes by the rest would ask again what was asked."""
        if self.fault is not None:
            raise self.fault
        if not self.is_complete:
            kind = StoreLocked if self.is_held else StoreError
            raise kind(
                f"{lab} cannot be read whole: {self.why}, and it could not be copied into memory to fold its "
                "journals there. They keep everything. Close what holds the file, or make it writable."
            )
