"""History: the lab's runs to search and filter, to open, compare, run again and resume.

State only, so it works headless; `historyform` draws it. It reads runs as frames and knows no store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from labkit.arguments import able, check
from labkit.errors import DefinitionError
from labkit.store.filters import times
from labkit.widgets.model_progress import duration, usd
from labkit.widgets.selector import Choice, Selector

if TYPE_CHECKING:
    import pandas as pd


FACTS = ("status", "answers", "models and prompts")
MOST_RUNS = 2_000
MADE_OF = (
    "select run_id, list(distinct model order by model) as models, list(distinct prompt order by prompt) "
    "as prompts from generations group by run_id"
)


class HasRuns(Protocol):
    """What the history needs of a lab."""

    def runs(self, **filters: Any) -> pd.DataFrame: ...

    def sql(self, query: str, params: Any = None) -> pd.DataFrame: ...

    def run(self, run_id: str) -> Any: ...

    def again(self, run_id: str) -> Any: ...


class History(Selector):
    """The lab's runs, newest first, in every workspace. `chosen` are run ids; nothing is chosen at first.

    `open()` gives the chosen run, `compare()` the answers of two in one frame, `rerun()` and `resume()`
    start the chosen run's plan again. `since` leaves out what began before a day.

    >>> history = History(lab)                   # doctest: +SKIP
    >>> history.choose([history.choices[0].value])   # doctest: +SKIP
    >>> history.open().summary()                 # doctest: +SKIP
    """

    _drawn_by = "historyform.HistoryForm"

    def __init__(self, lab: HasRuns, *, since: date | None = None) -> None:
        check(able("lab", lab, "runs", like="a lab: lk.Lab(…)"))
        self._lab = lab
        self._since = _as_day(since)
        self._statuses: dict[str, str] = {}
        super().__init__(self._list(), value=(), call="lk.History", heads=("run", *FACTS))

    @property
    def since(self) -> date | None:
        """The first day that is listed; None: all."""
        return self._since

    @since.setter
    def since(self, day: date | None) -> None:
        self._since = _as_day(day)
        self.renew()

    def renew(self) -> None:
        """Read the lab's runs again."""
        self._choices = {choice.value: choice for choice in self._list()}
        self._chosen &= self._choices.keys()
        self.changed()

    # -- what can be done with runs --------------------------------------------------------------

    def open(self) -> Any:
        """The one run that is chosen."""
        return self._lab.run(self._one("opened"))

    def compare(self) -> pd.DataFrame:
        """The answers of the two chosen runs in one frame; `model` tells which run an answer is of."""
        import pandas as pd

        if len(self.chosen) != 2:
            raise DefinitionError(f"Two runs can be compared; chosen so far: {len(self.chosen)}. Tick two.")
        parts = []
        for run_id in sorted(self.chosen):
            frame = self._lab.run(run_id).generations()
            parts.append(frame.assign(model=frame["model"].astype(str) + f" · {run_id}"))
        both: pd.DataFrame = pd.concat(parts, ignore_index=True)
        return both

    def rerun(self, *, progress: str | None = None) -> Any:
        """Start the chosen run's plan again, with replay of what is known; returns the new run."""
        run_id = self._one("run again")
        if self._statuses[run_id] in ("unfinished", "stopped"):
            raise DefinitionError(f"Run {run_id} is not finished: resume it.")
        return self._lab.again(run_id).start(progress=progress)

    def resume(self, *, progress: str | None = None) -> Any:
        """Continue the chosen run: ask what has no finished answer."""
        run_id = self._one("resumed")
        if self._statuses[run_id] == "finished":
            raise DefinitionError(f"Run {run_id} is finished: there is nothing to resume. Run it again.")
        return self._lab.again(run_id).start(progress=progress)

    def _one(self, done: str) -> str:
        if len(self.chosen) != 1:
            raise DefinitionError(f"One run can be {done}; chosen so far: {len(self.chosen)}. Tick one.")
        return self.chosen[0]

    # -- what there is ---------------------------------------------------------------------------

    def tags(self, kind: str) -> tuple[str, ...]:
        """The values there are of `workspace`, `model` or `status`."""
        found = {tag for choice in self.choices for tag in choice.tags if tag.startswith(f"{kind}:")}
        return tuple(sorted(tag.partition(":")[2] for tag in found))

    @property
    def code(self) -> str:
        """The Python that opens what is chosen."""
        if not self.chosen:
            return "lab.runs()"
        return "\n".join(f"lab.run({run_id!r})" for run_id in self.chosen)

    def _list(self) -> list[Choice]:
        frame = self._lab.runs(limit=MOST_RUNS)
        made = self._lab.sql(MADE_OF) if len(frame) else None
        parts = {} if made is None else {row["run_id"]: row for row in made.to_dict("records")}
        rows = [row for row in frame.to_dict("records") if self._since is None or _day(row) >= self._since]
        self._statuses = {row["run_id"]: str(row["status"]) for row in rows}
        return [_choice(row, parts.get(row["run_id"], {})) for row in rows]


def _as_day(since: date | None) -> date | None:
    _, given = times("started_at", since=since, until=None)
    return given[0].date() if given else None


def _choice(row: Mapping[Any, Any], made: Mapping[Any, Any]) -> Choice:
    models, prompts = _names(made.get("models")), _names(made.get("prompts"))
    began: datetime = row["started_at"]
    failed = f", {row['failed']:,} failed" if row["failed"] else ""
    answers = f"{row['done']:,} of {row['cells']:,}{failed} · {_cost(row)}{_took(row)}"
    name = f"{began:%Y-%m-%d %H:%M} {row['experiment']}"
    tags = {f"workspace:{row['workspace']}", f"status:{row['status']}", *(f"model:{one}" for one in models)}
    facts = (str(row["status"]), answers, f"{', '.join(models)} · {', '.join(prompts)}")
    return Choice(str(row["run_id"]), name, facts, frozenset(tags))


def _cost(row: Mapping[Any, Any]) -> str:
    least = "at least " if row["cost_unknown"] else ""
    cost = row["cost_usd"]
    return f"{least}USD {usd(0.0 if cost is None or cost != cost else float(cost))}"


def _took(row: Mapping[Any, Any]) -> str:
    ended = row["ended_at"]
    if ended is None or ended != ended:
        return ""
    return f" · {duration((ended - row['started_at']).total_seconds())}"


def _day(row: Mapping[Any, Any]) -> date:
    began: datetime = row["started_at"]
    return began.date()


def _names(given: Any) -> Sequence[str]:
    return [str(one) for one in given] if given is not None and not isinstance(given, float) else []
