"""What a run is to ask as jobs, each with the most it can cost; and what it left unasked: how many cells,
why, and what asking them would cost.

Reads the run's own rows. It asks nothing, and does not know how a run is driven.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labkit import tokens
from labkit.catalog.prices import Pricer
from labkit.design import Design, Place
from labkit.dollars import at_most, usd
from labkit.engine.job import Job, bound_usd, output_bound_tokens, worst_usd
from labkit.records import Cell, Message
from labkit.run.lab_services import LabServices

_WHY = """
    select error_message as why from steps
    where run_id = ? and status = 'stopped' and error_type is distinct from 'StepFailed'
    group by error_message order by count(*) desc limit 1
"""
_NOT_ASKED = "not asked"
_STOPPED = """
    select generation_id, coalesce(error_type = 'BudgetExhausted', false) as lacks_money from steps
    where run_id = ? and status = 'stopped' and error_type is distinct from 'StepFailed'
"""
_SO_FAR = """
    select model, avg(cost_usd) as mean_usd from steps
    where run_id = ? and status = 'done' and replayed_from is null group by model
"""
_SAID = """
    select event, detail->>'reason' as reason from log.run_events where run_id = ?
    order by at_time desc limit 1
"""


def job(
    design: Design,
    place: Place,
    cell: Cell,
    pricers: Sequence[Pricer],
    *,
    messages: Sequence[Message] | None = None,
) -> Job:
    """What the engine is given for one cell of a design; `pricers` are those of its models, in order, and
    `messages` what a later step of a chain sends, where that is known already."""
    known = messages is not None or place.before is None
    request = design.request(place, messages if known else ())
    bound = tokens.bound(request.messages, params=request.params) if known else _input_bound(design, place)
    return Job(
        cell=cell,
        request=request,
        pricer=pricers[place.model],
        input_bound_tokens=bound,
        later_usd=tuple(_later_usd(design, one, pricers) for one in design.later(place)),
    )


def _later_usd(design: Design, place: Place, pricers: Sequence[Pricer]) -> float:
    """The most that a later step is taken to cost, before it is known what it sends; 0 where nobody knows."""
    request, model = design.request(place, ()), design.models[place.model]
    return bound_usd(request, model, pricers[place.model], _input_bound(design, place)) or 0.0


def _input_bound(design: Design, place: Place) -> int:
    """The most input tokens that a cell is taken to have. Of a later step: what is known of its text, and for
    each time it puts in an answer the longest that may be, by bytes as all bounds are. Once the answer is
    there, the bound goes by what it says."""
    total = tokens.bound(design.outline(place), params=design.params[place.model])
    for m, times in design.inserted(place).items():
        longest = output_bound_tokens(design.request(place._replace(model=m), ()), design.models[m]) or 0
        total += longest * tokens.BYTES_PER_TOKEN * times
    if place.before is not None:
        step = design.prompts[place.prompt].steps[len(place.line) - 1]
        total += tokens.BOUND_IMAGE_TOKENS * len(step.prompt.images)
    return total


def unpriced(design: Design, to_ask: Sequence[Place], services: LabServices) -> list[str]:
    """Why no budget can hold where these places are asked: a sentence for each model whose answers may cost
    nobody knows what."""
    faults = []
    for m, place in sorted({place.model: place for place in to_ask}.items()):
        model, request = design.models[m], design.request(place, ())
        pricer = services.pricer(model, design.params[m])
        if bound_usd(request, model, pricer, _input_bound(design, place)) is None:
            if pricer.price_id.startswith("unknown"):
                lacks, gives = "its price", "Give prices="
            elif output_bound_tokens(request, model) is None:
                lacks, gives = "how long its answers may be", "Give max_tokens"
            else:
                lacks, gives = "how often its provider's tools are called", "Limit that"
            faults.append(
                f"A budget cannot hold for {model.id}: {lacks} is not known. {gives}, leave the model out, or"
                " ask it outside the budget: allow_unpriced=True."
            )
    return faults


def reason(
    store: Any, run_id: str, design: Design, pricers: Sequence[Pricer], cells: Iterable[tuple[Place, Cell]]
) -> str | None:
    """How many cells of a run that just ended were not asked, why (budget, key, quota, a stop …), and what
    asking them costs, also those to be asked again; where some only lack money, what those cost. None where
    every cell was asked. `cells` are those the run was to ask."""
    with store.complete_opening():
        stopped = store.table(_STOPPED, [run_id]).to_pylist()
        if not stopped:
            return None
        why = str(store.table(_WHY, [run_id]).to_pylist()[0]["why"] or "it is not known why")
        means = {row["model"]: row["mean_usd"] for row in store.table(_SO_FAR, [run_id]).to_pylist()}
    lacking = {row["generation_id"] for row in stopped if row["lacks_money"]}
    wanted = lacking or {row["generation_id"] for row in stopped}
    left = [job(design, place, cell, pricers) for place, cell in cells if cell.generation_id in wanted]
    words = f"{_counted(len(stopped))} {_NOT_ASKED}: {why.rstrip('.')}."
    some = bool(lacking) and len(lacking) < len(stopped)
    return f"{words} {price(left, design, means, bool(lacking), some=some)}"


def _counted(cells: int) -> str:
    return "1 cell was" if cells == 1 else f"{cells:,} cells were"


def price(
    left: Sequence[Job],
    design: Design,
    mean_usd: Mapping[str, float | None],
    lacking_money: bool,
    *,
    some: bool,
) -> str:
    """In words what asking `left` costs: at most, and at the mean of the answers so far, by model. They are
    all that were not asked, or only `some` of them."""
    way = "`run.resume()` asks them."
    if lacking_money:
        way = "`run.resume(budget_usd=…)` asks them: a budget counts what is already spent."
    which = f"the {len(left):,} that lack money" if some else "them" if len(left) > 1 else "it"
    those = f"The {len(left):,} that lack money" if some else f"The remaining {len(left):,}"
    cost = "cost" if len(left) > 1 else "costs"
    models = {model.id: model for model in design.models}
    bounds = [worst_usd(one, models[one.cell.model]) for one in left]
    known = [usd for usd in bounds if usd is not None]
    if not known:
        return f"What it costs to ask {which} is not known. {way}"
    if len(known) == len(left) and not any(known):
        return f"{those} {cost} nothing. {way}"
    words = f"{those} {cost} at most USD {at_most(sum(known))}"
    if len(known) < len(left):
        words += f" for {len(known):,} of them, and for the others nobody knows what"
    means = [mean_usd.get(one.cell.model) for one in left]
    likely = [usd for usd in means if usd is not None]
    if len(likely) == len(left):
        words += f", about USD {usd(sum(likely))} if they are as long as the answers so far"
    return f"{words}. {way}"


def last(store: Any, run_id: str) -> str | None:
    """What the latest launch of a run said of cells it did not ask, or where it was broken off, how many
    lack a finished answer; None where it asked all."""
    rows = store.table(_SAID, [run_id]).to_pylist()
    event, reason = (rows[0]["event"], rows[0]["reason"]) if rows else ("", None)
    if event == "finished" or (reason and _NOT_ASKED in reason):
        return reason
    row = store.run_row(run_id)
    total = int(row["cells"]) if row else 0
    missing = max(0, total - len(store.settled(run_id)))
    if not missing:
        return None
    return (
        f"{missing:,} of {total:,} cells have no finished answer: {reason or 'the run was broken off'}. "
        f"`lab.again('{run_id}').run()` asks them."
    )
