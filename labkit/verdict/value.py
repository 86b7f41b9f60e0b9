"""The verdict: frames in, a value out that is a frame, a table and plain sentences.

It does not know runs or labs; whoever has a frame of generations may ask for one. It is one class with the
function that makes it, and what each of them takes is told at length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from labkit.stats.scale import Scale
from labkit.summary import summarize
from labkit.summary.contender_names import names
from labkit.summary.contender_table import BETWEEN
from labkit.summary.pairwise import compare_pairs, p_values
from labkit.summary.scores import Bounds
from labkit.verdict import judge_words, ranks, show
from labkit.verdict.conclusion import conclusion
from labkit.verdict.lacking import alone_notes, lacking_notes, nothing_compared
from labkit.verdict.overall import assurance, headline, notes
from labkit.verdict.question import Question, question, questions
from labkit.verdict.several import Verdicts
from labkit.verdict.timing import why_apart
from labkit.verdict.words import Terms, sentence
from labkit.visible import visible

if TYPE_CHECKING:
    import pandas as pd

    from labkit.stats.units import Floats

MOST_SAID = 12
"""Sentences that `str` shows; all are in `sentences`."""
MOST_SHOWN = 66
"""Pairs that a notebook shows, folded where there are many: those of twelve contenders. A report has all."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a comparison allows to say. Made by `run.verdict()` or `verdict(frame)`; frozen.

    `str(verdict)` is the headline, the sentences (for more than five contenders: ranks and bands) and the
    notes; in a notebook it is a table.
    """

    by: tuple[str, ...]
    scorer: str
    level: float
    margin: float | None
    better: str
    watched: bool
    """Whether its intervals hold at any moment of stopping, as for a study that was watched."""
    headline: str
    """One or two sentences: which is best and how sure that is; where there are several scores, by which."""
    conclusion: tuple[str, ...]
    """What follows for use: what it costs, how long it takes, who is cheaper or faster; and of more than
    five contenders whom the first is shown to beat."""
    sentences: tuple[str, ...]
    """One per pair, in the order of `frame()`, after one per contender without any score. Of several pairs
    `notes` tell what is so for all of them."""
    ranks: tuple[str, ...]
    """For more than five contenders: the chance of being best, and bands that cannot be told apart."""
    notes: tuple[str, ...]
    """What the sentences rest on: samples, levels, corrections, missing answers, clocks."""
    assurance: str
    """How far what is said of scores may be trusted, in short: the level, or what growth does to it."""
    scale: Scale
    """What the scorer declares of its values."""
    contenders: pd.DataFrame
    """One row per contender, best first: the columns of `labkit.summary.summarize`, `name`, and for more
    than five `rank_low`, `rank_high`, `best_chance`."""
    pairs: pd.DataFrame
    names: Mapping[str, str]
    """What sentences and tables call each contender: its label, the id where labels are alike."""

    def frame(self) -> pd.DataFrame:
        """One row per pair, the better one first; `labkit.summary.pairwise` tells the columns."""
        return self.pairs.copy()

    def lines(self) -> list[str]:
        """What `str` tells above the notes: headline, conclusion, then sentences, or ranks and bands."""
        said = [self.headline, *self.conclusion, *(self.ranks or self.sentences[:MOST_SAID])]
        more = len(self.sentences) - MOST_SAID
        if self.ranks:
            said.append(f"All {len(self.pairs):,} pairs: see .sentences and .frame().")
        elif more > 0:
            said.append(f"… and {more:,} more pairs: see .sentences and .frame().")
        return said

    def __str__(self) -> str:
        return "\n".join([*self.lines(), *(f"({note})" for note in self.notes)])

    def __repr__(self) -> str:
        by = " and ".join(self.by)
        if not (self.pairs["n"] > 0).any():
            told = self.headline.removeprefix(f"By {visible(self.scorer, limit=60)}: ")
            return f"Verdict({visible(self.scorer, limit=40)} by {by}: {told})"
        decided = int(self.pairs["decided"].sum())
        pairs = f"{len(self.pairs)} pair{'' if len(self.pairs) == 1 else 's'}"
        return f"Verdict({visible(self.scorer, limit=40)} by {by}: {pairs}, {decided} decided)"

    def html(self, *, most: int | None = None, contenders: bool = True) -> str:
        """The verdict as HTML: headline and conclusion, sentences or ranks, tables, notes.

        What is much stands folded: of more than five contenders, or of more than twelve sentences, all pairs.
        `most` is how many of these are shown, by default all; `contenders` says whether with their table.
        """
        return show.html(
            [self.headline, *self.conclusion],
            self.ranks,
            self.sentences,
            self.notes,
            self.pairs,
            self.contenders if contenders else None,
            self.names,
            most=most,
        )

    def _repr_html_(self) -> str:
        return self.html(most=MOST_SHOWN)


@overload
def verdict(
    frame: pd.DataFrame,
    score: str | None = None,
    *,
    by: str | Sequence[str] = "model",
    margin: float | None = None,
    level: float = 0.95,
    against: str | None = None,
    clusters: str | None = None,
    better: str = "higher",
    bounds: Bounds | None = None,
    step: float | None = None,
    watched: bool | None = None,
    labels: Mapping[str, str] | None = None,
) -> Verdict: ...


@overload
def verdict(
    frame: pd.DataFrame,
    score: list[str] | tuple[str, ...],
    *,
    by: str | Sequence[str] = "model",
    margin: float | Mapping[str, float] | None = None,
    level: float = 0.95,
    against: str | None = None,
    clusters: str | None = None,
    better: str | Mapping[str, str] = "higher",
    bounds: Bounds | Mapping[str, Bounds] | None = None,
    step: float | Mapping[str, float] | None = None,
    watched: bool | None = None,
    labels: Mapping[str, str] | None = None,
) -> Verdicts: ...


def verdict(
    frame: pd.DataFrame,
    score: str | list[str] | tuple[str, ...] | None = None,
    *,
    by: str | Sequence[str] = "model",
    margin: Any = None,
    level: float = 0.95,
    against: str | None = None,
    clusters: str | None = None,
    better: Any = "higher",
    bounds: Any = None,
    step: Any = None,
    watched: bool | None = None,
    labels: Mapping[str, str] | None = None,
) -> Verdict | Verdicts:
    """Compare models, prompts, or prompts on models, by a score, with price and speed beside it.

    `frame` is one of generations, with a column `score.<name>` per scorer; `score` names one, by default the
    first. `by` is `"model"`, `"prompt"` or `["prompt", "model"]`; the other of the two is held equal. Of
    chains `"step:facts"` compares the models of step `facts`, those of other steps held equal. `margin` is
    the difference that would not matter (0.02: 2 points); with it labkit can say that two are equal.
    `against` compares only with one contender. `clusters` names a column of samples that belong together
    (`sample.author`). `better="lower"` turns the score round. `bounds` (lowest, highest) and `step` say what
    the scorer gives, where the frame does not (`attrs["scales"]`): without bounds a score is told in its own
    unit, nothing is said of the worst case of missing answers, and answers without any scatter decide
    nothing. `watched` says that the study was looked at while it grew; by default where it was grown after it
    could be looked at (`attrs["grown"]`; see `labkit.summary.scores.basis`). `labels` gives other names to
    models.

    Samples are the units; repeats and the levels of what is not compared stay within them. A pair is
    decided by Holm's correction over all pairs; ranges in sentences hold together for all pairs at
    `level`. Of more than five contenders ranks are told, bands of those that cannot be told apart, and
    the chance of being best (`labkit.stats.ranking`). Raises DefinitionError for what cannot be compared.

    A list of scores gives `Verdicts`: one per score, and all pairs are those of all scores, also for prices
    and times. `margin`, `better`, `bounds` and `step` are then one for all, or a mapping by score.

    >>> import pandas as pd
    >>> rows = [{"model": m, "sample_id": s, "status": "done", "score.ok": float(m == "b" or s % 4 == 0)}
    ...         for m in "ab" for s in range(40)]
    >>> verdict(pd.DataFrame(rows), bounds=(0, 1), step=1).sentences[0]
    'b beats a by 55 to 88 points over 40 samples.'
    """
    asked: dict[str, Any] = {"by": by, "level": level, "clusters": clusters, "watched": watched}
    asked |= {"margin": margin, "better": better, "bounds": bounds, "step": step}
    labels = labels or frame.attrs.get("labels") or {}
    if not isinstance(score, (list, tuple)):
        return _concluded(question(frame, score, **asked), against, labels)
    found = questions(frame, score, **asked)
    families = [p_values(one.turned, against=against, watched=one.study.watched) for one in found]
    return Verdicts(
        tuple(
            _concluded(one, against, labels, np.concatenate([[], *families[:place], *families[place + 1 :]]))
            for place, one in enumerate(found)
        )
    )


def _concluded(
    asked: Question, against: str | None, labels: Mapping[str, str], beside: Floats | tuple[()] = ()
) -> Verdict:
    """The verdict by one score, corrected together with other scores, whose p values are `beside`."""
    found, study, turned = asked.found, asked.study, asked.turned
    margin, better = asked.margin, asked.better
    pairs = compare_pairs(
        turned, margin=margin, level=study.level, against=against, watched=study.watched, beside=beside
    )
    shown = names(found.keys, labels)
    contenders = summarize(asked.frame, by=list(found.by), **asked.settings)
    contenders["name"] = [BETWEEN.join(map(str, key)) for key in contenders[list(found.by)].to_numpy()]
    best_first = contenders.sort_values("score", ascending=better == "lower", kind="stable")
    contenders = best_first.reset_index(drop=True)
    place = {name: at for at, name in enumerate(contenders["name"])}
    places = pairs[["first", "second"]].apply(lambda column: column.map(place))
    pairs = pairs.loc[places.sort_values(["first", "second"], kind="stable").index].reset_index(drop=True)
    contenders.attrs["labels"] = dict(labels)
    scored = set(contenders.loc[contenders["score_n"] > 0, "name"])
    told = pairs[pairs["first"].isin(scored) & pairs["second"].isin(scored)]
    told_of = asked.frame.attrs
    alike = len(told) > 1 and told["samples"].nunique() == 1
    terms = Terms(
        scorer=visible(found.scorer, limit=60),
        study=study,
        margin=margin,
        better=better,
        unpriced=frozenset(
            name for name, known in zip(found.names, found.cost_known, strict=True) if not known
        ),
        clocks=dict(zip(found.names, found.clocks, strict=True)),
        beside=int(np.isfinite(beside).sum()),
        several=len(told) > 1,
        apart=why_apart(told_of.get("resumed", 0), (told_of.get("grown") or {}).get("others", 0)),
        samples=int(told["samples"].iloc[0]) if alike else None,
    )
    labelled = "basis" in pairs.columns
    if not labelled:  # a table of judged scores does not know the labels
        contenders = ranks.with_ranks(contenders, pairs, turned)
    trust = judge_words.lead(pairs, judged=found.judged)
    under = [f"by {terms.scorer}"] if asked.one_of_several or trust else []
    under += [trust] if trust else []
    under += [f"for step {visible(asked.of_step, limit=40)}"] if asked.of_step else []
    lead = ", ".join(under)
    by_score = f"{lead[0].upper()}{lead[1:]}: " if lead else ""
    said = nothing_compared(asked.frame, found, contenders, pairs, shown, terms) or headline(
        contenders, pairs, shown, terms, found.by
    )
    return Verdict(
        by=found.by,
        scorer=found.scorer,
        level=study.level,
        margin=margin,
        better=better,
        watched=study.watched,
        assurance=assurance(found, terms),
        scale=found.score.scale,
        headline=f"{by_score}{said}",
        conclusion=(
            *ranks.lead(contenders, pairs, shown, terms),
            *conclusion(contenders, pairs, shown, terms),
        ),
        sentences=_sentences(contenders, pairs, shown, terms),
        ranks=ranks.lines(contenders, pairs, shown, found.by),
        notes=(
            *notes(
                found,
                contenders,
                pairs,
                shown,
                terms,
                lacking=[
                    *judge_words.notes(asked.frame, found, pairs, shown, watched=study.watched),
                    *lacking_notes(contenders, shown),
                    *alone_notes(found, shown),
                ],
                others=asked.others,
            ),
            *ranks.notes(contenders, pairs, study.level, found.by),
            *(["prices and times are those of whole chains"] if asked.of_step else []),
        ),
        contenders=contenders,
        pairs=pairs,
        names=shown,
    )


def _sentences(
    contenders: pd.DataFrame, pairs: pd.DataFrame, shown: Mapping[str, str], terms: Terms
) -> tuple[str, ...]:
    silent = contenders[contenders["score_n"] == 0]
    said = [
        f"{shown[row['name']]} has no scored answer ({_why(row)}), so nothing can be said of it."
        for row in ranks.records(silent)
    ]
    gone = set(silent["name"])
    for row in ranks.records(pairs):
        if row["first"] not in gone and row["second"] not in gone:
            said.append(sentence(row, terms, (shown[row["first"]], shown[row["second"]])))
    return tuple(said)


def _why(row: Mapping[str, object]) -> str:
    counts = [f"{row[name]:,} {name}" for name in ("failed", "partial", "stopped") if row[name]]
    return f"of {row['n']:,} asked, {', '.join(counts)}" if counts else f"{row['n']:,} asked, none scored"
