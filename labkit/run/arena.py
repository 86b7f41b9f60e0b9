"""The arena: two answers to one sample side by side, blind, and a person who says which is better.

Here is what is compared, what is shown next, and what was said: each rating is on disk before the next pair
shows. Who answered stays in this process; what leaves it are texts. It does not know how a pair is drawn on a
screen (see `labkit.widgets.rating_view`), nor what ratings amount to (see `labkit.verdict.preference`).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from labkit.arguments import able, check, switch, text
from labkit.arguments import seed as seeds
from labkit.run import score_answers
from labkit.run.judging import prompts_of, shown_columns
from labkit.run.lab_services import LabServices
from labkit.run.masking import Mask
from labkit.run.next_shown import Said, Shown, next_shown
from labkit.scoring.judges import as_text
from labkit.store import RatingRecord
from labkit.store.filters import listed
from labkit.summary.contender_table import BETWEEN, by_faults
from labkit.verdict.amounts import counted
from labkit.widgets.rating import Choice, Progress, Task

if TYPE_CHECKING:
    import pandas as pd

    from labkit.records import Sample
    from labkit.run.handle import Run
    from labkit.verdict.preference import Preference
    from labkit.widgets.rating_view import RatingView

SAID = {"1": "left", "2": "right", "3": "tie", "4": "neither", "0": "skip"}
_RATINGS = """
    select rating_id, left_id, right_id, preferred, rated_at, "user", drawn
    from ratings where left_id in (select unnest($ids::varchar[])) order by rated_at, rating_id
"""


class Arena:
    """Rate pairs of a run's answers blind: which of two is better, by keys, in a notebook.

    Args:
        runs: A run, or several over one dataset, whose answers compete.
        by: What competes, as in `run.verdict`: `"model"`, `"prompt"`, or both in a list.
        question: What the rater is asked.
        user: Who rates; by default whoever runs.
        seed: Decides pairs, samples and sides.
        mask: Whether names of models in answers are masked (▮); how many were is kept with each rating.

    Keys: `1` left is better, `2` right, `3` both are as good, `4` neither is any good, `0` skip, `←` takes
    back, `n` a note, Esc leaves. The next pair is mostly the leader against whoever is least separated from
    it, at times any; its chance is kept. Answers that are equal are never shown. 15 % of pairs are some that
    another rater saw, 5 % the rater's own with their sides exchanged. Every rating is on disk before the next
    pair shows; two raters may use one lab at once. Raises one `DefinitionError` naming all that is wrong.

    >>> arena = Arena(run)                 # doctest: +SKIP
    >>> arena.preference()                 # doctest: +SKIP
    """

    title = "Which answer is better?"
    choices = (
        Choice("1", "left", "the left answer is better"),
        Choice("2", "right", "the right answer is better"),
        Choice("3", "tie", "both are as good"),
        Choice("4", "neither", "neither is any good"),
        Choice("0", "skip", "show another pair"),
        Choice("standing", "show the standing", "it is then kept with each rating that you had seen it"),
    )

    def __init__(
        self,
        *runs: Run,
        by: str | Sequence[str] = "model",
        question: str = "Which answer is better?",
        user: str | None = None,
        seed: int = 0,
        mask: bool = True,
    ) -> None:
        keys = listed(by)
        faults = [] if runs else ["An arena is of a run: lk.Arena(run)"]
        for run in runs:
            faults += able("run", run, "run_id", "generations", like="a run: plan.run()")
        check(
            faults, by_faults(keys), text("question", question), text("user", user, or_none=True), seeds(seed)
        )
        check(switch("mask", mask), _runs_faults(runs))
        services: LabServices = runs[0]._services
        self.question, self.user, self.seed = question, user or services.user, seed
        self.by = tuple(keys)
        self.peeked = False
        self._runs, self._services = tuple(runs), services
        self._workspace = str((services.store.run_row(runs[0].run_id) or {}).get("workspace"))
        self._read(mask)
        told = "/".join([*sorted(run.run_id for run in runs), *keys, str(seed)])
        self.arena_id = "n1:" + hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
        self._mine: list[RatingRecord] = []
        self._said = self._stored()
        self._now: tuple[Task, Shown] | None = None
        self._shown_at = monotonic()

    # -- what there is ---------------------------------------------------------------------------

    def _read(self, mask: bool) -> None:
        store = self._services.store
        found: dict[tuple[str, ...], dict[str, tuple[str, str]]] = {}
        self._samples: dict[str, Sample] = {}
        self._columns: list[str] = []
        names: set[str] = set()
        with store.complete_opening():
            for run in self._runs:
                samples = store.samples(run.run_id)
                self._samples |= samples
                self._columns += shown_columns(prompts_of(run.run_id, store), samples)
                for row in score_answers.answers(run.run_id, store):
                    names |= {row.model, row.response_model or "", row.prompt}
                    key = tuple(str(getattr(row, name)) for name in self.by)
                    # Of repeats, and of several prompts where models compete, one says as much as another.
                    found.setdefault(key, {}).setdefault(row.sample_id, (row.generation_id, row.text or ""))
            names |= set(store.labels().values())
        self.contenders = tuple(BETWEEN.join(key) for key in sorted(found))
        self._answers = [found[key] for key in sorted(found)]
        self._mask = Mask(names if mask else ())
        self._place = {
            one: (place, sample)
            for place, answers in enumerate(self._answers)
            for sample, (one, _) in answers.items()
        }
        check(self._faults())

    def _faults(self) -> list[str]:
        if len(self.contenders) < 2:
            there = self.contenders[0] if self.contenders else "none"
            other = "prompt" if self.by == ("model",) else "model"
            return [
                f"An arena takes two {self.by[0]}s at least, and there is {there}. Compare by={other!r}, or"
                " ask another beside it."
            ]
        self._pairs = {
            (one, other): self._differing(one, other)
            for one in range(len(self.contenders))
            for other in range(one + 1, len(self.contenders))
        }
        if not any(self._pairs.values()):
            both = any(
                set(one) & set(other) for one in self._answers for other in self._answers if one is not other
            )
            why = "all their answers are equal" if both else "no two answered the same sample"
            return [f"There is nothing to rate: {why}."]
        return []

    def _differing(self, one: int, other: int) -> list[str]:
        first, second = self._answers[one], self._answers[other]
        return sorted(
            sample
            for sample in first.keys() & second.keys()
            if first[sample][1].strip() != second[sample][1].strip()
        )

    @property
    def equal(self) -> int:
        """Pairs of answers that are equal, and so are tied without being shown."""
        both = sum(len(self._answers[one].keys() & self._answers[other].keys()) for one, other in self._pairs)
        return both - sum(map(len, self._pairs.values()))

    def _stored(self) -> list[Said]:
        store = self._services.store
        with store.complete_opening():
            rows = store.table(_RATINGS, {"ids": list(self._place)}).to_pylist()
        found = []
        for row in rows:
            left, right = self._place.get(row["left_id"]), self._place.get(row["right_id"])
            if left is not None and right is not None and left[1] == right[1]:
                found.append(
                    Said(
                        row["rating_id"],
                        left[0],
                        right[0],
                        left[1],
                        row["preferred"],
                        row["user"],
                        row["drawn"],
                    )
                )
        return found

    # -- what is shown next ----------------------------------------------------------------------

    def now(self) -> Task | None:
        """The pair to be rated; the same until something is said of it, also in another kernel."""
        if self._now is None:
            shown = next_shown(self._pairs, self._said, self.user, f"{self.arena_id}/{self.user}")
            if shown is None:
                return None
            self._now, self._shown_at = (self._task(shown), shown), monotonic()
        return self._now[0]

    def _task(self, shown: Shown) -> Task:
        sample = self._samples.get(shown.sample)
        fields = sample.fields if sample is not None else {}
        columns = dict.fromkeys(self._columns)
        parts = tuple((name, as_text(fields[name])) for name in columns if fields.get(name) is not None)
        texts = [
            self._mask.hide(self._answers[place][shown.sample][1]) for place in (shown.left, shown.right)
        ]
        answers = tuple((side, told) for side, (told, _) in zip(("left", "right"), texts, strict=True))
        return Task(parts, answers, of=sum(count for _, count in texts))

    # -- what is said ----------------------------------------------------------------------------

    def press(self, task: Task, key: str, note: str | None) -> None:
        """Say which is better; on disk when this returns. Raises `StoreError` where it could not be."""
        if key == "standing":
            self.peeked = True
            return
        if self._now is None or self._now[0] is not task:
            return
        shown = self._now[1]
        record = RatingRecord(
            rating_id=f"v-{secrets.token_hex(8)}",
            left_id=self._answers[shown.left][shown.sample][0],
            right_id=self._answers[shown.right][shown.sample][0],
            preferred=SAID[key],  # type: ignore[arg-type]
            rated_at=datetime.now(UTC),
            user=self.user,
            comment=note,
            arena=self.arena_id,
            drawn=shown.drawn,
            chance=shown.chance,
            took_s=monotonic() - self._shown_at,
            peeked=self.peeked,
            masked=int(task.of),
            workspace=self._workspace,
        )
        self._put(record)
        self._mine.append(record)
        self._now, self._said = None, self._stored()

    def undo(self) -> bool:
        """Take back this rater's last rating of this kernel; whether there was one."""
        if not self._mine:
            return False
        self._put(msgspec.structs.replace(self._mine[-1], withdrawn=True))
        self._mine.pop()
        self._now, self._said = None, self._stored()
        return True

    def _put(self, record: RatingRecord) -> None:
        writer = self._services.store.writer()
        writer.put(record)
        writer.flush()

    # -- what it amounts to ----------------------------------------------------------------------

    def progress(self) -> Progress:
        mine = [said for said in self._said if said.user == self.user and said.preferred != "skip"]
        total = sum(map(len, self._pairs.values()))
        words = f"{counted(len(mine), 'rating')} by {self.user}, {len(self._said) - len(mine):,} by others"
        if self.now() is None:
            words = f"all {total:,} pairs are rated"
        return Progress(len(mine), total, f"{words}. {self.preference().headline}" if self.peeked else words)

    def ratings(self) -> pd.DataFrame:
        """One row per rating, oldest first: see `run.ratings`."""
        from labkit.run.rating_frames import ratings

        return ratings(self._services.store, self._place, self.contenders)

    def preference(self, *, level: float = 0.95) -> Preference:
        """Who is preferred over whom by the ratings so far, of all raters: see `run.preference`."""
        from labkit.run.rating_frames import judged_pairs
        from labkit.verdict.preference import preference

        judged = judged_pairs(self._services.store, self._place, self.contenders)
        return preference(
            self.ratings(), contenders=self.contenders, equal=self.equal, level=level, judged=judged
        )

    # -- showing ---------------------------------------------------------------------------------

    @cached_property
    def _view(self) -> RatingView:
        from labkit.widgets.rating_view import RatingView

        return RatingView(self)

    def _ipython_display_(self) -> None:
        self._view.show()

    def __repr__(self) -> str:
        return f"Arena({len(self.contenders)} {self.by[0]}s, {self.progress().words})"


def _runs_faults(runs: Sequence[Run]) -> list[str]:
    """Runs that go, or that were asked different datasets."""
    going = [run.run_id for run in runs if run.status == "running"]
    faults = [f"Run {run_id} still goes on; wait for it first: run.wait()." for run_id in going]
    rows = [(run.run_id, run._services.store.run_row(run.run_id)) for run in runs]
    datasets = {row["dataset"]: run_id for run_id, row in rows if row is not None}
    if len(datasets) > 1:
        ids = ", ".join(datasets.values())
        faults.append(f"Runs {ids} are of different datasets: their answers are to other samples.")
    return faults
