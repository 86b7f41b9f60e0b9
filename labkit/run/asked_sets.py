"""Which prompts of a run are one prompt in several sets of its blocks, by what the lab kept of them."""

from __future__ import annotations

import json

from labkit.prompts.block_sets import BlockSets, beside_blocks, block_sets
from labkit.store import Store

PROMPTS = """
    select p.name, any_value(p.text) as text, any_value(p.system) as system,
        any_value(p.defaults::varchar) as defaults, any_value(p.blocks::varchar) as blocks
    from (select distinct prompt, prompt_version from generations where run_id = ?) g
    join prompts p on p.name = g.prompt and p.version = g.prompt_version
    group by p.name order by min(p.created_at), p.name
"""


def asked_sets(run_id: str, store: Store) -> list[BlockSets]:
    """The sets that a run asked."""
    return block_sets(
        (
            row["name"],
            beside_blocks(row["text"], row["system"], json.loads(row["defaults"] or "{}")),
            [(block["name"], block["hash"]) for block in json.loads(row["blocks"] or "[]")],
        )
        for row in store.table(PROMPTS, [run_id]).to_pylist()
    )
