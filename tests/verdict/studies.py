"""Constructed studies, and what labkit says of each, as one text that a person can read line by line.

`sentences.md` beside this file is that text. `python -m tests.verdict.studies`, in the project's folder,
writes it again after a change of words; then read what changed (`git diff`) before it is committed. Each
study says in one line what is right of it. It knows no stored lab: a study is a frame or two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from labkit.stats.factorial import design
from labkit.verdict import Verdict, verdict
from labkit.verdict.ablation import Ablation
from labkit.verdict.comparison import Comparison, compare
from tests.verdict import blocks, judged
from tests.verdict.frames import frame, ones

SENTENCES = Path(__file__).with_name("sentences.md")
MOST = 15
"""Of more pairs than this the text has the first few."""
UNDECLARED = None
RATINGS = (1, 5, 1)
PERCENT = (0, 100, None)
GRADED = (0, 1, None)


@dataclass(frozen=True)
class Study:
    """One study: its name, what is right of it, and what labkit is asked."""

    name: str
    right: str
    asked: Callable[[], Verdict | Comparison | Ablation]

    def text(self) -> str:
        """All that labkit says, below the name and what is right."""
        found = self.asked()
        headline = [found.headline, *found.conclusion, ""] if isinstance(found, Verdict) else []
        ranks = [f"- {line}" for line in found.ranks] if isinstance(found, Verdict) else []
        pairs = [f"- {line}" for line in found.sentences[: 3 if len(found.sentences) > MOST else None]]
        more = len(found.sentences) - len(pairs)
        pairs += [f"- … {more} more"] if more else []
        pairs += [f"- {line}" for line in found.conclusion] if isinstance(found, Ablation) else []
        notes = [f"- ({note})" for note in found.notes]
        said = "\n".join([*headline, *ranks, *pairs, *notes])
        return f"## {self.name}\n\n*{self.right}*\n\n{said}\n"


STUDIES: list[Study] = []


def study(name: str, right: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Adds a study."""

    def add(asked: Callable[[], Any]) -> Callable[[], Any]:
        STUDIES.append(Study(name, right, asked))
        return asked

    return add


def text() -> str:
    """Everything said of all studies."""
    top = (
        "# What labkit says of constructed studies\n\nWritten by `python -m tests.verdict.studies`; read "
        "line by line. In italics: what is right.\n"
    )
    return "\n".join([top, *(one.text() for one in STUDIES)])


def marked(count: int, n: int, *, start: int = 0) -> list[int]:
    """Of `n` answers these `count` are right, from place `start` on."""
    return [int(start <= place < start + count) for place in range(n)]


def draws(rate: float, seed: int, n: int = 90) -> list[int]:
    """Answers that are right with this chance."""
    return [int(one) for one in np.random.default_rng(seed).random(n) < rate]


def run(
    scores: list[Any], *, model: str = "x/m", name: str = "a", scale: Any = (0, 1, 1), **columns: Any
) -> pd.DataFrame:
    """One model's answers of one run, as `compare` reads them."""
    n = len(scores)
    rng = np.random.default_rng(7 * sum(map(ord, name)))
    made = pd.DataFrame(
        {
            "generation_id": [f"{name}-{model}-{place}" for place in range(n)],
            "prompt": "p",
            "prompt_version": 1,
            "model": model,
            "sample_id": [str(place) for place in range(n)],
            "status": ["failed" if score is None else "done" for score in scores],
            "response_model": "m-2026-01",
            "price_id": "list:1",
            "request_id": [f"r{place}" for place in range(n)],
            "replayed_from": None,
            "started_at": pd.Timestamp("2026-11-23", tz="UTC") + pd.to_timedelta(np.arange(n), unit="s"),
            "latency_s": rng.lognormal(0, 0.2, n),
            "cost_usd": 0.001 * rng.lognormal(0, 0.2, n),
            "output_tokens": 20,
            "score.exact": scores,
        }
    ).assign(**columns)
    made.attrs["scales"] = {} if scale is None else {"exact": scale}
    return made


def joined(*parts: pd.DataFrame) -> pd.DataFrame:
    """Frames one below the other, with what the first declares."""
    made = pd.concat(parts, ignore_index=True)
    made.attrs = dict(parts[0].attrs)
    return made


def grown(made: pd.DataFrame, *, rows: int = 0, contenders: int = 0) -> pd.DataFrame:
    """A study that was made larger after it could be looked at."""
    made.attrs["grown"] = {"rows": rows, "others": contenders}
    return made


def authors(made: pd.DataFrame, each: int) -> pd.DataFrame:
    """Samples of authors, so many of each."""
    return made.assign(**{"sample.author": made["sample_id"].str[1:].astype(int) // each})


def like(rates: Any, n: int, *, seed: int = 0, scale: Any = (0, 1, 1)) -> pd.DataFrame:
    """Models with these rates on the same samples, half of which they answer alike."""
    rng = np.random.default_rng(seed)
    alike, luck = rng.random(n) < 0.5, rng.random(n)
    return frame(
        {
            f"x/m{place:02d}": [int(one) for one in np.where(alike, luck < rate, rng.random(n) < rate)]
            for place, rate in enumerate(rates)
        },
        scale=scale,
    )


# -- answers right or wrong ------------------------------------------------------------------------

A, B, C = "x/A", "x/B", "x/C"


@study("Clear: better, cheaper, faster", "Decided; 55 and 75 % of 200, prices and times with ranges.")
def _() -> Verdict:
    scores = {A: ones(0.55, 200, seed=1), B: ones(0.75, 200, seed=2)}
    return verdict(frame(scores, cost_usd={A: 0.002, B: 0.0012}, latency_s={A: 1.0, B: 0.7}))


@study("Two equal rates", "Undecided, and no word of equality.")
def _() -> Verdict:
    return verdict(frame({A: ones(0.5, 40, seed=1), B: ones(0.5, 40, seed=2)}))


@study("Ten points over sixty samples", "Undecided; how many more is told as a condition.")
def _() -> Verdict:
    return verdict(frame({A: ones(0.5, 60, seed=1), B: ones(0.6, 60, seed=2)}, cost_usd={A: 0.002, B: 0.001}))


@study("Equal within a margin, one much cheaper", "Equal within 5 points, and the cheaper is named.")
def _() -> Verdict:
    scores = {A: [1] * 190 + [0] * 210, B: [0] + [1] * 190 + [0] * 209}
    return verdict(frame(scores, cost_usd={A: 0.002, B: 0.0006}), margin=0.05)


@study("Better, but by less than the margin", "Both: decided, and too little to matter.")
def _() -> Verdict:
    return verdict(frame({A: marked(940, 1000), B: marked(960, 1000)}), margin=0.05)


@study("Better by more than the margin", "All of the range lies above 5 points.")
def _() -> Verdict:
    return verdict(frame({A: ones(0.5, 200, seed=1), B: ones(0.8, 200, seed=2)}), margin=0.05)


@study("The margin lies inside the range, declared", "Decided; whether by more than the margin is open.")
def margin_inside() -> Verdict:
    return verdict(frame({A: marked(60, 100), B: marked(50, 100)}), margin=0.1)


@study("Undecided, but not worse by the margin", "B leads by 5; worse by 10 or more is ruled out.")
def _() -> Verdict:
    return verdict(frame({A: marked(100, 200), B: marked(110, 200, start=10)}), margin=0.1)


@study("A tie and a margin of one point", "Too few to call them equal within 1 point.")
def _() -> Verdict:
    return verdict(frame({A: marked(30, 60), B: marked(30, 60, start=5)}), margin=0.01)


@study("One sample", "Nothing about others.")
def _() -> Verdict:
    return verdict(frame({A: [0], B: [1]}))


@study("One sample, both right", "Nothing about others.")
def _() -> Verdict:
    return verdict(frame({A: [1], B: [1]}))


@study("Two samples", "Undecided.")
def _() -> Verdict:
    return verdict(frame({A: [0, 0], B: [1, 1]}))


@study("Six samples, all won", "Decided as by a sign test: p = 0.03.")
def _() -> Verdict:
    return verdict(frame({B: [0] * 6, C: [1] * 6}))


@study("Nine samples", "Undecided; too few to say how many more.")
def _() -> Verdict:
    return verdict(frame({A: marked(4, 9), B: marked(6, 9)}))


@study("Ten samples", "Undecided; how many more may be said from here on.")
def _() -> Verdict:
    return verdict(frame({A: marked(5, 10), B: marked(7, 10)}))


@study("A difference of one in a thousand", "Hopeless without a margin, and that is said.")
def _() -> Verdict:
    return verdict(frame({A: ones(0.5, 1000, seed=1), B: ones(0.501, 1000, seed=2)}))


@study("The same on all of forty samples", "A true difference still fits.")
def _() -> Verdict:
    return verdict(frame({A: ones(0.5, 40), B: ones(0.5, 40)}))


@study("The same on both of two samples, with a margin", "Not equal: two samples say little.")
def _() -> Verdict:
    return verdict(frame({A: [1, 0], B: [1, 0]}), margin=0.05)


@study("Repeats summed in another order, declared", "All ties: rests of adding decide nothing.")
def order_of_repeats() -> Verdict:
    scores = {A: [[0.1, 0.2, 0.3]] * 30, B: [[0.3, 0.2, 0.1]] * 30}
    return verdict(frame(scores, scale=GRADED))


@study("No sample in common", "Cannot be compared.")
def _() -> Verdict:
    made = frame({A: [1] * 20, B: [0] * 20})
    made.loc[made["model"] == B, "sample_id"] = [f"t{place}" for place in range(20)]
    return verdict(made)


# -- missing answers -------------------------------------------------------------------------------


@study("Nobody has a scored answer", "Nothing to compare; how many failed.")
def _() -> Verdict:
    return verdict(frame({A: [None] * 5, B: [None] * 5}))


@study("Only one has scored answers", "Its own score with a range, nothing to compare.")
def _() -> Verdict:
    return verdict(frame({A: [None] * 20, B: ones(0.5, 20)}))


@study("A model without any answer among three", "It is named; the others are compared.")
def _() -> Verdict:
    return verdict(frame({A: [None] * 80, B: ones(0.5, 80, seed=1), C: ones(0.8, 80, seed=2)}))


@study("Few missing, the claim stands", "Better in the worst case too, though not by that range.")
def few_missing() -> Verdict:
    return verdict(frame({A: ones(0.5, 200, seed=1), B: [None] * 5 + ones(0.8, 195, seed=2)}))


@study("Many missing, they could overturn it", "Decided over 70; the worst case is told.")
def _() -> Verdict:
    return verdict(frame({A: ones(0.5, 100, seed=1), B: [None] * 30 + ones(0.8, 70, seed=2)}))


@study("Equal whatever was missing", "Two missing of 800 leave them equal within 10 points.")
def _() -> Verdict:
    return verdict(frame({A: marked(400, 800), B: [None, None, *marked(398, 798)]}), margin=0.1)


@study("Equal but for half of A missing, declared", "Not equal: the worst case is −55 points.")
def half_missing() -> Verdict:
    made = frame({A: [None] * 200 + [1] * 199 + [0], B: [1] * 400}, cost_usd={A: 0.001, B: 0.002}, spread=0)
    return verdict(made, margin=0.05)


@study("The same on all that both have, half missing, declared", "On the 50 that both have, of 100.")
def same_half_missing() -> Verdict:
    return verdict(frame({A: marked(50, 100), B: [1] * 50 + [None] * 50}))


@study("Missing answers of a score without bounds", "Decided over 99; the worst case cannot be told.")
def _() -> Verdict:
    rng = np.random.default_rng(0)
    made = {A: list(rng.normal(20, 5, 100)), B: [None, *rng.normal(24, 5, 99)]}
    return verdict(frame(made, scale=UNDECLARED))


@study("Undecided, and answers are missing", "Both ranges are told.")
def _() -> Verdict:
    return verdict(frame({A: ones(0.5, 60, seed=1), B: [None] * 6 + ones(0.6, 54, seed=2)}))


@study("Done, but not scored", "The scorer gave nothing for ten of B's answers.")
def _() -> Verdict:
    made = frame({A: ones(0.5, 60, seed=1), B: ones(0.9, 60, seed=2)})
    made.loc[(made["model"] == B) & (made["sample_id"] < "s0010"), "score.exact"] = None
    return verdict(made)


@study("Better by more than the margin, but for what is missing", "Better for certain, by how much not.")
def _() -> Verdict:
    scores = {A: [0] * 100 + [1] * 100, B: [1] * 40 + [0] * 60 + [1] * 80 + [None] * 20}
    return verdict(frame(scores), margin=0.1)


@study("Better by more than the margin whatever is missing", "Both hold in the worst case.")
def _() -> Verdict:
    scores = {A: [0] * 150 + [1] * 50, B: [1] * 150 + [1] * 48 + [None] * 2}
    return verdict(frame(scores), margin=0.1)


@study("Better by less than the margin, one answer missing", "Both hold in the worst case.")
def _() -> Verdict:
    scores = {A: marked(940, 1000), B: [*marked(965, 999), None]}
    return verdict(frame(scores), margin=0.1)


@study("Partial and stopped answers", "Of each kind how many.")
def _() -> Verdict:
    made = frame({A: ones(0.5, 80, seed=1), B: ones(0.6, 80, seed=2)})
    made.loc[(made["model"] == B) & (made["sample_id"] < "s0006"), ["score.exact", "status"]] = [
        None,
        "partial",
    ]
    made.loc[(made["model"] == B) & (made["sample_id"] < "s0002"), "status"] = "stopped"
    return verdict(made)


@study("Eight models, of which each lacks answers", "One note, and a count.")
def _() -> Verdict:
    made = like([0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45], 60)
    gone = made.index % 60 == made["model"].str[-1].astype(int)
    made.loc[gone, ["score.exact", "status"]] = [None, "failed"]
    return verdict(made)


# -- three and more --------------------------------------------------------------------------------


@study("One of three beats both others", "The best, over 200 samples.")
def _() -> Verdict:
    return verdict(frame({A: ones(0.3, 200, seed=1), B: ones(0.5, 200, seed=2), C: ones(0.8, 200, seed=3)}))


@study("Two of three are left", "Undecided between B and C; A is beaten; C is cheapest of these.")
def _() -> Verdict:
    scores = {A: ones(0.3, 200, seed=1), B: ones(0.77, 200, seed=2), C: ones(0.8, 200, seed=3)}
    return verdict(frame(scores, cost_usd={A: 0.0001, B: 0.004, C: 0.001}))


@study("None of three is shown to beat another", "Undecided.")
def _() -> Verdict:
    return verdict(frame({A: ones(0.45, 60, seed=1), B: ones(0.5, 60, seed=2), C: ones(0.55, 60, seed=3)}))


@study("All three equal within a margin", "Equal, each with each.")
def _() -> Verdict:
    half = marked(500, 1000)
    return verdict(frame({A: half, B: half, C: [0, *half[:-1]]}), margin=0.1)


@study("One of three beats both, the others are open", "The best; B against A is undecided.")
def _() -> Verdict:
    scores = {A: marked(40, 80), B: marked(53, 80, start=16), C: marked(76, 80)}
    return verdict(frame(scores))


@study("Only one is left, though it does not beat everybody", "C beats B, B beats A; A and C never met.")
def only_one_left() -> Verdict:
    gone, half = [None] * 100, ones(0.5, 100, seed=2)
    return verdict(
        frame({A: [*ones(0.1, 100, seed=1), *gone], B: half * 2, C: [*gone, *ones(0.9, 100, seed=3)]})
    )


@study("Beaten in a circle, on different samples", "Nobody is left: which is best is undecided.")
def circle() -> Verdict:
    gone, won, lost = [None] * 30, [1] * 30, [0] * 30
    return verdict(frame({A: [*won, *gone, *lost], B: [*lost, *won, *gone], C: [*gone, *lost, *won]}))


@study("Five models", "Ten pairs, each in a sentence.")
def _() -> Verdict:
    return verdict(like([0.9, 0.85, 0.6, 0.55, 0.2], 150))


@study("Against one of three only", "Two pairs; the third is not compared.")
def _() -> Verdict:
    scores = {A: ones(0.5, 150, seed=1), B: ones(0.6, 150, seed=2), C: ones(0.75, 150, seed=3)}
    return verdict(frame(scores), against=A)


@study("Six models in tiers", "Bands with their ranks.")
def _() -> Verdict:
    return verdict(like([0.92, 0.9, 0.88, 0.6, 0.58, 0.2], 300))


@study("Six models, one without answers, one with few", "Who is not ranked, and what could be overturned.")
def some_unranked() -> Verdict:
    made = like([0.9, 0.88, 0.6, 0.58, 0.4, 0.2, 0.2, 0.1], 200)
    late = made["sample_id"] > "s0000"
    made.loc[made["model"] == "x/m07", ["score.exact", "status"]] = [None, "failed"]
    made.loc[(made["model"] == "x/m06") & late, ["score.exact", "status"]] = [None, "failed"]
    made.loc[(made["model"] == "x/m00") & (made["sample_id"] < "s0090"), "score.exact"] = None
    return verdict(made)


@study("Forty models", "Reads well: who is left, ranks, and how many are beaten.")
def _() -> Verdict:
    return verdict(like(np.linspace(0.9, 0.3, 40), 400))


@study("Seven that share no sample with one another in part", "No chance where no interval is.")
def _() -> Verdict:
    scores = {f"x/m{place}": [0, 1] * 10 for place in range(6)} | {"x/m6": [None] * 20 + [1, 0, 1]}
    return verdict(frame(scores))


@study("Two prompts over two models", "Models held equal, each sample counted once.")
def _() -> Verdict:
    first = frame({A: ones(0.5, 80, seed=1), B: ones(0.4, 80, seed=2)}, prompt="plain")
    second = frame({A: ones(0.7, 80, seed=3), B: ones(0.7, 80, seed=4)}, prompt="steps")
    return verdict(joined(first, second), by="prompt")


@study("Two prompts on two models, each by itself", "Four combinations.")
def _() -> Verdict:
    first = frame({A: ones(0.5, 80, seed=1), B: ones(0.4, 80, seed=2)}, prompt="plain")
    second = frame({A: ones(0.7, 80, seed=3), B: ones(0.72, 80, seed=4)}, prompt="steps")
    return verdict(joined(first, second), by=["prompt", "model"])


# -- other scales ----------------------------------------------------------------------------------


LABELS = {
    "local/smollm2-135m": "SmolLM2 135M Instruct",
    "local/gemma-3-270m": "Gemma 3 270M (few-shot base model)",
    "fake/dept-1": "fake/dept-1",
}


def nine(n: int = 30) -> pd.DataFrame:
    """Three prompts on three models, of which two are local and free, and one is asked over HTTP."""
    rng = np.random.default_rng(3)
    easy, parts = rng.random(n), []
    for prompt, rates in {
        "ask": (0.45, 0.6, 0.8),
        "examples": (0.55, 0.85, 0.9),
        "steps": (0.3, 0.62, 0.88),
    }.items():
        scores = {
            model: [int(one) for one in 0.6 * easy + 0.4 * rng.random(n) < rate]
            for model, rate in zip(LABELS, rates, strict=True)
        }
        costs = dict.fromkeys(LABELS, 0.0) | {"fake/dept-1": 4.8e-5 if prompt == "examples" else 1.6e-5}
        seconds = dict(zip(LABELS, (0.5, 1.2, 0.2), strict=True))
        flights = dict(zip(LABELS, (1, 1, 4), strict=True))
        parts.append(
            frame(scores, prompt=prompt, cost_usd=costs, latency_s=seconds, in_flight=flights, spread=0.3)
        )
    made = joined(*parts)
    made.attrs["labels"] = LABELS
    return made


@study("Three prompts on three models", "Who leads, whom it beats, ranks; what all share stands once.")
def nine_combinations() -> Verdict:
    return verdict(nine(), by=["prompt", "model"])


@study("Three models over three prompts", "The best, dearer than two that are free.")
def _() -> Verdict:
    return verdict(nine())


@study("Two prompts on two local models", "The best, free and slower; some pairs only Holm decides.")
def holm_decides() -> Verdict:
    made = nine()
    kept = made[(made["prompt"] != "steps") & (made["provider"] == "local")]
    return verdict(kept, by=["prompt", "model"])


@study("Ratings 1 to 5 of two samples, declared", "Undecided: two samples, no scatter.")
def two_ratings() -> Verdict:
    return verdict(frame({A: [4, 5], B: [3, 4]}, scale=RATINGS))


@study("Ratings 1 to 5 of sixty samples", "Decided in the rating's own unit.")
def _() -> Verdict:
    rng = np.random.default_rng(1)
    scores = {A: list(rng.integers(2, 5, 60)), B: list(rng.integers(3, 6, 60))}
    return verdict(frame(scores, scale=RATINGS), margin=0.5)


@study("0 to 100, three samples as far apart as can be, declared", "Undecided, as on 0..1.")
def three_percents() -> Verdict:
    return verdict(frame({A: [100] * 3, B: [0] * 3}, scale=PERCENT))


@study("0 to 100, all alike, declared", "A width above 0.")
def all_ties() -> Verdict:
    return verdict(frame({A: [100] * 20, B: [100] * 20}, scale=PERCENT))


@study("Equal within a margin from two ratings, declared", "Undecided.")
def equal_from_two() -> Verdict:
    return verdict(frame({A: [4, 5], B: [4, 5]}, scale=RATINGS), margin=0.1)


@study("Graded 0 to 1, a few samples make the difference", "Skewed: that is said.")
def _() -> Verdict:
    rng = np.random.default_rng(5)
    base = rng.uniform(0.85, 1, 15)
    worse = base - np.where(np.arange(15) < 2, 0.6, 0.01)
    return verdict(frame({A: list(base), B: list(worse)}, scale=GRADED))


@study("Graded 0 to 1, fifteen samples that differ evenly", "No word of skewness.")
def _() -> Verdict:
    rng = np.random.default_rng(6)
    base = rng.uniform(0.6, 0.9, 15)
    return verdict(frame({A: list(base), B: list(base - rng.normal(0.1, 0.03, 15))}, scale=GRADED))


@study("Skewed the other way: two samples speak against a difference", "Not: 'make most of it'.")
def _() -> Verdict:
    better = [0.3] * 13 + [0.0, 0.05]
    base = np.linspace(0.4, 0.6, 15)
    return verdict(frame({A: list(base + better), B: list(base)}, scale=GRADED))


@study("Lengths, no bounds declared, shorter is better", "In characters; A is better.")
def _() -> Verdict:
    rng = np.random.default_rng(3)
    scores = {A: list(rng.integers(200, 400, 80)), B: list(rng.integers(300, 600, 80))}
    return verdict(frame(scores, scale=UNDECLARED), better="lower")


@study("Ratings, lower is better, with bounds", "Turned round, missing answers too.")
def _() -> Verdict:
    rng = np.random.default_rng(4)
    scores = {A: [None, *rng.integers(1, 4, 59)], B: list(rng.integers(2, 6, 60))}
    return verdict(frame(scores, scale=RATINGS), better="lower")


@study("Digits that say nothing, declared", "Significant digits.")
def tiny() -> Verdict:
    steps = 1e-6 * np.arange(30)
    scores = {A: list(2e-4 + steps - 1), B: list(1e-4 + steps[::-1] - 1)}
    return verdict(frame(scores, scale=(-1, 1, None)))


@study("A huge scale", "No nine digits.")
def _() -> Verdict:
    rng = np.random.default_rng(8)
    scores = {A: list(rng.normal(3e9, 4e8, 60)), B: list(rng.normal(2e9, 4e8, 60))}
    return verdict(frame(scores, scale=UNDECLARED))


@study("Three repeats of each sample", "Means over repeats, each sample counted once.")
def _() -> Verdict:
    rng = np.random.default_rng(2)
    scores = {
        name: [[int(one) for one in rng.random(3) < rate] for _ in range(60)]
        for name, rate in ((A, 0.5), (B, 0.7))
    }
    return verdict(frame(scores))


@study("Sums in another order make equal, declared", "All ties; with 40 samples a true difference fits.")
def order_makes_equal() -> Verdict:
    mixed = [0.1, 0.2, 0.3]
    scores = {
        name: [mixed if place % every else mixed[::-1] for place in range(40)]
        for name, every in ((A, 2), (B, 3))
    }
    return verdict(frame(scores, scale=GRADED), margin=0.01)


# -- clusters, watched and grown -------------------------------------------------------------------


@study("Twenty authors of five samples each", "Over 20 clusters, each counted once.")
def _() -> Verdict:
    made = frame({A: ones(0.4, 100, seed=1), B: ones(0.8, 100, seed=2)})
    return verdict(authors(made, 5), clusters="sample.author")


@study("All samples of one author", "Nothing about others.")
def _() -> Verdict:
    made = frame({A: ones(0.4, 30, seed=1), B: ones(0.8, 30, seed=2)})
    return verdict(authors(made, 30), clusters="sample.author")


@study("Three authors", "Undecided; few clusters.")
def _() -> Verdict:
    made = frame({A: ones(0.4, 60, seed=1), B: ones(0.6, 60, seed=2)})
    return verdict(authors(made, 20), clusters="sample.author")


@study("Watched, decided", "Ranges that hold at any moment of stopping.")
def watched_decided() -> Verdict:
    return verdict(frame({A: ones(0.5, 200, seed=1), B: ones(0.8, 200, seed=2)}), watched=True)


@study("Watched, undecided", "'At least' so many more.")
def _() -> Verdict:
    return verdict(frame({A: ones(0.5, 100, seed=1), B: ones(0.6, 100, seed=2)}), watched=True)


@study("Watched, three models", "Ranges hold for all three pairs, at any moment.")
def _() -> Verdict:
    scores = {A: ones(0.4, 200, seed=1), B: ones(0.6, 200, seed=2), C: ones(0.85, 200, seed=3)}
    return verdict(frame(scores), watched=True)


@study("Grown after a look, with bounds", "Watched at 97.5 %; the first look is counted.")
def _() -> Verdict:
    made = frame({A: ones(0.5, 200, seed=1), B: ones(0.8, 200, seed=2)})
    return verdict(grown(made, rows=2))


@study("Grown after a look, without bounds", "Later looks are not counted, and that is said.")
def _() -> Verdict:
    rng = np.random.default_rng(0)
    made = frame({A: list(rng.normal(20, 5, 60)), B: list(rng.normal(24, 5, 60))}, scale=UNDECLARED)
    return verdict(grown(made, rows=2))


@study("Grown after a look, by clusters", "Not counted, since it is taken by clusters.")
def _() -> Verdict:
    made = authors(frame({A: ones(0.4, 100, seed=1), B: ones(0.8, 100, seed=2)}), 5)
    return verdict(grown(made, rows=1), clusters="sample.author")


@study("A contender was added twice", "98.75 %: what was spent before is counted.")
def grown_twice() -> Verdict:
    scores = {A: ones(0.5, 150, seed=1), B: ones(0.6, 150, seed=2), C: ones(0.75, 150, seed=3)}
    return verdict(grown(frame(scores), contenders=2))


# -- prices ----------------------------------------------------------------------------------------


@study("One price is not known", "No ratio with it; it is named.")
def _() -> Verdict:
    scores = {A: ones(0.5, 200, seed=1), B: ones(0.7, 200, seed=2), C: ones(0.5, 200, seed=7)}
    return verdict(frame(scores, cost_usd={A: None}))


@study("Two of three prices are not known", "Both are named.")
def _() -> Verdict:
    scores = {A: ones(0.5, 200, seed=1), B: ones(0.7, 200, seed=2), C: ones(0.5, 200, seed=7)}
    return verdict(frame(scores, cost_usd={A: None, B: None}))


@study("No price is known", "A note, once.")
def _() -> Verdict:
    scores = {A: ones(0.5, 100, seed=1), B: ones(0.7, 100, seed=2)}
    return verdict(frame(scores, cost_usd={A: None, B: None}))


@study("One is free", "No ratio: who charges what.")
def _() -> Verdict:
    scores = {"local/a": ones(0.5, 100, seed=1), "openai/b": ones(0.7, 100, seed=2)}
    return verdict(frame(scores, cost_usd={"local/a": 0.0}))


@study("Both are free", "Neither charges.")
def _() -> Verdict:
    scores = {"local/a": ones(0.5, 100, seed=1), "local/b": ones(0.55, 100, seed=2)}
    return verdict(frame(scores, cost_usd={"local/a": 0.0, "local/b": 0.0}))


@study("The same price on each sample", "The same, on all that were seen.")
def _() -> Verdict:
    scores = {A: ones(0.5, 100, seed=1), B: ones(0.7, 100, seed=2)}
    return verdict(frame(scores, spread=0))


@study("A price near one", "Prices are not shown to differ.")
def near_one() -> Verdict:
    scores = {A: ones(0.5, 100, seed=1), B: ones(0.7, 100, seed=2)}
    return verdict(frame(scores, cost_usd={A: 0.00101, B: 0.001}))


@study("The same price by chance, declared", "Not shown to differ (0.61× to 1.64×).")
def price_by_chance() -> Verdict:
    made = frame({A: draws(0.5, 1, 20), B: draws(0.7, 2, 20)})
    even = made["sample_id"].str[1:].astype(int) % 2 == 0
    return verdict(made.assign(cost_usd=np.where(even == (made["model"] == A), 0.001, 0.003)))


@study("Two samples, prices without scatter", "Two samples do not tell prices of others.")
def two_prices() -> Verdict:
    return verdict(frame({A: [0, 1], B: [1, 0]}, cost_usd={A: 0.001, B: 0.002}, spread=0))


@study("A price a hundred times as high", "Digits that fit.")
def _() -> Verdict:
    scores = {A: ones(0.5, 100, seed=1), B: ones(0.52, 100, seed=2)}
    return verdict(frame(scores, cost_usd={A: 0.1, B: 0.00001}))


# -- times -----------------------------------------------------------------------------------------

TIMED = {A: ones(0.5, 100, seed=1), B: ones(0.7, 100, seed=2)}


@study("Times of another day", "Not compared, with both times.")
def _() -> Verdict:
    return verdict(frame(TIMED, latency_s={A: 1, B: 0.4}, days={A: "2026-11-20T09:10"}))


@study("Other numbers of requests in flight", "The ratio, and that this alone may explain it.")
def _() -> Verdict:
    return verdict(frame(TIMED, latency_s={A: 1, B: 0.4}, in_flight={A: 2, B: 16}))


@study("One local, one asked over HTTP", "The ratio, and that conditions differ.")
def _() -> Verdict:
    scores = {"local/a": TIMED[A], "openai/b": TIMED[B]}
    return verdict(frame(scores, latency_s={"local/a": 5}))


@study("Times that rise and fall with the time of asking", "Too few samples to compare them.")
def _() -> Verdict:
    rows = frame({A: ones(0.5, 50, seed=1), B: ones(0.7, 50, seed=2)}, spread=0.1)
    wave = np.where(rows["model"] == A, np.sin(np.arange(len(rows)) / 7), 0.0)
    return verdict(rows.assign(latency_s=rows["latency_s"] * np.exp(wave)))


@study("Instant models", "Within labkit's own time: not shown to differ.")
def _() -> Verdict:
    return verdict(frame(TIMED, latency_s={A: 0.004, B: 0.002}))


@study("One replayed from another day", "No latency of it; its scores and prices are of then.")
def _() -> Verdict:
    return verdict(frame(TIMED, replayed=[A], days={A: "2026-11-20"}))


@study("All replayed", "No latency; nothing was asked afresh.")
def _() -> Verdict:
    return verdict(frame(TIMED, replayed=[A, B]))


@study("All replayed, first asked together", "Compared by the clocks of then, which is told.")
def _all_replayed_first() -> Verdict:
    return verdict(frame(TIMED, latency_s={A: 1, B: 0.4}, replayed=[A, B], first=True))


@study("Eight, seven of them replayed", "The replays are one note.")
def _() -> Verdict:
    models = {f"x/m{i}": ones(0.5, 20, seed=i) for i in range(8)}
    days = {f"x/m{i}": f"2026-11-1{i}" for i in range(7)}
    return verdict(frame(models, replayed=list(days), days=days))


@study("Times of some samples only", "Over how many asked afresh.")
def _() -> Verdict:
    made = frame(TIMED, latency_s={A: 1, B: 0.4})
    old = made["sample_id"] < "s0040"
    made.loc[old, ["latency_s", "replayed_from"]] = [None, "g0"]
    return verdict(made)


# -- names -----------------------------------------------------------------------------------------


@study("Labels that collide, declared", "The ids, where labels are alike.")
def labels_collide() -> Verdict:
    scores = {A: draws(0.5, 1, 200), B: draws(0.8, 2, 200)}
    return verdict(frame(scores), labels={A: "GPT", B: "GPT"})


@study("Hostile names", "Shown as their characters.")
def _() -> Verdict:
    bad = "x/<img src=x onerror=alert(1)>", "x/\u202eB\n[link](javascript:1)"
    return verdict(frame({bad[0]: ones(0.5, 60, seed=1), bad[1]: ones(0.8, 60, seed=2)}))


# -- two runs --------------------------------------------------------------------------------------


@study("Two runs, nothing changed", "Undecided.")
def _() -> Comparison:
    return compare(run(draws(0.7, 1, 150)), run(draws(0.7, 9, 150), name="b"))


@study("Two runs, another resolved model, worse", "Worse, and what changed.")
def _() -> Comparison:
    after = run(draws(0.6, 9, 150), name="b", response_model="m-2026-10")
    return compare(run(draws(0.9, 1, 150)), after)


@study("Two runs, two changes, better", "Which of them did it cannot be told.")
def _() -> Comparison:
    after = run(draws(0.95, 9, 150), name="b", response_model="new", prompt_version=2, request_id="r")
    return compare(run(draws(0.6, 1, 150)), after)


@study("Two runs, a new price", "What an answer costs now.")
def _() -> Comparison:
    after = run(draws(0.7, 9, 150), name="b", price_id="list:2")
    return compare(run(draws(0.7, 1, 150)), after.assign(cost_usd=after["cost_usd"] * 3))


@study("Two runs, other params, three times as long", "Params, and tokens written.")
def _() -> Comparison:
    after = run(draws(0.5, 9, 150), name="b", request_id="other", output_tokens=60)
    return compare(run(draws(0.9, 1, 150)), after)


@study("Two runs a day apart, another latency", "Times of two runs are of different times.")
def _() -> Comparison:
    after = run(draws(0.7, 9, 150), name="b")
    after["started_at"] += pd.Timedelta(days=1)
    return compare(run(draws(0.7, 1, 150)), after.assign(latency_s=after["latency_s"] * 3))


@study("A run of replays only", "Nothing new.")
def _() -> Comparison:
    before = run(draws(0.7, 1, 150))
    return compare(before, before.assign(replayed_from=before["generation_id"], generation_id="n"))


@study("A run of which half are replays", "75 of 150, the others left out.")
def _() -> Comparison:
    before = run(draws(0.7, 1, 150))
    after = before.assign(replayed_from=before["generation_id"], generation_id="n", latency_s=None)
    after.iloc[:75] = run(draws(0.7, 9, 150), name="b").iloc[:75]
    return compare(before, after)


@study("Two runs with one sample in common", "Nothing about others.")
def _() -> Comparison:
    return compare(run([1]), run([0], name="b"))


@study("Two runs alike on all samples", "The same on 30; a true difference fits.")
def runs_alike() -> Comparison:
    return compare(run(ones(0.6, 30)), run(ones(0.6, 30), name="b"))


@study("Two runs alike on all samples, no bounds declared", "How far they differ cannot be told.")
def _() -> Comparison:
    return compare(run(ones(0.6, 30), scale=None), run(ones(0.6, 30), name="b", scale=None))


@study("A comparison that hides no failures, declared", "40 of 100 failed; the worst case is no better.")
def hidden_failures() -> Comparison:
    after = [1] * 40 + [None] * 20 + [1] * 20 + [None] * 20
    return compare(run([1] * 60 + [0] * 40), run(after, name="b"))


@study("Two runs of two ratings, declared", "Undecided.")
def two_runs_of_two() -> Comparison:
    return compare(run([3, 4], scale=RATINGS), run([4, 5], scale=RATINGS, name="b"))


@study("A run that failed throughout", "No sample has a score in both runs.")
def _() -> Comparison:
    return compare(run([1, 0] * 20), run([None] * 40, name="b"))


@study("Two runs of two models, one of which got worse", "Per model; ranges hold together.")
def _() -> Comparison:
    before = joined(run(draws(0.9, 1, 100)), run(draws(0.7, 2, 100), model="x/n"))
    after = [run(draws(0.6, 3, 100), name="b"), run(draws(0.7, 4, 80), model="x/n", name="c")]
    return compare(before, joined(*after))


@study("Two runs, one grown after a look", "The looks are not counted, and that is said.")
def _() -> Comparison:
    return compare(run(draws(0.5, 1, 150)), grown(run(draws(0.8, 9, 150), name="b"), rows=1))


@study("A model in place of another", "Its successor; what it resolves to is no second change.")
def model_replaced() -> Comparison:
    after = run(draws(0.9, 9, 150), model="x/n", name="b", request_id="q", response_model="n-2026-05")
    return compare(run(draws(0.6, 1, 150)), after)


@study("A prompt in place of another", "Its successor; the prompt changed.")
def prompt_replaced() -> Comparison:
    return compare(run(draws(0.6, 1, 150)), run(draws(0.95, 9, 150), name="b", prompt="q", request_id="q"))


# -- the same without anything declared ------------------------------------------------------------


@study("Ratings of two samples, undeclared", "Undecided.")
def undeclared_two_ratings() -> Verdict:
    return verdict(frame({A: [4, 5], B: [3, 4]}, scale=UNDECLARED))


@study("0 to 100 of three samples, undeclared", "Undecided.")
def undeclared_three() -> Verdict:
    return verdict(frame({A: [100] * 3, B: [0] * 3}, scale=UNDECLARED))


@study("Two runs of two ratings, undeclared", "Undecided.")
def undeclared_two_runs() -> Comparison:
    return compare(run([3, 4], scale=None), run([4, 5], scale=None, name="b"))


@study("All ties, undeclared", "How far they differ cannot be told.")
def undeclared_ties() -> Verdict:
    return verdict(frame({A: [100] * 20, B: [100] * 20}, scale=UNDECLARED))


@study("Equal within a margin from two samples, undeclared", "Undecided.")
def undeclared_equal() -> Verdict:
    return verdict(frame({A: [4, 5], B: [4, 5]}, scale=UNDECLARED), margin=0.1)


@study("Only one has answers, all alike, undeclared", "Its mean, and no range that could be told.")
def undeclared_mean() -> Verdict:
    return verdict(frame({A: [5, 5], B: [None, None]}, scale=UNDECLARED))


@study("Order of repeats, undeclared", "All ties.")
def undeclared_order() -> Verdict:
    scores = {A: [[0.1, 0.2, 0.3]] * 30, B: [[0.3, 0.2, 0.1]] * 30}
    return verdict(frame(scores, scale=UNDECLARED))


@study("Order of repeats and a margin, undeclared", "Undecided.")
def undeclared_order_equal() -> Verdict:
    mixed = [0.1, 0.2, 0.3]
    scores = {
        name: [mixed if place % every else mixed[::-1] for place in range(40)]
        for name, every in ((A, 2), (B, 3))
    }
    return verdict(frame(scores, scale=UNDECLARED), margin=0.01)


@study("Equal but for half of A missing, undeclared", "Not equal: no worst case can be told.")
def undeclared_half_missing() -> Verdict:
    scores = {A: [None] * 200 + [1] * 199 + [0], B: [1] * 400}
    made = frame(scores, cost_usd={A: 0.001, B: 0.002}, spread=0, scale=UNDECLARED)
    return verdict(made, margin=0.05)


@study("The same on all that both have, undeclared", "On the 50 that both have, of 100.")
def undeclared_same_half() -> Verdict:
    return verdict(frame({A: marked(50, 100), B: [1] * 50 + [None] * 50}, scale=UNDECLARED))


@study("A comparison that hides no failures, undeclared", "40 of 100 failed, and no worst case.")
def undeclared_hidden() -> Comparison:
    after = [1] * 40 + [None] * 20 + [1] * 20 + [None] * 20
    return compare(run([1] * 60 + [0] * 40, scale=None), run(after, scale=None, name="b"))


@study("The same price by chance, undeclared", "Not shown to differ.")
def undeclared_price() -> Verdict:
    made = frame({A: draws(0.5, 1, 20), B: draws(0.7, 2, 20)}, scale=UNDECLARED)
    even = made["sample_id"].str[1:].astype(int) % 2 == 0
    return verdict(made.assign(cost_usd=np.where(even == (made["model"] == A), 0.001, 0.003)))


@study("Digits that say nothing, undeclared", "Significant digits.")
def undeclared_tiny() -> Verdict:
    steps = 1e-6 * np.arange(30)
    scores = {A: list(2e-4 + steps - 1), B: list(1e-4 + steps[::-1] - 1)}
    return verdict(frame(scores, scale=UNDECLARED))


@study("Labels that collide, undeclared", "The ids.")
def undeclared_labels() -> Verdict:
    scores = {A: draws(0.5, 1, 200), B: draws(0.8, 2, 200)}
    return verdict(frame(scores, scale=UNDECLARED), labels={A: "GPT", B: "GPT"})


@study("The margin lies inside the range, undeclared", "Decided; whether by more is open.")
def undeclared_margin() -> Verdict:
    return verdict(frame({A: marked(60, 100), B: marked(50, 100)}, scale=UNDECLARED), margin=0.1)


# -- blocks of context -----------------------------------------------------------------------------


@study("One block of three adds", "Examples add 20 points; the others nothing, within 5 points or open.")
def blocks_one() -> Ablation:
    return blocks.told(*blocks.asked(3, 400, effects={"examples": 0.2}, base=0.4), margin=0.05)


@study("Two blocks that help only together", "Either adds 40 points beside the other, nothing alone.")
def blocks_together() -> Ablation:
    return blocks.told(*blocks.asked(3, 200, pairs={("examples", "style"): 0.4}, base=0.3))


@study("Two blocks that stand in for each other", "Either adds 30 points; the second of them nothing more.")
def blocks_instead() -> Ablation:
    pairs, effects = {("examples", "style"): -0.3}, {"examples": 0.3, "style": 0.3}
    return blocks.told(*blocks.asked(3, 300, effects=effects, pairs=pairs, base=0.3))


@study("A block that harms, one that lengthens answers, one that slows them", "Style costs 20 points.")
def blocks_harm() -> Ablation:
    made = blocks.asked(
        3, 300, effects={"style": -0.2}, base=0.6, longer={"policy": 30}, slower={"examples": 1.4}, seed=4
    )
    return blocks.told(*made)


@study("Six blocks in sixteen sets, two of them together", "The pair is one of two; blocks are clear.")
def blocks_of_resolution_four() -> Ablation:
    return blocks.told(*blocks.asked(6, 200, pairs={("examples", "style"): 0.5}, base=0.3, seed=2))


@study("Twelve blocks in sixteen sets", "Examples add 30 points, or one of four pairs does.")
def blocks_of_resolution_three() -> Ablation:
    return blocks.told(*blocks.asked(12, 200, effects={"examples": 0.3}, base=0.3))


@study("Style never without examples", "Style adds 30 points beside them; examples without it nothing.")
def blocks_needed() -> Ablation:
    cells = tuple(cell for cell in design(3) if cell[0] or not cell[1])
    return blocks.told(*blocks.asked(3, 200, cells=cells, effects={"style": 0.3}, base=0.3, seed=1))


@study("Two models, one without a price, and failures", "Of x/b nothing can be told: a third failed.")
def blocks_failing() -> Ablation:
    made, sets = blocks.asked(2, 200, models=("x/a", "x/b"), effects={"style": 0.3}, base=0.3, seed=1)
    fails = (made["model"] == "x/b") & (made["prompt"] == "reply") & (made["sample_id"] < "s0066")
    made.loc[fails, ["status", "score.exact"]] = ["failed", None]
    made.loc[made["model"] == "x/a", "cost_usd"] = np.nan
    return blocks.told(made, sets)


@study("Missing answers of blocks", "Style holds at the worst; of policy the worst is told.")
def blocks_missing() -> Ablation:
    return blocks.told(*blocks.asked(3, 300, effects={"style": 0.3}, base=0.3, missing=0.02))


@study("A judge that nobody checked", "Uncorrected; 40 labels are proposed.")
def judged_alone() -> Verdict:
    return verdict(judged.asked())


@study("An unfair judge that nobody checked", "It says the opposite of what is so: it says uncorrected, too.")
def judged_unfair_alone() -> Verdict:
    return verdict(judged.asked(kinder=0.7))


@study("An unfair judge and 60 labels", "x/a is better by 20 points; the judge alone says the opposite.")
def judged_unfair() -> Verdict:
    return verdict(judged.asked(labelled=60, kinder=0.9, right=0.95))


@study("A fair judge and 60 labels", "x/a is better by 20 points.")
def judged_fair() -> Verdict:
    return verdict(judged.asked(labelled=60))


@study("A useless judge and 60 labels", "Labels alone would say as much.")
def judged_useless() -> Verdict:
    return verdict(judged.asked(labelled=60, right=0.5, seed=3))


@study("A judge that says the same of all, and 60 labels", "It tells none from another.")
def judged_blind() -> Verdict:
    return verdict(judged.asked(labelled=60, blind=True))


@study("A judge and 12 labels", "Labels alone.")
def judged_few() -> Verdict:
    return verdict(judged.asked(labelled=12))


@study("A judge and one label", "As good as none: uncorrected.")
def judged_one() -> Verdict:
    return verdict(judged.asked(labelled=1))


@study("A judge and 25 labels", "Corrected, with a note on how few they are.")
def judged_twenty_five() -> Verdict:
    return verdict(judged.asked(labelled=25))


@study("Two equal models, a judge and 40 labels", "Undecided, whatever the judge says.")
def judged_equal() -> Verdict:
    return verdict(judged.asked(labelled=40, rates=(0.7, 0.7), kinder=0.4))


@study("A small difference, a judge and 40 labels", "Undecided; about so many more labels.")
def judged_undecided() -> Verdict:
    return verdict(judged.asked(labelled=40, rates=(0.75, 0.6), seed=4))


@study("Equal within a margin, by a judge and 200 labels", "Within 15 points, and not better.")
def judged_margin() -> Verdict:
    return verdict(judged.asked(600, 200, rates=(0.9, 0.9), right=0.97), margin=0.15)


@study("Labels that were chosen by hand", "The judge is not corrected.")
def judged_chosen() -> Verdict:
    return verdict(judged.asked(labelled=60, chosen=True))


@study("Three models, a judge, 60 labels of two people", "x/a beats both.")
def judged_three() -> Verdict:
    return verdict(judged.asked(labelled=60, rates=(0.9, 0.6, 0.55), people=2))


@study("Seven models, a judge and 60 labels", "No ranks: the judge's table does not know the labels.")
def judged_seven() -> Verdict:
    return verdict(judged.asked(labelled=60, rates=(0.9, 0.6, 0.55, 0.5, 0.5, 0.5, 0.45)))


@study("A judge of a contender's family", "It may favour its own kind.")
def judged_kin() -> Verdict:
    return verdict(judged.asked(labelled=60, judge="z/a-large"))


@study("Verdicts that were not read, of one more than of the other", "Whose they are is told.")
def judged_unread() -> Verdict:
    return verdict(judged.asked(labelled=60, unread=(0.02, 0.3)))


@study("A judge that cannot tell at times", "It is counted.")
def judged_cannot_tell() -> Verdict:
    return verdict(judged.asked(labelled=60, cannot_tell=7))


@study("A duel with flips", "How often it changed its mind.")
def judged_flips() -> Verdict:
    return verdict(judged.asked(labelled=60, flips=42))


@study("A duel without a flip", "It said the same of all pairs.")
def judged_no_flips() -> Verdict:
    return verdict(judged.asked(flips=0))


@study("A judge that was fooled by two of four controls", "Which they were.")
def judged_fooled() -> Verdict:
    return verdict(judged.asked(labelled=60, fooled=2))


@study("A judge that passed its controls", "All of them.")
def judged_passed() -> Verdict:
    return verdict(judged.asked(labelled=60, fooled=0))


@study("A judge and labels, three repeats", "Samples count, not repeats.")
def judged_repeats() -> Verdict:
    return verdict(judged.asked(100, 40, repeats=3))


@study("A judge and labels, and answers that failed", "The worst case is that of the missing answers.")
def judged_failed() -> Verdict:
    return verdict(judged.asked(labelled=60, failed=0.1, rates=(0.95, 0.5)))


@study("A judge and labels, in a study that grew", "It was watched: labels cannot allow for that.")
def judged_grown() -> Verdict:
    return verdict(judged.asked(labelled=60, grown=True))


@study("A judge and labels, lower is better", "x/b is better.")
def judged_lower() -> Verdict:
    return verdict(judged.asked(labelled=60), better="lower")


@study("Every row labelled", "Labels alone, and called corrected.")
def judged_whole() -> Verdict:
    return verdict(judged.asked(120, 120))


@study("A judge, 300 labels, and a difference of a few points", "Nearly settled.")
def judged_many() -> Verdict:
    return verdict(judged.asked(1000, 300, rates=(0.75, 0.7), right=0.95))


if __name__ == "__main__":
    SENTENCES.write_text(text(), encoding="utf-8")
