"""The lab's rows as pandas frames, by grain: generations, runs, attempts, scores, and what was asked with.

Times are UTC with their zone, counts that may be missing are `Int64`, those that never are `int64`,
texts are pandas' own `str`. It does not know how the lab is opened.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from labkit.store import queries, run_lock, unknown_values
from labkit.store.journal_directory import JournalDirectory
from labkit.store.reading import Reading

if TYPE_CHECKING:
    import pandas as pd


class Frames(ABC):
    """What a lab can be read as. `Store` is one."""

    @abstractmethod
    def _reading(self, run_id: str | None = None) -> AbstractContextManager[Reading]:
        """Open the lab, folded."""

    @abstractmethod
    def _folder(self) -> JournalDirectory:
        """The folder beside the lab."""

    def generations(
        self,
        *,
        run: Any = None,
        experiment: Any = None,
        model: Any = None,
        prompt: Any = None,
        workspace: Any = None,
        status: Any = None,
        since: Any = None,
        until: Any = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
        steps: bool = False,
    ) -> pd.DataFrame:
        """One row per answer of a prompt or a whole chain (`steps`: per request, so one per step), the
        columns of `labkit.records.Generation` in their order, then `sample.<column>` for the dataset's own
        columns, then, where some are replays, `first.generation_id` and `first.latency_s`, `first.ttft_s`,
        `first.in_flight`, the clocks of each row's first asking, wherever that was (its own where it is no
        replay), then `score.<scorer>` (float64, NaN: not scored), those of one `run`'s plan first and in its
        order, else as they scored first.

        Filters take a text or several. `since` (from) and `until` (before) are compared with
        `started_at`, or with when the row was written if it was never asked; a plain date as `until` means
        that whole day, a time without a zone is UTC. Rows of one `run` come as they were planned, by sample,
        repeat, prompt and model; those of several as they were written; with `limit` the newest so many,
        newest first. `columns` chooses columns (`sample.*`, `first.*` and `score.*`: all of those), and is
        much faster without `text` and `raw`; `empty` (done, and nothing but blanks in `text`) is only there
        if chosen. Counts are int64, those a provider may not report Int64; times are UTC.
        In `attrs`: `scales`, what scorers declared of their values, and `failures`, by scorer that failed:
        on how many of how many `answers` it `failed`, the most frequent `reason`, how many `reasons`.
        Raises `DefinitionError` for a filter or column that makes no sense, `StoreLocked`.

        >>> from labkit.store import Store
        >>> Store("none.duckdb").generations(model="openai/gpt-4o", columns=["text", "cost_usd"]).empty
        True
        """
        return queries.generations(
            lambda: self._reading(run if isinstance(run, str) else None),
            run=run,
            experiment=experiment,
            model=model,
            prompt=prompt,
            workspace=workspace,
            status=status,
            since=since,
            until=until,
            limit=limit,
            columns=columns,
            steps=steps,
        )

    def runs(
        self,
        *,
        run: Any = None,
        experiment: Any = None,
        workspace: Any = None,
        status: Any = None,
        since: Any = None,
        until: Any = None,
        limit: int | None = None,
        kind: Any = "plan",
    ) -> pd.DataFrame:
        """One row per run, oldest first (with `limit` newest first): status, counts of cells, cost_usd
        without replays (`cost_unknown` says for how many rows there is none), provenance (JSON text).
        Those of judges are of the kind `judge`, what was asked once more of the kind `reask`; `kind=None`
        gives all.

        `status` is `finished`, `stopped`, `failed`, `running` while some process drives it, and else
        `unfinished`.
        """
        frame = queries.select(
            self._reading,
            "runs",
            named={"run_id": run, "experiment": experiment, "workspace": workspace, "kind": kind},
            time="started_at",
            since=since,
            until=until,
            limit=None,
            order="started_at",
        )
        return queries.with_live_status(
            frame, lambda run_id: run_lock.is_driven(self._folder(), run_id), status, limit
        )

    def attempts(
        self, *, run: Any = None, since: Any = None, until: Any = None, limit: int | None = None
    ) -> pd.DataFrame:
        """One row per HTTP request that was sent and told of, oldest first (with `limit` newest first)."""
        return queries.select(
            lambda: self._reading(run if isinstance(run, str) else None),
            "attempts",
            named={"run_id": run},
            time="sent_at",
            since=since,
            until=until,
            limit=limit,
            order="sent_at",
        )

    def unsettled(self, *, run: Any = None) -> pd.DataFrame:
        """What was sent without a word of how it ended: it may have been paid for. While a run goes on
        these are its requests in flight; after a kill they are what was in flight then."""
        return queries.select(self._reading, "unsettled", named={"run_id": run}, order="sent_at")

    def scores(self, *, run: Any = None, scorer: Any = None, limit: int | None = None) -> pd.DataFrame:
        """The latest value of each scorer for each generation, oldest first (with `limit` newest first)."""
        where, params = queries.of_runs(run)
        return queries.select(
            self._reading,
            "scores",
            named={"scorer": scorer},
            where=where,
            params=params,
            limit=limit,
            order="scored_at",
        )

    def prompts(self, *, prompt: Any = None) -> pd.DataFrame:
        """Every saved version, oldest first; blocks and defaults are JSON text."""
        return queries.select(self._reading, "prompts", named={"name": prompt}, order="created_at, version")

    def requests(self, *, request: Any = None, model: Any = None) -> pd.DataFrame:
        """Each distinct rendered request once: messages and params as JSON text."""
        named = {"request_id": request, "model": model}
        return queries.select(self._reading, "requests", named=named, order="request_id")

    def damage(self) -> pd.DataFrame:
        """Journal lines that could not be taken in: where, why, and the `.bad` file that keeps them."""
        return queries.select(self._reading, "log.damage", named={}, order="found_at")

    def unknown(self, grain: str, named: Mapping[str, Any]) -> list[str]:
        """What no row of `generations` or `runs` has of the values a filter names: see `unknown_values`."""
        with self._reading() as reading:
            return unknown_values.unknown(reading.connection, grain, named)

    def labels(self) -> dict[str, str]:
        """How models are called in tables and charts, by id, where a run kept a label."""
        with self._reading() as reading:
            rows = reading.connection.execute("select model, label from models where label is not null")
            return dict(rows.fetchall())
