"""From a plan of prompts with blocks to one that measures them: the same prompts in sets of their blocks.

What it makes is an ordinary plan. Which sets tell what stands in `labkit.stats.factorial`; what the plan then
says of them in `block_notes`. All that is wrong is told at once, before anything is asked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from labkit.arguments import check
from labkit.design import build
from labkit.errors import DefinitionError
from labkit.nearest import listed as nearest
from labkit.plan import vision
from labkit.plan.block_notes import asked_sets
from labkit.plan.study import Study
from labkit.prompts import Block, Prompt, name_faults
from labkit.store.filters import listed
from labkit.visible import quoted

S = TypeVar("S", bound=Study)

KINDS = ("auto", "each", "full")
FEWEST = 2
_CODE = re.compile(r"{{.*?}}|{%.*?%}", re.DOTALL)
"""Of a template what is no text: a name in it is that of a column or a step."""


def ablate(plan: S, blocks: Sequence[str | Block] | None, kind: str, needs: Mapping[str, Any] | None) -> S:
    """See `plan.ablate`: this is it."""
    prompts = [prompt for prompt in plan.design.prompts if prompt.blocks]
    faults = [] if kind in KINDS else [f"design is {quoted(kind)}; use {', '.join(map(repr, KINDS))}."]
    if not plan.design.places:
        faults.append("The plan has no cells left, so there is nothing to measure on.")
    if not prompts:
        faults.append(
            "No prompt of the plan has blocks, so there is nothing to measure: give them by "
            "context=[lk.Block(…), lk.Block(…)] or lk.Prompt(…, blocks=[…])."
        )
    faults += [
        f"The plan measures the blocks of {quoted(sets.prompt)} already, in {len(sets.cells)} sets: call "
        "ablate once, on the plan of the prompts as they are written."
        for sets in asked_sets(plan.design)
    ]
    have = list(dict.fromkeys(block.name for prompt in prompts for block in prompt.blocks))
    wanted, wrong = _wanted(blocks, have, [block for prompt in prompts for block in prompt.blocks])
    required, bad = _required(needs, have if wanted is None else wanted)
    faults += wrong + bad
    measured = {}
    for prompt in prompts:
        chosen = [block for block in prompt.blocks if wanted is None or block.name in wanted]
        if chosen or wanted is None:
            measured[prompt.name] = chosen
            if not wrong:
                faults += _block_faults(prompt, chosen, kind)
    check(faults)
    variants = {
        prompt.name: _variants(prompt, measured[prompt.name], kind, required)
        if prompt.name in measured
        else {prompt.name: prompt}
        for prompt in plan.design.prompts
    }
    _check_names([name for made in variants.values() for name in made])
    return _planned(plan, variants)


def _wanted(blocks: Any, have: Sequence[str], written: Sequence[Block]) -> tuple[list[str] | None, list[str]]:
    if blocks is None:
        return None, []
    named = [_called(block) for block in listed(blocks)]
    faults = [
        f"blocks= names {quoted(name)}, which no prompt of the plan has; the nearest: {nearest(name, have)}."
        for name in named
        if have and name not in have
    ]
    faults += [
        f"blocks= has a block {quoted(block.name)} of another text than the plan's; give its name alone."
        for block in listed(blocks)
        if isinstance(block, Block) and block.name in have and block not in written
    ]
    faults += [f"blocks= names {name!r} twice." for name in have if named.count(name) > 1]
    if not named:
        faults.append("blocks= is empty; name at least two blocks, or leave it out to measure all.")
    return named, faults


def _required(needs: Any, names: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Per block those without which it cannot stand, and what is wrong with what was given."""
    if needs is None:
        return {}, []
    if not isinstance(needs, Mapping):
        return {}, [f"needs is {quoted(needs)}; use a mapping such as {{'style': 'examples'}}."]
    pairs = [
        (_called(block), [_called(other) for other in listed(others)]) for block, others in needs.items()
    ]
    faults = [
        f"needs= names {quoted(name)}, which is none of the blocks to be measured: {nearest(name, names)}."
        for block, others in pairs
        for name in (block, *others)
        if name not in names
    ]
    found = {block: others for block, others in pairs if isinstance(block, str)}
    if not faults and (circle := _circle(found)):
        faults.append(f"needs= goes round in a circle: {' needs '.join(map(quoted, circle))}.")
    return found, faults


def _called(block: Any) -> Any:
    return block.name if isinstance(block, Block) else block


def _circle(needs: Mapping[Any, Sequence[Any]]) -> list[Any]:
    def walk(path: list[Any]) -> list[Any]:
        for other in needs.get(path[-1], ()):
            if other in path:
                return [*path[path.index(other) :], other]
            if found := walk([*path, other]):
                return found
        return []

    return next((found for block in needs if (found := walk([block]))), [])


def _block_faults(prompt: Prompt, chosen: Sequence[Block], kind: str) -> Iterator[str]:
    from labkit.stats.factorial import MOST, MOST_FULL

    kind_of = "chain" if prompt.steps else "prompt"
    whose = f"of {kind_of} {quoted(prompt.name)}"
    most = MOST_FULL if kind == "full" else MOST
    if len(chosen) < FEWEST:
        told = f"one block {whose}, {quoted(chosen[0].name)}" if chosen else f"no block {whose}"
        yield (
            f"There is {told} to be measured, and an ablation takes at least two. For one, plan the prompt "
            "with it and without it, and read run.verdict(by='prompt')."
        )
    if len(chosen) > most:
        kinds = "design='full' takes" if kind == "full" else "an ablation takes"
        yield (
            f"There are {len(chosen)} blocks {whose} to be measured, and {kinds} at most {most}. "
            "Name fewer in blocks=, or put some together."
        )
    texts: dict[str, str] = {}
    for name, count in Counter(block.name for block in chosen).items():
        if count > 1:
            yield f"The blocks {name!r} {whose} have {count} texts; give each its own name."
    for block in chosen:
        first = texts.setdefault(" ".join(block.text.split()), block.name)
        if first != block.name:
            yield f"The blocks {first!r} and {block.name!r} {whose} have the same text."
        if block.name in prompt.variables:
            yield (
                f"The block {block.name!r} {whose} has the name of one of its variables. Give it another, so "
                "that what is told of it cannot be taken for the column."
            )
        elif where := _named_in(prompt, block.name):
            yield (
                f"The {kind_of} {quoted(prompt.name)} names its block {block.name!r} in its {where}: without "
                "the block that would point at nothing. Say it otherwise, give the block another name, or "
                "leave it out of blocks=."
            )


def _named_in(prompt: Prompt, name: str) -> str:
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
    asked = [step.prompt for step in prompt.steps] or [prompt]
    parts = (("text", [one.text for one in asked]), ("system part", [one.system or "" for one in asked]))
    return next(
        (what for what, texts in parts if any(word.search(_CODE.sub("", text)) for text in texts)), ""
    )


def _variants(
    prompt: Prompt, chosen: Sequence[Block], kind: str, needs: Mapping[str, Sequence[str]]
) -> dict[str, Prompt]:
    """The prompt in each set of the design, by name; as it was written first."""
    from labkit.stats.factorial import Factorial, design

    names = [block.name for block in chosen]
    cells = [
        cell
        for cell in design(len(names), kind)
        if all(
            other not in names or cell[names.index(other)]
            for block, others in needs.items()
            if block in names and cell[names.index(block)]
            for other in others
        )
    ]
    told = Factorial(tuple(cells))
    if untold := [name for at, name in enumerate(names) if told.main(at) is None]:
        advice = "design='full'" if kind != "full" else "fewer needs="
        raise DefinitionError(
            f"With needs= the sets that are left do not tell the effect of {', '.join(map(repr, untold))} in "
            f"prompt {quoted(prompt.name)}; use {advice}."
        )
    called = _names(prompt, names, cells)
    made = {}
    for name, cell in zip(called, cells, strict=True):
        out = {one for one, is_in in zip(names, cell, strict=True) if not is_in}
        made[name] = prompt.without(out).replace(name=name, version=None) if out else prompt
    return made


def _names(prompt: Prompt, names: Sequence[str], cells: Sequence[Sequence[bool]]) -> list[str]:
    """What to call the prompt in each set: by what it lacks, else by numbers where that is too long."""

    def called(cell: Sequence[bool], words: Sequence[str]) -> str:
        out = [word for word, is_in in zip(words, cell, strict=True) if not is_in]
        if not out:
            return prompt.name
        whole = len(out) == len(prompt.blocks)
        return f"{prompt.name} without {'any block' if whole else ', '.join(out)}"

    found = [called(cell, names) for cell in cells]
    if len(set(found)) == len(found) and not any(map(name_faults, found)):
        return found
    short = [called(cell, [str(number) for number in range(1, len(names) + 1)]) for cell in cells]
    told = f"The name {quoted(prompt.name)} is too long to be called {quoted(max(short, key=len), limit=200)}"
    check([f"{told}; shorten it."] if any(map(name_faults, short)) else [])
    return short


def _check_names(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    check([f"Two prompts of the ablation would be called {quoted(name)}; rename one." for name in twice])


def _planned(plan: S, variants: Mapping[str, Mapping[str, Prompt]]) -> S:
    """The plan over all variants, with the cells that it had of each prompt."""
    design = plan.design
    position = {prompt.name: p for p, prompt in enumerate(design.prompts)}
    whose = [position[name] for name, made in variants.items() for _ in made]
    had = {place.where for place in design.places}
    wide = build(
        experiment=design.experiment,
        workspace=design.workspace,
        prompts=[prompt for made in variants.values() for prompt in made.values()],
        models=design.models,
        params=design.params,
        dataset=design.dataset,
        repeats=design.repeats,
        share=design.share,
        lines=[design.lines[p] for p in whose],
    )
    vision.check(wide)
    kept = wide.keep(
        at for at, place in enumerate(wide.places) if (whose[place.prompt], *place.where[1:]) in had
    )
    return replace(plan, design=replace(kept, notes=design.notes))
