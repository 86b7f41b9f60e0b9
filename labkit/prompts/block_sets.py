"""Prompts that differ in their blocks only: which of them are one prompt with and without some of its blocks.

It goes by what the prompts are and not by their names, so it tells the same of prompts that were just made,
and of those that a lab has kept. It knows no design and no answers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from labkit.prompts.prompt import Prompt

BlockId = tuple[str, str]
"""A block's name and hash."""


@dataclass(frozen=True)
class BlockSets:
    """One prompt in several sets of its blocks."""

    prompt: str
    """The name of the one with all blocks."""
    blocks: tuple[BlockId, ...]
    """Those that not all of the prompts have, in their order."""
    cells: Mapping[str, tuple[bool, ...]]
    """By prompt, which of these it has."""

    @property
    def names(self) -> tuple[str, ...]:
        """What the blocks are called."""
        return tuple(name for name, _ in self.blocks)


def block_sets(prompts: Iterable[tuple[str, Hashable, Sequence[BlockId]]]) -> list[BlockSets]:
    """The sets among prompts, given as name, all of it that is no block, and blocks, in their order.

    Each has one prompt with all the blocks that any of the others has, in the same order; what is alike in
    all but its name counts once. Prompts that stand alone are in none.

    >>> a, b = ("a", "b1:1"), ("b", "b1:2")
    >>> found, = block_sets([("p", "text", [a, b]), ("p without b", "text", [a]), ("q", "other", [a])])
    >>> found.prompt, found.names, found.cells
    ('p', ('b',), {'p': (True,), 'p without b': (False,)})
    """
    alike: dict[Hashable, dict[tuple[BlockId, ...], str]] = {}
    for name, rest, blocks in prompts:
        alike.setdefault(rest, {}).setdefault(tuple(blocks), name)
    return [found for of in alike.values() for found in _sets(of)]


def of_prompts(prompts: Iterable[Prompt]) -> list[BlockSets]:
    """The sets among prompts."""
    return block_sets(
        (
            prompt.name,
            prompt.without({block.name for block in prompt.blocks}).hash,
            [(block.name, block.hash) for block in prompt.blocks],
        )
        for prompt in prompts
    )


def _sets(prompts: Mapping[tuple[BlockId, ...], str]) -> Iterator[BlockSets]:
    for whole, name in prompts.items():
        if any(_is_part(whole, other) for other in prompts if other != whole):
            continue
        within = {blocks: called for blocks, called in prompts.items() if _is_part(blocks, whole)}
        vary = tuple(block for block in whole if not all(block in blocks for blocks in within))
        if vary:
            cells = {called: tuple(block in blocks for block in vary) for blocks, called in within.items()}
            yield BlockSets(name, vary, cells)


def _is_part(blocks: Sequence[BlockId], whole: Sequence[BlockId]) -> bool:
    left = iter(whole)
    return all(block in left for block in blocks)
