"""Prompts, blocks and samples in the lab: kept once, numbered, and made into values again.

A version number is given behind the gate and journalled like an answer, so that several processes give
each number once. It does not know runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from labkit.read import kept_as, name_of
from labkit.records import Sample
from labkit.store.definition_records import BlockRecord, PromptRecord, SampleRecord

if TYPE_CHECKING:
    import duckdb

    from labkit.datasets import Dataset
    from labkit.prompts import Block, Prompt, Step
    from labkit.store.access import Access
    from labkit.store.writer import Writer


def versions(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> dict[tuple[str, str], int]:
    """The version of each (name, hash) the lab has under these names."""
    # What the view `prompts` has, the first row of each version, in a quarter of its time.
    rows = connection.execute(
        'select "name", version, hash from log.prompts where "name" in (select unnest(?))'
        " order by written_at",
        [sorted(set(names))],
    ).fetchall()
    first: dict[tuple[str, int], str] = {}
    for name, version, hash_ in rows:
        first.setdefault((name, version), hash_)
    return {(name, hash_): version for (name, version), hash_ in first.items()}


Number = Callable[[str, str, int], int]
"""Gives the version of a text by its prompt's name, its hash, and the last version that is known here."""


def _next(name: str, hash_: str, known: int) -> int:
    return known + 1


def keep(
    prompts: Sequence[Prompt],
    access: Access,
    writer: Writer,
    *,
    user: str | None,
    wait_s: float,
    number: Number = _next,
) -> dict[tuple[str, str], int]:
    """Journal what the lab lacks of the prompts, behind the gate; their `versions` then.

    It is on disk before the gate opens, and whoever gives the next number folds it first, into memory where
    the file can only be read. Raises `StoreLocked` after `wait_s`.
    """
    with access.deciding(wait_s=wait_s) as connection:
        have = versions(connection, [prompt.name for prompt in prompts])
        for record in _numbered(prompts, have, user=user, number=number):
            writer.put(record)
        writer.flush()
    return have


def _numbered(
    prompts: Sequence[Prompt], have: dict[tuple[str, str], int], *, user: str | None, number: Number
) -> list[PromptRecord | BlockRecord]:
    """The records of the prompts that `have` lacks, with the next version numbers; `have` gets them too."""
    now = datetime.now(UTC)
    made: list[PromptRecord | BlockRecord] = []
    for prompt in prompts:
        if (prompt.name, prompt.hash) in have:
            continue
        taken = [version for (name, _), version in have.items() if name == prompt.name]
        version = number(prompt.name, prompt.hash, max(taken, default=0))
        have[prompt.name, prompt.hash] = version
        made += [
            BlockRecord(hash=block.hash, name=block.name, text=block.text, created_at=now)
            for block in prompt.blocks
        ]
        made.append(
            PromptRecord(
                name=prompt.name,
                version=version,
                hash=prompt.hash,
                system=prompt.system,
                text=prompt.text,
                blocks=_listed(prompt.blocks),
                defaults=dict(prompt.defaults),
                description=prompt.description,
                created_at=now,
                user=user,
                steps=[_step(step) for step in prompt.steps] or None,
            )
        )
    return made


def _listed(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    return [
        {"name": block.name, "hash": block.hash} | ({"cache": True} if block.cache else {})
        for block in blocks
    ]


def _step(step: Step) -> dict[str, Any]:
    prompt = step.prompt
    return {
        "name": step.name,
        "text": prompt.text,
        "system": prompt.system,
        "blocks": _listed(prompt.blocks),
        "defaults": dict(prompt.defaults),
        "read": None if step.read is None else name_of(step.read),
    }


def saved(connection: duckdb.DuckDBPyConnection, name: str | None = None) -> list[Prompt]:
    """The prompts and chains in the lab, or the versions of one, oldest first."""
    from labkit.prompts import Block, Chain, Prompt, Step

    texts = dict(connection.execute("select hash, text from blocks").fetchall())
    rows = connection.execute(
        'select "name", version, text, system, blocks, defaults, description, steps from prompts '
        'where $name is null or "name" = $name order by created_at, version',
        {"name": name},
    ).fetchall()

    def blocks_of(listed: Sequence[Mapping[str, Any]]) -> list[Block]:
        return [
            Block(block["name"], texts[block["hash"]], cache=block.get("cache", False)) for block in listed
        ]

    found: list[Prompt] = []
    for name, version, text, system, blocks, defaults, description, steps in rows:
        if (listed := msgspec.json.decode(steps or "null")) is not None:
            made = [
                Step(
                    step["name"],
                    step["text"],
                    system=step["system"],
                    blocks=blocks_of(step["blocks"]),
                    defaults=step["defaults"],
                    read=None if step["read"] is None else kept_as(step["read"]),
                )
                for step in listed
            ]
            found.append(Chain(name, *made, description=description, version=version))
        else:
            found.append(
                Prompt(
                    name,
                    text,
                    system=system,
                    blocks=blocks_of(msgspec.json.decode(blocks)),
                    defaults=msgspec.json.decode(defaults),
                    description=description,
                    version=version,
                )
            )
    return found


def sample_records(dataset: Dataset) -> list[SampleRecord]:
    """The records of a dataset's samples."""
    return [
        SampleRecord(
            dataset=dataset.hash,
            dataset_name=dataset.name,
            position=position,
            sample_id=sample.id,
            fields=sample.fields,
        )
        for position, sample in enumerate(dataset.samples)
    ]


def has_samples(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> bool:
    """Whether the lab has all the dataset's samples."""
    row = connection.execute(
        "select count(distinct sample_id) from log.samples where dataset = ?", [dataset.hash]
    ).fetchone()
    return row is not None and row[0] >= len(dataset.samples)


def samples_of(connection: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, Sample]:
    """The samples of the run's dataset, by id."""
    rows = connection.execute(
        "select sample_id, fields from samples "
        "where dataset in (select dataset from log.runs where run_id = ?) order by position",
        [run_id],
    ).fetchall()
    return {id_: Sample(id=id_, fields=msgspec.json.decode(fields)) for id_, fields in rows}
