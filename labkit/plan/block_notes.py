"""What a plan that measures blocks says before it is paid for: which blocks, in which sets, and what those
cannot tell apart.

It reads the prompts and models of a design, so it says the same of a plan that was cut, or made by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from labkit import tokens
from labkit.design import Design
from labkit.prompts.block_sets import BlockSets, of_prompts

if TYPE_CHECKING:
    from labkit.stats.factorial import Factorial, Pair

MOST_NAMED = 4
"""Of more aliases of one block their number is told."""


def block_notes(design: Design, *, short: bool = False) -> Iterator[str]:
    """One clause each, of every prompt that is in the plan with several sets of its blocks; `short`: which
    blocks and sets, and no more."""
    for sets in asked_sets(design):
        if len(sets.blocks) > 1:
            yield from _of_sets(sets, short=short)
            if not short:
                yield _tokens(sets, design)


def asked_sets(design: Design) -> list[BlockSets]:
    """The prompts that are in the plan with several sets of their blocks."""
    asked = {place.prompt for place in design.places}
    prompts = [prompt for at, prompt in enumerate(design.prompts) if at in asked]
    return of_prompts(prompts) if any(prompt.blocks for prompt in prompts) else []


def _of_sets(sets: BlockSets, *, short: bool) -> Iterator[str]:
    from labkit.stats.factorial import Factorial

    design = Factorial(tuple(sets.cells.values()))
    names = [repr(name) for name in sets.names]
    yield (
        f"measures the blocks {', '.join(names)} of {sets.prompt!r} in {len(design.cells)} sets "
        f"({_kind(design)})"
    )
    if not short:
        yield from _conditions(design, names)
        yield from _mains(design, names)
        yield from _pairs(design, names)


def _kind(design: Factorial) -> str:
    from labkit.stats.factorial import roman

    if len(design.cells) == 2**design.k:
        return "all there are"
    if _is_each(design):
        return "all, and all but one"
    resolution = design.resolution
    if resolution is None or resolution < 3:
        return f"of {2**design.k:,}; unbalanced"
    return f"of {2**design.k:,}; resolution {roman(resolution)}"


def _is_each(design: Factorial) -> bool:
    return len(design.cells) == design.k + 1 and sorted(map(sum, design.cells)) == sorted(
        [design.k, *[design.k - 1] * design.k]
    )


def _conditions(design: Factorial, names: Sequence[str]) -> Iterator[str]:
    if _is_each(design) and design.k > 1:
        yield "what a block adds is told beside all the others only"
        return
    for factor, name in enumerate(names):
        if design.main(factor) is None:
            yield f"what {name} adds is not told by these sets"
        for other, inside in design.conditions(factor):
            yield f"what {name} adds is told {'beside' if inside else 'without'} {names[other]} only"


def _mains(design: Factorial, names: Sequence[str]) -> Iterator[str]:
    if _is_each(design):
        return
    mixed: dict[str, list[str]] = {}
    for factor, name in enumerate(names):
        aliases = design.aliases(factor)
        whole = [_pair(pair, names) for pair, share in aliases if abs(share) == 1]
        if whole:
            yield f"{name} cannot be told from {' or '.join(whole)}"
        elif aliases:
            named = [_pair(pair, names) for pair, _ in aliases]
            pairs = ", ".join(named) if len(named) <= MOST_NAMED else f"{len(named)} pairs of other blocks"
            largest = max(abs(share) for _, share in aliases)
            mixed.setdefault(f"mixed with up to {largest:.2g} of {pairs}", []).append(name)
    for told, blocks in mixed.items():
        yield f"{'each block' if len(blocks) == len(names) else ', '.join(blocks)} is {told}"


def _pairs(design: Factorial, names: Sequence[str]) -> Iterator[str]:
    mixed = [pairs for pairs in design.strings if len(pairs) > 1]
    told = {pair for pairs in design.strings for pair in pairs}
    count = design.k * (design.k - 1) // 2
    if mixed:
        strings = [" = ".join(_pair(pair, names) for pair in pairs) for pairs in mixed]
        yield f"effects of pairs not told apart: {'; '.join(strings)}"
    if not told:
        yield "effects of pairs are not told"
    elif len(told) < count:
        untold = [(a, b) for a in range(design.k) for b in range(a + 1, design.k) if (a, b) not in told]
        named = ", ".join(_pair(pair, names) for pair in untold)
        some = named if len(untold) <= MOST_NAMED else f"{len(untold)} of {count} pairs"
        yield f"effects of pairs not told: {some}"
    elif not mixed:
        yield "effects of pairs are told one by one" if count > 1 else "the effect of the pair is told"


def _pair(pair: Pair, names: Sequence[str]) -> str:
    return " × ".join(names[at] for at in pair)


def _tokens(sets: BlockSets, design: Design) -> str:
    """What each block adds to the input, by the tokenizers of the models: several where they differ. In a
    chain it is in each step that has it."""
    whole = next(prompt for prompt in design.prompts if prompt.name == sets.prompt)
    texts = {(block.name, block.hash): f"{block.rendered}\n\n" for block in whole.blocks}
    asked = [step.prompt for step in whole.steps] or [whole]
    times = Counter((block.name, block.hash) for one in asked for block in one.blocks)
    counted: dict[tuple[str, ...], list[str]] = {}
    for model in design.models:
        counts = [(tokens.estimate(model, texts[block]), times[block]) for block in sets.blocks]
        told = [f"{'' if one.exact else '~'}{one.tokens * times:,}" for one, times in counts]
        counted.setdefault(tuple(told), []).append(model.id)
    parts = []
    for each, ids in counted.items():
        whose = f" for {' and '.join(ids)}" if len(counted) > 1 else ""
        parts.append(", ".join(f"{name!r} {one}" for name, one in zip(sets.names, each, strict=True)) + whose)
    return f"input tokens of the blocks: {'; '.join(parts)}"
