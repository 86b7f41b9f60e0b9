"""Which prompts of a run are one prompt in several sets of its blocks, by what the lab kept of them."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any

from labkit.prompts.block_sets import BlockSets, block_sets
from labkit.store import Store

PROMPTS = """
    select p.name, p.text, p.system, p.defaults, p.blocks, p.steps
    from (select distinct prompt, prompt_version from generations where run_id = ?) g
    join prompts p on p.name = g.prompt and p.version = g.prompt_version order by p.created_at, p.name
"""


def asked_sets(run_id: str, store: Store) -> list[BlockSets]:
    """The sets that a run asked."""
    return block_sets(
        (row["name"], _beside_blocks(row), [(block["name"], block["hash"]) for block in _read(row["blocks"])])
        for row in store.table(PROMPTS, [run_id]).to_pylist()
    )


def _beside_blocks(row: Mapping[str, Any]) -> Hashable:
    """All of a prompt that is no block, of a chain all of its steps."""
    steps = [{name: told for name, told in step.items() if name != "blocks"} for step in _read(row["steps"])]
    parts = [row["text"], row["system"], _read(row["defaults"]), steps]
    return json.dumps(parts, sort_keys=True)


def _read(kept: str | None) -> Any:
    return json.loads(kept) if kept else []
