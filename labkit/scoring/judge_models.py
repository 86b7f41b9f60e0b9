"""Who judges: a judge's models as the catalog has them, and what each is sent. All faults at once.

It contacts nobody, and does not know what is judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from labkit import keys
from labkit.catalog.catalog import Catalog
from labkit.catalog.model import Model
from labkit.errors import DefinitionError
from labkit.identity import canonical_json
from labkit.providers.sent_params import sent_params
from labkit.scoring.judges import Judge, can_structure
from labkit.visible import quoted


class Asked(NamedTuple):
    """The models of one judge, and the params of each."""

    models: tuple[Model, ...]
    params: tuple[dict[str, Any], ...]


def lone_faults(judges: Iterable[Judge], most: int) -> list[str]:
    """Duels that have nothing to compare, where a sample has at `most` so many answers in each repeat."""
    return [
        f"{judge!r} compares two answers to the same sample, and here each has one. Give another model or"
        " prompt, or let lk.judge(…) look at each answer by itself."
        for judge in judges
        if judge.compares and most < 2
    ]


def asked(judge: Judge, catalog: Catalog, contenders: Iterable[str] = ()) -> Asked:
    """Whom the judge asks, with which params. `contenders` are the models that are judged, of which it can
    be none. Raises one `DefinitionError` with everything that is wrong."""
    what = f"{'duel' if judge.compares else 'judge'} {quoted(judge.name)}"
    faults: list[str] = []
    models: list[Model] = []
    params: list[dict[str, Any]] = []
    for given in judge.models:
        try:
            model = catalog.checked(given) if isinstance(given, Model) else catalog.get(given)
        except DefinitionError as error:
            faults += [f"{what}: {fault}" for fault in error.faults]
            continue
        if judge.structured and not can_structure(model):
            faults.append(
                f"{what}: {model.id} is not known to answer in JSON of a schema. Leave structured= away, or"
                f" tell that it can: lk.Model({model.id!r}, capabilities=['streaming', 'json'])."
            )
        sent, wrong = sent_params(model, judge.asked_with(model))
        faults += [f"{what}: {fault}" for fault in wrong]
        faults += [
            f"{what}: the param {name} looks like a key, and would be stored. Keep keys in the environment or"
            " in .env."
            for name, value in sent.items()
            if keys.resembles_key(value if isinstance(value, str) else canonical_json(value).decode())
        ]
        models.append(model)
        params.append(sent)
    judged = set(contenders)
    faults += [
        f"{what}: {model.id} would judge its own answers. Let another judge."
        for model in models
        if model.id in judged
    ]
    if len({model.id for model in models}) < len(models):
        faults.append(f"{what}: a model is given twice; name each once.")
    if faults:
        raise DefinitionError(dict.fromkeys(faults))
    return Asked(tuple(models), tuple(params))
