"""From what a person writes to a checked design: prompts, models, dataset, params, names.

Everything is looked at before anything is refused, so one message tells all that is wrong. It reads
files and saved prompts, and contacts nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from labkit import keys, providers
from labkit.arguments import whole
from labkit.catalog import params as parameters
from labkit.catalog.catalog import Catalog
from labkit.catalog.model import Model
from labkit.datasets import Dataset, load
from labkit.design import Design, build
from labkit.errors import DefinitionError
from labkit.identity import canonical_json
from labkit.library import Library
from labkit.plan import vision
from labkit.prompts import Block, Prompt, missing_variables, name_faults, twin_faults
from labkit.prompts.names import is_ref
from labkit.scoring import Scorer
from labkit.scoring import scorers as as_scorers
from labkit.scoring.check import column_faults
from labkit.scoring.structure import STRUCTURE, as_asked
from labkit.store.filters import listed
from labkit.visible import quoted

T = TypeVar("T")
MOST_REPEATS = 10_000


class Faults:
    """Collects what is wrong, and raises it all at once."""

    def __init__(self) -> None:
        self._raised: list[DefinitionError] = []

    def add(self, *faults: str) -> None:
        if faults:
            self._raised.append(DefinitionError(faults))

    def trying(self, make: Callable[[], T]) -> T | None:
        """What `make` gives, or None and its faults kept."""
        try:
            return make()
        except DefinitionError as error:
            self._raised.append(error)
            return None

    def raise_all(self) -> None:
        """Raise one error with every fault; of the common class where they share one."""
        if not self._raised:
            return
        kinds = {type(error) for error in self._raised}
        kind = kinds.pop() if len(kinds) == 1 else DefinitionError
        raise kind(dict.fromkeys(fault for error in self._raised for fault in error.faults))


def define(
    *,
    prompts: Any,
    models: Any,
    dataset: Any,
    repeats: Any,
    params: Mapping[str, Any] | None,
    context: Sequence[Block],
    experiment: str | None,
    workspace: str,
    duplicates: str,
    catalog: Catalog,
    library: Library,
    sql: Callable[[str], Any],
    id: str | None = "id",
    scorers: Any = (),
) -> tuple[Design, tuple[Scorer, ...]]:
    """Check everything and build the design, and the scorers of its answers, `structure` among them where a
    model is asked for JSON of a schema. Raises one `DefinitionError` naming all that is wrong."""
    faults = Faults()
    chosen_prompts = _each(prompts, "prompts", lambda given: _prompt(given, library, context), faults)
    chosen_models = _each(models, "models", lambda given: _model(given, catalog), faults)
    _distinct([prompt.name for prompt in chosen_prompts], "prompt", faults)
    faults.add(*twin_faults([prompt.name for prompt in chosen_prompts]))
    _distinct([model.id for model in chosen_models], "model", faults)
    samples = faults.trying(lambda: load(dataset, sql=sql, id=id))
    if not isinstance(params, Mapping | None):
        faults.add(f"params is {quoted(params)}; use a mapping such as {{'max_tokens': 64}}.")
        params = None
    merged = [_params(model, params or {}, faults) for model in chosen_models]
    faults.trying(lambda: as_asked(_schemas(chosen_models, merged)))
    faults.add(*whole("repeats", repeats, most=MOST_REPEATS))
    if duplicates not in ("ask", "share"):
        faults.add(f"duplicates is {quoted(duplicates)}; use 'ask' (each cell its own answer) or 'share'.")
    marking = faults.trying(lambda: as_scorers(scorers))
    if marking is None:  # of those that are scorers, the columns are looked at all the same
        marking = tuple(one for one in listed(scorers) if isinstance(one, Scorer))
    name = experiment if experiment is not None else (samples.name if samples else None)
    for what, given in (("experiment", name), ("workspace", workspace)):
        if given is None:
            continue  # the dataset, whose name it would be, is a fault already
        wrong = name_faults(given, what=what)
        faults.add(*wrong)
        if not wrong:
            _no_key(given, f"The {what}", faults)
    for model in chosen_models:
        _no_key(model.base_url, f"base_url of {model.id}", faults)
    if samples is not None:
        rows = samples.samples
        faults.trying(lambda: missing_variables(chosen_prompts, rows))
        faults.add(*column_faults(marking, rows))
    faults.raise_all()
    assert isinstance(samples, Dataset)
    assert isinstance(name, str)
    design = build(
        experiment=name,
        workspace=workspace,
        prompts=chosen_prompts,
        models=chosen_models,
        params=merged,
        dataset=samples,
        repeats=int(repeats),
        share=duplicates == "share",
    )
    vision.check(design)
    design = replace(design, notes=tuple(_notes(chosen_models, params or {})))
    return design, _with_structure(design, marking)


def _with_structure(design: Design, scorers: Sequence[Scorer]) -> tuple[Scorer, ...]:
    """The scorers, and `structure` after them where a model is asked for JSON of a schema, unless one of
    them has that name."""
    schemas = _schemas(design.models, design.params)
    if not schemas or any(scorer.name == STRUCTURE for scorer in scorers):
        return tuple(scorers)
    return (*scorers, as_asked(schemas))


def _schemas(models: Sequence[Model], params: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    pairs = zip(models, params, strict=True)
    return {model.id: schema for model, given in pairs if (schema := parameters.schema_of(given)) is not None}


def _each(given: Any, what: str, make: Callable[[Any], T], faults: Faults) -> list[T]:
    alone = isinstance(given, str | Prompt | Model | Path) or not isinstance(given, Iterable)
    listed: Iterable[Any] = [given] if alone else given
    made = [found for one in listed if (found := faults.trying(lambda one=one: make(one))) is not None]  # type: ignore[misc]
    if not made and not faults._raised:
        faults.add(f"A plan needs at least one of {what}; got {quoted(given)}.")
    return made


def _prompt(given: Any, library: Library, context: Sequence[Block]) -> Prompt:
    if isinstance(given, Prompt):
        prompt = given
    elif isinstance(given, Path) or (isinstance(given, str) and given.endswith(".md")):
        prompt = Prompt.load(given)
    elif isinstance(given, str):
        prompt = library[given] if is_ref(given) else Prompt.of(given)
    else:
        kind = f"{type(given).__name__} {quoted(given)}"
        raise DefinitionError(f"A prompt is a text, a saved name, an lk.Prompt or a .md file; got {kind}.")
    return prompt.replace(blocks=(*listed(context), *prompt.blocks)) if context else prompt


def _model(given: Any, catalog: Catalog) -> Model:
    if isinstance(given, Model):
        return catalog.checked(given)
    if isinstance(given, str):
        return catalog.get(given)
    raise DefinitionError(
        f"A model is an id, an alias or an lk.Model; got {type(given).__name__} {quoted(given)}."
    )


def _params(model: Model, given: Mapping[str, Any], faults: Faults) -> Mapping[str, Any]:
    asked = {**parameters.flat(model.params), **parameters.flat(given)}
    defaults = providers.load(model.dialect).defaults(model, asked)
    merged, wrong = parameters.check({**defaults, **asked}, model)
    faults.add(*parameters.misspelt(given, model), *wrong)
    for name, value in merged.items():
        _no_key(value, f"The param {name} of {model.id}", faults)
    return merged


def _notes(models: Sequence[Model], given: Mapping[str, Any]) -> Iterable[str]:
    """What is sent as it stands, to which models."""
    takers: dict[str, list[str]] = {}
    for model in models:
        for name in parameters.unchecked({**model.params, **given}, model):
            takers.setdefault(name, []).append(model.id)
    for name, ids in takers.items():
        yield (
            f"{quoted(name, limit=40)} is sent as it stands: {' and '.join(ids):.200} "
            f"{'is' if len(ids) == 1 else 'are'} not known to take it (in extra_body={{…}} without this note)"
        )


def _no_key(given: Any, what: str, faults: Faults) -> None:
    """What is stored with every run, and shown, is no place for a key."""
    if keys.resembles_key(given if isinstance(given, str) else canonical_json(given).decode()):
        faults.add(f"{what} looks like a key, and would be stored. Keep keys in the environment or in .env.")


def _distinct(names: Sequence[str], noun: str, faults: Faults) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            faults.add(
                f"{count} {noun}s are called '{name}'; give each a name of its own, "
                "so that their rows can be told apart."
            )
