"""The front of the floor: one lab, written through journals and read as tables and frames.

Making a `Store` opens, makes and contacts nothing. It does not know plans, models or how to ask.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import DefinitionError, StoreError, StoreLocked
from labkit.records import Sample
from labkit.store import backup, database, definitions, driving, frames, ledger, locked, tidy
from labkit.store.access import WAIT_S, Access, Reading
from labkit.store.background import Background
from labkit.store.fold import Report
from labkit.store.writer import Writer

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from labkit.datasets import Dataset
    from labkit.prompts import Prompt


class Store:
    """The lab at `path`: a DuckDB file and, beside it, `<path>.journal` with what is not folded yet.

    Every reading folds first, so it shows all that is on disk. While somebody else holds the file,
    writing goes on; a reading is then done read-only (its frame says in `attrs["labkit"]` what is not in
    the tables yet), or waits `wait_s` and raises `StoreLocked` naming who holds it.

    Where there is no lab yet, readings are empty and make no file. Times in the tables are UTC without
    a zone (plain DuckDB then needs no further package to show them); in frames they carry it.

    >>> Store("somewhere/lab.duckdb")
    Store('somewhere/lab.duckdb')
    """

    def __init__(self, path: Path | str, *, wait_s: float = WAIT_S) -> None:
        self.path = Path(path)
        self.wait_s = wait_s
        self._place = self.path.expanduser().absolute()
        if "\0" in str(path):
            raise DefinitionError("The lab's path has a NUL in it. Give a file name.")

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    @cached_property
    def _desk(self) -> _Desk:
        return _desk_for(self._place)

    # -- writing ---------------------------------------------------------------------------------

    def writer(self) -> Writer:
        """This process's pen for this lab; all stores of one file share it. Folding begins with it."""
        self._desk.background.start()
        return self._desk.writer

    def check_writable(self) -> None:
        """Raise `StoreError` if answers could not be kept here; call it before anything is paid for.

        Makes the journal's folder (and the lab's, if only that is missing) and sets the reserve aside. A
        lab that somebody else holds is writable: only its folding waits.
        """
        access = self._desk.access
        database.refuse_foreign(access.path)
        access.folder.make()
        try:
            access.folder.keep_reserve()
            self._desk.writer.prepare()
        except OSError as error:
            raise StoreError(
                f"The lab {self.path.name} cannot be written: {error.strerror}. "
                "Make room, or choose a folder that you may write to."
            ) from None
        with contextlib.suppress(StoreLocked):
            access.fold(wait_s=0.0, force=True)

    def fold(self, *, wait_s: float | None = None) -> Report:
        """Move what is journalled into the tables now. Raises `StoreLocked`, `StoreError`."""
        return self._desk.access.fold(wait_s=self._wait(wait_s))

    def checkpoint(self) -> bool:
        """Fold, and write DuckDB's own log into its file, as at the end of a run; False if it must wait
        (somebody else holds the file, the disk is full): what is journalled is safe all the same."""
        try:
            self._desk.access.fold(wait_s=self.wait_s, checkpoint=True)
        except StoreError as error:
            self._desk.background.trouble = error
            return False
        return True

    @contextlib.contextmanager
    def drive(self, run_id: str) -> Iterator[None]:
        """Be the run's only driver for the length of a `with` block. Raises `RunBusy` naming the other."""
        with driving.driving(self._desk.access.folder, run_id):
            self._desk.driven.add(run_id)
            yield

    def close(self) -> None:
        """Write what waits, stop folding and close the journals of this process, for all its stores of
        this file; they begin anew when they are next written to. Raises `StoreError` if something could
        not be written."""
        self._desk.background.stop()
        self._desk.writer.close()

    # -- what is known ---------------------------------------------------------------------------

    def known(self, keys: pa.Table, *, columns: Sequence[str] | None = None) -> pa.Table:
        """The newest original answer for each key that has one, as Arrow: all columns of generations, or
        `columns`. `keys` has `request_id` (text) and `draw` (whole number). An original is done and no
        replay itself. Requests that the lab has already are not written again by this process.
        """
        keys = ledger.as_keys(keys)
        with self._reading() as reading:
            self._desk.writer.remember(ledger.requests_of(reading.connection, keys))
            return tidy.utc(ledger.known(reading.connection, keys, columns=columns))

    def settled(self, run_id: str) -> frozenset[str]:
        """The generation_ids of the run that are done: a resume asks for all others."""
        with self._reading() as reading:
            return ledger.settled(reading.connection, run_id)

    def spent(self, run_id: str) -> float:
        """USD the run spent over all its launches, replays excluded, with the reservations of what may
        have been paid for without a known price."""
        with self._reading() as reading:
            return ledger.spent_usd(reading.connection, run_id)

    def unfinished(self, plan_id: str, *, fresh: bool) -> str | None:
        """The latest run of the plan that did not come to its end, under the same fresh flag."""
        with self._reading() as reading:
            return ledger.unfinished(reading.connection, plan_id, fresh=fresh)

    def run_row(self, run_id: str) -> dict[str, Any] | None:
        """The run's row in `runs`, with `running` as its status while some process drives it."""
        with self._reading() as reading:
            row = ledger.run_row(reading.connection, run_id)
        if row is not None and driving.is_driven(self._desk.access.folder, run_id):
            row["status"] = "running"
        return row

    # -- definitions -----------------------------------------------------------------------------

    def save_prompts(self, prompts: Sequence[Prompt], *, user: str | None = None) -> list[Prompt]:
        """Keep prompts and their blocks; gives them back with their version numbers.

        The same content under the same name keeps its number. Raises `StoreLocked` if a number must be
        given and the lab cannot be written.
        """
        names = [prompt.name for prompt in prompts]
        with self._reading() as reading:
            have = definitions.versions(reading.connection, names)
        if any((prompt.name, prompt.hash) not in have for prompt in prompts):
            writer = self.writer()
            with self._desk.access.writing(wait_s=self.wait_s) as connection:
                have = definitions.versions(connection, names)
                for record in definitions.numbered(prompts, have, user=user):
                    writer.put(record)
                writer.flush()
                self._desk.access.refold(connection)
        return [prompt.replace(version=have[prompt.name, prompt.hash]) for prompt in prompts]

    def save_prompt(self, prompt: Prompt, *, user: str | None = None) -> Prompt:
        """`save_prompts` for one."""
        return self.save_prompts([prompt], user=user)[0]

    def saved_prompts(self, name: str | None = None) -> list[Prompt]:
        """The prompts kept in the lab, or the versions of one, oldest first."""
        with self._reading() as reading:
            return definitions.saved(reading.connection, name)

    def save_dataset(self, dataset: Dataset) -> None:
        """Keep a dataset's samples, unless the lab has them. They are on disk after the next `flush`."""
        with self._reading() as reading:
            if definitions.has_samples(reading.connection, dataset):
                return
        writer = self.writer()
        for record in definitions.sample_records(dataset):
            writer.put(record)

    def samples(self, run_id: str) -> dict[str, Sample]:
        """The samples of the run's dataset, by id, in the dataset's order."""
        with self._reading() as reading:
            return definitions.samples_of(reading.connection, run_id)

    # -- frames ----------------------------------------------------------------------------------

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
    ) -> pd.DataFrame:
        """One row per generation, the columns of `labkit.records.Generation` in their order, then
        `sample.<column>` for the dataset's own columns, then `score.<scorer>` (float64, NaN: not scored).

        Filters take a text or several. `since` (from) and `until` (before) are compared with
        `started_at`, or with when the row was written if it was never asked; a plain date as `until` means
        that whole day, a time without a zone is UTC. Rows come as they were written; with `limit` the
        newest so many, newest first. `columns` chooses columns, and is much faster without `text` and
        `raw`. Counts are int64, those a provider may not report Int64; times are UTC.
        Raises `DefinitionError` for a filter or column that makes no sense, `StoreLocked`.

        >>> Store("none.duckdb").generations(model="openai/gpt-4o", columns=["text", "cost_usd"]).empty
        True
        """
        return frames.generations(
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
    ) -> pd.DataFrame:
        """One row per run, oldest first (with `limit` newest first): status, counts of cells, cost_usd
        without replays (`cost_unknown` says for how many rows there is none), provenance (JSON text).

        `status` is `finished`, `stopped`, `failed`, `running` while some process drives it, and else
        `unfinished`.
        """
        frame = frames.select(
            self._reading,
            "runs",
            named={"run_id": run, "experiment": experiment, "workspace": workspace},
            time="started_at",
            since=since,
            until=until,
            limit=None,
            order="started_at",
        )
        return frames.with_live_status(
            frame, lambda run_id: driving.is_driven(self._desk.access.folder, run_id), status, limit
        )

    def attempts(
        self, *, run: Any = None, since: Any = None, until: Any = None, limit: int | None = None
    ) -> pd.DataFrame:
        """One row per HTTP request that was sent and told of, oldest first (with `limit` newest first)."""
        return frames.select(
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
        return frames.select(self._reading, "unsettled", named={"run_id": run}, order="sent_at")

    def scores(self, *, run: Any = None, scorer: Any = None, limit: int | None = None) -> pd.DataFrame:
        """The latest value of each scorer for each generation, oldest first (with `limit` newest first)."""
        where, params = frames.of_runs(run)
        return frames.select(
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
        return frames.select(self._reading, "prompts", named={"name": prompt}, order="created_at, version")

    def requests(self, *, request: Any = None, model: Any = None) -> pd.DataFrame:
        """Each distinct rendered request once: messages and params as JSON text."""
        named = {"request_id": request, "model": model}
        return frames.select(self._reading, "requests", named=named, order="request_id")

    def damage(self) -> pd.DataFrame:
        """Journal lines that could not be taken in: where, why, and the `.bad` file that keeps them."""
        return frames.select(self._reading, "log.damage", named={}, order="found_at")

    # -- SQL and copies --------------------------------------------------------------------------

    def table(self, sql: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> pa.Table:
        """labkit's own SQL over the folded lab, as Arrow, times marked as UTC. Not for a person's words:
        see `sql`."""
        with self._reading() as reading:
            return tidy.utc(reading.connection.execute(sql, params or []).to_arrow_table())

    def sql(self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> pd.DataFrame:
        """One query over the lab's views, on a connection that can neither write nor reach outside.

        Raises `DefinitionError` with DuckDB's words if it is not a query or fails.
        """
        with self._desk.access.sealed(wait_s=self.wait_s) as connection:
            return locked.query(connection, query, params)

    def backup(self, path: Path | str) -> Path:
        """A copy of the lab as one DuckDB file at a free path, of one moment, also while a run goes on."""
        with self._desk.access.reading(wait_s=self.wait_s) as reading:
            return backup.copy(reading.connection, Path(path).absolute())

    def export(self, folder: Path | str) -> Path:
        """Every table as Parquet in a new folder, with `schema.sql` and `load.sql` to load them again."""
        with self._desk.access.reading(wait_s=self.wait_s) as reading:
            return backup.export(reading.connection, Path(folder).absolute())

    # -- within ----------------------------------------------------------------------------------

    def _wait(self, wait_s: float | None) -> float:
        return self.wait_s if wait_s is None else wait_s

    @contextlib.contextmanager
    def _reading(self, run_id: str | None = None) -> Iterator[Reading]:
        """The folded lab; while somebody else holds it, for a run driven here, this process's journal."""
        access = self._desk.access
        with contextlib.ExitStack() as stack:
            here = run_id in self._desk.driven
            try:
                reading = stack.enter_context(access.reading(wait_s=0.0 if here else self.wait_s))
            except StoreLocked:
                if not here:
                    raise
                reading = stack.enter_context(access.own(self._desk.writer.process))
            yield reading


class _Desk:
    """What all stores of one file share in this process."""

    def __init__(self, path: Path) -> None:
        self.access = Access(path)
        self.writer = Writer(self.access.folder)
        self.background = Background(self.access)
        self.driven: set[str] = set()


_desks: dict[Path, _Desk] = {}
_desks_lock = threading.Lock()


def _desk_for(place: Path) -> _Desk:
    # By the file itself, whatever links lead to it: two gates for one file would be none.
    place = place.resolve()
    with _desks_lock:
        desk = _desks.get(place)
        if desk is None:
            desk = _desks[place] = _Desk(place)
        return desk
