"""What each block of a prompt is worth: frames and plain sentences, from answers to sets of its blocks.

It does not know runs or labs; whoever has a frame of generations, and the sets that its prompts are, may ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.arguments import check, number, text
from labkit.errors import DefinitionError
from labkit.prompts.block_sets import BlockSets
from labkit.summary import summarize
from labkit.summary.block_effects import main_effects, pair_effects, states
from labkit.summary.compact_frame import compact
from labkit.summary.contender_names import short_labels
from labkit.summary.scores import basis, score_column, score_names
from labkit.summary.set_answers import SetAnswers, set_answers
from labkit.summary.unscored import why_none
from labkit.verdict import show
from labkit.verdict.amounts import number as amount
from labkit.verdict.amounts import span, times, times_span, usd
from labkit.verdict.block_sentences import CACHED, BlockSentences
from labkit.verdict.ranks import records
from labkit.verdict.words import Terms
from labkit.visible import quoted, visible

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Ablation:
    """What a run tells of the blocks of its prompts. Made by `run.ablation()`; frozen.

    `str(ablation)` is its sentences and notes; in a notebook there is a table below.
    """

    scorer: str
    level: float
    margin: float | None
    better: str
    watched: bool
    """Whether its intervals hold at any moment of stopping."""
    sentences: tuple[str, ...]
    """What each block adds, at what price; of blocks that depend on one another, beside the other and not."""
    conclusion: tuple[str, ...]
    """The cheapest set that nobody is shown to beat, by prompt and model."""
    notes: tuple[str, ...]
    effects: pd.DataFrame
    """A row per block and model: see `labkit.summary.block_effects.main_effects`. `attrs["unit"]` says
    whether scores run from 0 to 1, so that a hundredth is a point."""
    pairs: pd.DataFrame
    """A row per pair of blocks and model, or per pairs that cannot be told apart."""
    states: pd.DataFrame
    """Of decided pairs: neither, either and both of the blocks against one another."""
    sets: pd.DataFrame
    """A row per set and model: the columns of `labkit.summary.summarize`, a column of bool per block
    (`block.<name>`), and `cached`, the share of input tokens that were read from a cache."""
    labels: Mapping[str, str]
    """What sentences and charts call the models."""

    def frame(self) -> pd.DataFrame:
        """One row per block and model: `effects`."""
        return self.effects.copy()

    def __str__(self) -> str:
        return "\n".join([*self.sentences, *self.conclusion, *(f"({note})" for note in self.notes)])

    def __repr__(self) -> str:
        decided = int(self.effects["decided"].sum())
        return f"Ablation({visible(self.scorer, limit=40)}: {len(self.effects)} effects, {decided} decided)"

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """Sentences, conclusion, a table of the blocks, and the notes, as HTML."""
        title, *rest = self.conclusion or ("What each block is worth",)
        shown = show.listing(title, [*self.sentences, *rest], self.notes, self._shown())
        return f'<div aria-label="{escape(visible(repr(self)))}">{shown}</div>'

    def _shown(self) -> pd.DataFrame:
        import pandas as pd

        unit = bool(self.effects.attrs["unit"])
        rows = []
        for row in records(self.effects):
            key = {"prompt": row["prompt"]} if self.effects["prompt"].nunique() > 1 else {}
            if self.effects["model"].nunique() > 1:
                key["model"] = self.labels[row["model"]]
            rows.append(key | _cells(row, unit))
        return pd.DataFrame(rows)


def ablation(
    frame: pd.DataFrame,
    every: Sequence[BlockSets],
    score: str | None = None,
    *,
    margin: float | None = None,
    level: float = 0.95,
    clusters: str | None = None,
    better: str = "higher",
) -> Ablation:
    """What each block adds, of prompts that were asked in several sets of their blocks.

    `frame` is one of generations, `every` the sets that its prompts are (`labkit.prompts.block_sets`); the
    rest is as for `labkit.verdict.verdict`. Raises DefinitionError where there are no such sets or scores.

    >>> import pandas as pd
    >>> from labkit.prompts.block_sets import block_sets
    >>> rows = [{"prompt": p, "model": "m", "sample_id": s, "status": "done",
    ...          "score.ok": float(p == "whole" or s % 4 == 0)} for p in ("whole", "bare") for s in range(40)]
    >>> frame = pd.DataFrame(rows)
    >>> frame.attrs["scales"] = {"ok": (0, 1, 1)}
    >>> sets = block_sets([("whole", "", [("policy", "b1:1")]), ("bare", "", [])])
    >>> ablation(frame, sets).sentences
    ('Block "policy" adds 55 to 88 points.',)
    """
    check(text("clusters", clusters, or_none=True), number("margin", margin, above=0, or_none=True))
    if better not in ("higher", "lower"):
        raise DefinitionError(f"better={quoted(better)} is to be 'higher' or 'lower'")
    column = score_column(frame, score)
    if column is None:
        raise DefinitionError(f"Nothing can be told of the blocks, since {why_none(frame, None)}.")
    scorer = column.removeprefix("score.")
    others = [name for name in score_names(frame) if name != scorer] if score is None else []
    study = basis(frame, column, level=level, clusters=clusters)
    cut = compact(frame, column, clusters, *CACHED)
    answers = list(set_answers(cut, every, score=scorer, clusters=clusters, better=better))
    if not answers:
        raise DefinitionError(
            "No prompt of this run was asked in several sets of its blocks: measure them by plan.ablate()."
        )
    settings: dict[str, Any] = {"level": study.level, "watched": study.watched}
    effects = main_effects(answers, margin=margin, **settings)
    effects.attrs["unit"] = study.scale.unit
    pairs = pair_effects(answers, **settings)
    compared = states(answers, pairs, **settings)
    terms = Terms(
        scorer=visible(scorer, limit=60),
        study=study,
        margin=margin,
        better=better,
        unpriced=frozenset(),
        clocks={},
    )
    models = list(dict.fromkeys(one.model for one in answers))
    labels = short_labels(models, frame.attrs.get("labels") or {})
    told = BlockSentences(answers, effects, pairs, compared, terms, labels)
    return Ablation(
        scorer=scorer,
        level=study.level,
        margin=margin,
        better=better,
        watched=study.watched,
        sentences=tuple(sentence for one in answers for sentence in told.of(one)),
        conclusion=tuple(told.conclusions()),
        notes=tuple(told.notes(others)),
        effects=effects,
        pairs=pairs,
        states=compared,
        sets=_sets(cut, answers, scorer, study.asked_level, clusters),
        labels=labels,
    )


def _sets(
    frame: pd.DataFrame, answers: Sequence[SetAnswers], scorer: str, level: float, clusters: str | None
) -> pd.DataFrame:
    import pandas as pd

    cells = {name: (one.sets, cell) for one in answers for name, cell in one.sets.cells.items()}
    mine = frame[frame["prompt"].astype(str).isin(list(cells))].reset_index(drop=True)
    mine.attrs = dict(frame.attrs)
    found = summarize(mine, by=["prompt", "model"], score=scorer, level=level, clusters=clusters)
    names = list(dict.fromkeys(name for one in answers for name in one.sets.names))
    for name in names:
        inside = []
        for prompt in found["prompt"].astype(str):
            sets, cell = cells[prompt]
            inside.append(dict(zip(sets.names, cell, strict=True)).get(name))
        found[f"block.{name}"] = pd.array(inside, dtype="boolean")
    read, total = (
        [
            mine.loc[(mine["prompt"] == row.prompt) & (mine["model"] == row.model), column].sum()
            if column in mine.columns
            else np.nan
            for row in found.itertuples()
        ]
        for column in ("cache_read_tokens", "input_tokens")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        found["cached"] = np.array(read, dtype=float) / np.array(total, dtype=float)
    return found


def _cells(row: Mapping[str, Any], unit: bool) -> dict[str, str]:
    """A row of the table that a notebook shows; `unit`: scores run from 0 to 1, so 0.01 is a point."""
    factor = 100 if unit else 1
    cost, slow = row["cost_per_1k_usd"], (row["latency_ratio"], row["latency_low"], row["latency_high"])
    known = np.isfinite([row["all_low"], row["all_high"]]).all()
    fits = " to ".join(span(factor * row["all_low"], factor * row["all_high"])) if known else "no range"
    return {
        "block": visible(row["block"], limit=60),
        f"adds{' (points)' if unit else ''}": f"{amount(factor * row['effect'])} ({fits})",
        "decided": "yes" if row["decided"] else "no",
        "input tokens": _signed(row["input_tokens"]),
        "output tokens": _signed(row["output_tokens"]),
        "per 1,000 answers": "–" if np.isnan(cost) else f"{'−' if cost < 0 else ''}{usd(abs(cost))}",
        "time": f"{times(slow[0])} ({times_span(*slow[1:])})" if np.isfinite(slow).all() else "–",
        "missing": f"{row['missing']:,}",
    }


def _signed(count: float) -> str:
    if np.isnan(count):
        return "–"
    return f"{count:+,.0f}".replace("-", "−") if round(count) else "0"
