"""History: the lab's runs to search and filter, to open, compare, run again and resume.

State only, so it works headless; `historyform` draws it. It reads runs as frames and knows no store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from labkit.arguments import able, check
from labkit.dollars import usd
from labkit.errors import DefinitionError
from labkit.store.filters import times
from labkit.widgets import answers
from labkit.widgets.model_progress import duration
from labkit.widgets.selector import Choice, Selector

if TYPE_CHECKING:
    import pandas as pd


FACTS = ("status", "answers", "score", "prompts", "models", "workspace")
SIDES = ("A", "B")
"""What two runs are called beside each other: the earlier, the later."""
MOST_RUNS = 2_000
LATEST = 20
"""How many runs stand in the table without widgets."""
MADE_OF = """
with
    of_run as materialized (
        select
            generation_id, run_id, concat(prompt, '@' || prompt_version) as prompt, model, sample_id,
            "repeat", request_id, steps
        from generations
    ),
    made as (
        select
            run_id,
            list(distinct model order by model) as models,
            list(distinct prompt order by prompt) as prompts,
            count(distinct sample_id) as samples,
            max("repeat") + 1 as repeats,
            bool_or(steps is not null) as has_chains
        from of_run group by run_id
    ),
    sent_to as (select run_id, list(distinct model order by model) as ids from steps group by run_id),
    asked as (
        select run_id, list(distinct params::varchar) as params
        from (select distinct run_id, request_id from of_run) join requests using (request_id)
        group by run_id
    ),
    means as (
        select run_id, scorer, avg("value") as mean
        from of_run join scores using (generation_id)
        where "value" is not null
        group by run_id, scorer, prompt, model
    ),
    ranges as (select run_id, scorer, min(mean) as low, max(mean) as high from means group by run_id, scorer),
    scored as (
        select run_id, list({'scorer': scorer, 'low': low, 'high': high} order by scorer) as scores
        from ranges group by run_id
    )
from made left join sent_to using (run_id) left join asked using (run_id) left join scored using (run_id)
"""
"""What each run was made of, and between which means of its prompts and models each scorer lies."""


class HasRuns(Protocol):
    """What the history needs of a lab."""

    def runs(self, **filters: Any) -> pd.DataFrame: ...

    def sql(self, query: str, params: Any = None) -> pd.DataFrame: ...

    def run(self, run_id: str) -> Any: ...

    def again(self, run_id: str) -> Any: ...

    def compare(self, run_a: str, run_b: str, *, names: tuple[str, str]) -> Any: ...


class History(Selector):
    """The lab's runs, newest first, in every workspace. `chosen` are run ids; nothing is chosen at first.

    `open()` gives the chosen run, `compare()` what changed between two, `answers()` their answers in one
    frame, `rerun()` and `resume()` start the chosen run's plan again. `since` leaves out what began before
    a day.

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
        super().__init__(self._list(), value=(), call="lk.History", heads=("run (UTC)", *FACTS))

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

    def compare(self) -> Any:
        """What `lab.compare` says of the two chosen runs: `B`, the later, against `A`.

        Raises `DefinitionError` where there is nothing to compare them by.
        """
        return self._lab.compare(*self._two(), names=SIDES)

    def answers(self) -> pd.DataFrame:
        """The answers of the two chosen runs to the samples that both have, and of their prompts and models
        those that both have, if there are any; `run` says whose: `A` or `B`, and of chains `earlier` what
        their steps before the last said."""
        import pandas as pd

        parts = [answers.read(self._lab.run(run_id), None) for run_id in self._two()]
        ids = [set(part["sample_id"]) for part in parts]
        by = [set(zip(part["prompt"], part["model"], strict=True)) for part in parts]
        both: pd.DataFrame = pd.concat(
            [part.assign(run=side) for part, side in zip(parts, SIDES, strict=True)], ignore_index=True
        )
        both = both[both["sample_id"].isin(ids[0] & ids[1])]
        if common := by[0] & by[1]:
            both = both.loc[[pair in common for pair in zip(both["prompt"], both["model"], strict=True)]]
        both.attrs = parts[1].attrs | {"scales": parts[0].attrs["scales"] | parts[1].attrs["scales"]}
        return both

    def sides(self) -> list[tuple[str, str]]:
        """What each of the two chosen runs is called beside the other, and which it is."""
        named = zip(SIDES, self._two(), strict=True)
        return [(side, f"{self._choices[run_id].name}, run {run_id}") for side, run_id in named]

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

    def _two(self) -> tuple[str, str]:
        """The two chosen runs, the earlier first."""
        if len(self.chosen) != 2:
            raise DefinitionError(f"Two runs can be compared; chosen so far: {len(self.chosen)}. Tick two.")
        later, earlier = self.chosen
        return earlier, later

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

    def _rows(self) -> list[tuple[str, ...]]:
        """What is chosen; where nothing is, the latest runs."""
        return super()._rows() or [(choice.name, *choice.facts) for choice in self.choices[:LATEST]]

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
    models, prompts, ids = (_names(made.get(name)) for name in ("models", "prompts", "ids"))
    began: datetime = row["started_at"]
    failed = f", {row['failed']:,} failed" if row["failed"] else ""
    asks = " requests" if made.get("has_chains") is True else ""
    counts = f"{row['done']:,} of {row['cells']:,}{asks}{failed} · {_cost(row)}{_took(row)}{_size(made)}"
    name = f"{began:%Y-%m-%d %H:%M:%S} {row['experiment']}"
    tags = {f"workspace:{row['workspace']}", f"status:{row['status']}", *(f"model:{one}" for one in ids)}
    facts = (
        str(row["status"]),
        counts,
        _scores(made.get("scores")),
        ", ".join(prompts),
        ("; " if asks else ", ").join(models) + _params(made.get("params")),
        str(row["workspace"]),
    )
    return Choice(str(row["run_id"]), name, facts, frozenset(tags))


def _size(made: Mapping[Any, Any]) -> str:
    samples, repeats = made.get("samples") or 0, made.get("repeats") or 0
    many = f" × {repeats:,} repeats" if repeats > 1 else ""
    return f" · {samples:,} sample{'' if samples == 1 else 's'}{many}" if samples else ""


def _scores(given: Any) -> str:
    def told(of: Mapping[str, Any]) -> str:
        low, high = f"{of['low']:.3g}", f"{of['high']:.3g}"
        return f"{of['scorer']} {low}" if low == high else f"{of['scorer']} {low} to {high}"

    return ", ".join(map(told, _list(given))) or "none"


def _params(given: Any) -> str:
    """The params of all requests, where they were the same for all."""
    sent = [json.loads(params) for params in _list(given)]
    if len(sent) != 1:
        return " · params differ" if sent else ""
    return "".join(f" · {name} {value}" for name, value in sent[0].items())


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
    return [str(one) for one in _list(given)]


def _list(given: Any) -> Sequence[Any]:
    """A list of the query, empty where a join found none (None or NaN)."""
    return [] if given is None or isinstance(given, float) else list(given)
