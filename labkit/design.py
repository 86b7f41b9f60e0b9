"""The design of an experiment: prompts × models × samples × repeats, and what each cell would send.

Messages are rendered once per prompt and sample, hashed once per model. A design knows no store, no
price and no clock: what is known already, what it costs and how it went are told elsewhere.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import msgspec

from labkit import providers
from labkit.catalog.model import Model
from labkit.datasets import Dataset
from labkit.identity import RequestHasher, canonical_json
from labkit.messages import unmarked
from labkit.prompts import Prompt
from labkit.records import Cell, Message, Request


class Place(NamedTuple):
    """One cell: positions in the design's prompts, models and samples, and what it would send."""

    prompt: int
    model: int
    sample: int
    repeat: int
    request_id: str
    draw: int
    """Its ordinal among the design's cells that send the same request, repeat-major."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """All that decides what is asked; frozen. `build` makes one, `keep` cuts one."""

    experiment: str
    workspace: str
    prompts: tuple[Prompt, ...]
    models: tuple[Model, ...]
    params: tuple[Mapping[str, Any], ...]
    """Per model: the provider's defaults, the model's and the plan's, in this order."""
    endpoints: tuple[str | None, ...]
    """Per model: the endpoint's identity; None where answers cannot be identified, so never replayed."""
    dataset: Dataset
    repeats: int
    share: bool
    """Cells of one repeat that send the same request share one answer."""
    places: tuple[Place, ...] = ()
    messages: Mapping[tuple[int, int], Sequence[Message]] = field(default_factory=dict, repr=False)
    plan_id: str = ""
    notes: tuple[str, ...] = ()
    """What is to be known of it before it is asked; no part of what it is."""

    def keep(self, chosen: Iterable[int]) -> Design:
        """The same design with only these cells, by position; draws are counted anew."""
        return _sealed(self, [self.places[position] for position in chosen])

    def widen(self, wider: Design, chosen: Iterable[int]) -> Design:
        """`wider` cut to its cells `chosen` (by position); cells that this design has keep their draws.

        `wider` begins with this design's prompts, models and samples, in their order. New cells that send
        a request of this design's get the draws after its own, so no stored answer serves two cells.
        """
        own = {place[:4]: place for place in self.places}
        seen = Counter(place.request_id for place in self.places)
        places = []
        for place in (wider.places[position] for position in chosen):
            if place[:4] in own:
                places.append(own[place[:4]])
                continue
            draw = place.repeat if self.share else seen[place.request_id]
            seen[place.request_id] += 1
            places.append(place._replace(draw=draw))
        return replace(wider, places=tuple(places), plan_id=_plan_id(wider, places))

    def request(self, place: Place) -> Request:
        """What the cell sends."""
        model = self.models[place.model]
        return Request(
            request_id=place.request_id,
            provider=model.provider,
            dialect=model.dialect,
            endpoint=self.endpoints[place.model] or "",
            model=model.id,
            name=model.name,
            messages=tuple(self.messages[place.prompt, place.sample]),
            params=dict(self.params[place.model]),
        )

    def cell(self, place: Place, *, run_id: str, versions: Mapping[str, int], user: str | None) -> Cell:
        """The cell as a record of a run; `versions` maps a prompt's name to its number in the lab."""
        prompt, model = self.prompts[place.prompt], self.models[place.model]
        return Cell(
            generation_id=self.generation_id(place, run_id),
            run_id=run_id,
            experiment=self.experiment,
            workspace=self.workspace,
            prompt=prompt.name,
            prompt_version=versions.get(prompt.name),
            model=model.id,
            provider=model.provider,
            sample_id=self.dataset.samples[place.sample].id,
            repeat=place.repeat,
            request_id=place.request_id,
            draw=place.draw,
            user=user,
        )

    def generation_id(self, place: Place, run_id: str) -> str:
        """The cell's identity within a run: a hash of its place, so a resume finds the same."""
        prompt = self.prompts[place.prompt]
        model, sample = self.models[place.model].id, self.dataset.samples[place.sample].id
        where = (run_id, prompt.name, prompt.hash, model, sample, str(place.repeat))
        return "g1:" + hashlib.blake2b("\0".join(where).encode(), digest_size=16).hexdigest()


def build(
    *,
    experiment: str,
    workspace: str,
    prompts: Sequence[Prompt],
    models: Sequence[Model],
    params: Sequence[Mapping[str, Any]],
    dataset: Dataset,
    repeats: int = 1,
    share: bool = False,
) -> Design:
    """Multiply. All arguments are already checked; `params` has one mapping per model."""
    endpoints = tuple(providers.load(model.dialect).identity(model) for model in models)
    hashers = [
        RequestHasher(model.provider, model.dialect, endpoint or "", model.name, given)
        for model, endpoint, given in zip(models, endpoints, params, strict=True)
    ]
    messages: dict[tuple[int, int], Sequence[Message]] = {}
    places: list[Place] = []
    for p, prompt in enumerate(prompts):
        for s, sample in enumerate(dataset.samples):
            rendered = messages[p, s] = prompt.render(sample.values)
            canonical = msgspec.Raw(canonical_json(unmarked(rendered)))
            for m, hasher in enumerate(hashers):
                request_id = hasher.request_id(canonical)
                places.extend(Place(p, m, s, repeat, request_id, 0) for repeat in range(repeats))
    design = Design(
        experiment=experiment,
        workspace=workspace,
        prompts=tuple(prompts),
        models=tuple(models),
        params=tuple(params),
        endpoints=endpoints,
        dataset=dataset,
        repeats=repeats,
        share=share,
        messages=messages,
    )
    return _sealed(design, places)


def _sealed(design: Design, places: list[Place]) -> Design:
    places.sort(key=lambda place: place.repeat)  # stable, so draws count repeat-major
    drawn = tuple(_draws(places, share=design.share))
    return replace(design, places=drawn, plan_id=_plan_id(design, drawn))


def _draws(places: Iterable[Place], *, share: bool) -> Iterator[Place]:
    seen: Counter[str] = Counter()
    for place in places:
        draw = place.repeat if share else seen[place.request_id]
        seen[place.request_id] += 1
        yield place if place.draw == draw else place._replace(draw=draw)


def _plan_id(design: Design, places: Sequence[Place]) -> str:
    names = [(prompt.name, prompt.hash) for prompt in design.prompts]
    samples = design.dataset.samples
    return plan_hash(
        design.experiment,
        design.workspace,
        (
            (*names[p], design.models[m].id, samples[s].id, str(repeat), request_id, str(draw))
            for p, m, s, repeat, request_id, draw in places
        ),
    )


def plan_hash(experiment: str, workspace: str, cells: Iterable[Iterable[str]]) -> str:
    """The plan's id from its cells: prompt's name and hash, model, sample, repeat, request_id, draw."""
    state = hashlib.blake2b(canonical_json([experiment, workspace]), digest_size=16)
    # Sorted: the same cells are the same plan, in whatever order prompts and models were written down.
    for line in sorted("\0".join(cell) for cell in cells):
        state.update(line.encode() + b"\n")
    return "d1:" + state.hexdigest()
