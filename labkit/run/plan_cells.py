"""The cells that a run planned, as the lab has them, and the plan's id computed from them alone.

It reads the lab's rows and trusts none of its hashes but those of content.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.design import PLANNED, plan_hash, planned_id
from labkit.errors import DefinitionError
from labkit.identity import RequestHasher
from labkit.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from labkit.prompts import Prompt

_DESIGN = """
    select g.prompt, g.prompt_version, g.step_name as step, g.model, g.sample_id, g.repeat, g.request_id,
        g.draw, p.hash as prompt_hash, g.generation_id, g.parent_id
    from steps g left join prompts p on p.name = g.prompt and p.version = g.prompt_version
    where g.run_id = ? order by g.repeat, g.prompt, g.sample_id, g.step, g.model
"""
_CELL = ("prompt", "prompt_hash", "model", "sample_id", "repeat", "request_id", "draw")
_HEADS = """
    select request_id, provider, dialect, endpoint, "name", params::varchar as params
    from requests where request_id in (select request_id from steps where run_id = ? and step > 1)
"""


def cells(store: Store, run_id: str) -> pd.DataFrame:
    """One row for each request that was planned: see `run.design`."""
    found: pd.DataFrame = store.table(_DESIGN, [run_id]).to_pandas()
    return found


def plan_id(store: Store, run_id: str, design: pd.DataFrame) -> str:
    """The plan's id from its `cells`. Raises `DefinitionError` where the lab has no such run."""
    row = store.run_row(run_id)
    if row is None:
        raise DefinitionError(f"This lab has no run '{run_id}'.")
    rows = [{str(name): value for name, value in one.items()} for one in design.to_dict("records")]
    if any(isinstance(one["parent_id"], str) for one in rows):
        rows = _planned(store, run_id, rows)
    lines = ([str(one[name]) for name in _CELL] for one in rows)
    return plan_hash(row["experiment"], row["workspace"], lines)


def _planned(store: Store, run_id: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with what a plan has of later steps in place of the requests that they turned out to be."""
    heads = {one["request_id"]: one for one in store.table(_HEADS, [run_id]).to_pylist()}
    samples = store.samples(run_id)
    chains = {(prompt.name, prompt.version): prompt for prompt in store.saved_prompts()}
    at = {one["generation_id"]: one for one in rows}
    known: dict[str, str] = {}

    def request_id(one: Mapping[str, Any]) -> str:
        own: str = one["generation_id"]
        if own not in known:
            known[own] = one["request_id"]
            if isinstance(one["parent_id"], str) and not known[own].startswith(PLANNED):
                head = heads[one["request_id"]]
                hasher = RequestHasher(
                    head["provider"],
                    head["dialect"],
                    head["endpoint"],
                    head["name"],
                    json.loads(head["params"]),
                )
                chain, sample = chains[one["prompt"], int(one["prompt_version"])], samples[one["sample_id"]]
                known[own] = planned_id(
                    hasher, request_id(at[one["parent_id"]]), chain, _place(chain, one), sample
                )
        return known[own]

    return [
        {**one, "request_id": request_id(one), "draw": 0} if isinstance(one["parent_id"], str) else one
        for one in rows
    ]


def _place(chain: Prompt, one: Mapping[str, Any]) -> int:
    return [step.name for step in chain.steps].index(one["step"])
