"""The context blocks saved in the lab, by name and by hash, for those who may know of them.

A block belongs to the workspaces whose runs used it; one that is saved and was used by none is everybody's.
They are read from the lab when one is asked for that is not known yet, and by `refresh`. It does not know
what is asked with them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from labkit.nearest import listed
from labkit.prompts import Block
from labkit.server.problems import Problem
from labkit.store import Store
from labkit.visible import quoted

_SAVED = """
with used as (
    select distinct prompt, prompt_version, workspace from log.generations
),
held as (
    select "name", version, unnest(json_extract_string(blocks, '$[*].hash')) as hash from prompts
)
select b.hash, b."name", b.text, list_distinct(list(used.workspace)) as workspaces
from blocks as b
left join held using (hash)
left join used on used.prompt = held."name" and used.prompt_version = held.version
group by all
order by min(b.created_at)
"""


class Saved(NamedTuple):
    """A block and the workspaces that used it; none: it is everybody's."""

    block: Block
    workspaces: frozenset[str]

    def open_to(self, readable: Iterable[str]) -> bool:
        """Whether those who read these workspaces may know of it."""
        return not self.workspaces or not self.workspaces.isdisjoint(readable)


class Blocks:
    """The blocks of one lab, as they were when it was last looked at."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._saved: tuple[Saved, ...] = ()
        self._reading = threading.Lock()

    def refresh(self) -> None:
        """Read them anew. Raises `StoreError`."""
        with self._reading:
            rows = self._store.table(_SAVED).to_pylist() if self._store.is_there() else []
            self._saved = tuple(
                Saved(Block(row["name"], row["text"]), frozenset(filter(None, row["workspaces"])))
                for row in rows
            )

    def listed(self, readable: Sequence[str]) -> list[Block]:
        """Those who read these workspaces see so many: of each name the newest first."""
        return [saved.block for saved in reversed(self._saved) if saved.open_to(readable)]

    def find(self, wanted: Sequence[str], readable: Sequence[str]) -> list[Block]:
        """The blocks of these names (the newest of each) or hashes. Raises 422 naming the unknown."""
        if not wanted:
            return []
        known = self._known(readable)
        if not known.keys() >= set(wanted):
            self.refresh()
            known = self._known(readable)
        unknown = [name for name in dict.fromkeys(wanted) if name not in known]
        if unknown:
            names = self._names(readable)
            faults = [
                f"context_blocks: there is no saved block {quoted(name)}; those there are: "
                f"{listed(name, names, most=5)}."
                for name in unknown
            ]
            raise Problem(422, " ".join(faults), errors=faults)
        return [known[name] for name in wanted]

    def _known(self, readable: Sequence[str]) -> dict[str, Block]:
        # The newest comes first and wins its name.
        blocks = self.listed(readable)
        return {
            **{block.name: block for block in reversed(blocks)},
            **{block.hash: block for block in blocks},
        }

    def _names(self, readable: Sequence[str]) -> list[str]:
        return sorted({block.name for block in self.listed(readable)})
