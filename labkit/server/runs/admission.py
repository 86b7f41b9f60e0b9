"""What is checked, set aside and written down before an execution is asked; one transaction admits it whole.

Wrong requests raise a `Problem` here, before anything is asked or paid. It does not know how a run is
driven (see `asking`) nor how it is answered (see `execute`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import insert

from labkit.catalog.model import Model
from labkit.design import Design, Place
from labkit.dollars import PUSD, pusd_up
from labkit.engine.job import worst_usd
from labkit.errors import MissingKey
from labkit.identity import new_run_id
from labkit.plan import Plan
from labkit.prompts import Block, Prompt
from labkit.records import Cell, RunRecord
from labkit.run import replaying, unasked
from labkit.run.lab_services import LabServices
from labkit.run.stored import Stored
from labkit.server.accounts import audit
from labkit.server.accounts.principal import Principal
from labkit.server.executions import budgets, history, idempotency
from labkit.server.executions.history import Asking
from labkit.server.executions.run_answers import RunAnswers
from labkit.server.problems import Problem
from labkit.server.runs import broken_off
from labkit.server.runs.asking import Asked
from labkit.server.service import Service
from labkit.server.state.moments import now_us
from labkit.server.state.tables import ServedRun
from labkit.store import prompts_and_samples
from labkit.visible import quoted

PROMPT = "execute"
"""The name under which the lab keeps the prompt of all executions: a template of one variable."""
MOST_MODELS = 32
_RUNS = ServedRun.metadata.tables[ServedRun.__tablename__]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a caller wants asked."""

    prompt: str
    model_ids: Sequence[str]
    workspace: str
    context_blocks: Sequence[str] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    replay: bool = False

    def body(self) -> dict[str, Any]:
        """It as what an idempotency key stands for."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Admitted(NamedTuple):
    """The run that answers; `replayed`: it was admitted before, under the same idempotency key."""

    run_id: str
    replayed: bool


def admit(service: Service, who: Principal, wanted: Wanted, *, key: str | None, route: str) -> Admitted:
    """Admit what is wanted and begin to ask it, or find the run that answers it already.

    Raises `Problem`, `DefinitionError` and `StoreError`; then nothing was asked.
    """
    who.check("execute", wanted.workspace)
    if wanted.replay and not who.may("read", wanted.workspace):
        raise Problem(
            403,
            "A replay reads earlier answers, and this token's scope lets it read none. "
            "Leave replay out, or use a token that may read.",
        )
    with service.admitting():
        return _admit(service, who, wanted, key=key, route=route)


def _admit(service: Service, who: Principal, wanted: Wanted, *, key: str | None, route: str) -> Admitted:
    if key is not None:
        idempotency.check(key)  # before the prompt is saved
    models = models_named(service, wanted.model_ids)
    blocks = service.blocks.find(wanted.context_blocks, who.readable())
    asking = Asking(
        names={model.id: name for name, model in models.items()},
        blocks=wanted.context_blocks,
        created_us=now_us(),
    )
    plan = planned(service, who, wanted, list(models.values()), blocks)
    services = replace(plan.services, origin={**service.origin, "service": asking.kept()})
    design = plan.design
    versions = service.versions(design.prompts[0])
    keyless = _keyless(services, design.models)
    stored = Stored.nothing(design, versions)._replace(
        missing=[place for place in design.places if design.models[place.model].id not in keyless],
        answers=_replayable(service, design, who.readable()) if wanted.replay else None,
    )
    service.lab.store.check_journal()
    run_id = new_run_id()
    cells = [design.cell(place, run_id=run_id, versions=versions, user=who.name) for place in design.places]
    answers = RunAnswers(cells, asking, wanted.prompt)
    most_usd = _worst_usd(design, stored.unanswered(design), services)
    with ExitStack() as driving:
        driving.enter_context(service.lab.store.drive(run_id))
        with service.state.writing() as session:
            service.check_open()  # it may have waited long
            if key is not None:
                earlier = idempotency.claim(session, who.user_id, route, key, wanted.body())
                if earlier is not None:
                    return Admitted(earlier, replayed=True)
                idempotency.keep(session, who.user_id, route, key, wanted.body(), run_id, asking.created_us)
            limited = budgets.reserve(
                session, run_id, who.user_id, wanted.workspace, most_usd, asking.created_us
            )
            history.add(session, answers.pending())
            session.execute(
                insert(_RUNS),
                {
                    "id": run_id,
                    "user_id": who.user_id,
                    "workspace": wanted.workspace,
                    "created_us": asking.created_us,
                    "events": 0,
                    "asked": _note(design, run_id, cells, services, asking),
                },
            )
            audit.note(session, "execute", who.name, run=run_id, models=list(asking.names))
        asked = Asked(
            service,
            design=design,
            run_id=run_id,
            services=services,
            stored=stored,
            asking=asking,
            answers=answers,
            keyless=keyless,
            budget_usd=most_usd if limited else None,
        )
        asked.begin(driving.pop_all())
    return Admitted(run_id, replayed=False)


def models_named(service: Service, names: Sequence[str]) -> dict[str, Model]:
    """The models by the names they were asked for by. Raises 422 naming what is unknown or twice there."""
    if not names:
        raise Problem(422, "model_ids is empty; name at least one model. GET /api/v1/models lists them.")
    if len(names) > MOST_MODELS:
        raise Problem(422, f"model_ids names {len(names):,} models; one request asks at most {MOST_MODELS}.")
    found: dict[str, Model] = {}
    owners: dict[str, str] = {}
    faults = []
    for name in names:
        model = service.models.find(name)
        if model is None:
            faults.append(f"model_ids: {service.models.lacking(name)}")
            continue
        if model.id in owners:
            twice = f"as {quoted(owners[model.id])} and {quoted(name)}"
            faults.append(f"model_ids names {model.id} twice ({twice}); name it once.")
        found[name] = model
        owners[model.id] = name
    if faults:
        faults = list(dict.fromkeys(faults))
        raise Problem(422, " ".join(faults), errors=faults)
    return found


def planned(
    service: Service, who: Principal, wanted: Wanted, models: Sequence[Model], blocks: Sequence[Block]
) -> Plan:
    """What is wanted as a plan of one cell a model. Raises 422 for a blank prompt, and `DefinitionError`."""
    if not wanted.prompt.strip():
        raise Problem(422, "prompt is blank; write what is to be asked.")
    lab = service.lab.within(wanted.workspace, user=who.name)
    return lab.plan(
        prompts=_prompt(tuple(blocks)),
        models=models,
        dataset=[{"prompt": wanted.prompt}],
        params=wanted.params,
        experiment=PROMPT,
    )


@lru_cache(maxsize=64)
def _prompt(blocks: tuple[Block, ...]) -> Prompt:
    """Nothing but its variable, of which what is asked is a sample: so no `{{` in that is ever read."""
    return Prompt(PROMPT, "{{ prompt }}", blocks=blocks)


def _keyless(services: LabServices, models: Sequence[Model]) -> dict[str, str]:
    """Why models cannot be asked for want of a key, by id."""
    lacking = {}
    for model in models:
        try:
            services.find_keys([model])
        except MissingKey as missing:
            lacking[model.id] = str(missing)
    return lacking


def _replayable(service: Service, design: Design, readable: Sequence[str]) -> replaying.Answers:
    return replaying.look_up(service.lab.store, design, design.places, workspaces=readable)


def _worst_usd(design: Design, places: Sequence[Place], services: LabServices) -> float | None:
    """The most that asking each of these once can cost, as the engine will count it; None: not known."""
    asked = zip(design.models, design.params, strict=True)
    pricers = [services.pricer(model, params) for model, params in asked]
    worst_pusd = 0
    for place in places:
        cell = design.cell(place, run_id="", versions={}, user=None)
        usd = worst_usd(unasked.job(design, place, cell, pricers), design.models[place.model])
        if usd is None:
            return None
        worst_pusd += pusd_up(usd)
    return worst_pusd / PUSD


def _note(
    design: Design, run_id: str, cells: Sequence[Cell], services: LabServices, asking: Asking
) -> dict[str, Any]:
    """What is left for the case that this process is killed."""
    run = RunRecord(
        run_id=run_id,
        plan_id=design.plan_id,
        experiment=design.experiment,
        workspace=design.workspace,
        fresh=True,
        cells=len(cells),
        dataset=design.dataset.hash,
        started_at=datetime.now(UTC),
        user=services.user,
        provenance=dict(services.origin or {}),
    )
    (sample,) = prompts_and_samples.sample_records(design.dataset)
    noted: dict[str, Any] = msgspec.to_builtins(broken_off.Note(run=run, sample=sample, cells=cells))
    return noted
