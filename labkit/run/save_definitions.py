"""What a run asks with, kept in the lab before anything is asked: its samples and its models.

Its prompts are kept by the store, which gives them their versions.
"""

from __future__ import annotations

from datetime import UTC, datetime

from labkit.catalog.model import Model
from labkit.catalog.prices import KINDS, Pricer
from labkit.design import Design
from labkit.run.lab_services import LabServices
from labkit.store import ModelRecord


def save(design: Design, run_id: str, services: LabServices, *, samples: bool) -> None:
    """Keep the design's models as they are now and, unless the lab has them, its `samples`."""
    writer = services.store.writer()
    if samples:
        services.store.save_samples(design.dataset)
    for m, model in enumerate(design.models):
        pricer = services.pricer(model, design.params[m])
        writer.put(_snapshot(model, design.endpoints[m], pricer, run_id))


def _snapshot(model: Model, endpoint: str | None, pricer: Pricer, run_id: str) -> ModelRecord:
    per_mtok = {kind: usd for kind in KINDS if (usd := pricer.usd_mtok(kind)) is not None}
    since = pricer.holds_from
    return ModelRecord(
        model=model.id,
        provider=model.provider,
        name=model.name,
        dialect=model.dialect,
        endpoint=endpoint,
        label=model.label,
        params=dict(model.params),
        context_window=model.context_window,
        max_output=model.max_output,
        capabilities=sorted(model.capabilities),
        prices={"usd_per_mtok": per_mtok, "price_id": pricer.price_id, "from": since and since.isoformat()},
        taken_at=datetime.now(UTC),
        run_id=run_id,
    )
