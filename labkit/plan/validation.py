"""From what a person writes to a checked design: prompts, models, dataset, params, names.

Everything is looked at before anything is refused, so one message tells all that is wrong. It reads
files and saved prompts, and contacts nobody. It is long since all faults are gathered before one is raised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from labkit import keys, nearest, read
from labkit.arguments import whole
from labkit.catalog import params as parameters
from labkit.catalog.catalog import Catalog
from labkit.catalog.model import Model
from labkit.catalog.per_step import PerStep
from labkit.datasets import Dataset, load
from labkit.design import Design, build
from labkit.errors import DefinitionError
from labkit.identity import canonical_json
from labkit.library import Library
from labkit.plan import vision
from labkit.prompts import Block, Prompt, missing_variables, name_faults, twin_faults
from labkit.prompts.files import load as load_file
from labkit.prompts.names import is_ref
from labkit.providers.sent_params import sent_params
from labkit.scoring import Scorer
from labkit.scoring import scorers as as_scorers
from labkit.scoring.check import column_faults
from labkit.scoring.judge_models import asked, lone_faults
from labkit.scoring.judges import Judge
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
    answering = _each(models, "models", lambda given: _answering(given, catalog), faults)
    chosen_models = list(dict.fromkeys(model for one in answering for model in one.models))
    _distinct([prompt.name for prompt in chosen_prompts], "prompt", faults)
    faults.add(*twin_faults([prompt.name for prompt in chosen_prompts]))
    _distinct([*(one.whole.id for one in answering if one.whole)], "model", faults)
    _distinct([model.id for model in chosen_models], "model", faults)
    lines = [faults.trying(partial(_lines, prompt, answering, chosen_models)) for prompt in chosen_prompts]
    faults.add(*_strangers(chosen_prompts, answering))
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
        faults.add(*(fault for prompt in chosen_prompts for fault in _chain_faults(prompt, samples)))
        faults.add(*column_faults(marking, rows), *_step_faults(marking, chosen_prompts))
    _check_judges([one for one in marking if isinstance(one, Judge)], catalog, chosen_models, lines, faults)
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
        lines=[line for line in lines if line is not None],
    )
    vision.check(design)
    design = replace(design, notes=tuple(_notes(chosen_models, params or {})))
    return design, _with_structure(design, marking)


def _step_faults(scorers: Sequence[Scorer], prompts: Sequence[Prompt]) -> Iterable[str]:
    """Scorers of steps that no chain has."""
    steps = list(dict.fromkeys(step.name for prompt in prompts for step in prompt.steps))
    for scorer in scorers:
        if scorer.of_step is not None and scorer.of_step not in steps:
            there = f"its steps: {nearest.listed(scorer.of_step, steps)}" if steps else "no prompt is a chain"
            yield f"scorer {scorer.name!r} is of step {scorer.of_step!r}, which no chain has; {there}."


def _check_judges(
    judges: Sequence[Judge],
    catalog: Catalog,
    models: Sequence[Model],
    lines: Sequence[Sequence[tuple[int, ...]] | None],
    faults: Faults,
) -> None:
    """Whether the judges can be asked about the answers of these models."""
    for judge in judges:
        faults.trying(partial(asked, judge, catalog, [model.id for model in models]))
    if lines and all(lines):  # else it is told already who is lacking
        faults.add(*lone_faults(judges, sum(len(line or ()) for line in lines)))


def _with_structure(design: Design, scorers: Sequence[Scorer]) -> tuple[Scorer, ...]:
    """The scorers, and `structure` after them where a model is asked for JSON of a schema, unless one of
    them has that name."""
    answering = {design.contender(place): place.model for place in design.places if design.is_last(place)}
    schemas = {
        name: schema
        for name, m in answering.items()
        if (schema := parameters.schema_of(design.params[m])) is not None
    }
    if not schemas or any(scorer.name == STRUCTURE for scorer in scorers):
        return tuple(scorers)
    return (*scorers, as_asked(schemas))


def _schemas(models: Sequence[Model], params: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    pairs = zip(models, params, strict=True)
    return {model.id: schema for model, given in pairs if (schema := parameters.schema_of(given)) is not None}


class Answering(NamedTuple):
    """Who is to answer: a model whole prompts, or models the steps of chains."""

    whole: Model | None
    steps: Mapping[str, Sequence[Model]]

    @property
    def models(self) -> list[Model]:
        return [self.whole] if self.whole else [model for some in self.steps.values() for model in some]


def _answering(given: Any, catalog: Catalog) -> Answering:
    if not isinstance(given, PerStep):
        return Answering(_model(given, catalog), {})
    faults, steps = Faults(), {}
    for step, some in given.models.items():
        found = [faults.trying(partial(_model, one, catalog)) for one in some]
        steps[step] = [model for model in found if model is not None]
    faults.raise_all()
    return Answering(None, steps)


def _lines(prompt: Prompt, answering: Sequence[Answering], models: Sequence[Model]) -> list[tuple[int, ...]]:
    """Who competes with a prompt: each model whole, and of a chain every combination of its steps' models."""
    place = {model: position for position, model in enumerate(models)}
    steps = [step.name for step in prompt.steps]
    found: list[tuple[int, ...]] = []
    for one in answering:
        if one.whole is not None:
            found.append((place[one.whole],) * max(1, len(steps)))
        elif steps and set(steps) == set(one.steps):
            found += product(*([place[model] for model in one.steps[step]] for step in steps))
    found = list(dict.fromkeys(found))
    if not found and answering:
        given = [one.steps for one in answering if not one.whole]
        if not steps:
            raise DefinitionError(
                f"Prompt {prompt.name!r} has no steps, and only per_step says who answers. Give a model"
                " beside it: models=['gpt-4o', lk.per_step(…)]."
            )
        lacks = [step for step in steps if step not in given[0]] if given else steps
        raise DefinitionError(
            f"per_step gives no model for {'steps' if len(lacks) > 1 else 'step'}"
            f" {' and '.join(map(repr, lacks))} of chain {prompt.name!r}."
            if lacks
            else f"No per_step is for chain {prompt.name!r}, whose steps are {', '.join(steps)}."
        )
    return found


def _strangers(prompts: Sequence[Prompt], answering: Sequence[Answering]) -> Iterable[str]:
    chains = [prompt for prompt in prompts if prompt.steps]
    for one in answering:
        if one.whole is not None or any(
            set(one.steps) == {step.name for step in chain.steps} for chain in chains
        ):
            continue
        if not chains:
            yield (
                "per_step says who answers the steps of a chain, and no prompt is one: "
                "lk.Chain('reply', lk.Step(…), …)."
            )
            continue
        known = {step.name for chain in chains for step in chain.steps}
        for name in one.steps:
            if name not in known:
                there = nearest.listed(name, known)
                yield f"per_step names step {name!r}, which no chain has; steps, the likest first: {there}."


def _chain_faults(prompt: Prompt, samples: Dataset) -> Iterable[str]:
    """A step's name is not to be a column too: which of both would be meant?"""
    for step in prompt.steps:
        if step.name in samples.columns:
            yield (
                f"Step {step.name!r} of chain {prompt.name!r} has the name of a column, so"
                f" {{{{ {step.name} }}}} would mean both. Rename the step."
            )
        if isinstance(step.read, read.Lost):
            yield (
                f"Step {step.name!r} of chain {prompt.name!r} was read by {step.read.name}, of which the lab"
                " keeps only the name: give the chain again, with its read=."
            )


def _each(given: Any, what: str, make: Callable[[Any], T], faults: Faults) -> list[T]:
    alone = isinstance(given, str | Prompt | Model | PerStep | Path) or not isinstance(given, Iterable)
    listed: Iterable[Any] = [given] if alone else given
    made = [found for one in listed if (found := faults.trying(lambda one=one: make(one))) is not None]  # type: ignore[misc]
    if not made and not faults._raised:
        faults.add(f"A plan needs at least one of {what}; got {quoted(given)}.")
    return made


def _prompt(given: Any, library: Library, context: Sequence[Block]) -> Prompt:
    if isinstance(given, Prompt):
        prompt = given
    elif isinstance(given, Path) or (isinstance(given, str) and given.endswith(".md")):
        prompt = load_file(given)
    elif isinstance(given, str):
        prompt = library[given] if is_ref(given) else Prompt.of(given)
    else:
        kind = f"{type(given).__name__} {quoted(given)}"
        raise DefinitionError(
            f"A prompt is a text, a saved name, an lk.Prompt, an lk.Chain or a .md file; got {kind}."
        )
    return prompt.within(listed(context)) if context else prompt


def _model(given: Any, catalog: Catalog) -> Model:
    if isinstance(given, Model):
        return catalog.checked(given)
    if isinstance(given, str):
        return catalog.get(given)
    raise DefinitionError(
        f"A model is an id, an alias, an lk.Model or lk.per_step(…); got {type(given).__name__}"
        f" {quoted(given)}."
    )


def _params(model: Model, given: Mapping[str, Any], faults: Faults) -> Mapping[str, Any]:
    merged, wrong = sent_params(model, given)
    faults.add(*wrong)
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
