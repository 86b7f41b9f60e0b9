"""A run that asks more than it was begun with: its row in the lab, written anew.

When it began and where it came from stay as they were. It does not know why it grows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from labkit.design import Design
from labkit.records import RunRecord
from labkit.store import Store


def widen(row: Mapping[str, Any], design: Design, store: Store) -> None:
    """Have on disk that the run of this `row` (of `store.run_row`) is of `design` now. Raises StoreError."""
    origin = row["provenance"]
    writer = store.writer()
    writer.put(
        RunRecord(
            run_id=row["run_id"],
            plan_id=design.plan_id,
            experiment=design.experiment,
            workspace=design.workspace,
            fresh=bool(row["fresh"]),
            cells=len(design.places),
            dataset=design.dataset.hash,
            started_at=row["started_at"].replace(tzinfo=UTC),
            user=row["user"],
            provenance=json.loads(origin) if isinstance(origin, str) else dict(origin or {}),
            kind=row["kind"],
            parent_run_id=row["parent_run_id"],
        )
    )
    writer.flush()
