"""The arena: two answers to one sample side by side, blind, and a person who says which is better.

Each rating is on disk before the next pair shows. Who answered stays in this process; what leaves it is text.
It knows no screen (`labkit.widgets.rating_view`), nor what ratings amount to (`labkit.verdict.preference`).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING, Any

from labkit.arguments import able, check, switch, text
from labkit.arguments import seed as seeds
from labkit.errors import StoreError
from labkit.run.contest import Contest
from labkit.run.lab_services import LabServices
from labkit.run.next_shown import Shown, next_shown
from labkit.store.definition_records import Preferred, RatingRecord
from labkit.store.filters import listed
from labkit.summary.contender_table import by_faults
from labkit.verdict.amounts import counted
from labkit.visible import visible
from labkit.widgets.rating import Choice, Progress, Task

if TYPE_CHECKING:
    import pandas as pd

    from labkit.run.handle import Run
    from labkit.verdict.preference import Preference
    from labkit.widgets.rating_view import RatingView

SAID: dict[str, Preferred] = {"1": "left", "2": "right", "3": "tie", "4": "neither", "0": "skip"}
_CHOICES = (
    Choice("1", "left", "the left answer is better"),
    Choice("2", "right", "the right answer is better"),
    Choice("3", "tie", "both are as good"),
    Choice("4", "neither", "neither is any good"),
    Choice("0", "skip", "show another pair"),
)
_SHOW = Choice("standing", "show the standing", "ratings after it are marked")
_HIDE = Choice("standing", "hide the standing", "ratings stay marked")
_OWN = """
    select
        rating_id, left_id, right_id, preferred, rated_at, "user", "comment", workspace, arena, drawn, chance,
        took_s, peeked, masked
    from ratings
    where arena = $arena and "user" is not distinct from $user and left_id in (select unnest($ids::varchar[]))
    order by rated_at, rating_id
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
    it, at times any; its chance is kept. Answers that look equal are never shown. 15 % of pairs are some that
    another rater saw, 5 % the rater's own with their sides exchanged. Every rating is on disk before the next
    pair shows; two raters may use one lab at once. Who asks for the standing, by its button or from here, has
    that kept with each later rating. Raises one `DefinitionError` naming all that is wrong.

    >>> arena = Arena(run)                 # doctest: +SKIP
    >>> arena.preference()                 # doctest: +SKIP
    """

    title = "Blind pairs of answers"

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
        faults = [] if runs else ["An arena is of a run: lk.Arena(run)."]
        for run in runs:
            faults += able("run", run, "run_id", "_services", like="a run: plan.run()")
        check(
            faults or _runs_faults(runs),
            by_faults(keys),
            text("question", question),
            text("user", user, or_none=True),
            seeds(seed),
            switch("mask", mask),
        )
        services: LabServices = runs[0]._services
        self.question, self.user, self.seed = question, user or services.user, seed
        self.by = tuple(keys)
        self._services = services
        run_row = services.store.run_row(runs[0].run_id) or {}
        self._workspace = run_row.get("workspace")
        of = {run.run_id: run for run in runs}
        self._contest = Contest(list(of.values()), keys, services.store, mask=mask)
        # Not of the runs' ids: a plan that runs again, and replays its answers, has the same arena.
        told = [str(run_row.get("dataset")), *keys, *self.contenders, str(seed)]
        self.arena_id = "n1:" + hashlib.blake2b("\0".join(told).encode(), digest_size=8).hexdigest()
        self._peeked = any(row["peeked"] for row in self._own())
        self._standing = False
        self._said = self._contest.said()
        self._open: Task | None = None
        self._note: str | None = None
        self._rating_id: str | None = None
        self._shown_at = monotonic()

    @property
    def contenders(self) -> tuple[str, ...]:
        """Who competes, by name."""
        return self._contest.contenders

    @property
    def equal(self) -> int:
        """Pairs of answers that look equal, and so are tied without being shown."""
        return self._contest.equal

    @property
    def peeked(self) -> bool:
        """Whether the rater has seen the standing, in this kernel or before a rating that is kept."""
        return self._peeked

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What can be said of a pair, and the button that shows or hides the standing."""
        return (*_CHOICES, _HIDE if self._standing else _SHOW)

    # -- what is shown next ----------------------------------------------------------------------

    def now(self) -> Task | None:
        """The pair to be rated; the same until something is said of it, also in another kernel."""
        if self._open is None:
            seed = f"{self.arena_id}/{self.user}"
            shown = next_shown(self._contest.pairs, self._said, self.user, seed)
            self._open = None if shown is None else self._task(shown)
            self._shown_at = monotonic()
        return self._open

    def _task(self, shown: Shown) -> Task:
        two = self._contest.two(shown.left, shown.right, shown.sample)
        assert two is not None
        parts = self._contest.parts(shown.sample)
        if self._standing:
            parts = (("the standing so far", str(self._preference())), *parts)
        return Task(parts, (("left", two[0].text), ("right", two[1].text)), of=shown)

    # -- what is said ----------------------------------------------------------------------------

    def press(self, task: Task, key: str, note: str | None) -> None:
        """Say which is better; on disk when this returns. Raises `StoreError` where it could not be. A press
        on another task than the one to be rated does nothing."""
        if self._open is None or task is not self._open:
            return
        shown: Shown = task.of
        if key == "standing":
            self._standing = not self._standing
            self._peeked = True
            # To a view this is another task: what was noted on it is kept for it.
            self._open, self._note = self._task(shown), note or self._note
            return
        two = self._contest.two(shown.left, shown.right, shown.sample)
        assert two is not None
        left, right = two
        # Pressed again after it could not be written it is the same rating, should both get to the disk.
        self._rating_id = self._rating_id or f"v-{secrets.token_hex(8)}"
        record = RatingRecord(
            rating_id=self._rating_id,
            left_id=left.generation_id,
            right_id=right.generation_id,
            preferred=SAID[key],
            rated_at=datetime.now(UTC),
            user=self.user,
            comment=note or self._note,
            arena=self.arena_id,
            drawn=shown.drawn,
            chance=shown.chance,
            took_s=monotonic() - self._shown_at,
            peeked=self.peeked,
            masked=left.masked + right.masked,
            workspace=self._workspace,
        )
        self._put(record)

    def undo(self) -> bool:
        """Take back this rater's last rating in this arena, from an earlier kernel too; whether there was
        one. Its pair is the next to be rated."""
        own = self._own()
        if not own:
            return False
        self._put(RatingRecord(**own[-1] | {"rated_at": _in_utc(own[-1]["rated_at"]), "withdrawn": True}))
        return True

    def _own(self) -> list[dict[str, Any]]:
        """This rater's ratings in this arena, oldest first."""
        store = self._services.store
        given = {"arena": self.arena_id, "user": self.user, "ids": list(self._contest.place)}
        with store.complete_opening():
            rows: list[dict[str, Any]] = store.table(_OWN, given).to_pylist()
        return rows

    def _put(self, record: RatingRecord) -> None:
        writer = self._services.store.writer()
        writer.put(record)
        writer.flush()
        self._open, self._note, self._rating_id = None, None, None
        try:
            self._said = self._contest.said()
        except StoreError:  # it is kept all the same; what others say is read after the next press
            self._said = self._contest.with_record(self._said, record)

    # -- what it amounts to ----------------------------------------------------------------------

    def progress(self) -> Progress:
        """How many pairs this rater has rated, of all; never who leads."""
        mine = [said for said in self._said if said.user == self.user]
        skipped = sum(said.preferred == "skip" for said in mine)
        others = sum(said.user != self.user and said.preferred != "skip" for said in self._said)
        words = f"{counted(len(mine) - skipped, 'rating')} by {visible(self.user or 'you', limit=40)}"
        words += f", {skipped:,} skipped" if skipped else ""
        words += f", {others:,} by others" if others else ""
        if self.now() is None:
            words = f"Nothing is left to rate: {words}. arena.preference() says what they amount to"
        done = len({said.where for said in mine})
        return Progress(done, sum(map(len, self._contest.pairs.values())), words)

    def ratings(self) -> pd.DataFrame:
        """One row per rating, oldest first: see `run.ratings`. It shows the standing."""
        self._peeked = True
        return self._ratings()

    def preference(self, *, level: float = 0.95) -> Preference:
        """Who is preferred over whom by the ratings so far, of all raters: see `run.preference`. It shows the
        standing."""
        self._peeked = True
        return self._preference(level)

    def _ratings(self) -> pd.DataFrame:
        from labkit.run.rating_frames import ratings

        return ratings(self._services.store, self._contest.place, self.contenders)

    def _preference(self, level: float = 0.95) -> Preference:
        from labkit.run.rating_frames import judged_pairs
        from labkit.verdict.preference import preference

        store = self._services.store
        with store.complete_opening():
            return preference(
                self._ratings(),
                contenders=self.contenders,
                equal=self.equal,
                level=level,
                judged=judged_pairs(store, self._contest.place, self.contenders),
                labels=store.labels(),
            )

    # -- showing ---------------------------------------------------------------------------------

    @cached_property
    def _view(self) -> RatingView:
        from labkit.widgets.rating_view import RatingView

        return RatingView(self)

    def _ipython_display_(self) -> None:
        self._view.show()

    def __repr__(self) -> str:
        return f"Arena({counted(len(self.contenders), self.by[0])}, {self.progress().words})"


def _in_utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _runs_faults(runs: Sequence[Run]) -> list[str]:
    """Runs that go, of several labs, or that were asked different datasets."""
    going = [run.run_id for run in runs if run.status == "running"]
    faults = [f"Run {run_id} still goes on; wait for it first: run.wait()." for run_id in going]
    if len({run._services.store.path.resolve() for run in runs}) > 1:
        return [*faults, "These runs are of several labs; an arena keeps its ratings in one."]
    rows = [(run.run_id, run._services.store.run_row(run.run_id)) for run in runs]
    datasets = {row["dataset"]: run_id for run_id, row in rows if row is not None}
    if len(datasets) > 1:
        ids = ", ".join(datasets.values())
        faults.append(f"Runs {ids} are of different datasets: their answers are to other samples.")
    return faults
