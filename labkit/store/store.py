"""The front of the floor: one lab, written through journals and read as tables and frames.

Making a `Store` opens, makes and contacts nothing. Each method is a door to the module that does it, so that
other floors know one name; that makes it long, and not deep. It does not know plans, models or how to ask.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import DefinitionError, StoreDamaged, StoreError, StoreLocked, StoreTooNew
from labkit.paths import as_path, at_home, shown
from labkit.records import Sample
from labkit.store import (
    arrow_to_pandas,
    backup,
    ledger,
    path_check,
    prompts_and_samples,
    request_integrity,
    run_lock,
    sandboxed_sql,
)
from labkit.store.access import WAIT_S
from labkit.store.fold import Report
from labkit.store.frames import Frames
from labkit.store.journal_directory import JournalDirectory, network_file_system
from labkit.store.process_resources import ProcessResources, resources_of
from labkit.store.reading import Reading
from labkit.store.writer import Writer
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from labkit.datasets import Dataset
    from labkit.prompts import Prompt
    from labkit.store.exchange.address import Address
    from labkit.store.exchange.exchange import Exchange
    from labkit.store.exchange.status import Sharing

log = logging.getLogger("labkit.store")

CATCH_UP_S = 5.0
"""How long is waited for the server of a shared lab, where it answers."""
SETTLE_S = 1.0
"""How long the end of a run waits for a lab that somebody else holds."""
MOST_DRIVEN = 10_000
"""Of so many runs this process knows that it drove them; of one it forgot, a reading waits for the lab."""


class Store(Frames):
    """The lab at `path`: a DuckDB file and, beside it, `<path>.journal` with what is not folded yet.

    Every reading folds first, so it shows all that is on disk. While somebody else holds the file,
    writing goes on; a reading is then done read-only, with what only the journals have from a copy in
    memory (its frame says so in `attrs["labkit"]`), or waits `wait_s` and raises `StoreLocked` naming who
    holds it. A lab on a disk that is read-only is read in the same way.

    Where there is no lab yet, readings are empty and make no file. Times in the tables are UTC without
    a zone (plain DuckDB then needs no further package to show them); in frames they carry it.

    >>> Store("somewhere/lab.duckdb")
    Store('somewhere/lab.duckdb')
    """

    def __init__(
        self, path: str | os.PathLike[str], *, wait_s: float = WAIT_S, share: Address | None = None
    ) -> None:
        self.path = as_path(path, what="lab")
        self.wait_s = wait_s
        self._share = share
        self._included: set[str] = set()
        self._place = at_home(self.path, what="lab").absolute()
        try:
            str(self._place).encode()
        except UnicodeEncodeError:
            raise DefinitionError(
                f"The path {shown(self._place)} is not UTF-8, as DuckDB wants it. Choose another for the lab."
            ) from None

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    @cached_property
    def _shared(self) -> ProcessResources:
        shared = resources_of(self._place)
        if self._share is not None:
            shared.share(self._share)
        return shared

    def is_there(self) -> bool:
        """Whether there is a lab at the path: its file, or answers that wait to be folded into one. Makes
        nothing. Raises `StoreError` if that cannot be told."""
        return self._shared.access.is_there()

    def fingerprint(self) -> tuple[object, ...]:
        """Something else whenever the lab or its journals changed; opens nothing."""
        return self._shared.access.fingerprint()

    # -- writing ---------------------------------------------------------------------------------

    def writer(self) -> Writer:
        """This process's writer for this lab; all stores of one file share it. Folding begins with it."""
        self._shared.background.start()
        self._exchange()
        return self._shared.writer

    def check_writable(self) -> None:
        """Raise `StoreError` if answers could not be kept here; call it before anything is paid for.

        Makes the journal's folder (and the lab's, if only that is missing) and sets the reserve aside;
        warns of a network disk. A lab that somebody else holds is writable: only its folding waits.
        """
        self._make_journal()
        self._shared.access.can_be_written()

    def check_journal(self) -> None:
        """`check_writable` for who asks often: it opens no lab. That one may not be written to it knows from
        the last fold in the background."""
        self._make_journal()
        trouble = self._shared.background.trouble
        if isinstance(trouble, StoreTooNew | StoreDamaged):
            raise trouble

    def _make_journal(self) -> None:
        access = self._shared.access
        path_check.check(access.path)
        access.folder.make()
        kind = network_file_system(access.path)
        if kind is not None:
            log.warning(
                "The lab %s lies on a network disk (%s), where locks fail or lie. Use a local disk.",
                self.path.name,
                kind,
            )
        try:
            access.folder.keep_reserve()
            self._shared.writer.prepare()
        except OSError as error:
            raise StoreError(
                f"The lab {self.path.name} cannot be written: {error.strerror}. "
                "Make room, or choose a folder that you may write to."
            ) from None

    def one_opening(self) -> AbstractContextManager[None]:
        """A block in which this thread's readings share one opening of the file and show one moment. Others
        wait for the lab meanwhile: for a few readings in a row, with nothing long in between."""
        return self._shared.access.one_opening()

    @contextlib.contextmanager
    def complete_opening(self) -> Iterator[None]:
        """`one_opening`, for what goes by all that was ever journalled. Raises `StoreLocked` or `StoreError`
        where some of it cannot be read."""
        with self.one_opening(), self._reading() as reading:
            reading.check_complete(self.path.name)
            yield

    def fold(self, *, wait_s: float | None = None) -> Report:
        """Move what is journalled into the tables now. Raises `StoreLocked`, `StoreError`."""
        return self._shared.access.fold(wait_s=self._wait(wait_s))

    def checkpoint(self) -> bool:
        """Fold, and write DuckDB's own log into its file; False if it must wait (somebody else holds the
        file, the disk is full): what is journalled is safe all the same."""
        return self._folded(checkpoint=True, wait_s=self.wait_s)

    def settle(self) -> bool:
        """Fold, as at the end of a run; the background checkpoints once nobody is at the lab. False if it
        must wait, as with `checkpoint`: nobody waits long for what is safe and folded later all the same."""
        folded = self._folded(checkpoint=False, wait_s=min(SETTLE_S, self.wait_s))
        # Only now: nobody was at the lab while it was asked, and the checkpoint would begin before this fold.
        self._shared.background.checkpoint_soon()
        return folded

    def _folded(self, *, checkpoint: bool, wait_s: float) -> bool:
        try:
            self._shared.access.fold(wait_s=wait_s, checkpoint=checkpoint)
        except StoreLocked as error:
            self._shared.background.trouble = error
            return False
        except StoreError as error:
            self._shared.background.tell(error)
            return False
        return True

    @contextlib.contextmanager
    def drive(self, run_id: str, *, called: str = "") -> Iterator[None]:
        """Be the only driver of a run, or of what is `called` so, in a `with` block. Raises `RunBusy`."""
        with run_lock.driving(self._shared.access.folder, run_id, called=called):
            if len(self._shared.driven) >= MOST_DRIVEN:
                self._shared.driven.clear()
            self._shared.driven.add(run_id)
            yield

    def close(self) -> None:
        """Write what waits, stop folding and close the journals of this process, for all its stores of
        this file; they begin anew when they are next written to. Raises `StoreError` if something could
        not be written."""
        self._shared.background.stop()
        try:
            if self._shared.exchange is not None:
                with contextlib.suppress(StoreError):  # the writer tells of it when it is closed
                    self._shared.writer.flush()
                self._shared.exchange.stop(CATCH_UP_S)
            self._shared.writer.close()
        finally:
            self._shared.background.checkpoint_now()

    # -- sharing ---------------------------------------------------------------------------------

    def include(self, workspace: str) -> None:
        """Where the lab is shared, bring in what others write in that workspace, from now on. Raises
        `DefinitionError` for what is no name."""
        if self._share is None:
            return
        # Half a character cannot be written down; nor could the server find what is called so.
        if not isinstance(workspace, str) or workspace != workspace.encode("utf-8", "replace").decode():
            raise DefinitionError(f"workspace is {quoted(workspace)}; give a name as text.")
        self._included.add(workspace)

    @property
    def is_shared(self) -> bool:
        """Whether it was made with a server."""
        return self._share is not None

    def catch_up(self, *, wait_s: float = CATCH_UP_S) -> bool:
        """Where the lab is shared, wait until it has what others sent by now, and they what it has; False if
        that cannot be within `wait_s`. What it waits for comes later, and nothing is lost."""
        exchange = self._exchange()
        return exchange is None or exchange.catch_up(wait_s)

    def stop_sharing(self) -> int:
        """Share the lab no more, from this machine; how many lines were not sent. Raises `StoreError` while a
        process shares it."""
        from labkit.store.exchange.status import stop

        return stop(self._shared)

    def sharing(self) -> Sharing | None:
        """How far the lab and its server are alike; None: it is not shared."""
        from labkit.store.exchange.status import sharing

        return sharing(self._shared, self._share, self._included)

    # -- what is known ---------------------------------------------------------------------------

    def known(
        self,
        keys: pa.Table,
        *,
        columns: Sequence[str] | None = None,
        workspaces: Sequence[str] | None = None,
    ) -> pa.Table:
        """The newest original answer for each key that has one, as Arrow: all columns of generations, or
        `columns`; in all of the lab, or in these `workspaces`. `keys` has `request_id` (text) and `draw`
        (whole number). An original is done and no replay itself. Requests that the lab has already are not
        written again by this process.
        """
        keys = ledger.as_keys(keys)
        with self._reading() as reading:
            self._shared.writer.remember(ledger.requests_of(reading.connection, keys))
            return arrow_to_pandas.plain(
                ledger.known(reading.connection, keys, columns=columns, workspaces=workspaces)
            )

    def verified(self, request_ids: Iterable[str]) -> dict[str, str]:
        """Which stored requests are what their ids say, and the model each asks (`request_integrity`). The
        others are written again when they are asked."""
        wanted = set(request_ids)
        with self._reading() as reading:
            found = request_integrity.verified(reading.connection, wanted)
        self._shared.writer.forget(wanted - found.keys())
        return found

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
        with self._reading(run_id) as reading:
            row = ledger.run_row(reading.connection, run_id)
        if row is not None and run_lock.is_driven(self._shared.access.folder, run_id):
            row["status"] = "running"
        return row

    # -- definitions -----------------------------------------------------------------------------

    def save_prompts(self, prompts: Sequence[Prompt], *, user: str | None = None) -> list[Prompt]:
        """Keep prompts and their blocks; gives them back with their version numbers.

        The same content under the same name keeps its number. Raises `StoreLocked` if a number must be
        given and the lab cannot be written.
        """
        with self.one_opening():
            with self._reading() as reading:
                have = prompts_and_samples.versions(reading.connection, [prompt.name for prompt in prompts])
            if any((prompt.name, prompt.hash) not in have for prompt in prompts):
                exchange = self._exchange()
                have = prompts_and_samples.keep(
                    prompts,
                    self._shared.access,
                    self.writer(),
                    user=user,
                    wait_s=self.wait_s,
                    **({} if exchange is None else {"number": exchange.number}),
                )
        return [prompt.replace(version=have[prompt.name, prompt.hash]) for prompt in prompts]

    def save_prompt(self, prompt: Prompt, *, user: str | None = None) -> Prompt:
        """`save_prompts` for one."""
        return self.save_prompts([prompt], user=user)[0]

    def saved_prompts(self, name: str | None = None) -> list[Prompt]:
        """The prompts kept in the lab, or the versions of one, oldest first."""
        with self._reading() as reading:
            return prompts_and_samples.saved(reading.connection, name)

    def has_samples(self, dataset: Dataset) -> bool:
        """Whether the lab has all the dataset's samples."""
        with self._reading() as reading:
            return prompts_and_samples.has_samples(reading.connection, dataset)

    def save_samples(self, dataset: Dataset) -> None:
        """Keep a dataset's samples. They are on disk after the next `flush`."""
        writer = self.writer()
        for record in prompts_and_samples.sample_records(dataset):
            writer.put(record)

    def samples(self, run_id: str) -> dict[str, Sample]:
        """The samples of the run's dataset, by id, in the dataset's order."""
        with self._reading() as reading:
            return prompts_and_samples.samples_of(reading.connection, run_id)

    # -- SQL and copies --------------------------------------------------------------------------

    def table(self, sql: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> pa.Table:
        """labkit's own SQL over the folded lab, as Arrow, times marked as UTC. Not for a person's words:
        see `sql`."""
        with self._reading() as reading:
            return arrow_to_pandas.plain(reading.connection.execute(sql, params or []).to_arrow_table())

    def sql(
        self,
        query: str,
        params: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        timeout_s: float = sandboxed_sql.MOST_S,
    ) -> pd.DataFrame:
        """The result of `query` as a frame: see `query`. What Python has no value for is text."""
        with self._shared.access.sealed(wait_s=self.wait_s) as reading:
            table = sandboxed_sql.query(reading.connection, query, params, timeout_s=timeout_s)
        frame = arrow_to_pandas.result_to_frame(table)
        frame.attrs |= reading.announce()
        return frame

    def query(
        self,
        query: str,
        params: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        timeout_s: float = sandboxed_sql.MOST_S,
    ) -> pa.Table:
        """One query over the lab's views, on a connection that can neither write nor reach outside.

        Raises `DefinitionError` with DuckDB's words if it is not a query or fails, and after `timeout_s`.
        """
        with self._shared.access.sealed(wait_s=self.wait_s) as reading:
            return sandboxed_sql.query(reading.connection, query, params, timeout_s=timeout_s)

    def backup(self, path: Path | str) -> Path:
        """A copy of the lab as one DuckDB file at a free path, of one moment, also while a run goes on."""
        with self._shared.access.reading(wait_s=self.wait_s) as reading:
            return backup.copy(reading.connection, Path(path).absolute())

    def export(self, folder: Path | str) -> Path:
        """Every table as Parquet in a new folder, with `schema.sql` and `load.sql` to load them again."""
        with self._shared.access.reading(wait_s=self.wait_s) as reading:
            return backup.export(reading.connection, Path(folder).absolute())

    # -- within ----------------------------------------------------------------------------------

    def _exchange(self) -> Exchange | None:
        """What keeps the lab and its server alike, begun; None: it is not shared."""
        exchange = self._shared.exchange
        if exchange is not None:
            exchange.start(self._included)
        return exchange

    def _folder(self) -> JournalDirectory:
        return self._shared.access.folder

    def _wait(self, wait_s: float | None) -> float:
        return self.wait_s if wait_s is None else wait_s

    def _reading(self, run_id: str | None = None) -> AbstractContextManager[Reading]:
        if (exchange := self._exchange()) is not None:
            exchange.meet(CATCH_UP_S)
        return self._shared.reading(run_id, wait_s=self.wait_s)
