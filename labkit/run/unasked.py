"""What a run left unasked: how many cells, why, and what asking them would cost.

Reads the run's own rows. It asks nothing, and does not know how a run is driven.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labkit import tokens
from labkit.catalog.prices import Pricer
from labkit.design import Design, Place
from labkit.engine.job import Job, worst_usd
from labkit.records import Cell

_WHY = """
    select error_message as why, sum(count(*)) over () as cells from generations
    where run_id = ? and status = 'stopped' group by error_message order by count(*) desc limit 1
"""
_FOR_MONEY = """
    select generation_id from generations where run_id = ? and error_type = 'BudgetExhausted'
"""
_SO_FAR = """
    select model, avg(cost_usd) as mean_usd from generations
    where run_id = ? and status = 'done' and replayed_from is null group by model
"""
_SAID = """
    select detail->>'reason' as reason from log.run_events where run_id = ?
    order by at_time desc limit 1
"""


def job(design: Design, place: Place, cell: Cell, pricers: Sequence[Pricer]) -> Job:
    """What the engine is given for one cell of a design; `pricers` are those of its models, in order."""
    request = design.request(place)
    return Job(
        cell=cell,
        request=request,
        pricer=pricers[place.model],
        input_bound_tokens=tokens.bound(request.messages, params=request.params),
    )


def reason(
    store: Any, run_id: str, design: Design, pricers: Sequence[Pricer], cells: Iterable[tuple[Place, Cell]]
) -> str | None:
    """Why cells of a run that just ended were not asked (budget, key, quota …), and what those cost that
    only lack money, also those to be asked again; None where every cell was asked. `cells` are those the
    run was to ask."""
    with store.complete_opening():
        found = store.table(_WHY, [run_id]).to_pylist()
        if not found:
            return None
        words = f"{found[0]['cells']} cells were not asked: {found[0]['why']}"
        unpaid = set(store.table(_FOR_MONEY, [run_id])["generation_id"].to_pylist())
        if not unpaid:
            return words
        means = {row["model"]: row["mean_usd"] for row in store.table(_SO_FAR, [run_id]).to_pylist()}
    left = [job(design, place, cell, pricers) for place, cell in cells if cell.generation_id in unpaid]
    return f"{words} {price(left, design, means)}"


def price(left: Sequence[Job], design: Design, mean_usd: Mapping[str, float | None]) -> str:
    """In words what asking `left` costs: at most, and at the mean of the answers so far, by model."""
    models = {model.id: model for model in design.models}
    bounds = [worst_usd(one, models[one.cell.model]) for one in left]
    known = [usd for usd in bounds if usd is not None]
    words = f"To ask the {len(left):,} that lack money costs at most USD {sum(known):,.4f}"
    if len(known) < len(left):
        words += f" for {len(known):,} of them, and what is not known for the others"
    means = [mean_usd.get(one.cell.model) for one in left]
    likely = [usd for usd in means if usd is not None]
    if len(likely) == len(left):
        words += f", about USD {sum(likely):,.4f} if they are as long as the answers so far"
    return f"{words}. `run.resume(budget_usd=…)` asks them: a budget counts what is already spent."


def last(store: Any, run_id: str) -> str | None:
    """What the latest launch of a run said of cells it did not ask; None where it asked all."""
    rows = store.table(_SAID, [run_id]).to_pylist()
    return rows[0]["reason"] if rows else None
