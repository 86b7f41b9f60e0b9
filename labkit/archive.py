"""What a lab keeps, as frames and copies: generations, runs, attempts, SQL, backups.

It reads and copies; it does not know how anything is asked.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.paths import as_path
from labkit.store import Store

if TYPE_CHECKING:
    import pandas as pd

When = Any
"""A date or time: text (`2026-11-01`), `date`, `datetime` or pandas Timestamp; without a zone it is UTC."""
Names = str | Sequence[str] | None


class Archive:
    """History of one lab. `lk.Lab` is one."""

    store: Store

    # -- reading ---------------------------------------------------------------------------------

    def generations(
        self,
        *,
        run: Names = None,
        experiment: Names = None,
        model: Names = None,
        prompt: Names = None,
        workspace: Names = None,
        status: Names = None,
        since: When = None,
        until: When = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """History: one row per generation, any workspace unless one is named.

        Columns are those of `labkit.records.Generation`, then `sample.<column>`, where some are replays
        `first.<clock>` of their first askings, and `score.<name>`. A filter value that no row of the lab
        has is warned of, with the nearest there is.
        """
        frame = self.store.generations(
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
        named = {"run_id": run, "experiment": experiment, "model": model, "prompt": prompt}
        self._hint("generations", frame, {**named, "workspace": workspace, "status": status})
        return frame

    def runs(self, **filters: Any) -> pd.DataFrame:
        """One row per run: status, cells, done, failed, cost_usd, started_at, provenance.

        Filters are `run`, `experiment`, `workspace`, `status`, `since`, `until` and `limit`, as for
        `generations`, and `kind`: `plan` by default, `judge` for what judges were asked, `reask` for what a
        sentinel asked once more (their `parent_run_id` is the run that they belong to), None for all.
        """
        frame = self.store.runs(**filters)
        named = {name: filters.get(name) for name in ("experiment", "workspace", "status")}
        self._hint("runs", frame, {"run_id": filters.get("run"), **named})
        return frame

    def attempts(self, **filters: Any) -> pd.DataFrame:
        """One row per HTTP request that was sent. Filters are `run`, `since`, `until` and `limit`."""
        frame = self.store.attempts(**filters)
        self._hint("runs", frame, {"run_id": filters.get("run")})
        return frame

    def _hint(self, grain: str, frame: pd.DataFrame, named: Mapping[str, Names]) -> None:
        """Warn whoever called of filter values that nothing in the lab has."""
        given = {column: value for column, value in named.items() if value is not None}
        # Where one value each found rows, all of them are there.
        if given and (frame.empty or not all(isinstance(value, str) for value in given.values())):
            for hint in self.store.unknown(grain, given):
                warnings.warn(hint, UserWarning, stacklevel=3)

    def sql(self, query: str, params: Any = None, *, timeout_s: float = 60.0) -> pd.DataFrame:
        """Any query over the lab's tables, on a connection that can neither write nor reach outside.

        One that takes longer than `timeout_s` seconds is ended by a `DefinitionError`: runs that write to the
        lab wait for it.

        >>> lab.sql("select model, median(latency_s) from generations group by 1")   # doctest: +SKIP
        """
        return self.store.sql(query, params, timeout_s=timeout_s)

    # -- keeping ---------------------------------------------------------------------------------

    def backup(self, path: str | os.PathLike[str]) -> Path:
        """A consistent copy as one DuckDB file, also while a run goes on. The path must be free."""
        return self.store.backup(as_path(path, what="copy"))

    def export(self, folder: str | os.PathLike[str]) -> Path:
        """Every table as Parquet, with the SQL that loads them again."""
        return self.store.export(as_path(folder, what="folder for the export"))
