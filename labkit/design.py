"""The design of an experiment: prompts × models × samples × repeats, and what each cell would send.

Messages are rendered once per prompt and sample, hashed once per model. Of a chain, each step is a cell:
those that several lines begin with are one, so a chain is a tree, whose later cells are told what they send
once the step before them has answered. A design knows no store, no price and no clock: what is known already,
what it costs and how it went are told elsewhere. The cells, the tree they make and what each of them sends
are one value, and stand together.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from labkit import providers
from labkit.catalog.model import Model
from labkit.contender import joined
from labkit.datasets import Dataset
from labkit.identity import RequestHasher, canonical_json
from labkit.messages import unmarked
from labkit.prompts import Chain, Prompt, step_messages
from labkit.records import Cell, Message, Request, Sample

PLANNED = "s1:"
"""How the `request_id` of a step begins whose request is not known yet."""


class Place(NamedTuple):
    """One cell: positions in the design's prompts, models and samples, and what it would send."""

    prompt: int
    model: int
    sample: int
    repeat: int
    request_id: str
    draw: int
    """Its ordinal among the design's cells that send the same request, repeat-major. Of a step after the
    first, a number made of the answer it follows: so a stored answer is found by what led to it, and serves
    no two cells, though others may send the same."""
    line: tuple[int, ...] = ()
    """Of a chain's step: the models of the steps so far, its own last."""

    @property
    def where(self) -> tuple[Any, ...]:
        """Which cell it is, whatever it sends."""
        return self.prompt, self.sample, self.repeat, self.line or (self.model,)

    @property
    def before(self) -> tuple[Any, ...] | None:
        """`where` the step before it is; None: it follows nothing."""
        more = len(self.line) > 1
        return (self.prompt, self.sample, self.repeat, self.line[:-1]) if more else None


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
    lines: tuple[tuple[tuple[int, ...], ...], ...] = ()
    """Per prompt, who competes with it: models, one for each step of a chain."""
    places: tuple[Place, ...] = ()
    messages: Mapping[tuple[int, int], Sequence[Message]] = field(default_factory=dict, repr=False)
    plan_id: str = ""
    notes: tuple[str, ...] = ()
    """What is to be known of it before it is asked; no part of what it is."""
    judged: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of what judges are asked, by sample: the generation that is judged."""

    def keep(self, chosen: Iterable[int]) -> Design:
        """The same design with only these cells, by position; draws are counted anew. A chain is kept where
        its last step is, with the steps before it."""
        kept = {self.places[position].where for position in chosen}
        return _sealed(self, self._whole(kept))

    def _whole(self, kept: Container[tuple[Any, ...]]) -> list[Place]:
        """The cells whose last step is `kept`, by where, and the steps before them."""
        last = [place for place in self.places if self.is_last(place) and place.where in kept]
        wanted = {place.where for place in last}
        wanted |= {(*place.where[:3], place.line[:n]) for place in last for n in range(1, len(place.line))}
        return [place for place in self.places if place.where in wanted]

    def widen(self, wider: Design, chosen: Container[tuple[Any, ...]]) -> Design:
        """`wider` cut to its cells `chosen` (by where); cells that this design has keep their draws.

        `wider` begins with this design's prompts, models and samples, in their order. New cells that send
        a request of this design's get the draws after its own, so no stored answer serves two cells.
        """
        own = {place.where: place for place in self.places}
        seen = Counter(place.request_id for place in self.places)
        places = []
        for place in wider._whole(chosen):
            if place.where in own:
                places.append(own[place.where])
                continue
            if place.before is not None:
                places.append(place)
                continue
            draw = place.repeat if self.share else seen[place.request_id]
            seen[place.request_id] += 1
            places.append(place._replace(draw=draw))
        return replace(wider, places=tuple(places), plan_id=_plan_id(wider, places))

    # -- chains ----------------------------------------------------------------------------------

    @property
    def has_chains(self) -> bool:
        """Whether a prompt of it is one."""
        return any(prompt.steps for prompt in self.prompts)

    def is_last(self, place: Place) -> bool:
        """Whether its answer is that of a contender: it is no step, or its chain's last."""
        return len(place.line) == len(self.prompts[place.prompt].steps)

    def later(self, place: Place) -> Sequence[Place]:
        """The steps that follow a step, on all lines that it begins."""
        if not place.line:
            return ()
        rest = self._later.get(place.where[:3], ())
        return [one for one in rest if one.line[: len(place.line)] == place.line and one.line != place.line]

    @cached_property
    def _later(self) -> Mapping[tuple[Any, ...], Sequence[Place]]:
        found: dict[tuple[Any, ...], list[Place]] = {}
        for place in self.places:
            if place.before is not None:
                found.setdefault(place.where[:3], []).append(place)
        return found

    def step_name(self, place: Place) -> str | None:
        """The name of the step that it is."""
        return self.prompts[place.prompt].steps[len(place.line) - 1].name if place.line else None

    def contender(self, place: Place) -> str:
        """Who answers: the model, or of a chain whose steps are answered by several, `facts: a, reply: b`."""
        return self._called(place.prompt, place.line or (place.model,))

    @cached_property
    def contenders(self) -> tuple[str, ...]:
        """Who answers some prompt, as `contender` calls them, each once."""
        called = [self._called(p, line) for p, lines in enumerate(self.lines) for line in lines]
        models = [model.id for model in self.models]
        rank = {name: place for place, name in enumerate(models)}
        return tuple(sorted(dict.fromkeys(called), key=lambda name: rank.get(name, len(models))))

    def _called(self, prompt: int, line: Sequence[int]) -> str:
        ids = [self.models[m].id for m in line]
        if len(set(ids)) == 1:
            return ids[0]
        return joined(zip((step.name for step in self.prompts[prompt].steps), ids, strict=False))

    def follow(
        self, place: Place, answers: Sequence[str], after: tuple[str, int]
    ) -> tuple[Place, list[Message]]:
        """A later step as it is asked: the place with its request and draw, and what it sends. `answers` are
        those of the steps before it, `after` the request and draw of the last of them. Raises
        `StepFailed`."""
        chain, position = self._step(place)
        sample, hasher = self.dataset.samples[place.sample], self._hashers[place.model]
        messages, request_id = step_messages.following(
            chain, position, sample, answers, lambda messages: hasher.request_id(unmarked(messages))
        )
        return place._replace(request_id=request_id, draw=_draw_after(*after)), messages

    def outline(self, place: Place) -> Sequence[Message]:
        """What the cell sends as far as that is known: of a later step its text without the answers in it."""
        if place.before is None:
            return self.messages[place.prompt, place.sample]
        return step_messages.outline(*self._step(place), self.dataset.samples[place.sample])

    def inserted(self, place: Place) -> Mapping[int, int]:
        """Of a later step: by the model that gives them, how many answers its text puts in."""
        found = Counter[int]()
        if place.before is not None:
            for position, times in step_messages.inserted(*self._step(place)).items():
                found[place.line[position]] += times
        return found

    def _step(self, place: Place) -> tuple[Chain, int]:
        chain = self.prompts[place.prompt]
        assert isinstance(chain, Chain)
        return chain, len(place.line) - 1

    @cached_property
    def _hashers(self) -> list[RequestHasher]:
        return _hashers(self.models, self.endpoints, self.params)

    # -- records ---------------------------------------------------------------------------------

    def request(self, place: Place, messages: Sequence[Message] | None = None) -> Request:
        """What the cell sends; of a later step its `messages` are to be given."""
        model = self.models[place.model]
        return Request(
            request_id=place.request_id,
            provider=model.provider,
            dialect=model.dialect,
            endpoint=self.endpoints[place.model] or "",
            model=model.id,
            name=model.name,
            messages=tuple(self.messages[place.prompt, place.sample] if messages is None else messages),
            params=dict(self.params[place.model]),
        )

    def cell(self, place: Place, *, run_id: str, versions: Mapping[str, int], user: str | None) -> Cell:
        """The cell as a record of a run; `versions` maps a prompt's name to its number in the lab."""
        prompt, model = self.prompts[place.prompt], self.models[place.model]
        before = place.before
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
            parent_id=self.judged.get(self.dataset.samples[place.sample].id)
            if before is None
            else self._id(run_id, place, place.line[:-1], len(place.line) - 1),
            step=len(place.line),
            step_name=self.step_name(place),
            user=user,
        )

    def generation_id(self, place: Place, run_id: str) -> str:
        """The cell's identity within a run: a hash of its place, so a resume finds the same."""
        return self._id(run_id, place, place.line or (place.model,), len(place.line))

    def chain_id(self, place: Place, run_id: str) -> str:
        """The identity of the row that sums up the line that ends here."""
        return self._id(run_id, place, place.line, -1)

    def step_ids(self, place: Place, run_id: str) -> list[str]:
        """The identities of the steps of the line that ends here, in order."""
        return [self._id(run_id, place, place.line[:n], n) for n in range(1, len(place.line) + 1)]

    def _id(self, run_id: str, place: Place, line: Sequence[int], step: int) -> str:
        prompt, sample = self.prompts[place.prompt], self.dataset.samples[place.sample].id
        where = [
            run_id,
            prompt.name,
            prompt.hash,
            *(self.models[m].id for m in line),
            sample,
            str(place.repeat),
        ]
        where += [str(step)] if step else []
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
    lines: Sequence[Sequence[tuple[int, ...]]] | None = None,
) -> Design:
    """Multiply. All arguments are already checked; `params` has one mapping per model, `lines` per prompt the
    models that answer it, one for each step of a chain: by default each model answers each prompt whole."""
    if lines is None:
        every = range(len(models))
        lines = [[(m,) * max(1, len(prompt.steps)) for m in every] for prompt in prompts]
    endpoints = tuple(providers.load(model.dialect).identity(model) for model in models)
    hashers = _hashers(models, endpoints, params)
    messages: dict[tuple[int, int], Sequence[Message]] = {}
    places: list[Place] = []
    for p, prompt in enumerate(prompts):
        for s, sample in enumerate(dataset.samples):
            rendered = messages[p, s] = prompt.render(sample.values)
            canonical = msgspec.Raw(canonical_json(unmarked(rendered)))
            if isinstance(prompt, Chain):
                steps = _steps(p, s, prompt, lines[p], sample, canonical, hashers)
                places.extend(place._replace(repeat=repeat) for place in steps for repeat in range(repeats))
                continue
            for (m,) in lines[p]:
                request_id = hashers[m].request_id(canonical)
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
        lines=tuple(map(tuple, lines)),
        messages=messages,
    )
    return _sealed(design, places)


def _hashers(
    models: Sequence[Model], endpoints: Sequence[str | None], params: Sequence[Mapping[str, Any]]
) -> list[RequestHasher]:
    return [
        RequestHasher(model.provider, model.dialect, endpoint or "", model.name, given)
        for model, endpoint, given in zip(models, endpoints, params, strict=True)
    ]


def _steps(
    p: int,
    s: int,
    chain: Chain,
    lines: Sequence[tuple[int, ...]],
    sample: Sample,
    first: msgspec.Raw,
    hashers: Sequence[RequestHasher],
) -> Iterator[Place]:
    """The tree of one sample: what several lines begin with is one place. What a later step sends is not
    known yet, so its `request_id` (`PLANNED`) is over all that decides it: the step, the sample, and what
    comes before."""
    planned: dict[tuple[int, ...], str] = {}
    for position in range(len(chain.steps)):
        for line in dict.fromkeys(line[: position + 1] for line in lines):
            if position == 0:
                planned[line] = hashers[line[-1]].request_id(first)
            else:
                planned[line] = planned_id(hashers[line[-1]], planned[line[:-1]], chain, position, sample)
            yield Place(p, line[-1], s, 0, planned[line], 0, line)


def planned_id(hasher: RequestHasher, before: str, chain: Prompt, position: int, sample: Sample) -> str:
    """What stands for the request of a later step while that is not known: a hash of all that decides it,
    which is the model, what comes `before`, the step and what it takes of the sample."""
    assert isinstance(chain, Chain)
    decided = hasher.request_id([before, *step_messages.decided_by(chain, position, sample)])
    return PLANNED + decided.partition(":")[2]


def _draw_after(request_id: str, draw: int) -> int:
    """A number for the answer that a step follows, which JSON holds exactly (52 bits)."""
    digest = hashlib.blake2b(f"{request_id}\0{draw}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 12


def _sealed(design: Design, places: list[Place]) -> Design:
    places.sort(key=lambda place: place.repeat)  # stable, so draws count repeat-major
    drawn = tuple(_draws(places, share=design.share))
    return replace(design, places=drawn, plan_id=_plan_id(design, drawn))


def _draws(places: Iterable[Place], *, share: bool) -> Iterator[Place]:
    seen: Counter[str] = Counter()
    for place in places:
        if place.before is not None:
            yield place
            continue
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
            for p, m, s, repeat, request_id, draw, *_ in places
        ),
    )


def plan_hash(experiment: str, workspace: str, cells: Iterable[Iterable[str]]) -> str:
    """The plan's id from its cells: prompt's name and hash, model, sample, repeat, request_id, draw."""
    state = hashlib.blake2b(canonical_json([experiment, workspace]), digest_size=16)
    # Sorted: the same cells are the same plan, in whatever order prompts and models were written down.
    for line in sorted("\0".join(cell) for cell in cells):
        state.update(line.encode() + b"\n")
    return "d1:" + state.hexdigest()
