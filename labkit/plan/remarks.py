"""What is odd about a plan and may be meant all the same: told beside its price, never refused.

It looks at the cells that are in the plan and asks nobody. What cannot be asked at all is refused before
there is a plan: see `validation`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from labkit.design import Design
from labkit.plan.block_notes import asked_sets, block_notes
from labkit.prompts import Prompt
from labkit.prompts.placeholders import foreign, written
from labkit.records import Sample
from labkit.scoring import Scorer
from labkit.scoring.check import is_empty


def remarks(design: Design, scorers: Sequence[Scorer], *, short: bool = False) -> list[str]:
    """One clause each: params nobody knows, prompts that use no column, placeholders sent as they stand,
    samples not scored. `short` leaves out what of blocks is to be known before they are paid for.

    >>> plan = lab.plan(prompts=["Say hi"], models=[echo], dataset=[{"text": "a"}, {"text": "b"}])
    >>> remarks(plan.design, ())
    ["prompt 'say-hi-...' uses no column: the same is asked for each of 2 samples"]
    """
    asked = sorted({(place.prompt, place.sample) for place in design.places})
    samples = design.dataset.samples
    found = [*design.notes, *block_notes(design, short=short)]
    # What is so of a prompt with all its blocks is so of its other sets, and told once.
    parts = {name for sets in asked_sets(design) for name in sets.cells if name != sets.prompt}
    for at, prompt in enumerate(design.prompts):
        if prompt.name not in parts:
            found += _of_prompt(prompt, [samples[sample] for of, sample in asked if of == at])
    every = [samples[sample] for sample in sorted({sample for _, sample in asked})]
    for scorer in scorers:
        for column in scorer.columns:
            empty = sum(is_empty(sample[column]) for sample in every if column in sample)
            if empty:
                found.append(
                    f"score {scorer.name!r}: {column!r} is empty in {empty:,} of {len(every):,} samples"
                )
    return found


def _of_prompt(prompt: Prompt, samples: Sequence[Sample]) -> Iterator[str]:
    if not samples:
        return
    uses_none = not (prompt.variables or prompt.takes_row)
    for placeholder, meant in foreign(prompt, samples[0], brackets=uses_none).items():
        yield f"prompt {prompt.name!r} sends {placeholder} as it stands; the column is {meant}"
    for block in prompt.blocks:
        for column in samples[0]:
            if re.search(rf"\{{\{{\s*{re.escape(column)}\s*\}}\}}", block.text):
                yield f"block {block.name!r} sends {written(column)} as it stands: a block is no template"
    if uses_none and len(samples) > 1:
        yield f"prompt {prompt.name!r} uses no column: the same is asked for each of {len(samples):,} samples"
