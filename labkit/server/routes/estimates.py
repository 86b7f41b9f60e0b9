"""What an execution may cost, told before it is asked: from one token of answer to the longest there can be.

The upper end is what a budget sets aside for it. Nothing is asked, set aside or written. It does not know
how long answers were before.
"""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from labkit.engine.job import worst_usd
from labkit.plan.estimate_inputs import outlook
from labkit.run import unasked
from labkit.server.accounts.credentials import Executor
from labkit.server.routes.execute import Execute
from labkit.server.runs.admission import models_named, planned
from labkit.server.service import Served

router = APIRouter(tags=["execute"])


class Range(BaseModel):
    """What asking all models once costs, in USD."""

    low_usd: float
    """About: the input is counted or estimated, as in a notebook, and each answer has one token."""
    high_usd: float
    """At most, without the models in `unknown`."""
    unknown: list[str]
    """Models, as they were named, whose price or longest answer is not known."""


@router.post("/estimate")
def estimate(body: Execute, served: Served, who: Executor) -> Range:
    """What `POST /execute` with this body would cost."""
    wanted = body.wanted(who)
    who.check("execute", wanted.workspace)
    models = models_named(served, wanted.model_ids)
    blocks = served.blocks.find(wanted.context_blocks, who.readable())
    plan = planned(served, who, wanted, list(models.values()), blocks)
    design = plan.design
    pairs = zip(design.models, design.params, strict=True)
    pricers = [plan.services.pricer(model, params) for model, params in pairs]
    names = {model.id: name for name, model in models.items()}
    high_usd, unknown = 0.0, []
    for place in design.places:
        model = design.models[place.model]
        cell = design.cell(place, run_id="", versions={}, user=None)
        most_usd = worst_usd(unasked.job(design, place, cell, pricers), model)
        if most_usd is None:
            unknown.append(names[model.id])
        else:
            high_usd += most_usd
    low = outlook(design, design.places, services=plan.services, exact=False, seen={})
    return Range(low_usd=low.cost_low_usd, high_usd=max(high_usd, low.cost_low_usd), unknown=unknown)
