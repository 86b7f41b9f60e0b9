"""What a lab keeps, as frames and copies: generations, runs, attempts, SQL, backups.

It reads and copies; it does not know how anything is asked.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
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
        `first.<clock>` of their first askings, and `score.<name>`.
        """
        return self.store.generations(
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

    def runs(self, **filters: Any) -> pd.DataFrame:
        """One row per run: status, cells, done, failed, cost_usd, started_at, provenance."""
        return self.store.runs(**filters)

    def attempts(self, **filters: Any) -> pd.DataFrame:
        """One row per HTTP request that was sent."""
        return self.store.attempts(**filters)

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
