"""What a run works with: the lab's store, catalog, keys and folder. It holds no key longer than a look-up."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labkit import keys
from labkit.catalog import prices
from labkit.catalog.catalog import Catalog
from labkit.catalog.model import Model
from labkit.catalog.prices import Pricer
from labkit.errors import DefinitionError, MissingKey
from labkit.keys import Key
from labkit.scoring import Scorer
from labkit.store import Store

log = logging.getLogger("labkit.run")


@dataclass(frozen=True, kw_only=True)
class LabServices:
    """Store, catalog and folder of one lab; `user` is who runs, `fresh` whether runs ask again by default."""

    store: Store
    catalog: Catalog
    folder: Path
    user: str | None
    fresh: bool = False
    scorers: dict[str, tuple[Scorer, ...]] = field(default_factory=dict, compare=False)
    """What runs were scored with in this process, by run_id: functions are kept nowhere else."""
    origin: Mapping[str, Any] | None = field(default=None, compare=False)
    """Where its runs come from, as `provenance.collect` tells it; None: that is asked at each run."""
    ended: Callable[[], None] | None = field(default=None, compare=False)
    """Called when a run ended: for who shows what the lab has."""

    def remember(self, run_id: str, scorers: Sequence[Scorer]) -> None:
        """Keep what a run is scored with; of two of one name the later one is its scorer."""
        had = {one.name: one for one in (*self.scorers.get(run_id, ()), *scorers)}
        self.scorers[run_id] = tuple(had.values())

    def tell_ended(self) -> None:
        """Tell whoever wants to know that a run ended. What goes wrong there is not the run's."""
        if self.ended is not None:
            try:
                self.ended()
            except Exception:
                log.exception("what was to follow the end of a run failed")

    def pricer(self, model: Model, params: Mapping[str, Any]) -> Pricer:
        """What the model's answers cost as of now; some params (a service tier) decide the price too."""
        return prices.pricer(model, datetime.now(UTC), params=params)

    def find_keys(self, models: Sequence[Model]) -> dict[str, Key | None]:
        """Model id → key; None where none is needed. Raises `MissingKey` naming all that are missing."""
        faults: list[str] = []
        found: dict[str, Key | None] = {}
        for model in models:
            try:
                found[model.id] = keys.for_model(model, folder=self.folder)
            except DefinitionError as error:
                faults.extend(error.faults)
        if faults:
            raise MissingKey(dict.fromkeys(faults))
        return found

    def missing_keys(self, models: Sequence[Model]) -> tuple[str, ...]:
        """The same as sentences, without raising."""
        try:
            self.find_keys(models)
        except MissingKey as missing:
            return missing.faults
        return ()


def fresh_by_default() -> bool:
    """Scheduled runs set `$LABKIT_FRESH`: a gate that only reads old answers would test nothing."""
    return os.environ.get("LABKIT_FRESH", "") not in ("", "0")
