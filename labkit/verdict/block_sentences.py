"""All that is said of the blocks that a run measured: sentences, what follows for use, and notes.

It picks what is to be said of which block; single sentences stand in `block_words`. It calculates nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.summary.block_effects import FAILING, beaten
from labkit.summary.set_answers import SetAnswers
from labkit.verdict.amounts import counted, listed
from labkit.verdict.block_words import (
    aliased_sentence,
    block_sentence,
    cheapest_sentence,
    failing_sentence,
    named,
    pair_sentences,
)
from labkit.verdict.cheapest_set import cheapest
from labkit.verdict.overall import assurance
from labkit.verdict.ranks import records
from labkit.verdict.words import NEARLY, Terms, score_note
from labkit.visible import visible

if TYPE_CHECKING:
    import pandas as pd

CACHED = ("cache_read_tokens", "cache_write_tokens")


@dataclass(frozen=True, eq=False)
class BlockSentences:
    """What is said of the blocks of all prompts and models, from the frames of their effects."""

    answers: Sequence[SetAnswers]
    effects: pd.DataFrame
    pairs: pd.DataFrame
    states: pd.DataFrame
    terms: Terms
    labels: Mapping[str, str]

    def of(self, one: SetAnswers) -> Iterator[str]:
        """What is said of the blocks of one prompt on one model."""
        where = self._where(one)
        if one.failing > FAILING:
            yield failing_sentence(one.sets.prompt, one.failing, where=where)
            return
        effects = {row["block"]: row for row in self._rows(self.effects, one)}
        pairs = [row for row in self._rows(self.pairs, one) if row["decided"]]
        clear = [row for row in pairs if not row["aliased"]]
        replaced = {block for row in clear for pair in row["blocks"] for block in pair}
        for factor, name in enumerate(one.sets.names):
            if name in effects and name not in replaced:
                beside = self._beside(one, factor)
                instead = [
                    " × ".join(named(one.sets.names[at]) for at in pair)
                    for pair, share in one.design.aliases(factor)
                    if abs(share) == 1
                ]
                yield block_sentence(effects[name], self.terms, where=where, beside=beside, instead=instead)
            elif name not in effects:
                yield f"Block {named(name)}{where}: cannot be told by the sets that were asked."
        for row in clear:
            mine = [
                state
                for state in self._rows(self.states, one)
                if ((state["first"], state["second"]),) == row["blocks"]
            ]
            yield from pair_sentences(row, mine, effects, self.terms, where=where)
        for row in pairs:
            if row["aliased"]:
                yield aliased_sentence(row, self.terms, where=where)

    def conclusions(self) -> Iterator[str]:
        """The cheapest set of each prompt, once for all models where it is the same."""
        found: dict[str, list[SetAnswers]] = {}
        for one in self.answers:
            if one.failing <= FAILING and (said := self._cheapest(one)):
                found.setdefault(said, []).append(one)
        for said, those in found.items():
            where = "" if len(those) == len(self.answers) else self._where(*those)
            yield said.replace("{where}", where)

    def notes(self, others: Sequence[str]) -> Iterator[str]:
        """What the sentences rest on; `others` are scores that there are, where none was named."""
        terms, level = self.terms, f"{self.terms.study.level * 100:g} %"
        beside = f"; scored too: {visible(', '.join(others))}" if others else ""
        lower = ", lower is better" if terms.better == "lower" else ""
        yield f"{score_note(terms)}{lower}{beside}"
        each = all(_is_beside_all(one) for one in self.answers)
        over = "beside all the others" if each else "averaged over the others in and out"
        yield (
            f"effect of a block: mean score with it less without it, {over}; blocks stand in one order, and "
            "effects are those on samples like these"
        )
        tested = counted(int((self.effects["units"] > 1).sum()), "effect")
        if terms.study.watched:
            yield f"ranges are {level} intervals for all {tested} together, at any moment of stopping"
        else:
            clusters = terms.study.clusters
            units = "" if clusters is None else f", samples taken as clusters ({visible(clusters, limit=60)})"
            yield (
                f"decided by Holm's correction over {tested}; ranges are {level} intervals that hold for all "
                f"of them together{units}"
            )
        if len(self.pairs) and not terms.study.watched:
            yield (
                f"{counted(len(self.pairs), 'pair effect')} by Benjamini and Hochberg's correction: of those "
                f"that are told, about {(1 - terms.study.level) * 100:.2g} % may be chance"
            )
        yield from self._mixed()
        decided = self.effects[self.effects["decided"].astype(bool)]
        if ((decided["all_low"] <= 0) & (decided["all_high"] >= 0)).any():
            yield f"“up to”: decided, with no limit {NEARLY} that holds for all together"
        if (self.effects[list(CACHED)] > 0.5).any(axis=None):
            yield "prices are those of a warm beginning where a cache was read; .sets has its share by set"
        if terms.study.grown:
            yield assurance(self.answers[0].table, terms)

    def _mixed(self) -> Iterator[str]:
        """What the designs cannot tell apart."""
        if any(one.design.resolution == 4 for one in self.answers):
            yield "effects of blocks are told from those of pairs, and not every pair from others"
        shares = [
            abs(share)
            for one in self.answers
            if not _is_beside_all(one)
            for at in range(one.design.k)
            for _, share in one.design.aliases(at)
        ]
        if shares and max(shares) < 1:
            yield f"in the effect of a block there is up to {max(shares):.2g} of those of pairs of others"

    def _beside(self, one: SetAnswers, factor: int) -> str:
        """What the block is told beside, or without, unless that is all others."""
        told = one.design.conditions(factor)
        if not told or len(told) == one.design.k - 1 > 1:
            return ""
        parts = [f"{'beside' if inside else 'without'} {named(one.sets.names[at])}" for at, inside in told]
        return f" {' and '.join(parts)}"

    def _cheapest(self, one: SetAnswers) -> str:
        effects = self._rows(self.effects, one)
        if any(row["units"] < 2 for row in effects):
            return ""
        found = cheapest(
            one.design,
            one.sets.names,
            effects,
            self._rows(self.states, one),
            set() if self.terms.study.watched else beaten(one, level=self.terms.study.level),
        )
        if found is None:
            return ""
        blocks = [name for name, inside in zip(one.sets.names, found.cell, strict=True) if inside]
        whole = len(blocks) == one.design.k
        return cheapest_sentence(blocks, priced=found.priced, asked=found.asked, whole=whole, where="{where}")

    def _where(self, *those: SetAnswers) -> str:
        """Whose effects they are, where there are several models or prompts."""
        models = list(dict.fromkeys(visible(self.labels[one.model], limit=60) for one in those))
        prompts = list(dict.fromkeys(one.sets.prompt for one in those))
        on = f" on {listed(models)}" if len({one.model for one in self.answers}) > 1 else ""
        several = len({one.sets.prompt for one in self.answers}) > 1
        return (f" in {listed([visible(name, limit=60) for name in prompts])}" if several else "") + on

    def _rows(self, frame: pd.DataFrame, one: SetAnswers) -> list[dict[str, Any]]:
        return records(frame[(frame["prompt"] == one.sets.prompt) & (frame["model"] == one.model)])


def _is_beside_all(one: SetAnswers) -> bool:
    """Whether each block was left out alone, so that its effect is that beside all the others."""
    return one.design.k > 1 and len(one.design.conditions(0)) == one.design.k - 1
