"""Whose answers compete in an arena: which two can be shown side by side, and which ratings are of them.

Contenders are numbers outside of here, in the order of their names. It knows neither who rates nor what is
shown next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from labkit.arguments import check
from labkit.run import score_answers
from labkit.run.judge_design import prompts_of, shown_columns
from labkit.run.masking import Mask
from labkit.run.next_shown import Pair, Said
from labkit.run.rating_frames import PREFERRED
from labkit.scoring.judges import as_text
from labkit.summary.contender_table import BETWEEN

if TYPE_CHECKING:
    from labkit.records import Generation, Sample
    from labkit.run.handle import Run
    from labkit.store import RatingRecord, Store

_RATINGS = """
    select rating_id, left_id, right_id, preferred, rated_at, "user", drawn
    from ratings where left_id in (select unnest($ids::varchar[])) order by rated_at, rating_id
"""


class Answer(NamedTuple):
    """An answer as a rater sees it."""

    generation_id: str
    """Of the run that asked for it, if this one replays it: a plan that runs again keeps its ratings."""
    replay: str
    """Of this run."""
    text: str
    masked: int
    """How many names in it are masked."""


class Contest:
    """The answers of runs, by what competes. Raises `DefinitionError` where there are no two to compare."""

    def __init__(self, runs: Sequence[Run], by: Sequence[str], store: Store, *, mask: bool) -> None:
        self._store = store
        self._by = tuple(by)
        self._samples: dict[str, Sample] = {}
        columns: list[str] = []
        rows: list[Generation] = []
        with store.complete_opening():
            for run in runs:
                samples = store.samples(run.run_id)
                self._samples |= samples
                columns += shown_columns(prompts_of(run.run_id, store), samples)
                rows += score_answers.answers(run.run_id, store)
            labels = store.labels()
        self._columns = tuple(dict.fromkeys(columns))
        names = self._named(rows, labels)
        self._read(rows, Mask(names if mask else ()))
        check(self._faults())

    @staticmethod
    def _named(rows: Sequence[Generation], labels: Mapping[str, str]) -> set[str]:
        """What an answer may not name: models, and prompts whose name is not a word of any answer."""
        prompts = {row.prompt for row in rows}
        models = {name for row in rows for name in (row.model, row.response_model or "")}
        models |= {labels[name] for name in models & labels.keys()}
        return {*models, *(name for name in prompts if not name.isalpha())}

    def _read(self, rows: Sequence[Generation], mask: Mask) -> None:
        found: dict[tuple[str, ...], dict[str, dict[tuple[object, ...], Answer]]] = {}
        for row in rows:
            key = tuple(str(getattr(row, name)) for name in self._by)
            # Two answers compete that differ in nothing else: one prompt's where models do, one repeat's.
            others = (row.prompt, row.prompt_version or 0) if "prompt" not in self._by else ()
            place = (*others, row.model if "model" not in self._by else "", row.repeat)
            text, masked = mask.hide(row.text or "")
            told = Answer(row.replayed_from or row.generation_id, row.generation_id, text, masked)
            found.setdefault(key, {}).setdefault(row.sample_id, {}).setdefault(place, told)
        self.contenders = tuple(BETWEEN.join(key) for key in sorted(found))
        self._answers = [found[key] for key in sorted(found)]
        self.place = {
            one: (place, sample)
            for place, samples in enumerate(self._answers)
            for sample, answers in samples.items()
            for answer in answers.values()
            for one in (answer.generation_id, answer.replay)
        }
        """By generation_id the contender and the sample."""
        both = {
            pair: [sample for sample in self._common(pair) if self.two(*pair, sample) is not None]
            for pair in combinations(range(len(self._answers)), 2)
        }
        self.pairs: dict[Pair, list[str]] = {
            pair: [sample for sample in samples if self._differ(pair, sample)]
            for pair, samples in both.items()
        }
        """For each two contenders the samples that they answered differently."""
        self.equal = sum(map(len, both.values())) - sum(map(len, self.pairs.values()))
        """Pairs of answers that look the same, and so are tied without being shown."""

    def _common(self, pair: Pair) -> list[str]:
        return sorted(self._answers[pair[0]].keys() & self._answers[pair[1]].keys())

    def two(self, one: int, other: int, sample: str) -> tuple[Answer, Answer] | None:
        """What two contenders answered to a sample, asked alike; of repeats, the first that both have."""
        first, second = self._answers[one][sample], self._answers[other][sample]
        place = min(first.keys() & second.keys(), default=None)
        return None if place is None else (first[place], second[place])

    def _differ(self, pair: Pair, sample: str) -> bool:
        two = self.two(*pair, sample)
        return two is not None and two[0].text.strip() != two[1].text.strip()

    def _faults(self) -> list[str]:
        if len(self.contenders) < 2:
            there = self.contenders[0] if self.contenders else "none"
            other = "prompt" if self._by == ("model",) else "model"
            return [
                f"An arena takes two {self._by[0]}s at least, and there is {there}. Compare by={other!r}, or"
                " ask another beside it."
            ]
        if not any(self.pairs.values()):
            why = "all their answers are equal" if self.equal else "no two answered the same sample"
            return [f"There is nothing to rate: {why}."]
        return []

    def parts(self, sample: str) -> tuple[tuple[str, str], ...]:
        """What was asked: the columns of a sample that prompts use, each a name and a text."""
        known = self._samples.get(sample)
        fields = {} if known is None else known.fields
        return tuple((name, as_text(fields[name])) for name in self._columns if fields.get(name) is not None)

    def said(self) -> list[Said]:
        """All ratings of two of these answers that the lab has, oldest first."""
        with self._store.complete_opening():
            rows = self._store.table(_RATINGS, {"ids": list(self.place)}).to_pylist()
        found = []
        for row in rows:
            left, right = self.place.get(row["left_id"]), self.place.get(row["right_id"])
            if left is None or right is None or left[1] != right[1] or left[0] == right[0]:
                continue  # of answers that do not compete here
            if row["preferred"] in PREFERRED:
                told = (row["preferred"], row["user"], row["drawn"])
                found.append(Said(row["rating_id"], left[0], right[0], left[1], *told))
        return found

    def with_record(self, said: Sequence[Said], record: RatingRecord) -> list[Said]:
        """The same ratings with one that was just written, or taken back, without a look into the lab."""
        others = [one for one in said if one.rating_id != record.rating_id]
        if record.withdrawn:
            return others
        (left, sample), (right, _) = self.place[record.left_id], self.place[record.right_id]
        told = (record.preferred, record.user, record.drawn)
        return [*others, Said(record.rating_id, left, right, sample, *told)]
